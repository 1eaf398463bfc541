#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "files.h"

void
files_adopt(struct files *f, int fd)
{
	size_t	n = (size_t)fd + 1;

	if (fd < 0)
		return;
	if (n > f->nown) {
		n += n / 2;
		f->own = reallocarray(f->own, n, sizeof(*f->own));
		if (f->own == NULL)
			fatal("reallocarray");
		memset(f->own + f->nown, 0, (n - f->nown) * sizeof(*f->own));
		f->nown = n;
	}
	f->own[fd] = true;
}

int
files_open(struct files *f, const char *path, int flags)
{
	uint32_t	known;
	int		fd;

	if (conf_names_find(&f->known, path, &known))
		return (int)known;
	if ((fd = open(path, flags | O_CLOEXEC)) == -1)
		return -1;
	files_adopt(f, fd);
	known = (uint32_t)fd;
	conf_names_add(&f->known, path, &known);
	return fd;
}

void
files_close(struct files *f)
{
	size_t	i;

	for (i = 0; i < f->nown; i++)
		if (f->own[i])
			close((int)i);
	free(f->own);
	conf_names_free(&f->known);
	memset(f, 0, sizeof(*f));
}
