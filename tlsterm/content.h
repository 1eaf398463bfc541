#ifndef L4_CONTENT_H
#define L4_CONTENT_H

#include "cache.h"
#include "docroot.h"

/*
 * From files to entries of the cache.
 *
 * The tag of a file is made from what is in it, so that it is the same in
 * every process and on every host, and of the time and size of one that is
 * larger than CONTENT_MAX: those are neither read through nor kept.
 */
#define CONTENT_MAX	(4 * 1024 * 1024)

/* An entry for the open file, added to the cache of the site.  NULL without
 * memory. */
struct entry *content_load(const struct sites *, const struct origin *,
	    const char *key, struct file *);
/* The same for a list of a directory, of which b is the body, taken. */
struct entry *content_list(const struct sites *, const struct origin *,
	    const char *key, const struct file *, struct blob *b);
/* Looks for files with the entry's encodings beside its own. */
void	content_beside(const struct sites *, const struct site *,
	    struct entry *);
/* Opens the file that the form is in; false where it is not the one any more
 * that it was made of. */
bool	content_open(const struct site *, const struct form *, struct file *);

#endif
