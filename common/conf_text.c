#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_text.h"
#include "log.h"

/*
 * A snapshot is a memfd: this line, then one line for each segment, then the
 * text.  They are comments to libconfig, but are cut off before it looks.
 */
#define SNAPSHOT_MAGIC	"#l4mux-snapshot "

/* All of a file, NUL-terminated, from its start on, whatever the offset of fd
 * is: snapshots are shared by processes that read them at the same time. */
static char *
read_all(int fd, size_t max, size_t *len, const char **why)
{
	size_t	 cap = 0, n = 0;
	ssize_t	 got = 1;
	char	*buf = NULL, *more;

	while (got > 0 && n <= max) {
		if (n + 1 >= cap) {	/* room for a NUL */
			cap = cap == 0 ? 65536 : cap * 2;
			if ((more = reallocarray(buf, cap, 1)) == NULL)
				fatal("reallocarray");
			buf = more;
		}
		if ((got = pread(fd, buf + n, cap - n - 1, (off_t)n)) > 0)
			n += (size_t)got;
		else if (got == -1 && errno == EINTR)
			got = 1;
	}
	*why = NULL;
	if (got == -1)
		*why = strerror(errno);
	else if (n > max)
		*why = "the file is too large: at most 16 MiB";
	if (*why != NULL) {
		free(buf);
		return NULL;
	}
	*len = n;
	buf[n] = '\0';
	return buf;
}

/* Could anyone but root and the caller have written this?  Asked by root only:
 * another user cannot harm anyone but himself. */
static const char *
file_distrust(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return "this is a directory, not a file";
	if (!S_ISREG(st->st_mode))
		return "this is not a regular file";
	if (geteuid() != 0)
		return NULL;
	if (st->st_uid != 0 && st->st_uid != getuid())
		return "the file must be owned by root (chown root)";
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "the file must not be writable by its group or by "
		    "others (chmod go-w)";
	return NULL;
}

