#include <string.h>

#include "common/l4.h"
#include "http2.h"

/* Before each field in the buffer. */
struct sizes {
	uint16_t	name, value;
};

/* What is known of a head while it is read. */
struct parse {
	struct request	*req;
	struct str	 method, scheme, authority, path, protocol;
	struct str	 host;
	bool		 regular;	/* no more of the ':' kind */
	char		*cookies;
	size_t		 cookielen;
	struct field	*cookie;	/* in req; NULL: none yet */
};

void
http2_head_init(struct http2_head *h, char *buf)
{
	h->buf = buf;
	h->len = 0;
	h->full = h->bad = false;
}

void
http2_head_add(struct http2_head *h, struct str name, struct str value)
{
	struct sizes	n;
	char		*p = h->buf + h->len;
	size_t		 room = HTTP2_HEAD_MAX - h->len;

	if (h->full || room < sizeof(n) || name.n > room - sizeof(n) ||
	    value.n > room - sizeof(n) - name.n) {
		h->full = true;
		return;
	}
	n.name = (uint16_t)name.n;
	n.value = (uint16_t)value.n;
	memcpy(p, &n, sizeof(n));
	if (name.n > 0)
		memcpy(p + sizeof(n), name.p, name.n);
	if (value.n > 0)
		memcpy(p + sizeof(n) + name.n, value.p, value.n);
	h->len += (uint32_t)(sizeof(n) + name.n + value.n);
}

static bool
head_next(const struct http2_head *h, size_t *off, struct field *f)
{
	struct sizes	n;

	if (*off == h->len)
		return false;
	memcpy(&n, h->buf + *off, sizeof(n));
	f->name = (struct str){ h->buf + *off + sizeof(n), n.name };
	f->value = (struct str){ f->name.p + n.name, n.value };
	*off += sizeof(n) + n.name + n.value;
	return true;
}

/* RFC 9113 8.3.1, RFC 8441 4 */
static struct str *
pseudo(struct parse *ps, struct str name)
{
	if (str_eq(name, STR(":method")))
		return &ps->method;
	if (str_eq(name, STR(":scheme")))
		return &ps->scheme;
	if (str_eq(name, STR(":authority")))
		return &ps->authority;
	if (str_eq(name, STR(":path")))
		return &ps->path;
	return str_eq(name, STR(":protocol")) ? &ps->protocol : NULL;
}

static int
on_pseudo(struct parse *ps, const struct field *f)
{
	struct str	*value = pseudo(ps, f->name);

	if (value == NULL || ps->regular || value->p != NULL)
		return HTTP2_MALFORMED;
	*value = f->value;
	return 0;
}

/* RFC 9113 8.2.1 */
static bool
field_valid(const struct field *f)
{
	const char	*v = f->value.p;
	size_t		 n = f->value.n;

	if (f->name.n == 0 || !request_bytes(f->name, REQUEST_LOWER) ||
	    !request_bytes(f->value, REQUEST_VALUE))
		return false;
	return n == 0 || (v[0] != ' ' && v[0] != '\t' && v[n - 1] != ' ' &&
	    v[n - 1] != '\t');
}

/* The framing of HTTP/1, which could say something else (RFC 9113 8.2.2). */
static int
on_forbidden(struct parse *ps, const struct field *f)
{
	(void)ps;
	(void)f;
	return HTTP2_MALFORMED;
}

static int
on_te(struct parse *ps, const struct field *f)
{
	(void)ps;
	return str_eq(f->value, STR("trailers")) ? 0 : HTTP2_MALFORMED;
}

static int
on_host(struct parse *ps, const struct field *f)
{
	if (ps->host.p != NULL)
		return HTTP2_MALFORMED;
	ps->host = f->value;
	return 0;
}

static int
on_length(struct parse *ps, const struct field *f)
{
	struct request	*req = ps->req;

	if (req->has_length || !request_length(f->value, &req->length))
		return HTTP2_MALFORMED;
	req->has_length = true;
	return request_field(req, *f) ? 0 : -431;
}

/* Separators make it longer by less than what a field had before it. */
static int
on_cookie(struct parse *ps, const struct field *f)
{
	struct request	*req = ps->req;
	char		*p = ps->cookies;

	if (ps->cookie == NULL) {
		if (!request_field(req, *f))
			return -431;
		ps->cookie = &req->field[req->nfields - 1];
	} else {
		memcpy(p + ps->cookielen, "; ", 2);
		ps->cookielen += 2;
	}
	memcpy(p + ps->cookielen, f->value.p, f->value.n);
	ps->cookielen += f->value.n;
	ps->cookie->value = (struct str){ p, ps->cookielen };
	return 0;
}

