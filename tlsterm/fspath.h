#ifndef L4_FSPATH_H
#define L4_FSPATH_H

#include <stdbool.h>

#include "common/conf.h"
#include "str.h"

/*
 * From the path of a request to a name below the docroot.  Pure.
 */
#define FSPATH_MAX	4096	/* PATH_MAX, terminator included */

struct fspath {
	char	rel[FSPATH_MAX];	/* no slash at either end; "" = the
					   docroot itself */
	size_t	len;
	bool	slash;			/* the request ended in one */
};

/*
 * Decodes once.  Returns 0; 400 for a broken escape, a control character,
 * what is not UTF-8, a "." or ".." segment; 404 for what can be no file: an
 * escaped slash, an empty segment inside, a name that is too long.  Slashes
 * at the start count as one.
 */
int	fspath_decode(struct fspath *, struct str path);

/*
 * Is any segment, or for a glob with a slash the whole path, hidden by one of
 * the globs?  ".well-known" as first segment is hidden only by its own name.
 */
bool	fspath_hidden(const char *rel, const struct conf_strs *globs);

/* Is it UTF-8 as RFC 3629 has it: shortest form, no surrogates? */
bool	utf8_valid(const char *p, size_t len);

#endif
