#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hello.h"
#include "common/acme_wire.h"
#include "store.h"

#define FILE_MAX	256		/* bytes of a name of a file */
#define NAMES_MAX	(ACME_NAMES_MAX * (HELLO_NAME_MAX + 1))
#define TEXT_MAX	65536
#define FILE_SIZE_MAX	(1024 * 1024)
#define NUMBER_TRIES	16

#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define NEW_FLAGS	(O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* state/sub, made where it is not there. */
static int
open_dir(const char *state, const char *sub, mode_t mode)
{
	int	top, dir, saved;

	if (mkdir(state, 0700) == -1 && errno != EEXIST)
		return -1;
	if ((top = open(state, DIR_FLAGS)) == -1)
		return -1;
	if (mkdirat(top, sub, mode) == -1 && errno != EEXIST)
		dir = -1;
	else
		dir = openat(top, sub, DIR_FLAGS | O_NOFOLLOW);
	saved = errno;
	close(top);
	errno = saved;
	return dir;
}

static char *
read_all(int fd, size_t max)
{
	struct stat	 st;
	char		*buf;

	if (fstat(fd, &st) == -1 || st.st_size < 0 ||
	    (size_t)st.st_size > max ||
	    (buf = calloc(1, (size_t)st.st_size + 1)) == NULL)
		return NULL;
	if (pread(fd, buf, (size_t)st.st_size, 0) == st.st_size &&
	    strlen(buf) == (size_t)st.st_size)
		return buf;
	free(buf);
	return NULL;
}

static char *
read_at(int dir, const char *file, size_t max)
{
	int	 fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char	*text;

	if (fd == -1)
		return NULL;
	text = read_all(fd, max);
	close(fd);
	return text;
}

/* Writes all of it out. */
static bool
write_at(int dir, const char *file, const char *text, size_t len)
{
	int	fd = openat(dir, file, NEW_FLAGS, 0600);
	bool	ok;

	if (fd == -1)
		return false;
	ok = pwrite(fd, text, len, 0) == (ssize_t)len && fsync(fd) == 0;
	close(fd);
	return ok;
}

char *
store_read(const char *state, const char *sub, const char *file)
{
	int	 dir = open_dir(state, sub, 0700);
	char	*text;

	if (dir == -1)
		return NULL;
	text = read_at(dir, file, TEXT_MAX);
	close(dir);
	return text;
}

bool
store_write(const char *state, const char *sub, const char *file,
    const char *text, size_t len)
{
	int	dir = open_dir(state, sub, 0700), saved;
	bool	ok;

	if (dir == -1)
		return false;
	unlinkat(dir, "new", 0);
	ok = write_at(dir, "new", text, len) &&
	    renameat(dir, "new", dir, file) == 0 && fsync(dir) == 0;
	saved = errno;
	if (!ok)
		unlinkat(dir, "new", 0);
	close(dir);
	errno = saved;
	return ok;
}

static bool
split_names(struct store_pair *p, char *text)
{
	char	*line, *save = NULL;

	p->name = calloc(ACME_NAMES_MAX, sizeof(*p->name));
	for (line = strtok_r(text, "\n", &save);
	    p->name != NULL && line != NULL && p->nnames < ACME_NAMES_MAX;
	    line = strtok_r(NULL, "\n", &save))
		if ((p->name[p->nnames++] = strdup(line)) == NULL)
			return false;
	return p->nnames > 0;
}

bool
store_open(const char *state, const char *name, struct store_pair *p)
{
	int	 certs = open_dir(state, "certs", 0700), dir = -1;
	char	*text = NULL;
	bool	 ok;

	memset(p, 0, sizeof(*p));
	p->chain = p->key = -1;
	if (certs != -1)
		dir = openat(certs, name, DIR_FLAGS);
	if (dir != -1) {
		p->chain = openat(dir, "chain.pem", O_RDONLY | O_CLOEXEC);
		p->key = openat(dir, "key.pem", O_RDONLY | O_CLOEXEC);
		text = read_at(dir, "names", NAMES_MAX);
		close(dir);
	}
	if (certs != -1)
		close(certs);
	ok = p->chain != -1 && p->key != -1 && text != NULL &&
	    split_names(p, text);
	free(text);
	if (!ok)
		store_close(p);
	return ok;
}

void
store_close(struct store_pair *p)
{
	if (p->chain != -1)
		close(p->chain);
	if (p->key != -1)
		close(p->key);
	while (p->nnames > 0)
		free(p->name[--p->nnames]);
	free(p->name);
	p->name = NULL;
	p->chain = p->key = -1;
}

/* A directory of ours with its files, if it is there. */
static void
remove_pair(int certs, const char *dirname)
{
	static const char *const	files[] = {
		"chain.pem", "key.pem", "names",
	};
	int	dir = openat(certs, dirname, DIR_FLAGS | O_NOFOLLOW);
	size_t	i;

	if (dir == -1)
		return;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir, files[i], 0);
	close(dir);
	unlinkat(certs, dirname, AT_REMOVEDIR);
}

/* Is it "NAME." and a word? */
static bool
is_pair_of(const char *file, const char *name)
{
	size_t	n = strlen(name);

	return strncmp(file, name, n) == 0 && file[n] == '.';
}

