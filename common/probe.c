#include <string.h>

#include "bytes.h"
#include "l4.h"
#include "probe.h"

#define METHOD_MAX	32
#define REQUEST_LINE_MAX 8192	/* RFC 9112 3 asks for 8000 at least */

#define SSH_START	"SSH-"

/* TPKT (RFC 1006 6), then the fixed part of an X.224 CR (13.3) */
#define RDP_HEADER	6
#define RDP_MIN		11
#define X224_CR		0xe0

/* OpenVPN over TCP: a length, then opcode << 3 | key id.  The largest first
 * packet has a wrapped client key of 1024 bytes (tls-crypt-v2). */
#define OVPN_HEADER	3
#define OVPN_MIN	14
#define OVPN_MAX	0x4ff

/* PostgreSQL, "Message Formats": length with itself, then a code */
#define PG_HEADER	8
#define PG_STARTUP_MAX	10000
#define PG_CANCEL_MIN	16
#define PG_CANCEL_MAX	268
#define PG_CODE_CANCEL	80877102
#define PG_CODE_SSL	80877103
#define PG_CODE_GSSENC	80877104

#define SOCKS_HEADER	2
#define SOCKS_PRIVATE	0x80	/* RFC 1928 3: methods from here, */
#define SOCKS_ASSIGNED	0x0a	/* or below this in IANA's list */

#define XML_DECL_MAX	256

static bool
known_method(const uint8_t *p, size_t len)
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH",
		"TRACE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE",
		"LOCK", "UNLOCK", "REPORT", "SEARCH",
	};
	size_t	i;

	for (i = 0; i < nitems(methods); i++)
		if (strlen(methods[i]) == len &&
		    memcmp(methods[i], p, len) == 0)
			return true;
	return false;
}

/* A request line without its line end, RFC 9112 3 and RFC 9113 3.4. */
static bool
is_request_line(const uint8_t *p, size_t len)
{
	static const char	h1[] = " HTTP/1.", h2[] = "PRI * HTTP/2.0";
	size_t			n = sizeof(h1) - 1;

	if (len == sizeof(h2) - 1 && memcmp(p, h2, len) == 0)
		return true;
	return len > n && memcmp(p + len - n - 1, h1, n) == 0 &&
	    p[len - 1] >= '0' && p[len - 1] <= '9';
}

/* For what may as well be another protocol of lines: SIP, RTSP, FTP. */
static enum verdict
probe_http_line(const uint8_t *p, size_t len, size_t *need)
{
	size_t	i, max = len < REQUEST_LINE_MAX ? len : REQUEST_LINE_MAX;

	for (i = 0; i < max && p[i] >= ' ' && p[i] != 0x7f; i++)
		;
	if (i == REQUEST_LINE_MAX)
		return VERDICT_NO_MATCH;
	if (i == len || (p[i] == '\r' && i + 1 == len))
		return need_more(need, len + 1);
	if (p[i] != '\n' && (p[i] != '\r' || p[i + 1] != '\n'))
		return VERDICT_NO_MATCH;
	return is_request_line(p, i) ? VERDICT_MATCH : VERDICT_NO_MATCH;
}

static enum verdict
probe_http(const uint8_t *p, size_t len, size_t *need)
{
	size_t	i, unused;

	/* Its letters could be those of a method. */
	if (begins_with(p, len, SSH_START, 4, 0, &unused) == VERDICT_MATCH)
		return VERDICT_NO_MATCH;
	for (i = 0; i < len && i <= METHOD_MAX && is_tchar(p[i]); i++)
		;
	if (i > METHOD_MAX)
		return VERDICT_NO_MATCH;
	if (i == len)
		return need_more(need, len + 1);
	if (i == 0 || p[i] != ' ')
		return VERDICT_NO_MATCH;
	if (i + 1 == len)
		return need_more(need, len + 1);
	if (p[i + 1] == '/' && known_method(p, i))
		return VERDICT_MATCH;
	return probe_http_line(p, len, need);
}

/* The client's line is the first thing it sends, RFC 4253 4.2. */
static enum verdict
probe_ssh(const uint8_t *p, size_t len, size_t *need)
{
	return begins_with(p, len, SSH_START, 4, 0, need);
}

static enum verdict
probe_openvpn(const uint8_t *p, size_t len, size_t *need)
{
	static const uint8_t	resets[] = { 1 << 3, 7 << 3, 10 << 3 };

	if (len == 0)
		return need_more(need, 1);
	if (p[0] > OVPN_MAX >> 8)
		return VERDICT_NO_MATCH;
	if (len < OVPN_HEADER)
		return need_more(need, OVPN_HEADER);
	if (be16(p) < OVPN_MIN ||
	    memchr(resets, p[2], sizeof(resets)) == NULL)
		return VERDICT_NO_MATCH;
	return VERDICT_MATCH;
}

