#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "pp.h"

#define V1_FIELDS	4	/* src, dst, src port, dst port */
#define V1_FIELD_MAX	45	/* the longest IPv6 text */

static const uint8_t v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";
#define V2_VERSION	0x20
#define V2_LOCAL	0x00
#define V2_PROXY	0x01

/* The family byte: address family in the high nibble, transport in the low. */
#define V2_UNSPEC	0x00
#define V2_TCP4		0x11
#define V2_TCP6		0x21
#define V2_UNIX_STREAM	0x31
#define V2_AF_UNIX	0x3
#define V2_DGRAM	0x2

#define V2_LEN_TCP4	12
#define V2_LEN_TCP6	36
#define V2_LEN_UNIX	216
#define V2_TLV_ALPN	0x01
#define V2_TLV_AUTHORITY 0x02
#define V2_TLV_HEADER	3
#define V2_TLV_STR_MAX	255

/* "0" to "65535", as a number is written. */
static bool
v1_port(const char *s, uint16_t *port)
{
	unsigned int	v = 0;

	if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		if ((v = v * 10 + (unsigned int)(*s - '0')) > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)v;
	return true;
}

/* An address of the family that the line names. */
static bool
v1_ip(const char *s, bool v6, struct addr *a)
{
	return (strchr(s, ':') != NULL) == v6 && addr_parse_ip(a, s);
}

/* Cuts the rest of the line at every space into exactly four fields; that one
 * is empty is for those to say who read it. */
static bool
v1_split(const uint8_t *p, size_t len, char f[V1_FIELDS][V1_FIELD_MAX + 1])
{
	size_t	i, n = 0, at = 0;

	for (i = 0; i < len; i++) {
		if (p[i] == ' ') {
			f[n][at] = '\0';
			if (++n == V1_FIELDS)
				return false;
			at = 0;
		} else {
			if (at == V1_FIELD_MAX || p[i] == '\0')
				return false;
			f[n][at++] = (char)p[i];
		}
	}
	f[n][at] = '\0';
	return n == V1_FIELDS - 1;
}

/* What stands after "PROXY ", without the line's end. */
static enum verdict
v1_line(const uint8_t *p, size_t len, struct addr *src, struct addr *dst)
{
	char	f[V1_FIELDS][V1_FIELD_MAX + 1];
	bool	v6;

	if (len >= 7 && memcmp(p, "UNKNOWN", 7) == 0)
		return len == 7 || p[7] == ' ' ? VERDICT_MATCH :
		    VERDICT_MALFORMED;
	if (len < 5 || memcmp(p, "TCP", 3) != 0 || p[4] != ' ' ||
	    (p[3] != '4' && p[3] != '6'))
		return VERDICT_MALFORMED;
	v6 = p[3] == '6';
	if (!v1_split(p + 5, len - 5, f) || !v1_ip(f[0], v6, src) ||
	    !v1_ip(f[1], v6, dst) || !v1_port(f[2], &src->port) ||
	    !v1_port(f[3], &dst->port))
		return VERDICT_MALFORMED;
	return VERDICT_MATCH;
}

static enum verdict
parse_v1(const uint8_t *p, size_t len, struct addr *src, struct addr *dst,
    size_t *hdrlen, size_t *need)
{
	static const char	start[] = "PROXY ";
	size_t			n = sizeof(start) - 1, max;
	const uint8_t		*lf;
	enum verdict		v;

	if ((v = begins_with(p, len, start, n, 0, need)) != VERDICT_MATCH)
		return v;
	max = len < PP_V1_MAX ? len : PP_V1_MAX;
	if ((lf = memchr(p, '\n', max)) == NULL) {
		if (len >= PP_V1_MAX)
			return VERDICT_MALFORMED;
		return need_more(need, len + 1);
	}
	*hdrlen = (size_t)(lf - p) + 1;
	if (lf[-1] != '\r')
		return VERDICT_MALFORMED;
	return v1_line(p + n, *hdrlen - n - 2, src, dst);
}

/* How many bytes of addresses the header must have; 0 where none are taken
 * from it; -1 for what a stream cannot have. */
static int
v2_addrs_len(uint8_t command, uint8_t family)
{
	if (command == V2_LOCAL)
		return 0;
	switch (family) {
	case V2_TCP4:
		return V2_LEN_TCP4;
	case V2_TCP6:
		return V2_LEN_TCP6;
	case V2_UNIX_STREAM:
		return V2_LEN_UNIX;
	case V2_UNSPEC:
		return 0;
	}
	if ((family & 0xf) == V2_DGRAM)
		return -1;
	/* A family of the future says nothing; a known one must be right. */
	return family >> 4 > V2_AF_UNIX ? 0 : -1;
}

