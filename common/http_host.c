#include <string.h>
#include <strings.h>

#include "addr.h"
#include "bytes.h"
#include "probe.h"

/* A piece of the head: not terminated. */
struct span {
	const uint8_t	*p;
	size_t		 len;
};

struct head {
	char	host[HELLO_NAME_MAX + 1];	/* result */
	bool	absolute;	/* the target named the host */
	bool	field;		/* a Host field was seen */
};

/* Up to the first `sep`, which is taken from s as well; false without one. */
static bool
span_cut(struct span *s, int sep, struct span *out)
{
	const uint8_t	*e = s->len > 0 ? memchr(s->p, sep, s->len) : NULL;

	if (e == NULL)
		return false;
	out->p = s->p;
	out->len = (size_t)(e - s->p);
	s->p += out->len + 1;
	s->len -= out->len + 1;
	return true;
}

static bool
span_is_token(const struct span *s)
{
	size_t	i;

	for (i = 0; i < s->len && is_tchar(s->p[i]); i++)
		;
	return s->len > 0 && i == s->len;
}

/* No control bytes; with `tab`, a tab may be among them. */
static bool
span_is_text(const struct span *s, bool tab)
{
	size_t	i;

	for (i = 0; i < s->len; i++)
		if ((s->p[i] < ' ' && !(tab && s->p[i] == '\t')) ||
		    s->p[i] == 0x7f)
			return false;
	return true;
}

/* OWS, RFC 9110 5.6.3 */
static void
span_trim(struct span *s)
{
	while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t')) {
		s->p++;
		s->len--;
	}
	while (s->len > 0 && (s->p[s->len - 1] == ' ' ||
	    s->p[s->len - 1] == '\t'))
		s->len--;
}

/* port = *DIGIT, RFC 3986 3.2.3; here also one that exists. */
static bool
is_port(const struct span *s)
{
	uint32_t	v = 0;
	size_t		i;

	for (i = 0; i < s->len; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
		if (v > UINT16_MAX)
			return false;
	}
	return true;
}

/* "[v6]" as it stands, in lower case. */
static bool
parse_bracketed(const struct span *s, char *dst)
{
	size_t	i;

	if (s->len < 2 || s->len >= ADDR_STRLEN)
		return false;
	for (i = 0; i < s->len; i++)
		dst[i] = (char)(s->p[i] >= 'A' && s->p[i] <= 'F' ?
		    s->p[i] + ('a' - 'A') : s->p[i]);
	dst[s->len] = '\0';
	return strlen(dst) == s->len && strchr(dst, ':') != NULL &&
	    hostname_is_ip(dst);
}

/* uri-host [ ":" port ], RFC 9110 7.2; empty is no host. */
static bool
parse_authority(struct span s, char dst[HELLO_NAME_MAX + 1])
{
	struct span	 host = s, port = { s.p, 0 };
	const uint8_t	*colon = s.len > 0 ? memrchr(s.p, ':', s.len) : NULL;

	dst[0] = '\0';
	if (s.len == 0)
		return true;
	if (colon != NULL && s.p[s.len - 1] != ']') {
		host.len = (size_t)(colon - s.p);
		port.p = colon + 1;
		port.len = s.len - host.len - 1;
	}
	if (!is_port(&port))
		return false;
	if (s.p[0] == '[')
		return parse_bracketed(&host, dst);
	return hostname_normalize(dst, host.p, host.len);
}

/* scheme, RFC 3986 3.1 */
static bool
is_scheme(const struct span *s)
{
	size_t	i;

	for (i = 0; i < s->len; i++) {
		if ((s->p[i] | 0x20) >= 'a' && (s->p[i] | 0x20) <= 'z')
			continue;
		if (i == 0 || ((s->p[i] < '0' || s->p[i] > '9') &&
		    memchr("+-.", s->p[i], 3) == NULL))
			return false;
	}
	return s->len > 0;
}

/* absolute-form, RFC 9112 3.2.2; any other form says nothing of the host. */
static bool
parse_target(struct span s, struct head *h)
{
	struct span	scheme, host;
	size_t		i;

	if (!span_cut(&s, ':', &scheme) || !is_scheme(&scheme) ||
	    s.len < 2 || memcmp(s.p, "//", 2) != 0)
		return true;
	host.p = s.p + 2;
	for (i = 2; i < s.len && memchr("/?#", s.p[i], 3) == NULL; i++)
		;
	host.len = i - 2;
	h->absolute = true;
	return parse_authority(host, h->host) && h->host[0] != '\0';
}

/* method SP request-target SP HTTP-version, RFC 9112 3 */
static enum verdict
parse_request_line(struct span s, struct head *h)
{
	struct span	method, target;

	if (!span_cut(&s, ' ', &method) || !span_cut(&s, ' ', &target))
		return VERDICT_MALFORMED;
	if (s.len != 8 || memcmp(s.p, "HTTP/", 5) != 0 || s.p[6] != '.')
		return VERDICT_MALFORMED;
	if (s.p[5] != '1')
		return VERDICT_NO_MATCH;
	if (s.p[7] < '0' || s.p[7] > '9' || !span_is_token(&method) ||
	    target.len == 0 || !span_is_text(&target, false) ||
	    !parse_target(target, h))
		return VERDICT_MALFORMED;
	return VERDICT_MATCH;
}

/* field-name ":" OWS field-value OWS, RFC 9112 5; no folding. */
static enum verdict
parse_field(struct span s, struct head *h)
{
	struct span	name;
	char		unused[HELLO_NAME_MAX + 1] = "";

	if (!span_cut(&s, ':', &name) || !span_is_token(&name) ||
	    !span_is_text(&s, true))
		return VERDICT_MALFORMED;
	if (name.len != 4 || strncasecmp((const char *)name.p, "host", 4) != 0)
		return VERDICT_MATCH;
	if (h->field)
		return VERDICT_MALFORMED;
	h->field = true;
	span_trim(&s);
	/* It must be sound, but an absolute target goes before it. */
	if (!parse_authority(s, h->absolute ? unused : h->host))
		return VERDICT_MALFORMED;
	return VERDICT_MATCH;
}

/* Each line is judged when its LF is there. */
static enum verdict
parse_head(struct span s, struct head *h, size_t *need)
{
	struct span	line;
	enum verdict	v;
	size_t		len = s.len;
	bool		first = true;

	while (span_cut(&s, '\n', &line)) {
		if (line.len == 0 || line.p[line.len - 1] != '\r')
			return VERDICT_MALFORMED;
		line.len--;
		if (line.len == 0 && !first)
			return VERDICT_MATCH;
		v = first ? parse_request_line(line, h) : parse_field(line, h);
		if (v != VERDICT_MATCH)
			return v;
		first = false;
	}
	return need_more(need, len + 1);
}

enum verdict
http_host_parse(const uint8_t *p, size_t len, char host[HELLO_NAME_MAX + 1],
    size_t *need)
{
	struct span	s = { p, len };
	struct head	h = { 0 };
	enum verdict	v;

	v = probe(PROTO_HTTP, p, len, need);
	if (v == VERDICT_MATCH)
		v = parse_head(s, &h, need);
	if (v == VERDICT_MATCH)
		memcpy(host, h.host, sizeof(h.host));
	return v;
}