char *
conf_file_read(const char *path, size_t *len, const char **why)
{
	struct stat	 st;
	char		*buf = NULL;
	int		 fd;

	/* A FIFO without a writer must not stop us here. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if ((*why = file_distrust(&st)) == NULL)
		buf = read_all(fd, CONF_FILE_MAX, len, why);
	if (fd != -1)
		close(fd);
	return buf;
}

/* The CPUs this process may use. */
static unsigned int
count_cpus(void)
{
	cpu_set_t	set;
	long		n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else				/* more than CPU_SETSIZE of them */
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 1024 ? 1024 : (unsigned int)n;
}

struct conf_text *
conf_text_new(struct conf_arena *arena)
{
	struct conf_text	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("calloc");
	t->arena = arena;
	t->line = 1;
	t->cpus = count_cpus();
	conf_text_append(t, "", 0);
	return t;
}

void
conf_text_free(struct conf_text *t)
{
	if (t == NULL)
		return;
	free(t->buf);
	free(t->seg);
	free(t->name);
	conf_names_free(&t->cut);
	free(t);
}

void
conf_text_append(struct conf_text *t, const char *p, size_t n)
{
	size_t	i;

	if (n >= t->cap - t->len) {
		t->cap = (t->cap + n + 4096) * 2;
		if ((t->buf = reallocarray(t->buf, t->cap, 1)) == NULL)
			fatal("reallocarray");
	}
	memcpy(t->buf + t->len, p, n);
	t->len += n;
	t->buf[t->len] = '\0';
	for (i = 0; i < n; i++)
		t->line += p[i] == '\n';
}

static void
text_add_seg(struct conf_text *t, unsigned int out, unsigned int line,
    const char *file)
{
	if (t->nseg == t->segcap) {
		t->segcap = (t->segcap + 8) * 2;
		t->seg = reallocarray(t->seg, t->segcap, sizeof(*t->seg));
		if (t->seg == NULL)
			fatal("reallocarray");
	}
	t->seg[t->nseg++] = (struct conf_seg){ out, line, file };
}

void
conf_text_mark(struct conf_text *t, const char *file, unsigned int line)
{
	text_add_seg(t, t->line, line, file);
}

struct conf_seg
conf_text_place(const struct conf_text *t, unsigned int out)
{
	struct conf_seg	place = t->seg[0];
	size_t		lo = 0, hi = t->nseg, mid;

	if (out < 1)			/* the root has no line */
		out = 1;
	while (lo < hi) {		/* the last one that begins before */
		mid = lo + (hi - lo) / 2;
		if (t->seg[mid].out <= out)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo > 0)
		place = t->seg[lo - 1];
	place.line += out > place.out ? out - place.out : 0;
	place.out = out;
	return place;
}

bool
conf_text_read(struct conf_text *t, const char *path, FILE *errs)
{
	const char	*why;
	size_t		 len;
	char		*buf;
	bool		 ok;

	if (strchr(path, '\n') != NULL) {
		fprintf(errs, "-:1: a line break in the name of the file\n");
		return false;
	}
	if ((buf = conf_file_read(path, &len, &why)) == NULL) {
		fprintf(errs, "%s:1: %s\n", path, why);
		return false;
	}
	path = conf_strdup(t->arena, path);
	conf_text_mark(t, path, 1);
	ok = conf_scan(t, path, buf, len, 0, errs);
	free(buf);
	return ok;
}

void
conf_text_name(struct conf_text *t)
{
	if (t->nname == t->namecap) {
		t->namecap = (t->namecap + 64) * 2;
		t->name = reallocarray(t->name, t->namecap, sizeof(*t->name));
		if (t->name == NULL)
			fatal("reallocarray");
	}
	t->name[t->nname++] = (struct conf_member){ t->len, t->group };
}

static bool
head_number(char **p, char end, unsigned int *n)
{
	unsigned long	 v;
	char		*q;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	v = strtoul(*p, &q, 10);
	if (errno != 0 || v > CONF_TEXT_MAX || *q != end)
		return false;
	*n = (unsigned int)v;
	*p = q + 1;
	return true;
}

/* One segment; NUL-terminates the line it is on. */
static bool
head_seg(struct conf_text *t, char **p)
{
	unsigned int	 out, line;
	char		*nl;

	if (*(*p)++ != '#' || !head_number(p, ' ', &out) ||
	    !head_number(p, ' ', &line) || (nl = strchr(*p, '\n')) == NULL)
		return false;
	if (out < 1 || (t->nseg > 0 && out < t->seg[t->nseg - 1].out))
		return false;
	text_add_seg(t, out, line,
	    conf_strndup(t->arena, *p, (size_t)(nl - *p)));
	*p = nl + 1;
	return true;
}

/* Returns where the text begins; NULL for a head that is none of ours. */
static char *
text_read_head(struct conf_text *t, char *p)
{
	unsigned int	cpus, nseg;

	p += strlen(SNAPSHOT_MAGIC);
	if (!head_number(&p, ' ', &cpus) || !head_number(&p, '\n', &nseg) ||
	    cpus < 1 || cpus > 1024 || nseg < 1)
		return NULL;
	t->cpus = cpus;
	for (; nseg > 0; nseg--)
		if (!head_seg(t, &p))
			return NULL;
	return p;
}

bool
conf_text_read_fd(struct conf_text *t, int fd, const char *path, FILE *errs)
{
	const char	*why;
	size_t		 len;
	char		*buf, *p;
	bool		 ok = false;

	path = conf_strdup(t->arena, path);
	/* With its head a snapshot is larger than its text. */
	if ((buf = read_all(fd, CONF_TEXT_MAX * 2, &len, &why)) == NULL) {
		fprintf(errs, "%s:1: %s\n", path, why);
		return false;
	}
	p = buf;
	if (strncmp(buf, SNAPSHOT_MAGIC, strlen(SNAPSHOT_MAGIC)) == 0)
		p = text_read_head(t, buf);
	else
		conf_text_mark(t, path, 1);
	if (p == NULL)
		fprintf(errs, "%s:1: not a snapshot of a configuration\n",
		    path);
	else
		ok = conf_scan(t, path, p, len - (size_t)(p - buf),
		    CONF_DEPTH_MAX, errs);
	free(buf);
	return ok;
}

static bool
snapshot_write(const struct conf_text *t, FILE *f)
{
	size_t	i;

	fprintf(f, SNAPSHOT_MAGIC "%u %zu\n", t->cpus, t->nseg);
	for (i = 0; i < t->nseg; i++)
		fprintf(f, "#%u %u %s\n", t->seg[i].out, t->seg[i].line,
		    t->seg[i].file);
	fwrite(t->buf, 1, t->len, f);
	return fflush(f) == 0 && !ferror(f);
}

int
conf_text_snapshot(const struct conf_text *t)
{
	FILE	*f = NULL;
	int	 fd, dupfd = -1;

	fd = memfd_create("l4mux.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	if ((dupfd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1 ||
	    (f = fdopen(dupfd, "w")) == NULL || !snapshot_write(t, f) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW |
	    F_SEAL_SHRINK | F_SEAL_SEAL) == -1) {
		close(fd);
		fd = -1;
	}
	if (f != NULL)
		fclose(f);
	else if (dupfd != -1)
		close(dupfd);
	return fd;
}
