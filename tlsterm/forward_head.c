#include <stdarg.h>
#include <stdio.h>

#include "common/l4.h"
#include "forward_head.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at *i, unescaped; moves on.  A broken escape stands for itself. */
static char
path_byte(struct str path, size_t *i)
{
	char	c = path.p[(*i)++];

	if (c != '%' || path.n - *i < 2 || hex(path.p[*i]) == -1 ||
	    hex(path.p[*i + 1]) == -1)
		return c;
	c = (char)(hex(path.p[*i]) << 4 | hex(path.p[*i + 1]));
	*i += 2;
	return c;
}

/* What the upstream may take for a slash is one. */
static bool
is_slash(char c)
{
	return c == '/' || c == '\\';
}

static bool
path_has_dots(struct str path)
{
	size_t	i = 0, dots = 0;
	bool	others = false;
	char	c;

	while (i < path.n) {
		c = path_byte(path, &i);
		if (is_slash(c)) {
			if (!others && (dots == 1 || dots == 2))
				return true;
			dots = 0;
			others = false;
		} else if (c == '.')
			dots++;
		else
			others = true;
	}
	return !others && (dots == 1 || dots == 2);
}

static bool
path_below(struct str path, const char *prefix)
{
	size_t	i = 0;
	char	last = '/';

	for (; *prefix != '\0'; prefix++) {
		if (i == path.n || path_byte(path, &i) != *prefix)
			return false;
		last = *prefix;
	}
	return last == '/' || i == path.n || path_byte(path, &i) == '/';
}

int64_t
forward_match(const struct conf_site *site, struct str path)
{
	const struct conf_site_proxy	*best = NULL, *p;
	size_t				 i;

	for (i = 0; i < site->nproxy; i++) {
		p = &site->proxy[i];
		if (path_below(path, p->path) && (best == NULL ||
		    strlen(p->path) > strlen(best->path)))
			best = p;
	}
	if (best == NULL)
		return -1;
	return path_has_dots(path) ? -400 : (int64_t)best->upstream;
}

static bool
list_has(struct str list, struct str name)
{
	struct str	item;

	while (str_next(&list, &item))
		if (str_caseeq(item, name))
			return true;
	return false;
}

/* Is the name in one of the fields called Connection? */
static bool
connection_has(const struct field *f, size_t n, struct str name)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (str_caseeq(f[i].name, STR("connection")) &&
		    list_has(f[i].value, name))
			return true;
	return false;
}

/* For one hop only (RFC 9110 7.6.1), or written anew. */
static bool
field_is_hop(struct str name)
{
	static const struct str	hop[] = { { "connection", 10 },
		{ "keep-alive", 10 }, { "te", 2 }, { "trailer", 7 },
		{ "transfer-encoding", 17 }, { "upgrade", 7 },
		{ "content-length", 14 }, { "http2-settings", 14 } };
	size_t			i;

	for (i = 0; i < nitems(hop); i++)
		if (str_caseeq(name, hop[i]))
			return true;
	return name.n > 6 && strncasecmp(name.p, "proxy-", 6) == 0;
}

/* Servers that make variables of names do not tell '_' from '-'. */
static bool
name_like(struct str name, const char *prefix, bool whole)
{
	size_t	i;
	char	c;

	for (i = 0; prefix[i] != '\0'; i++) {
		if (i == name.n)
			return false;
		c = name.p[i] == '_' ? '-' : name.p[i];
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (c != prefix[i])
			return false;
	}
	return !whole || i == name.n;
}

/* Says who the client is: nobody's word but ours. */
static bool
field_is_claim(struct str name)
{
	return name_like(name, "x-forwarded-", false) ||
	    name_like(name, "forwarded", true) ||
	    name_like(name, "x-real-ip", true);
}

bool
forward_is_websocket(const struct request *req)
{
	size_t	i;

	if (req->method != METHOD_GET || req->minor == 0 || req->chunked ||
	    req->length > 0 || !connection_has(req->field, req->nfields,
	    STR("upgrade")))
		return false;
	for (i = 0; i < req->nfields; i++)
		if (str_caseeq(req->field[i].name, STR("upgrade")) &&
		    list_has(req->field[i].value, STR("websocket")))
			return true;
	return false;
}

