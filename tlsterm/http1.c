#include <string.h>

#include "common/l4.h"
#include "http1.h"

/* What is known of a head while it is read. */
struct parse {
	struct request	*req;
	bool		 has_host, has_length, has_te;
	bool		 absolute;
	bool		 close, keep;		/* of Connection */
	char		 target_host[HELLO_NAME_MAX + 1];
};

static int
parse_version(struct request *req, struct str v)
{
	static const char	http[] = "HTTP/";
	const size_t		n = sizeof(http) - 1;

	if (v.n != n + 3 || memcmp(v.p, http, n) != 0 || v.p[n + 1] != '.' ||
	    v.p[n] < '0' || v.p[n] > '9' ||
	    v.p[n + 2] < '0' || v.p[n + 2] > '9')
		return -400;
	if (v.p[n] != '1')
		return -505;
	req->minor = (uint8_t)(v.p[n + 2] - '0');
	return 0;
}

/* http://host/path, RFC 9112 3.2.2 */
static int
parse_absolute(struct parse *ps, struct str t)
{
	static const struct str	 schemes[] = { { "http://", 7 },
		{ "https://", 8 } };
	struct str		 host;
	size_t			 i, n;

	for (i = 0; i < nitems(schemes); i++)
		if (t.n > schemes[i].n && strncasecmp(t.p, schemes[i].p,
		    schemes[i].n) == 0)
			break;
	if (i == nitems(schemes))
		return -400;
	t.p += schemes[i].n;
	t.n -= schemes[i].n;
	for (n = 0; n < t.n && t.p[n] != '/' && t.p[n] != '?'; n++)
		;
	host = (struct str){ t.p, n };
	if (!request_host(ps->target_host, host))
		return -400;
	ps->absolute = true;
	t.p += n;
	t.n -= n;
	/* A query without a path could not be written back in one piece. */
	if (t.n > 0 && t.p[0] == '?')
		return -400;
	request_uri(ps->req, t.n == 0 ? STR("/") : t);
	return 0;
}

static int
parse_target(struct parse *ps, struct str t)
{
	struct request	*req = ps->req;

	if (t.n == 0 || !request_bytes(t, REQUEST_TARGET))
		return -400;
	if (t.p[0] == '/') {
		request_uri(req, t);
		return 0;
	}
	if (str_eq(t, STR("*"))) {
		request_uri(req, t);
		return req->method == METHOD_OPTIONS ? 0 : -400;
	}
	if (str_eq(req->method_name, STR("CONNECT")))
		return -405;
	return parse_absolute(ps, t);
}

static int
parse_line(struct parse *ps, struct str line)
{
	const char	*sp1, *sp2;
	struct str	 method, target, version;
	int		 rc;

	if ((sp1 = memchr(line.p, ' ', line.n)) == NULL)
		return -400;
	sp2 = memrchr(line.p, ' ', line.n);
	if (sp2 == sp1)
		return -400;
	method = (struct str){ line.p, (size_t)(sp1 - line.p) };
	target = (struct str){ sp1 + 1, (size_t)(sp2 - sp1) - 1 };
	version = (struct str){ sp2 + 1,
	    line.n - (size_t)(sp2 - line.p) - 1 };
	if (!request_bytes(method, REQUEST_TOKEN) ||
	    !request_bytes(target, REQUEST_TARGET))
		return -400;
	if ((rc = parse_version(ps->req, version)) != 0)
		return str_eq(method, STR("PRI")) ? -400 : rc;
	if ((rc = request_method(ps->req, method)) != 0)
		return rc;
	return parse_target(ps, target);
}

static int
on_host(struct parse *ps, struct str v)
{
	if (ps->has_host || !request_host(ps->req->host, v))
		return -400;
	ps->has_host = true;
	return 0;
}

static int
on_length(struct parse *ps, struct str v)
{
	if (ps->has_length || !request_length(v, &ps->req->length))
		return -400;
	ps->has_length = true;
	return 0;
}

static int
on_te(struct parse *ps, struct str v)
{
	if (ps->has_te || !str_caseeq(v, STR("chunked")))
		return -400;
	ps->has_te = true;
	ps->req->chunked = true;
	return 0;
}

static int
on_connection(struct parse *ps, struct str v)
{
	struct str	item;

	while (str_next(&v, &item)) {
		if (str_caseeq(item, STR("close")))
			ps->close = true;
		else if (str_caseeq(item, STR("keep-alive")))
			ps->keep = true;
	}
	return 0;
}

/* Fields that are framing, or say where to. */
static const struct {
	struct str	 name;
	int		(*fn)(struct parse *, struct str);
} known[] = {
	{ { "host", 4 },		on_host },
	{ { "content-length", 14 },	on_length },
	{ { "transfer-encoding", 17 },	on_te },
	{ { "connection", 10 },		on_connection },
};

