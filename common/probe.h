#ifndef L4_PROBE_H
#define L4_PROBE_H

#include "hello.h"

/*
 * Which protocol does a connection speak?  Each probe is a pure function over
 * the byte prefix with the verdicts of hello.h.
 */
enum proto {
	PROTO_UNKNOWN,		/* not decided, or none of these */
	PROTO_TLS,
	PROTO_HTTP,		/* HTTP/1.x in clear text, or the h2c preface */
	PROTO_SSH,		/* RFC 4253 4.2 */
	PROTO_OPENVPN,
	PROTO_RDP,		/* TPKT, RFC 1006, with X.224 CR */
	PROTO_SOCKS5,		/* RFC 1928 */
	PROTO_XMPP,		/* RFC 6120 4.2 */
	PROTO_POSTGRES,		/* startup, SSLRequest, GSSENCRequest */
	PROTO__MAX
};

/* The word the configuration uses; NULL for PROTO_UNKNOWN. */
const char *proto_name(enum proto);
/* PROTO_UNKNOWN for a word that is none. */
enum proto proto_by_name(const char *);

/*
 * Does the prefix speak `proto`?  *need as in hello_parse().  For TLS and HTTP
 * this answers as early as it can: MATCH means "nothing but this protocol
 * starts like that", before the hello or the head is whole; MALFORMED never
 * comes from here except for a TLS or SSLv2 start that no accepted version
 * has (record version outside 3.1 to 3.3, SSLv2 hello).
 */
enum verdict probe(enum proto, const uint8_t *p, size_t len, size_t *need);

/*
 * The head of an HTTP/1.x request, whole, up to the empty line: finds the host
 * that the request is for, from an absolute-form target or else the Host
 * field, without its port, normalised as in hostname_normalize() (an IP
 * literal is kept as written, in lower case).  host is "" where there is none.
 * MALFORMED: no HTTP request line or field syntax, two Host fields, a Host that
 * is no host.  NO_MATCH: not HTTP/1.x.
 */
enum verdict http_host_parse(const uint8_t *p, size_t len,
	    char host[HELLO_NAME_MAX + 1], size_t *need);

#endif
