#include <bsd/string.h>

#include "common/l4.h"
#include "browse.h"
#include "cond.h"
#include "content.h"
#include "form.h"
#include "httpdate.h"
#include "redirect.h"
#include "site.h"

#define FILE_TRIES	3	/* when it changes between two looks */

/* A request for something below the docroot, while it is answered. */
struct ask {
	const struct sites	*ss;
	const struct origin	*o;
	const struct request	*req;
	struct response		*res;
	struct accept		 accept;
	struct entry		*entry;
	struct file		*file;		/* of the entry, if open */
};

static void
respond_slash(const struct ask *a, bool add)
{
	struct response	*res = a->res;
	size_t		 len;

	response_begin(res, 308);
	len = redirect_slash(res->buf, sizeof(res->buf), a->req, add);
	if (len == 0) {
		response_error(res, 414);
		return;
	}
	res->used = len;
	response_field(res, STR("Location"), (struct str){ res->buf, len });
}

static void
respond_error(const struct ask *a, int status)
{
	site_error(a->ss, a->o->site, status, a->res);
	if (status == 405)
		response_field(a->res, STR("Allow"), STR("GET, HEAD"));
	if (status == 406)
		response_field(a->res, STR("Vary"), STR("Accept-Encoding"));
	if (status == 503)
		response_field(a->res, STR("Retry-After"), STR("1"));
}

static void
add_type(const struct entry *e, struct response *res)
{
	if (e->type != NULL)
		response_field(res, STR("Content-Type"),
		    (struct str){ e->type, strlen(e->type) });
}

/* The fields that say which state of the file this is; also in a 304. */
static void
add_validators(const struct ask *a, const struct validator *v)
{
	struct response	*res = a->res;
	char		*date;

	response_field(res, STR("ETag"), v->etag);
	if ((date = response_room(res, HTTPDATE_LEN + 1)) != NULL)
		response_field(res, STR("Last-Modified"), (struct str){
		    httpdate_format(date, v->mtime), HTTPDATE_LEN });
	response_field(res, STR("Vary"), STR("Accept-Encoding"));
}

/* The body from a file that is not open; -1 where it is another now. */
static int
body_open(const struct ask *a, const struct form *form)
{
	struct file	f L4_UNSET;

	return content_open(a->o->site, form, &f) ? f.fd : -1;
}

/* The body, from memory or from its file; false where that is another now. */
static bool
body_begin(const struct ask *a, const struct form *form)
{
	struct body	*b = &a->res->body;

	if (form->body != NULL) {
		body_of_blob(b, form->body);
		return true;
	}
	if (a->file->fd != -1 && form == &a->entry->form[FORM_PLAIN]) {
		b->fd = a->file->fd;
		a->file->fd = -1;
	} else
		b->fd = body_open(a, form);
	b->left = form->length;
	return b->fd != -1;
}

/* All of it, in one of its forms. */
static bool
respond_whole(const struct ask *a, struct form *form,
    const struct validator *v)
{
	struct response	*res = a->res;
	const char	*name;

	if (!form_answer(form, res)) {
		response_begin(res, 200);
		add_validators(a, v);
		add_type(a->entry, res);
		if (form == &a->entry->form[FORM_PLAIN])
			response_field(res, STR("Accept-Ranges"),
			    STR("bytes"));
		else {
			name = encoding_name((enum encoding)(form -
			    a->entry->form));
			response_field(res, STR("Content-Encoding"),
			    (struct str){ name, strlen(name) });
		}
		res->length = form->length;
		site_add_headers(a->o->site, res);
		form_keep_answer(a->ss->cache, form, res);
	}
	res->complete = true;
	return body_begin(a, form);
}

/* One part of the file, or several in one body (RFC 9110 14.6). */
static bool
add_parts(const struct ask *a, const struct range *part, size_t n)
{
	struct response	*res = a->res;
	const char	*type = a->entry->type;
	uint64_t	 size = a->entry->form[FORM_PLAIN].length;
	char		 boundary[RANGE_BOUNDARY];

	if (n == 1) {
		add_type(a->entry, res);
		response_printf(res, STR("Content-Range"),
		    "bytes %llu-%llu/%llu", (unsigned long long)part->first,
		    (unsigned long long)part->last,
		    (unsigned long long)size);
		res->body.offset = part->first;
		res->length = part->last - part->first + 1;
		return true;
	}
	res->body.parts = parts_new(part, n, size, type == NULL ? "" : type,
	    boundary, &res->length);
	if (res->body.parts == NULL)
		return false;
	response_printf(res, STR("Content-Type"),
	    "multipart/byteranges; boundary=%s", boundary);
	return true;
}

static bool
respond_ranges(const struct ask *a, const struct validator *v,
    const struct range *part, size_t n)
{
	struct response	*res = a->res;

	response_begin(res, 206);
	if (!body_begin(a, &a->entry->form[FORM_PLAIN]))
		return false;
	add_validators(a, v);
	response_field(res, STR("Accept-Ranges"), STR("bytes"));
	if (!add_parts(a, part, n))
		respond_error(a, 500);
	res->body.left = res->length;
	return true;
}

static void
respond_unsatisfiable(const struct ask *a)
{
	respond_error(a, 416);
	response_printf(a->res, STR("Content-Range"), "bytes */%llu",
	    (unsigned long long)a->entry->form[FORM_PLAIN].length);
}

/* True where the ranges asked for are the answer.  They are of the file as it
 * is: who does not take that, gets all of it in a form that it takes. */
