#ifndef L4_HELLO_H
#define L4_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Verdict over a prefix of what a client sent.  It depends on the bytes alone,
 * never on how TCP or TLS records cut them: once a prefix is MATCH, NO_MATCH or
 * MALFORMED, every longer one is the same.
 */
enum verdict {
	VERDICT_NEED_MORE,
	VERDICT_MATCH,
	VERDICT_NO_MATCH,	/* another protocol */
	VERDICT_MALFORMED,	/* this protocol, its rules broken */
};

#define HELLO_NAME_MAX	255
#define HELLO_ALPN_MAX	255

struct hello {
	char	sni[HELLO_NAME_MAX + 1];	/* lower case, without trailing
						   dot; "" = none or an IP */
	uint8_t	alpn[HELLO_ALPN_MAX];		/* RFC 7301 3.1 list of what
						   was offered: u8 length,
						   bytes; the first that fit */
	uint8_t	alpnlen;
	bool	alpn_cut;			/* more were offered */
};

/*
 * A TLS ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) that may be spread over
 * any number of records (RFC 8446 5.1).  The whole hello is waited for.  On
 * VERDICT_NEED_MORE, *need is the least number of bytes from the start of the
 * connection at which the verdict can change; it is greater than len, and does
 * not exceed what the hello announces itself to be.  *h is filled on
 * VERDICT_MATCH only.  Reads nothing outside p[0..len).  No allocation.
 */
enum verdict hello_parse(const uint8_t *p, size_t len, struct hello *h,
	    size_t *need);

/*
 * Its first bytes only: MATCH for a handshake record of TLS 1.0 to 1.3,
 * MALFORMED for one of another version and for an SSLv2 hello.
 */
enum verdict hello_probe(const uint8_t *p, size_t len, size_t *need);

/* Is the name (not terminated) among those offered? Exact, case-sensitive. */
bool	hello_offers(const struct hello *, const char *alpn);

/* Is this a host name as SNI may carry it (RFC 6066 3, RFC 1123 2.1, with
 * underscore)?  Copies it in lower case without a trailing dot.
 * dst has HELLO_NAME_MAX + 1 bytes. */
bool	hostname_normalize(char *dst, const void *src, size_t len);
/* Does the name look like an IPv4 or IPv6 literal? */
bool	hostname_is_ip(const char *name);

#endif