static const struct {
	struct str	 name;
	int		(*fn)(struct parse *, const struct field *);
} known[] = {
	{ { "cookie", 6 },		on_cookie },
	{ { "host", 4 },		on_host },
	{ { "content-length", 14 },	on_length },
	{ { "te", 2 },			on_te },
	{ { "connection", 10 },		on_forbidden },
	{ { "keep-alive", 10 },		on_forbidden },
	{ { "proxy-connection", 16 },	on_forbidden },
	{ { "transfer-encoding", 17 },	on_forbidden },
	{ { "upgrade", 7 },		on_forbidden },
};

static int
parse_field(struct parse *ps, const struct field *f)
{
	size_t	i;

	if (f->name.n > 0 && f->name.p[0] == ':')
		return on_pseudo(ps, f);
	ps->regular = true;
	if (!field_valid(f))
		return HTTP2_MALFORMED;
	for (i = 0; i < nitems(known); i++)
		if (str_eq(f->name, known[i].name))
			return known[i].fn(ps, f);
	return request_field(ps->req, *f) ? 0 : -431;
}

/* Are those there that have to be, and none that may not? */
static bool
pseudo_complete(const struct parse *ps)
{
	bool	connect = str_eq(ps->method, STR("CONNECT"));

	if (ps->method.p == NULL || (ps->protocol.p != NULL && !connect))
		return false;
	if (connect && ps->protocol.p == NULL)
		return ps->authority.p != NULL && ps->scheme.p == NULL &&
		    ps->path.p == NULL;
	return ps->scheme.p != NULL && ps->path.p != NULL &&
	    ps->path.n > 0 && (!connect || ps->authority.p != NULL);
}

/* One host, and the field that upstreams get it from. */
static int
finish_host(struct parse *ps)
{
	struct request	*req = ps->req;
	struct str	 name = ps->authority.p != NULL ? ps->authority :
			    ps->host;
	char		 other[HELLO_NAME_MAX + 1] L4_UNSET;

	if (name.p == NULL || !request_host(req->host, name))
		return -400;
	if (ps->host.p != NULL && (!request_host(other, ps->host) ||
	    strcmp(other, req->host) != 0))
		return HTTP2_MALFORMED;
	return request_field(req, (struct field){ STR("host"), name }) ?
	    0 : -431;
}

static int
finish_target(struct parse *ps)
{
	struct str	path = ps->path;

	if (!str_caseeq(ps->scheme, STR("https")) &&
	    !str_caseeq(ps->scheme, STR("http")))
		return -400;
	if (path.n > HTTP2_PATH_MAX)
		return -414;
	if (!request_bytes(path, REQUEST_TARGET) || (path.p[0] != '/' &&
	    (!str_eq(path, STR("*")) || ps->req->method != METHOD_OPTIONS)))
		return -400;
	request_uri(ps->req, path);
	return 0;
}

static int
finish_length(struct parse *ps, bool end)
{
	struct request	*req = ps->req;

	if (end && req->length > 0)
		return HTTP2_MALFORMED;
	if (ps->protocol.p != NULL)
		return req->has_length ? HTTP2_MALFORMED : 0;
	req->chunked = !end && !req->has_length;
	return 0;
}

static int
finish(struct parse *ps, bool end)
{
	int	rc;

	if (!pseudo_complete(ps))
		return HTTP2_MALFORMED;
	if ((rc = finish_length(ps, end)) != 0 ||
	    (rc = finish_host(ps)) != 0 ||
	    (rc = request_method(ps->req, ps->method)) != 0)
		return rc;
	if (ps->path.p == NULL)
		return -405;		/* CONNECT: no proxy of that kind */
	if (ps->protocol.p != NULL &&
	    !str_eq(ps->protocol, STR("websocket")))
		return -501;
	return finish_target(ps);
}

int
http2_parse(const struct http2_head *h, char *cookies, bool end,
    struct request *req, bool *websocket)
{
	struct parse	ps = { .req = req, .cookies = cookies };
	struct field	f;
	size_t		off = 0;
	int		rc;

	request_init(req);
	req->minor = 1;
	req->keepalive = true;
	*websocket = false;
	if (h->bad)
		return HTTP2_MALFORMED;
	if (h->full)
		return -431;
	while (head_next(h, &off, &f))
		if ((rc = parse_field(&ps, &f)) != 0)
			return rc;
	*websocket = ps.protocol.p != NULL;
	return finish(&ps, end);
}