/* All that a crash, or an earlier pair, has left. */
static void
remove_old(int certs, const char *name)
{
	char		 now[FILE_MAX] = "";
	struct dirent	*de;
	DIR		*d;
	int		 copy = openat(certs, ".", DIR_FLAGS);

	if (copy == -1 || (d = fdopendir(copy)) == NULL)
		return;
	if (readlinkat(certs, name, now, sizeof(now) - 1) == -1)
		now[0] = '\0';
	while ((de = readdir(d)) != NULL)
		if (is_pair_of(de->d_name, name) &&
		    strcmp(de->d_name, now) != 0) {
			remove_pair(certs, de->d_name);
			unlinkat(certs, de->d_name, 0);
		}
	closedir(d);
}

static bool
file_name(char dst[FILE_MAX], const char *name, const char *end)
{
	if (strchr(name, '/') == NULL && (size_t)snprintf(dst, FILE_MAX,
	    "%s.%s", name, end) < FILE_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

bool
store_begin(const char *state, const char *name, struct store_new *n)
{
	char	dir[FILE_MAX];
	int	saved;

	n->dir = n->chain = n->key = -1;
	if ((n->certs = open_dir(state, "certs", 0700)) == -1)
		return false;
	if (file_name(dir, name, "new")) {
		remove_old(n->certs, name);
		if (mkdirat(n->certs, dir, 0700) == 0 &&
		    (n->dir = openat(n->certs, dir, DIR_FLAGS)) != -1 &&
		    (n->chain = openat(n->dir, "chain.pem", NEW_FLAGS,
		    0600)) != -1 &&
		    (n->key = openat(n->dir, "key.pem", NEW_FLAGS, 0600)) !=
		    -1)
			return true;
	}
	saved = errno;
	store_abort(n, name);
	errno = saved;
	return false;
}

static void
close_new(struct store_new *n)
{
	int	*fd[] = { &n->certs, &n->dir, &n->chain, &n->key };
	size_t	 i;

	for (i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		if (*fd[i] != -1)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

void
store_abort(struct store_new *n, const char *name)
{
	char	dir[FILE_MAX];

	if (n->certs != -1 && file_name(dir, name, "new"))
		remove_pair(n->certs, dir);
	close_new(n);
}

static bool
write_names(const struct store_new *n, const struct conf_strs *names)
{
	char	*text = NULL;
	size_t	 len = 0, i;
	FILE	*f = open_memstream(&text, &len);
	bool	 ok;

	if (f == NULL)
		return false;
	for (i = 0; i < names->n; i++)
		fprintf(f, "%s\n", names->v[i]);
	ok = fclose(f) == 0 && write_at(n->dir, "names", text, len);
	free(text);
	return ok;
}

/* Under the first free number: the one in force may be of the same second. */
static bool
keep_new(const struct store_new *n, const char *name, int64_t number,
    char kept[FILE_MAX])
{
	char	new[FILE_MAX], digits[24];
	int	tries;

	for (tries = 0; tries < NUMBER_TRIES; tries++) {
		snprintf(digits, sizeof(digits), "%" PRId64, number + tries);
		if (!file_name(new, name, "new") ||
		    !file_name(kept, name, digits))
			return false;
		if (renameat(n->certs, new, n->certs, kept) == 0)
			return true;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return false;
	}
	return false;
}

bool
store_commit(struct store_new *n, const char *name,
    const struct conf_strs *names, int64_t number)
{
	char	kept[FILE_MAX], link[FILE_MAX];
	int	saved;
	bool	ok;

	ok = file_name(link, name, "link") && write_names(n, names) &&
	    fsync(n->chain) == 0 && fsync(n->key) == 0 &&
	    fsync(n->dir) == 0 &&
	    keep_new(n, name, number, kept) &&
	    fsync(n->certs) == 0 &&
	    symlinkat(kept, n->certs, link) == 0 &&
	    renameat(n->certs, link, n->certs, name) == 0 &&
	    fsync(n->certs) == 0;
	saved = errno;
	/* What is not in force is not needed. */
	remove_old(n->certs, name);
	close_new(n);
	errno = saved;
	return ok;
}

/* The host and path of a URL as the name of a file. */
static bool
account_name(const char *directory, char dst[FILE_MAX])
{
	char	*p;

	if (strncmp(directory, "https://", 8) == 0)
		directory += 8;
	if ((size_t)snprintf(dst, FILE_MAX, "%s", directory) >= FILE_MAX - 4) {
		errno = ENAMETOOLONG;
		return false;
	}
	for (p = dst; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || *p == '-' ||
		    (*p == '.' && p != dst)))
			*p = '_';
	memcpy(p, ".key", 5);
	return true;
}

int
store_account(const char *state, const char *directory)
{
	char	file[FILE_MAX];
	int	dir, fd;

	if (!account_name(directory, file))
		return -1;
	if ((dir = open_dir(state, "acme", 0700)) == -1)
		return -1;
	fd = openat(dir, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd != -1)
		fsync(dir);
	close(dir);
	return fd;
}

int
store_copy(int fd)
{
	struct stat	st;
	off_t		at = 0;
	int		copy, saved;

	if (fstat(fd, &st) == -1 || st.st_size > FILE_SIZE_MAX)
		return -1;
	copy = memfd_create("l4mux-copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy == -1)
		return -1;
	while (at < st.st_size)
		if (sendfile(copy, fd, &at, (size_t)(st.st_size - at)) <= 0)
			break;
	if (at == st.st_size && fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return copy;
	saved = errno;
	close(copy);
	errno = saved;
	return -1;
}
