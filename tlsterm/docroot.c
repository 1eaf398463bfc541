#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "docroot.h"

#define OPEN_TRIES	4	/* a rename beside us: EAGAIN */

static int
open_beneath(int root, const char *name, uint64_t flags)
{
	struct open_how	how = { .flags = flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int		fd, i;

	for (i = 0; i < OPEN_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, root,
		    name[0] == '\0' ? "." : name, &how, sizeof(how));
		if (fd != -1 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
	return -1;
}

int
docroot_check(int root)
{
	int	fd = open_beneath(root, ".", O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);

	if (fd == -1)
		return errno == ENOSYS || errno == EPERM ? -1 : 0;
	close(fd);
	return 0;
}

static int
status_of_errno(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
		return 503;
	case EIO:
		return 500;
	default:
		return 404;
	}
}

void
file_close(struct file *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}

static int
file_begin(struct file *f, int root, uint64_t flags)
{
	int	status = 0;

	if ((f->fd = open_beneath(root, f->path.rel, flags)) == -1)
		return status_of_errno(errno);
	if (fstat(f->fd, &f->st) == -1)
		status = 500;
	else if (!S_ISREG(f->st.st_mode) && !S_ISDIR(f->st.st_mode))
		status = 403;
	if (status != 0)
		file_close(f);
	return status;
}

int
file_open(struct file *f, int root)
{
	return file_begin(f, root, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
}

int
file_look(struct file *f, int root)
{
	int	status = file_begin(f, root, O_PATH | O_CLOEXEC);

	file_close(f);
	return status;
}

/* Adds a name to the directory of dirlen bytes; false where it cannot be. */
static bool
file_name(struct file *f, size_t dirlen, const char *name)
{
	size_t	room = sizeof(f->path.rel) - dirlen;
	int	n;

	n = snprintf(f->path.rel + dirlen, room, "%s%s",
	    dirlen == 0 ? "" : "/", name);
	return n > 0 && (size_t)n < room;
}

/* Takes the first index file of the directory that is there. */
static int
file_index(struct file *f, const struct site *s)
{
	const struct conf_strs	*index = &s->conf->index;
	size_t			 i, dirlen = f->path.len;
	int			 status = 404;

	file_close(f);
	for (i = 0; i < index->n && status == 404; i++) {
		if (!file_name(f, dirlen, index->v[i]) ||
		    fspath_hidden(f->path.rel, &s->conf->hide))
			continue;
		status = file_open(f, s->root);
		if (status == 0 && !S_ISREG(f->st.st_mode)) {
			file_close(f);
			status = 404;
		}
	}
	if (status == 404 && s->conf->browse) {
		f->path.rel[dirlen] = '\0';
		status = file_open(f, s->root);
	}
	return status;
}

int
file_find(struct file *f, const struct site *s, bool *add_slash)
{
	int	status;

	if (fspath_hidden(f->path.rel, &s->conf->hide))
		return 404;
	if ((status = file_open(f, s->root)) != 0)
		return status;
	*add_slash = S_ISDIR(f->st.st_mode);
	if (f->path.slash == *add_slash)
		return *add_slash ? file_index(f, s) : 0;
	return 308;
}
