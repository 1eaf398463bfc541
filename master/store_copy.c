#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store.h"

#define COPY_MAX	(1024 * 1024)	/* bytes of a file */

/* In the kernel: no byte of a key comes into master's memory. */
static bool
copy_bytes(int from, int to)
{
	struct stat	st;
	loff_t		in = 0, out = 0;
	ssize_t		n;

	if (fstat(from, &st) == -1 || st.st_size > COPY_MAX)
		return false;
	while (in < st.st_size) {
		n = copy_file_range(from, &in, to, &out,
		    (size_t)(st.st_size - in), 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool
copy_file(int from, const char *path, uid_t uid, gid_t gid)
{
	char	tmp[4200];
	int	fd;
	bool	ok;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd == -1)
		return false;
	ok = copy_bytes(from, fd) &&
	    (uid == (uid_t)-1 || fchown(fd, uid, gid) == 0) &&
	    fsync(fd) == 0 && rename(tmp, path) == 0;
	close(fd);
	if (!ok)
		unlink(tmp);
	return ok;
}

/* root's own: who is let in may read what is below, and change nothing. */
static bool
make_dir(const char *path, mode_t mode)
{
	return (mkdir(path, mode) == 0 || errno == EEXIST) &&
	    chmod(path, mode) == 0;
}

bool
store_copy(const char *state, const char *name, uid_t uid, gid_t gid,
    char chain[4096], char key[4096])
{
	struct store_pair	p;
	char			dir[4096];
	mode_t			mode = uid == (uid_t)-1 ? 0700 : 0711;
	bool			ok;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/hook", state) >=
	    sizeof(dir) || !make_dir(state, mode) || !make_dir(dir, mode) ||
	    (size_t)snprintf(dir, sizeof(dir), "%s/hook/%s", state, name) >=
	    sizeof(dir) - 16 || !make_dir(dir, mode))
		return false;
	if (!store_open(state, name, &p))
		return false;
	snprintf(chain, 4096, "%.4080s/chain.pem", dir);
	snprintf(key, 4096, "%.4080s/key.pem", dir);
	ok = copy_file(p.chain, chain, uid, gid) &&
	    copy_file(p.key, key, uid, gid);
	store_close(&p);
	return ok;
}