static bool
try_ranges(const struct ask *a, const struct validator *v, bool *same)
{
	uint64_t	size = a->entry->form[FORM_PLAIN].length;
	struct range	part[RANGES_MAX];
	size_t		n;

	if (a->req->range.p == NULL || !a->accept.plain ||
	    !cond_range(a->req, v))
		return false;
	switch (range_parse(a->req->range, size, part, &n)) {
	case RANGE_SOME:
		*same = respond_ranges(a, v, part, n);
		return true;
	case RANGE_UNSATISFIABLE:
		respond_unsatisfiable(a);
		return true;
	default:
		return false;
	}
}

static struct str
tag_of(const struct form *f)
{
	return (struct str){ f->tag, strlen(f->tag) };
}

/* From what is known of the file; false where that turns out to be old. */
static bool
respond_entry(struct ask *a)
{
	struct entry		*e = a->entry;
	struct form		*form, *plain = &e->form[FORM_PLAIN];
	struct validator	 v = { tag_of(plain), tag_of(plain),
		e->id.mtime.tv_sec, a->o->now };
	bool			 same = true;
	int			 status;

	form = form_choose(a->ss->cache, e, &a->accept);
	if (form == NULL) {
		respond_error(a, 406);
		return true;
	}
	v.etag = tag_of(form);
	status = cond_check(a->req, &v);
	if (status == 412)
		respond_error(a, status);
	else if (status == 304) {
		response_begin(a->res, status);
		add_validators(a, &v);
	} else {
		v.etag = v.plain;
		if (!try_ranges(a, &v, &same)) {
			v.etag = tag_of(form);
			same = respond_whole(a, form, &v);
		}
	}
	return same;
}

/* The name that the cache has it under: of a directory's, with its slash. */
static const char *
path_key(struct fspath *p)
{
	size_t	len = p->len;

	if (p->slash) {
		p->rel[len++] = '/';
		p->rel[len] = '\0';
	}
	return p->rel;
}

/* An entry for the file that is open, whether there was one or not. */
static struct entry *
entry_of_file(const struct ask *a, const char *key, struct entry *old)
{
	struct file_id	id;

	file_id_of(&id, &a->file->st);
	if (old == NULL || !file_id_same(&id, &old->id) ||
	    strcmp(old->name, a->file->path.rel) != 0)
		return content_load(a->ss, a->o, key, a->file);
	old->checked = a->o->now;
	content_beside(a->ss, a->o->site, old);
	return old;
}

/* Looks at the file itself.  0 and an entry, or the status. */
static int
ask_disk(struct ask *a, struct entry *old, bool *add_slash)
{
	struct file	*f = a->file;
	char		 key[FSPATH_MAX];
	int		 status;

	strlcpy(key, path_key(&f->path), sizeof(key));
	f->path.rel[f->path.len] = '\0';
	file_close(f);
	status = file_find(f, a->o->site, add_slash);
	if (status != 0) {
		if (old != NULL)
			cache_drop(a->ss->cache, old);
		return status;
	}
	a->entry = S_ISDIR(f->st.st_mode) ?
	    browse_entry(a->ss, a->o, a->req, f) :
	    entry_of_file(a, key, old);
	/* An index file has taken the place of the directory's name. */
	strlcpy(f->path.rel, key, sizeof(f->path.rel));
	return a->entry == NULL ? 503 : 0;
}

/* GET or HEAD. */
static void
respond_get(struct ask *a)
{
	struct cache	*c = a->ss->cache;
	struct entry	*e;
	bool		 add_slash = false, old = false;
	int		 status = 0, i;

	accept_parse(&a->accept, a->req->accept_encoding,
	    a->o->site->conf->encode, a->o->site->conf->nencode);
	if (a->accept.plain &&
	    str_listed(a->req->cache_control, STR("no-transform")))
		a->accept.n = 0;
	for (i = 0; i < FILE_TRIES; i++) {
		e = cache_find(c, a->o->site->index, path_key(&a->file->path));
		a->entry = e;
		if (old || e == NULL || e->checked != a->o->now)
			status = ask_disk(a, e, &add_slash);
		cache_count(c, e != NULL && e == a->entry);
		if (status != 0 || respond_entry(a))
			break;
		old = true;
		status = 503;
	}
	if (status == 308)
		respond_slash(a, add_slash);
	else if (status != 0)
		respond_error(a, status);
}

/* What cannot be done with a file, or there is none. */
static void
respond_other(const struct ask *a)
{
	bool	add_slash;
	int	status = file_find(a->file, a->o->site, &add_slash);

	respond_error(a, status == 0 || status == 308 ? 405 : status);
}

void
files_respond(const struct sites *ss, const struct origin *o,
    const struct request *req, struct response *res)
{
	struct file	f L4_UNSET;
	struct ask	a = { .ss = ss, .o = o, .req = req, .res = res,
		.file = &f };
	int		status;

	f.fd = -1;
	cache_pass(ss->cache);
	status = fspath_decode(&f.path, req->path);
	if (status != 0)
		respond_error(&a, status);
	else if (req->method == METHOD_GET || req->method == METHOD_HEAD)
		respond_get(&a);
	else
		respond_other(&a);
	file_close(&f);
}

bool
files_error_page(const struct sites *ss, const struct site *s,
    const char *file, struct response *res)
{
	struct file	f;
	const char	*type;

	while (*file == '/')
		file++;
	if (strlcpy(f.path.rel, file, sizeof(f.path.rel)) >=
	    sizeof(f.path.rel) ||
	    file_open(&f, s->root) != 0)
		return false;
	if (!S_ISREG(f.st.st_mode)) {
		file_close(&f);
		return false;
	}
	if ((type = mime_type(ss->mime, f.path.rel)) != NULL)
		response_field(res, STR("Content-Type"),
		    (struct str){ type, strlen(type) });
	res->body.fd = f.fd;
	res->length = (uint64_t)f.st.st_size;
	res->body.left = res->length;
	return true;
}
