#ifndef L4_PP_H
#define L4_PP_H

#include "addr.h"
#include "hello.h"

/*
 * The PROXY protocol, versions 1 and 2 (haproxy doc/proxy-protocol.txt).
 */
#define PP_V1_MAX	107		/* with its CR LF */
#define PP_V2_HEADER	16
#define PP_V2_IN_MAX	(PP_V2_HEADER + 4096)	/* what is accepted */
#define PP_OUT_MAX	(PP_V2_HEADER + 520)	/* what is sent: BACKENDS L20 */

/*
 * The header at the start of p, of either version.  On MATCH *hdrlen is its
 * exact length and src/dst are its addresses (ADDR_NONE both for LOCAL,
 * UNKNOWN, UNSPEC and AF_UNIX); mapped addresses are unmapped.  NO_MATCH: does
 * not begin like one.  *need as in hello_parse().
 */
enum verdict pp_parse(const uint8_t *p, size_t len, struct addr *src,
	    struct addr *dst, size_t *hdrlen, size_t *need);

enum pp_version { PP_NONE, PP_V1, PP_V2 };

/* Optional fields of version 2; NULL or 0 leaves one out. */
struct pp_tlvs {
	const char	*authority;	/* PP2_TYPE_AUTHORITY, the SNI */
	const char	*alpn;		/* PP2_TYPE_ALPN, the one agreed on */
};

/*
 * Writes the header for a connection src -> dst; returns its length.  Without
 * both addresses: LOCAL in version 2; in version 1, which has no word that
 * ocserv takes (BACKENDS L22), 0.  Families that differ are sent as IPv6 with
 * the IPv4 side mapped.  tlvs may be NULL.
 */
size_t	pp_write(enum pp_version, const struct addr *src,
	    const struct addr *dst, const struct pp_tlvs *tlvs,
	    uint8_t out[PP_OUT_MAX]);

#endif