static enum verdict
probe_rdp(const uint8_t *p, size_t len, size_t *need)
{
	enum verdict	v;
	uint16_t	total;

	v = begins_with(p, len, "\3\0", 2, 0, need);
	if (v != VERDICT_MATCH)
		return v;
	if (len < RDP_HEADER)
		return need_more(need, RDP_HEADER);
	total = be16(p + 2);
	if (total < RDP_MIN || p[4] + 5u != total || (p[5] & 0xf0) != X224_CR)
		return VERDICT_NO_MATCH;
	return VERDICT_MATCH;
}

static enum verdict
probe_socks5(const uint8_t *p, size_t len, size_t *need)
{
	size_t	i, n;

	if (len == 0)
		return need_more(need, 1);
	if (p[0] != 5)
		return VERDICT_NO_MATCH;
	if (len < SOCKS_HEADER)
		return need_more(need, SOCKS_HEADER);
	if ((n = p[1]) == 0)
		return VERDICT_NO_MATCH;
	if (len < SOCKS_HEADER + n)
		return need_more(need, SOCKS_HEADER + n);
	for (i = SOCKS_HEADER; i < SOCKS_HEADER + n; i++)
		if (p[i] >= SOCKS_ASSIGNED && p[i] < SOCKS_PRIVATE)
			return VERDICT_NO_MATCH;
	return VERDICT_MATCH;
}

static bool
is_xml_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Past "<?xml ... ?>" and white space; 0 while it is not whole, and more than
 * XML_DECL_MAX when it never will be. */
static size_t
skip_xml_decl(const uint8_t *p, size_t len)
{
	size_t	i, max = len < XML_DECL_MAX ? len : XML_DECL_MAX;

	for (i = 7; i < max && (p[i - 1] != '?' || p[i] != '>'); i++)
		;
	for (i++; i < max && is_xml_space(p[i]); i++)
		;
	if (i < max)
		return i;
	return len < XML_DECL_MAX ? 0 : XML_DECL_MAX + 1;
}

static enum verdict
probe_xmpp(const uint8_t *p, size_t len, size_t *need)
{
	static const char	decl[] = "<?xml", open[] = "<stream:stream";
	enum verdict		v;
	size_t			at = 0, n = sizeof(open) - 1;

	v = begins_with(p, len, decl, sizeof(decl) - 1, 0, need);
	if (v == VERDICT_NEED_MORE)
		return v;
	if (v == VERDICT_MATCH && (at = skip_xml_decl(p, len)) == 0)
		return need_more(need, len + 1);
	if (at > XML_DECL_MAX)
		return VERDICT_NO_MATCH;
	v = begins_with(p + at, len - at, open, n, at, need);
	if (v != VERDICT_MATCH)
		return v;
	if (len == at + n)
		return need_more(need, len + 1);
	return is_xml_space(p[at + n]) ? VERDICT_MATCH : VERDICT_NO_MATCH;
}

static bool
is_pg_start(uint32_t len, uint32_t code)
{
	switch (code) {
	case PG_CODE_SSL:
	case PG_CODE_GSSENC:
		return len == PG_HEADER;
	case PG_CODE_CANCEL:
		return len >= PG_CANCEL_MIN && len <= PG_CANCEL_MAX;
	default:	/* version 3.x */
		return code >> 16 == 3 && len > PG_HEADER &&
		    len <= PG_STARTUP_MAX;
	}
}

static enum verdict
probe_postgres(const uint8_t *p, size_t len, size_t *need)
{
	enum verdict	v;

	v = begins_with(p, len, "\0\0", 2, 0, need);
	if (v != VERDICT_MATCH)
		return v;
	if (len < PG_HEADER)
		return need_more(need, PG_HEADER);
	return is_pg_start(be32(p), be32(p + 4)) ? VERDICT_MATCH :
	    VERDICT_NO_MATCH;
}

static const struct {
	const char	*name;
	enum verdict	(*fn)(const uint8_t *, size_t, size_t *);
} probes[PROTO__MAX] = {
	[PROTO_TLS]	 = { "tls",	 hello_probe },
	[PROTO_HTTP]	 = { "http",	 probe_http },
	[PROTO_SSH]	 = { "ssh",	 probe_ssh },
	[PROTO_OPENVPN]	 = { "openvpn",	 probe_openvpn },
	[PROTO_RDP]	 = { "rdp",	 probe_rdp },
	[PROTO_SOCKS5]	 = { "socks5",	 probe_socks5 },
	[PROTO_XMPP]	 = { "xmpp",	 probe_xmpp },
	[PROTO_POSTGRES] = { "postgres", probe_postgres },
};

const char *
proto_name(enum proto proto)
{
	return proto < PROTO__MAX ? probes[proto].name : NULL;
}

enum proto
proto_by_name(const char *name)
{
	size_t	i;

	for (i = PROTO_UNKNOWN + 1; i < PROTO__MAX; i++)
		if (strcmp(probes[i].name, name) == 0)
			return (enum proto)i;
	return PROTO_UNKNOWN;
}

enum verdict
probe(enum proto proto, const uint8_t *p, size_t len, size_t *need)
{
	if (proto >= PROTO__MAX || probes[proto].fn == NULL)
		return VERDICT_NO_MATCH;
	return probes[proto].fn(p, len, need);
}
