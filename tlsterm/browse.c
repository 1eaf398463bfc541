#include <sys/syscall.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bsd/string.h>

#include "browse.h"
#include "common/l4.h"
#include "content.h"
#include "listing.h"

#define DIR_BUF		(32 * 1024)
#define NAME_COST	1024	/* of work, as bytes */
#define READ_MAX	(10 * BROWSE_MAX)	/* names looked at */
#define LINK_COST	10	/* a link is so many: it is looked up */

/* A directory being read. */
struct dir {
	const struct site	*site;
	const struct file	*file;
	struct list_item	*v;
	size_t			 n, size, seen;
	bool			 more, bad;
	/* for what a name leads to; path.rel is below the docroot */
	struct file		 target;
};

/* A link shows what it leads to, and not at all when that is not below the
 * docroot. */
static bool
dir_stat(struct dir *d, const char *name, struct stat *st)
{
	if (fstatat(d->file->fd, name, st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	if (!S_ISLNK(st->st_mode))
		return S_ISDIR(st->st_mode) || S_ISREG(st->st_mode);
	d->seen += LINK_COST - 1;
	if (file_look(&d->target, d->site->root) != 0)
		return false;
	*st = d->target.st;
	return true;
}

/* Can it be asked for? */
static bool
name_shown(struct dir *d, const char *name)
{
	struct fspath	*p = &d->target.path;
	size_t		 i, n = strlen(name);
	int		 len;

	for (i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    !utf8_valid(name, n))
		return false;
	len = snprintf(p->rel, sizeof(p->rel), "%s%s%s", d->file->path.rel,
	    d->file->path.rel[0] == '\0' ? "" : "/", name);
	return len > 0 && (size_t)len < sizeof(p->rel) &&
	    !fspath_hidden(p->rel, &d->site->conf->hide);
}

static void
dir_add(struct dir *d, const char *name)
{
	struct list_item	*v, *i;
	struct stat		 st;
	char			*copy;

	if (!name_shown(d, name) || !dir_stat(d, name, &st))
		return;
	if (d->n == BROWSE_MAX) {
		d->more = true;
		return;
	}
	if (d->n == d->size) {
		v = reallocarray(d->v, d->size + 512, sizeof(*v));
		if (v == NULL) {
			d->bad = true;
			return;
		}
		d->v = v;
		d->size += 512;
	}
	if ((copy = strdup(name)) == NULL) {
		d->bad = true;
		return;
	}
	i = &d->v[d->n++];
	i->name = copy;
	i->size = (uint64_t)st.st_size;
	i->mtime = st.st_mtime;
	i->dir = S_ISDIR(st.st_mode);
}

static void
dir_read(struct dir *d)
{
	_Alignas(struct dirent64) char	 buf[DIR_BUF];
	const struct dirent64		*e;
	long				 n, at;

	while (!d->more && !d->bad) {
		n = syscall(SYS_getdents64, d->file->fd, buf, sizeof(buf));
		d->bad = n == -1;
		if (n <= 0)
			return;
		for (at = 0; at < n && !d->more; at += e->d_reclen) {
			e = (const void *)(buf + at);
			d->more = ++d->seen > READ_MAX;
			if (!d->more)
				dir_add(d, e->d_name);
		}
	}
}

static struct blob *
dir_page(const struct sites *ss, struct listing *l)
{
	struct budget	*budget;
	struct blob	*b = NULL;
	char		*page;
	size_t		 len;

	list_sort(l);
	if ((page = list_page(l, &len)) == NULL)
		return NULL;
	budget = cache_budget(ss->cache, NULL, len + sizeof(*b));
	if (budget != NULL && (b = blob_new(budget, len)) != NULL) {
		memcpy(b->p, page, len);
		b->len = len;
	}
	free(page);
	return b;
}

static struct blob *
dir_list(const struct sites *ss, const struct site *s, const struct file *f,
    const struct list_order *order)
{
	struct dir	 d = { .site = s, .file = f };
	struct listing	 l = { .rel = f->path.rel, .order = *order };
	struct blob	*b = NULL;
	size_t		 i;

	d.target.fd = -1;
	dir_read(&d);
	l.v = d.v;
	l.n = d.n;
	l.more = d.more;
	ss->cache->spent += d.seen * NAME_COST;
	if (!d.bad)
		b = dir_page(ss, &l);
	for (i = 0; i < d.n; i++)
		free((char *)(uintptr_t)d.v[i].name);
	free(d.v);
	return b;
}

struct entry *
browse_entry(const struct sites *ss, const struct origin *o,
    const struct request *req, const struct file *f)
{
	struct list_order	 order;
	struct entry		*e;
	struct blob		*b;
	char			 key[FSPATH_MAX + 8];

	list_order_parse(&order, req->query);
	/* No file has such a name: it could not be asked for. */
	snprintf(key, sizeof(key), "%s/\001%d%d", f->path.rel,
	    (int)order.key, order.desc);
	e = cache_find(ss->cache, o->site->index, key);
	if (e != NULL && e->checked == o->now)
		return e;
	if ((b = dir_list(ss, o->site, f, &order)) == NULL)
		return NULL;
	return content_list(ss, o, key, f, b);
}
