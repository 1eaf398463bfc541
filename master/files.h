#ifndef L4_FILES_H
#define L4_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/conf_names.h"

/*
 * What a configuration names, opened once however often it is named: thousands
 * of sites may have one certificate.  All zero is none.  The descriptors belong
 * to it and to nobody else.
 */
struct files {
	struct conf_names	 known;		/* path -> descriptor */
	bool			*own;		/* by descriptor */
	size_t			 nown;
};

/* The descriptor of the path, which outlives this; -1 with errno.  One set has
 * one kind of flags. */
int	files_open(struct files *, const char *path, int flags);
/* Takes one over, or has it already. */
void	files_adopt(struct files *, int fd);
void	files_close(struct files *);

#endif
