#ifndef L4_DOCROOT_H
#define L4_DOCROOT_H

#include <sys/stat.h>

#include "fspath.h"
#include "site.h"

/* A file below a docroot, open. */
struct file {
	int		fd;		/* -1: is not */
	struct stat	st;
	struct fspath	path;		/* of what was opened; `slash` is what
					   was asked for */
};

/* Opens path.rel: a regular file or directory, never outside of the root, and
 * without waiting for the other end of a FIFO.  0, or the status that says why
 * not. */
int	file_open(struct file *, int root);
void	file_close(struct file *);
/* Can files be opened at all? -1 with errno set where the call itself is
 * refused, by a filter around us or by an old kernel. */
int	docroot_check(int root);
/* The same, but only looks what it is, without a right to read it. */
int	file_look(struct file *, int root);

/*
 * What f->path leads to on the site: 0 and an open file, or, where the site
 * lists them, directory; 308 where the slash at its end is missing (*add_slash)
 * or too much; or an error.
 */
int	file_find(struct file *, const struct site *, bool *add_slash);

#endif
