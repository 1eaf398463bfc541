#ifndef L4_FORWARD_HEAD_H
#define L4_FORWARD_HEAD_H

#include "common/addr.h"
#include "common/conf.h"
#include "request.h"
#include "uphead.h"

/*
 * Heads on their way through: what is passed on and what is not.  Pure.
 */

/*
 * The upstream that serves a path of the site: the longest prefix wins, and it
 * ends where a segment ends.  -1: none; -400: the path has a "." or ".."
 * segment, by which it could leave the prefix.  Escaped bytes count as what
 * they stand for.
 */
int64_t	forward_match(const struct conf_site *, struct str path);

/* Does an HTTP/1 request ask to become a WebSocket? */
bool	forward_is_websocket(const struct request *);

struct forward_facts {
	struct addr	 peer;		/* ADDR_NONE: not known */
	bool		 tls;
	bool		 websocket;
	const char	*websocket_key;	/* Sec-WebSocket-Key of our own; NULL:
					   the client sent one */
	bool		 keepalive;	/* of the connection to the upstream */
};
/*
 * The head of the request as the upstream gets it: without fields that are for
 * one hop, with X-Forwarded-* and Forwarded (RFC 7239) of our own in place of
 * any that came.  Returns the length; 0 when it does not fit.
 */
size_t	forward_write_head(char *dst, size_t size, const struct request *,
	    const struct forward_facts *);

/* Does a field of an answer go on to the client?  Framing does not. */
bool	forward_field(const struct uphead *, const struct field *);

#endif