struct out {
	char	*p;
	size_t	 len, size;
	bool	 full;
};

static void
put(struct out *o, struct str s)
{
	if (s.n > o->size - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->len, s.p, s.n);
	o->len += s.n;
}

static void
put_field(struct out *o, struct str name, struct str value)
{
	put(o, name);
	put(o, STR(": "));
	put(o, value);
	put(o, STR("\r\n"));
}

static void putf(struct out *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
putf(struct out *o, const char *fmt, ...)
{
	va_list	ap;
	size_t	room = o->size - o->len;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(o->p + o->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		o->full = true;
	else
		o->len += (size_t)n;
}

/* As it was written, with the port. */
static struct str
host_field(const struct request *req)
{
	size_t	i;

	for (i = 0; i < req->nfields; i++)
		if (str_caseeq(req->field[i].name, STR("host")))
			return req->field[i].value;
	return (struct str){ req->host, strlen(req->host) };
}

static bool
field_goes_on(const struct request *req, const struct field *f)
{
	if (field_is_hop(f->name) || field_is_claim(f->name) ||
	    str_caseeq(f->name, STR("host")))
		return false;
	if (str_caseeq(f->name, STR("expect")))
		return req->minor > 0 && str_caseeq(f->value,
		    STR("100-continue"));
	return !connection_has(req->field, req->nfields, f->name);
}

/* RFC 7239; IPv6 in brackets, and what is no token in quotes. */
static void
put_forwarded(struct out *o, struct str host, const struct forward_facts *f)
{
	const char	*proto = f->tls ? "https" : "http";
	char		 ip[ADDR_STRLEN];
	bool		 v6 = f->peer.family == ADDR_V6;

	if (f->peer.family != ADDR_NONE) {
		addr_format_ip(&f->peer, ip);
		putf(o, "X-Forwarded-For: %s\r\n", ip);
		putf(o, v6 ? "Forwarded: for=\"[%s]\"" : "Forwarded: for=%s",
		    ip);
	} else
		put(o, STR("Forwarded: for=unknown"));
	if (host.n > 0 && memchr(host.p, '"', host.n) == NULL &&
	    memchr(host.p, '\\', host.n) == NULL)
		putf(o, ";host=\"%.*s\"", (int)host.n, host.p);
	putf(o, ";proto=%s\r\nX-Forwarded-Proto: %s\r\n", proto, proto);
	if (host.n > 0)
		put_field(o, STR("X-Forwarded-Host"), host);
}

static void
put_framing(struct out *o, const struct request *req,
    const struct forward_facts *f)
{
	if (f->websocket_key != NULL)
		putf(o, "Sec-WebSocket-Key: %s\r\n", f->websocket_key);
	if (f->websocket)
		put(o, STR("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	else if (!f->keepalive)
		put(o, STR("Connection: close\r\n"));
	if (f->websocket)
		return;
	if (req->chunked)
		put(o, STR("Transfer-Encoding: chunked\r\n"));
	else if (req->has_length)
		putf(o, "Content-Length: %llu\r\n",
		    (unsigned long long)req->length);
}

size_t
forward_write_head(char *dst, size_t size, const struct request *req,
    const struct forward_facts *f)
{
	struct out	 o = { dst, 0, size, false };
	struct str	 host = host_field(req);
	size_t		 i;

	/* An HTTP/2 request for a WebSocket is CONNECT (RFC 8441 4). */
	put(&o, f->websocket ? STR("GET") : req->method_name);
	put(&o, STR(" "));
	put(&o, req->uri);
	put(&o, STR(" HTTP/1.1\r\n"));
	put_field(&o, STR("Host"), host);
	for (i = 0; i < req->nfields; i++)
		if (field_goes_on(req, &req->field[i]))
			put_field(&o, req->field[i].name,
			    req->field[i].value);
	put_forwarded(&o, host, f);
	put_framing(&o, req, f);
	put(&o, STR("\r\n"));
	return o.full ? 0 : o.len;
}

bool
forward_field(const struct uphead *h, const struct field *f)
{
	return !field_is_hop(f->name) &&
	    !connection_has(h->field, h->nfields, f->name);
}
