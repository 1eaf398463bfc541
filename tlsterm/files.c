#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/l4.h"
#include "cond.h"
#include "fspath.h"
#include "httpdate.h"
#include "redirect.h"
#include "site.h"

#define OPEN_TRIES	4	/* a rename beside us: EAGAIN */

/* A file of the docroot, or why there is none. */
struct file {
	int		fd;
	struct stat	st;
	struct fspath	path;		/* what was opened; `slash` is what was
					   asked for */
};

/* Never leaves the root, never waits for the other end of a FIFO. */
static int
open_beneath(int root, const char *name)
{
	struct open_how	how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK |
		O_NOCTTY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int		fd, i;

	for (i = 0; i < OPEN_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, root,
		    name[0] == '\0' ? "." : name, &how, sizeof(how));
		if (fd != -1 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
	return -1;
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

static void
file_close(struct file *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}

/* 0, or the status that says why not. */
static int
file_open(struct file *f, int root)
{
	int	status = 0;

	if ((f->fd = open_beneath(root, f->path.rel)) == -1)
		return status_of_errno(errno);
	if (fstat(f->fd, &f->st) == -1)
		status = 500;
	else if (!S_ISREG(f->st.st_mode) && !S_ISDIR(f->st.st_mode))
		status = 403;
	if (status != 0)
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
	return status;
}

static void
respond_slash(const struct request *req, struct response *res, bool add)
{
	size_t	len;

	response_begin(res, 308);
	len = redirect_slash(res->buf, sizeof(res->buf), req, add);
	if (len == 0) {
		response_error(res, 414);
		return;
	}
	res->used = len;
	response_field(res, STR("Location"), (struct str){ res->buf, len });
}

static void
add_type(const struct sites *ss, const char *name, struct response *res)
{
	const char	*type = mime_type(ss->mime, name);

	if (type != NULL)
		response_field(res, STR("Content-Type"),
		    (struct str){ type, strlen(type) });
}

/* Changes whenever the file does, as far as its times tell. */
static struct str
make_etag(const struct stat *st, char *dst, size_t size)
{
	int	n;

	n = snprintf(dst, size, "\"%llx%08lx-%llx\"",
	    (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
	    (unsigned long long)st->st_size);
	return (struct str){ dst, (size_t)n };
}

/* The fields that say which state of the file this is; also in a 304. */
static void
add_validators(const struct validator *v, struct response *res)
{
	char	*date;

	response_printf(res, STR("ETag"), "%.*s", (int)v->etag.n, v->etag.p);
	if ((date = response_room(res, HTTPDATE_LEN + 1)) != NULL)
		response_field(res, STR("Last-Modified"), (struct str){
		    httpdate_format(date, v->mtime), HTTPDATE_LEN });
	response_field(res, STR("Vary"), STR("Accept-Encoding"));
}

static void
respond_unsatisfiable(const struct sites *ss, const struct origin *o,
    const struct file *f, struct response *res)
{
	site_error(ss, o->site, 416, res);
	response_printf(res, STR("Content-Range"), "bytes */%llu",
	    (unsigned long long)f->st.st_size);
}

/* One part of the file, or several in one body (RFC 9110 14.6). */
static bool
add_parts(const struct sites *ss, const char *name, uint64_t size,
    const struct range *part, size_t n, struct response *res)
{
	const char	*type = mime_type(ss->mime, name);
	char		 boundary[RANGE_BOUNDARY];

	if (n == 1) {
		add_type(ss, name, res);
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

/* The file itself, or ranges of it. */
static void
respond_file(const struct sites *ss, const struct origin *o,
    const struct request *req, struct file *f, struct response *res)
{
	char			etag[64];
	struct validator	v = { make_etag(&f->st, etag, sizeof(etag)),
		f->st.st_mtim.tv_sec, o->now };
	uint64_t		size = (uint64_t)f->st.st_size;
	enum range_result	range = RANGE_NONE;
	struct range		part[RANGES_MAX];
	size_t			n = 0;
	int			status;

	status = cond_check(req, &v);
	if (status == 412) {
		site_error(ss, o->site, status, res);
		return;
	}
	if (status == 0 && req->range.p != NULL && cond_range(req, &v))
		range = range_parse(req->range, size, part, &n);
	if (range == RANGE_UNSATISFIABLE) {
		respond_unsatisfiable(ss, o, f, res);
		return;
	}
	response_begin(res, status != 0 ? status :
	    range == RANGE_SOME ? 206 : 200);
	add_validators(&v, res);
	if (status != 0)
		return;
	response_field(res, STR("Accept-Ranges"), STR("bytes"));
	res->length = size;
	if (range != RANGE_SOME)
		add_type(ss, f->path.rel, res);
	else if (!add_parts(ss, f->path.rel, size, part, n, res)) {
		site_error(ss, o->site, 500, res);
		return;
	}
	res->body.fd = f->fd;
	res->body.left = res->length;
	f->fd = -1;
}

/* What the path leads to: 0 and an open file; 308 where the slash at its end
 * is missing or too much; or an error. */
static int
file_find(struct file *f, const struct site *s, const struct request *req,
    bool *add_slash)
{
	int	status;

	if ((status = fspath_decode(&f->path, req->path)) != 0)
		return status;
	if (fspath_hidden(f->path.rel, &s->conf->hide))
		return 404;
	if ((status = file_open(f, s->root)) != 0)
		return status;
	*add_slash = S_ISDIR(f->st.st_mode);
	if (f->path.slash == *add_slash)
		return *add_slash ? file_index(f, s) : 0;
	return 308;
}

void
files_respond(const struct sites *ss, const struct origin *o,
    const struct request *req, struct response *res)
{
	struct file	f;
	bool		add_slash = false, get;
	int		status;

	f.fd = -1;
	get = req->method == METHOD_GET || req->method == METHOD_HEAD;
	status = file_find(&f, o->site, req, &add_slash);
	if (!get && (status == 0 || status == 308))
		status = 405;
	if (status == 0)
		respond_file(ss, o, req, &f, res);
	else if (status == 308)
		respond_slash(req, res, add_slash);
	else
		site_error(ss, o->site, status, res);
	if (status == 405)
		response_field(res, STR("Allow"), STR("GET, HEAD"));
	if (status == 503)
		response_field(res, STR("Retry-After"), STR("1"));
	file_close(&f);
}

bool
files_error_page(const struct sites *ss, const struct site *s,
    const char *file, struct response *res)
{
	struct file	f;

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
	add_type(ss, f.path.rel, res);
	res->body.fd = f.fd;
	res->length = (uint64_t)f.st.st_size;
	res->body.left = res->length;
	return true;
}