static enum verdict
parse_v2(const uint8_t *p, size_t len, struct addr *src, struct addr *dst,
    size_t *hdrlen, size_t *need)
{
	enum verdict	v;
	size_t		body, n = sizeof(v2_signature);
	int		addrs;

	if ((v = begins_with(p, len, v2_signature, n, 0, need)) !=
	    VERDICT_MATCH)
		return v;
	if (len < PP_V2_HEADER)
		return need_more(need, PP_V2_HEADER);
	body = be16(p + 14);
	if (p[12] != (V2_VERSION | V2_LOCAL) &&
	    p[12] != (V2_VERSION | V2_PROXY))
		return VERDICT_MALFORMED;
	addrs = v2_addrs_len(p[12] & 0xf, p[13]);
	if (addrs == -1 || (size_t)addrs > body ||
	    body > PP_V2_IN_MAX - PP_V2_HEADER)
		return VERDICT_MALFORMED;
	*hdrlen = PP_V2_HEADER + body;
	if (len < *hdrlen)
		return need_more(need, *hdrlen);
	p += PP_V2_HEADER;
	if (addrs == V2_LEN_TCP4) {
		addr_set(src, ADDR_V4, p, be16(p + 8));
		addr_set(dst, ADDR_V4, p + 4, be16(p + 10));
	} else if (addrs == V2_LEN_TCP6) {
		addr_set(src, ADDR_V6, p, be16(p + 32));
		addr_set(dst, ADDR_V6, p + 16, be16(p + 34));
	}
	return VERDICT_MATCH;
}

enum verdict
pp_parse(const uint8_t *p, size_t len, struct addr *src, struct addr *dst,
    size_t *hdrlen, size_t *need)
{
	struct addr	s = { 0 }, d = { 0 };
	size_t		n = 0;
	enum verdict	v;

	if (len == 0)
		return need_more(need, 1);
	if (p[0] == v2_signature[0])
		v = parse_v2(p, len, &s, &d, &n, need);
	else
		v = parse_v1(p, len, &s, &d, &n, need);
	if (v == VERDICT_MATCH) {
		*src = s;
		*dst = d;
		*hdrlen = n;
	}
	return v;
}

static const char *
v1_format_ip(const struct addr *a, bool v6, char dst[ADDR_STRLEN])
{
	char	ip[ADDR_STRLEN];

	addr_format_ip(a, ip);
	snprintf(dst, ADDR_STRLEN, "%s%.45s",
	    v6 && a->family == ADDR_V4 ? "::ffff:" : "", ip);
	return dst;
}

static size_t
write_v1(const struct addr *src, const struct addr *dst, bool v6,
    uint8_t out[PP_OUT_MAX])
{
	char	s[ADDR_STRLEN], d[ADDR_STRLEN];

	return (size_t)snprintf((char *)out, PP_OUT_MAX,
	    "PROXY TCP%d %s %s %u %u\r\n", v6 ? 6 : 4,
	    v1_format_ip(src, v6, s), v1_format_ip(dst, v6, d),
	    (unsigned int)src->port, (unsigned int)dst->port);
}

static uint8_t *
put_ip(uint8_t *p, const struct addr *a, bool v6)
{
	if (v6)
		addr_to_v6(a, p);
	else
		memcpy(p, a->ip, 4);
	return p + (v6 ? 16 : 4);
}

/* Leaves it out where there is none, or no room: *p is at most `end`. */
static void
put_tlv(uint8_t **p, const uint8_t *end, uint8_t type, const char *s)
{
	size_t	len = s != NULL ? strlen(s) : 0;

	if (len == 0 || len > V2_TLV_STR_MAX ||
	    len + V2_TLV_HEADER > (size_t)(end - *p))
		return;
	(*p)[0] = type;
	put_be16(*p + 1, (uint16_t)len);
	memcpy(*p + V2_TLV_HEADER, s, len);
	*p += V2_TLV_HEADER + len;
}

static size_t
write_v2(const struct addr *src, const struct addr *dst, bool v6,
    const struct pp_tlvs *tlvs, uint8_t out[PP_OUT_MAX])
{
	uint8_t	*p = out + PP_V2_HEADER;

	out[12] = V2_VERSION | V2_PROXY;
	out[13] = v6 ? V2_TCP6 : V2_TCP4;
	p = put_ip(p, src, v6);
	p = put_ip(p, dst, v6);
	put_be16(p, src->port);
	put_be16(p + 2, dst->port);
	p += 4;
	if (tlvs != NULL) {
		put_tlv(&p, out + PP_OUT_MAX, V2_TLV_AUTHORITY,
		    tlvs->authority);
		put_tlv(&p, out + PP_OUT_MAX, V2_TLV_ALPN, tlvs->alpn);
	}
	put_be16(out + 14, (uint16_t)(p - out - PP_V2_HEADER));
	return (size_t)(p - out);
}

size_t
pp_write(enum pp_version version, const struct addr *src,
    const struct addr *dst, const struct pp_tlvs *tlvs,
    uint8_t out[PP_OUT_MAX])
{
	bool	known = src->family != ADDR_NONE && dst->family != ADDR_NONE;
	bool	v6 = src->family == ADDR_V6 || dst->family == ADDR_V6;

	if (version == PP_V1)
		return known ? write_v1(src, dst, v6, out) : 0;
	if (version != PP_V2)
		return 0;
	memcpy(out, v2_signature, sizeof(v2_signature));
	if (known)
		return write_v2(src, dst, v6, tlvs, out);
	memset(out + sizeof(v2_signature), 0,
	    PP_V2_HEADER - sizeof(v2_signature));
	out[12] = V2_VERSION | V2_LOCAL;
	return PP_V2_HEADER;
}