bool
http1_field(struct str line, struct field *f)
{
	const char	*colon = memchr(line.p, ':', line.n);

	if (colon == NULL)
		return false;
	f->name = (struct str){ line.p, (size_t)(colon - line.p) };
	f->value = str_trim((struct str){ colon + 1,
	    line.n - f->name.n - 1 });
	/* A folded line begins with a blank, which is in no name. */
	return f->name.n > 0 && request_bytes(f->name, REQUEST_TOKEN) &&
	    request_bytes(f->value, REQUEST_VALUE);
}

static int
parse_field(struct parse *ps, struct str line)
{
	struct field	 f;
	size_t		 i;

	if (!http1_field(line, &f))
		return -400;
	if (!request_field(ps->req, f))
		return -431;
	for (i = 0; i < nitems(known); i++)
		if (str_caseeq(f.name, known[i].name))
			return known[i].fn(ps, f.value);
	return 0;
}

/* What only the whole head can tell. */
static int
finish(struct parse *ps)
{
	struct request	*req = ps->req;

	if (ps->has_te && (ps->has_length || req->minor == 0))
		return -400;
	if (!ps->has_host && req->minor > 0)
		return -400;
	if (ps->absolute) {
		if (ps->has_host && strcmp(ps->target_host, req->host) != 0)
			return -400;
		memcpy(req->host, ps->target_host, sizeof(req->host));
	}
	req->has_length = ps->has_length;
	req->keepalive = !ps->close && (req->minor > 0 || ps->keep);
	return 0;
}

const char *
http1_next_line(const char *p, const char *end, struct str *line)
{
	const char	*lf = memchr(p, '\n', (size_t)(end - p));

	if (lf == NULL || lf == p || lf[-1] != '\r')
		return NULL;
	*line = (struct str){ p, (size_t)(lf - p) - 1 };
	return lf + 1;
}

static int
parse_head(const char *p, const char *end, struct request *req)
{
	struct parse	ps = { .req = req };
	struct str	line;
	int		rc;

	request_init(req);
	if ((p = http1_next_line(p, end, &line)) == NULL)
		return -400;
	if ((rc = parse_line(&ps, line)) != 0)
		return rc;
	for (;;) {
		if ((p = http1_next_line(p, end, &line)) == NULL)
			return -400;
		if (line.n == 0)
			return finish(&ps);
		if ((rc = parse_field(&ps, line)) != 0)
			return rc;
	}
}

size_t
http1_head_end(const char *p, size_t len, size_t from)
{
	const char	*lf, *end = p + len;

	lf = memchr(p + from, '\n', len - from);
	for (; lf != NULL; lf = memchr(lf + 1, '\n',
	    (size_t)(end - lf) - 1)) {
		if (end - lf > 1 && lf[1] == '\n')
			return (size_t)(lf - p) + 2;
		if (end - lf > 2 && lf[1] == '\r' && lf[2] == '\n')
			return (size_t)(lf - p) + 3;
	}
	return 0;
}

/* Does the first line, which ends at lf, end as a request line does? */
static bool
ends_in_version(const char *p, const char *lf)
{
	static const char	end[] = " HTTP/x.y\r";
	const size_t		n = sizeof(end) - 1;

	return (size_t)(lf - p) > n && lf[-1] == '\r' &&
	    memcmp(lf - n, end, 6) == 0;
}

/* Is what is there already too long, or no request at all?  Those who speak
 * something else need not wait for the end of a head that never comes. */
static int
limits(const char *p, size_t len)
{
	const char	*lf = memchr(p, '\n', len);
	size_t		 line;

	if (len > 0 && !request_bytes((struct str){ p, 1 }, REQUEST_TOKEN))
		return -400;
	line = lf != NULL ? (size_t)(lf - p) + 1 : len;
	if (line > HTTP1_LINE_MAX + 2)
		return -414;
	if (lf != NULL && !ends_in_version(p, lf))
		return -400;
	if (len - line > HTTP1_FIELDS_MAX + 2)
		return -431;
	return 0;
}

int
http1_parse(const char *p, size_t len, size_t *scanned, struct request *req)
{
	size_t	skip = 0, end;
	int	rc;

	/* One empty line before a request is forgiven (RFC 9112 2.2). */
	if (len >= 2 && p[0] == '\r' && p[1] == '\n')
		skip = 2;
	else if (len == 1 && p[0] == '\r')
		return 0;
	end = http1_head_end(p, len, *scanned > skip ? *scanned : skip);
	rc = limits(p + skip, (end != 0 ? end : len) - skip);
	if (rc != 0)
		return rc;
	if (end == 0) {
		*scanned = len > 2 ? len - 2 : 0;
		return 0;
	}
	rc = parse_head(p + skip, p + end, req);
	return rc != 0 ? rc : (int)end;
}
