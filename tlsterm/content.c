#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bsd/string.h>

#include "accept.h"
#include "common/l4.h"
#include "content.h"
#include "digest.h"
#include "media.h"

#define READ_PIECE	(64 * 1024)
#define YOUNG		1	/* seconds: a change that comes so soon after
				   another may not show in the file's times */

/* Reads len bytes from the start, to where, if that is not NULL, and through
 * the digest.  False where they are not there. */
static bool
read_through(int fd, size_t len, char *where, struct digest *d)
{
	char	buf[READ_PIECE], *p;
	size_t	done = 0, want;
	ssize_t	n;

	while (done < len) {
		p = where != NULL ? where + done : buf;
		want = where != NULL ? len - done :
		    len - done < sizeof(buf) ? len - done : sizeof(buf);
		n = pread(fd, p, want, (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		digest_add(d, p, (size_t)n);
		done += (size_t)n;
	}
	return true;
}

static void
tag_of_time(char *tag, const struct stat *st)
{
	snprintf(tag, CACHE_TAG_MAX, "\"%llx%08lx-%llx\"",
	    (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
	    (unsigned long long)st->st_size);
}

/* Every encoding of a content has a tag of its own (RFC 9110 8.8.3.3). */
static void
tag_of_content(struct form *f, const char *hex)
{
	size_t	which = (size_t)(f - f->entry->form);

	snprintf(f->tag, sizeof(f->tag), "\"%s%s%s\"", hex,
	    which == FORM_PLAIN ? "" : "-", which == FORM_PLAIN ? "" :
	    encoding_name((enum encoding)which));
}

/* Those of the plain one are known first. */
static void
tag_encodings(struct entry *e)
{
	struct str	base = { e->form[FORM_PLAIN].tag,
		strlen(e->form[FORM_PLAIN].tag) - 1 };
	size_t		i;

	for (i = 0; i < ENC__MAX; i++)
		if (e->form[i].state != FORM_BESIDE)
			snprintf(e->form[i].tag, CACHE_TAG_MAX, "%.*s-%s\"",
			    (int)base.n, base.p,
			    encoding_name((enum encoding)i));
}

/* Tag and, as far as there is room, body.  False where the file is not what
 * it was when it was opened. */
static bool
form_load(struct cache *c, struct form *form, const struct file *f)
{
	size_t		 len = (size_t)f->st.st_size;
	struct budget	*budget;
	struct digest	*d;
	struct stat	 st;
	struct file_id	 before, after;
	char		 hex[DIGEST_LEN + 1];

	tag_of_time(form->tag, &f->st);
	form->length = (uint64_t)f->st.st_size;
	if (f->st.st_size > CONTENT_MAX || (d = digest_new()) == NULL)
		return true;
	budget = cache_budget(c, form->entry, len + sizeof(struct blob));
	if (budget != NULL)
		form->body = blob_new(budget, len);
	c->spent += len;
	if (!read_through(f->fd, len, form->body == NULL ? NULL :
	    form->body->p, d) || fstat(f->fd, &st) == -1) {
		digest_free(d);
		blob_drop(form->body);
		form->body = NULL;
		return false;
	}
	if (form->body != NULL)
		form->body->len = len;
	digest_end(d, hex);
	tag_of_content(form, hex);
	file_id_of(&before, &f->st);
	file_id_of(&after, &st);
	return file_id_same(&before, &after);
}

/* Its name in path.rel; false where that is too long. */
static bool
beside_name(struct file *f, const struct entry *e, size_t which)
{
	return strlcpy(f->path.rel, e->name, sizeof(f->path.rel)) <
	    sizeof(f->path.rel) && (which == FORM_PLAIN ||
	    strlcat(f->path.rel, encoding_suffix((enum encoding)which),
	    sizeof(f->path.rel)) < sizeof(f->path.rel));
}

/* A file whose name says it is ours encoded, and that is not older. */
static bool
beside_open(struct file *f, const struct site *s, const struct entry *e,
    enum encoding which)
{
	const struct timespec	*own = &e->id.mtime, *its = &f->st.st_mtim;

	if (!beside_name(f, e, which) ||
	    fspath_hidden(f->path.rel, &s->conf->hide) ||
	    file_open(f, s->root) != 0)
		return false;
	if (S_ISREG(f->st.st_mode) && f->st.st_size > 0 &&
	    (its->tv_sec > own->tv_sec || (its->tv_sec == own->tv_sec &&
	    its->tv_nsec >= own->tv_nsec)))
		return true;
	file_close(f);
	return false;
}

static void
beside_look(struct cache *c, const struct site *s, struct form *form,
    enum encoding which)
{
	struct file	f = { .fd = -1 };
	struct file_id	id;

	if (!beside_open(&f, s, form->entry, which)) {
		if (form->state == FORM_BESIDE) {
			form_reset(c, form);
			tag_encodings(form->entry);
		}
		return;
	}
	file_id_of(&id, &f.st);
	if (form->state != FORM_BESIDE || !file_id_same(&id, &form->beside)) {
		form_reset(c, form);
		form->state = FORM_BESIDE;
		form->beside = id;
		/* What changes under our eyes is not used. */
		if (!form_load(c, form, &f)) {
			form_reset(c, form);
			tag_encodings(form->entry);
		}
	}
	file_close(&f);
}

void
content_beside(const struct sites *ss, const struct site *s, struct entry *e)
{
	size_t	i;

	for (i = 0; !e->list && i < s->conf->nencode; i++)
		beside_look(ss->cache, s, &e->form[s->conf->encode[i]],
		    s->conf->encode[i]);
}

bool
content_open(const struct site *s, const struct form *form, struct file *f)
{
	const struct entry	*e = form->entry;
	size_t			 which = (size_t)(form - e->form);
	struct file_id		 id;

	if (!beside_name(f, e, which) || file_open(f, s->root) != 0)
		return false;
	file_id_of(&id, &f->st);
	if (file_id_same(&id, which == FORM_PLAIN ? &e->id : &form->beside))
		return true;
	file_close(f);
	return false;
}

/* Is what was read of it in memory that may be kept? */
static bool
form_lasts(const struct cache *c, const struct form *f)
{
	return f->body == NULL || f->body->budget == &c->budget;
}

static void
entry_type(const struct site *s, struct entry *e, const char *type)
{
	e->type = type;
	e->encode = s->conf->nencode > 0 && media_encodes(s, type);
	tag_encodings(e);
}

struct entry *
content_load(const struct sites *ss, const struct origin *o, const char *key,
    struct file *f)
{
	struct cache	*c = ss->cache;
	struct entry	*e;
	bool		 keep;

	if ((e = entry_new(c, o->site->index, key, f->path.rel)) == NULL)
		return NULL;
	file_id_of(&e->id, &f->st);
	e->checked = o->now;
	e->form[FORM_PLAIN].state = FORM_BEST;
	keep = form_load(c, &e->form[FORM_PLAIN], f) &&
	    form_lasts(c, &e->form[FORM_PLAIN]) &&
	    e->id.ctime.tv_sec < o->now - YOUNG;
	entry_type(o->site, e, mime_type(ss->mime, e->name));
	content_beside(ss, o->site, e);
	cache_add(c, e, keep);
	return e;
}

struct entry *
content_list(const struct sites *ss, const struct origin *o, const char *key,
    const struct file *f, struct blob *b)
{
	struct cache	*c = ss->cache;
	struct entry	*e;
	struct digest	*d = digest_new();
	char		 hex[DIGEST_LEN + 1];

	if (d == NULL ||
	    (e = entry_new(c, o->site->index, key, f->path.rel)) == NULL) {
		if (d != NULL)
			digest_free(d);
		blob_drop(b);
		return NULL;
	}
	file_id_of(&e->id, &f->st);
	e->checked = o->now;
	e->list = true;
	e->form[FORM_PLAIN].state = FORM_BEST;
	e->form[FORM_PLAIN].body = b;
	e->form[FORM_PLAIN].length = b->len;
	digest_add(d, b->p, b->len);
	digest_end(d, hex);
	tag_of_content(&e->form[FORM_PLAIN], hex);
	entry_type(o->site, e, "text/html; charset=utf-8");
	cache_add(c, e, form_lasts(c, &e->form[FORM_PLAIN]));
	return e;
}
