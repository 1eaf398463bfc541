#include <stdio.h>

#include "common/l4.h"
#include "redirect.h"

/* A URL being written; `bad` when it did not fit. */
struct url {
	char	*dst;
	size_t	 len, size;
	bool	 bad;
};

static void
url_byte(struct url *u, char c)
{
	if (u->len == u->size)
		u->bad = true;
	else
		u->dst[u->len++] = c;
}

/* What came in a request line has no controls and no spaces; what browsers
 * and proxies read in more than one way is escaped too. */
static void
url_text(struct url *u, struct str s)
{
	static const char	digits[] = "0123456789ABCDEF";
	size_t			i;
	uint8_t			c;

	for (i = 0; i < s.n; i++) {
		c = (uint8_t)s.p[i];
		if (c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL) {
			url_byte(u, (char)c);
			continue;
		}
		url_byte(u, '%');
		url_byte(u, digits[c >> 4]);
		url_byte(u, digits[c & 15]);
	}
}

static void
url_query(struct url *u, struct str query)
{
	if (query.p == NULL)
		return;
	url_byte(u, '?');
	url_text(u, query);
}

static size_t
url_end(const struct url *u)
{
	return u->bad ? 0 : u->len;
}

static bool
url_placeholder(struct url *u, struct str name, const struct request *req)
{
	if (str_eq(name, STR("{host}")))
		url_text(u, (struct str){ req->host, strlen(req->host) });
	else if (str_eq(name, STR("{path}")))
		url_text(u, req->path);
	else if (str_eq(name, STR("{query}")))
		url_text(u, req->query);
	else if (str_eq(name, STR("{uri}"))) {
		url_text(u, req->path);
		url_query(u, req->query);
	} else
		return false;
	return true;
}

size_t
redirect_expand(char *dst, size_t size, const char *t,
    const struct request *req)
{
	struct url	 u = { dst, 0, size, false };
	const char	*end;
	struct str	 name;

	while (*t != '\0') {
		if (*t == '{' && (end = strchr(t, '}')) != NULL) {
			name = (struct str){ t, (size_t)(end - t) + 1 };
			if (url_placeholder(&u, name, req)) {
				t = end + 1;
				continue;
			}
		}
		url_text(&u, (struct str){ t++, 1 });
	}
	return url_end(&u);
}

size_t
redirect_https(char *dst, size_t size, const char *host, uint16_t port,
    struct str uri)
{
	struct url	u = { dst, 0, size, false };
	char		digits[8];
	const char	*q = memchr(uri.p, '?', uri.n);
	struct str	path = uri;

	if (q != NULL)
		path.n = (size_t)(q - uri.p);
	url_text(&u, STR("https://"));
	url_text(&u, (struct str){ host, strlen(host) });
	if (port != 443) {
		snprintf(digits, sizeof(digits), ":%u", port);
		url_text(&u, (struct str){ digits, strlen(digits) });
	}
	if (path.n > 0 && path.p[0] == '/')
		url_text(&u, path);
	else
		url_byte(&u, '/');
	if (q != NULL)
		url_query(&u, (struct str){ q + 1, uri.n - path.n - 1 });
	return url_end(&u);
}

size_t
redirect_slash(char *dst, size_t size, const struct request *req, bool add)
{
	struct url	u = { dst, 0, size, false };
	struct str	path = req->path;

	while (path.n > 0 && path.p[0] == '/') {
		path.p++;
		path.n--;
	}
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	url_byte(&u, '/');
	url_text(&u, path);
	if (add && path.n > 0)
		url_byte(&u, '/');
	url_query(&u, req->query);
	return url_end(&u);
}
