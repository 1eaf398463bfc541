#include <string.h>

#include "common/addr.h"
#include "common/l4.h"
#include "request.h"

/* Classes of bytes. */
#define T	(REQUEST_TOKEN | REQUEST_LOWER)
#define V	REQUEST_VALUE
#define U	REQUEST_TARGET

static const uint8_t class[256] = {
	['\t'] = V,
	[' '] = V,
	['!'] = T | V | U,
	['"'] = V | U,
	['#'] = T | V,		/* no fragments in a target */
	['$' ... '\''] = T | V | U,
	['(' ... ')'] = V | U,
	['*' ... '+'] = T | V | U,
	[','] = V | U,
	['-' ... '.'] = T | V | U,
	['/'] = V | U,
	['0' ... '9'] = T | V | U,
	[':' ... '@'] = V | U,
	['A' ... 'Z'] = REQUEST_TOKEN | V | U,
	['[' ... ']'] = V | U,
	['^' ... 'z'] = T | V | U,
	['{'] = V | U,
	['|'] = T | V | U,
	['}'] = V | U,
	['~'] = T | V | U,
	[0x80 ... 0xff] = V | U,
};

bool
request_bytes(struct str s, enum request_class bit)
{
	uint8_t	all = bit;
	size_t	i;

	for (i = 0; i < s.n; i++)
		all &= class[(uint8_t)s.p[i]];
	return all != 0;
}

void
request_init(struct request *req)
{
	memset(req, 0, offsetof(struct request, field));
	req->nfields = 0;
	req->host[0] = '\0';
}

/*
 * Methods of RFC 9110 9 and RFC 5789.  Unknown ones get 501, those that are
 * known but not served 405 by whoever knows whether the resource is there.
 */
static const struct {
	struct str	name;
	enum method	method;
} methods[] = {
	{ { "GET", 3 },		METHOD_GET },
	{ { "HEAD", 4 },	METHOD_HEAD },
	{ { "OPTIONS", 7 },	METHOD_OPTIONS },
	{ { "POST", 4 },	METHOD_OTHER },
	{ { "PUT", 3 },		METHOD_OTHER },
	{ { "DELETE", 6 },	METHOD_OTHER },
	{ { "PATCH", 5 },	METHOD_OTHER },
	{ { "TRACE", 5 },	METHOD_OTHER },
	{ { "CONNECT", 7 },	METHOD_OTHER },
	/* WebDAV and what is built on it: RFC 4918, 3253, 5323, 4791 */
	{ { "PROPFIND", 8 },	METHOD_OTHER },
	{ { "PROPPATCH", 9 },	METHOD_OTHER },
	{ { "MKCOL", 5 },	METHOD_OTHER },
	{ { "COPY", 4 },	METHOD_OTHER },
	{ { "MOVE", 4 },	METHOD_OTHER },
	{ { "LOCK", 4 },	METHOD_OTHER },
	{ { "UNLOCK", 6 },	METHOD_OTHER },
	{ { "REPORT", 6 },	METHOD_OTHER },
	{ { "SEARCH", 6 },	METHOD_OTHER },
	{ { "MKCALENDAR", 10 },	METHOD_OTHER },
};

int
request_method(struct request *req, struct str name)
{
	size_t	i;

	if (name.n == 0 || !request_bytes(name, REQUEST_TOKEN))
		return -400;
	req->method_name = name;
	for (i = 0; i < nitems(methods); i++)
		if (str_eq(name, methods[i].name)) {
			req->method = methods[i].method;
			return 0;
		}
	/* The start of an HTTP/2 connection (RFC 9113 3.4). */
	return str_eq(name, STR("PRI")) ? -400 : -501;
}

static bool
port_valid(struct str s)
{
	uint32_t	port = 0;
	size_t		i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(s.p[i] - '0');
		if (port > UINT16_MAX)
			return false;
	}
	return true;
}

/* "[v6]" as written, in lower case. */
static bool
host_bracketed(char *dst, struct str s)
{
	struct addr	a;
	char		ip[ADDR_STRLEN];
	size_t		i;

	if (s.n < 4 || s.n - 2 >= sizeof(ip) || s.p[s.n - 1] != ']')
		return false;
	memcpy(ip, s.p + 1, s.n - 2);
	ip[s.n - 2] = '\0';
	if (strlen(ip) != s.n - 2 || strchr(ip, ':') == NULL ||
	    !addr_parse_ip(&a, ip))
		return false;
	for (i = 0; i < s.n; i++)
		dst[i] = s.p[i] >= 'A' && s.p[i] <= 'F' ?
		    (char)(s.p[i] | 0x20) : s.p[i];
	dst[s.n] = '\0';
	return true;
}

bool
request_host(char *dst, struct str s)
{
	const char	*colon, *end = s.n > 0 ? memrchr(s.p, ']', s.n) : NULL;
	struct str	 host = s;

	if (end == NULL)
		end = s.p;
	colon = s.n > 0 ? memchr(end, ':', s.n - (size_t)(end - s.p)) : NULL;
	if (colon != NULL) {
		host.n = (size_t)(colon - s.p);
		if (!port_valid((struct str){ colon + 1, s.n - host.n - 1 }))
			return false;
	}
	if (host.n > 0 && host.p[0] == '[')
		return host_bracketed(dst, host);
	return hostname_normalize(dst, host.p, host.n);
}

void
request_uri(struct request *req, struct str uri)
{
	const char	*q = memchr(uri.p, '?', uri.n);

	req->uri = req->path = uri;
	req->query = (struct str){ NULL, 0 };
	if (q != NULL) {
		req->path.n = (size_t)(q - uri.p);
		req->query.p = q + 1;
		req->query.n = uri.n - req->path.n - 1;
	}
}

bool
request_length(struct str v, uint64_t *len)
{
	uint64_t	n = 0;
	size_t		i;

	if (v.n == 0)
		return false;
	for (i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || n > UINT64_MAX / 10 - 1)
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	/* No file is longer; also keeps sums from wrapping. */
	if (n > INT64_MAX)
		return false;
	*len = n;
	return true;
}

/* Fields that are kept for the handlers. */
static const struct {
	struct str	name;
	size_t		offset;		/* of the str */
} kept[] = {
#define KEPT(name, member)						\
	{ { name, sizeof(name) - 1 }, offsetof(struct request, member) }
	KEPT("accept-encoding",		accept_encoding),
	KEPT("cache-control",		cache_control),
	KEPT("if-none-match",		if_none_match),
	KEPT("if-modified-since",	if_modified_since),
	KEPT("range",			range),
	KEPT("if-range",		if_range),
	KEPT("if-match",		if_match),
	KEPT("if-unmodified-since",	if_unmodified_since),
};

bool
request_field(struct request *req, struct field f)
{
	struct str	*dst;
	size_t		 i;

	if (req->nfields == REQUEST_FIELDS_MAX)
		return false;
	req->field[req->nfields++] = f;
	for (i = 0; i < nitems(kept); i++)
		if (str_caseeq(f.name, kept[i].name)) {
			dst = (struct str *)(void *)((char *)req +
			    kept[i].offset);
			*dst = f.value;
			break;
		}
	return true;
}
