#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include "addr.h"

#define MAPPED_BITS	96
static const uint8_t mapped_prefix[MAPPED_BITS / 8] = {
	[10] = 0xff, [11] = 0xff
};

static size_t
ip_size(uint8_t family)
{
	switch (family) {
	case ADDR_V4:
		return 4;
	case ADDR_V6:
		return 16;
	default:
		return 0;
	}
}

static bool
is_mapped(const struct addr *a)
{
	return a->family == ADDR_V6 &&
	    memcmp(a->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void
unmap(struct addr *a)
{
	if (!is_mapped(a))
		return;
	a->family = ADDR_V4;
	memmove(a->ip, a->ip + sizeof(mapped_prefix), 4);
	memset(a->ip + 4, 0, sizeof(a->ip) - 4);
}

void
addr_set(struct addr *a, enum addr_family family, const uint8_t *ip,
    uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->family = (uint8_t)family;
	a->port = port;
	memcpy(a->ip, ip, ip_size(a->family));
	unmap(a);
}

void
addr_to_v6(const struct addr *a, uint8_t dst[16])
{
	size_t	n = 16 - ip_size(a->family);

	memcpy(dst, mapped_prefix, n);
	memcpy(dst + n, a->ip, 16 - n);
}

void
addr_from_sockaddr(struct addr *a, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in	*sin = (const void *)ss;
	const struct sockaddr_in6	*sin6 = (const void *)ss;

	switch (ss->ss_family) {
	case AF_INET:
		addr_set(a, ADDR_V4, (const uint8_t *)&sin->sin_addr,
		    ntohs(sin->sin_port));
		break;
	case AF_INET6:
		addr_set(a, ADDR_V6, sin6->sin6_addr.s6_addr,
		    ntohs(sin6->sin6_port));
		break;
	default:
		memset(a, 0, sizeof(*a));
	}
}

socklen_t
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in	*sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	switch (a->family) {
	case ADDR_V4:
		sin->sin_family = AF_INET;
		sin->sin_port = htons(a->port);
		memcpy(&sin->sin_addr, a->ip, 4);
		return sizeof(*sin);
	case ADDR_V6:
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(a->port);
		memcpy(&sin6->sin6_addr, a->ip, 16);
		return sizeof(*sin6);
	default:
		return 0;
	}
}

const char *
addr_format_ip(const struct addr *a, char dst[ADDR_STRLEN])
{
	int	af = a->family == ADDR_V6 ? AF_INET6 : AF_INET;

	if (ip_size(a->family) == 0)
		memcpy(dst, "-", 2);
	else
		inet_ntop(af, a->ip, dst, ADDR_STRLEN);
	return dst;
}

const char *
addr_format(const struct addr *a, char dst[ADDR_STRLEN])
{
	char	ip[ADDR_STRLEN];
	bool	v6 = a->family == ADDR_V6;

	addr_format_ip(a, ip);
	if (ip_size(a->family) == 0)
		memcpy(dst, ip, 2);
	else	/* at most "[", 45, "]:65535" */
		snprintf(dst, ADDR_STRLEN, "%s%.45s%s:%u", v6 ? "[" : "", ip,
		    v6 ? "]" : "", (unsigned int)a->port);
	return dst;
}

/* As written: a mapped address stays IPv6.  inet_pton() refuses zones, signs,
 * blanks, and zeros in front of a decimal. */
static bool
parse_ip(struct addr *a, const char *s)
{
	bool	v6 = strchr(s, ':') != NULL;

	memset(a, 0, sizeof(*a));
	if (inet_pton(v6 ? AF_INET6 : AF_INET, s, a->ip) != 1)
		return false;
	a->family = v6 ? ADDR_V6 : ADDR_V4;
	return true;
}

bool
addr_parse_ip(struct addr *a, const char *s)
{
	if (!parse_ip(a, s))
		return false;
	unmap(a);
	return true;
}

bool
addr_equal_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	    memcmp(a->ip, b->ip, ip_size(a->family)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t	v6[16] = { [15] = 1 };

	switch (a->family) {
	case ADDR_V4:
		return a->ip[0] == 127;
	case ADDR_V6:
		return memcmp(a->ip, v6, sizeof(v6)) == 0;
	default:
		return false;
	}
}

/* Bit i of an address, the most significant first. */
static bool
ip_bit(const uint8_t *ip, size_t i)
{
	return ip[i / 8] >> (7 - i % 8) & 1;
}

/* "0" to "128", nothing else; -1 is none of these. */
static int
parse_bits(const char *s, int max)
{
	int	v = 0;

	if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s - '0');
		if (v > max)
			return -1;
	}
	return v;
}

/* Splits "IP/BITS" or "IP"; the address is as written. */
static bool
cidr_split(struct cidr *c, const char *s)
{
	char		 ip[ADDR_STRLEN];
	const char	*slash = strchr(s, '/');
	size_t		 len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	int		 bits, max;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, s, len);
	ip[len] = '\0';
	if (!parse_ip(&c->net, ip))
		return false;
	max = (int)ip_size(c->net.family) * 8;
	bits = slash != NULL ? parse_bits(slash + 1, max) : max;
	c->bits = (uint8_t)bits;
	return bits != -1;
}

bool
cidr_parse(struct cidr *c, const char *s)
{
	size_t	i;

	memset(c, 0, sizeof(*c));
	if (!cidr_split(c, s))
		return false;
	for (i = c->bits; i < ip_size(c->net.family) * 8; i++)
		if (ip_bit(c->net.ip, i))
			return false;
	/* The bits of the mapped prefix are set, so here bits >= 96. */
	if (is_mapped(&c->net)) {
		c->bits -= MAPPED_BITS;
		unmap(&c->net);
	}
	return true;
}

bool
cidr_contains(const struct cidr *c, const struct addr *a)
{
	size_t	bytes = c->bits / 8, rest = c->bits % 8;

	if (c->net.family != a->family || a->family == ADDR_NONE)
		return false;
	if (memcmp(c->net.ip, a->ip, bytes) != 0)
		return false;
	return rest == 0 || (c->net.ip[bytes] ^ a->ip[bytes]) >> (8 - rest) == 0;
}
