#ifndef L4_HTTP2_H
#define L4_HTTP2_H

#include "request.h"

/*
 * The head of an HTTP/2 request (RFC 9113 8, RFC 8441), after HPACK.  As strict
 * as HTTP/1: whatever could be read in two ways is an error.  Pure.
 */
#define HTTP2_HEAD_MAX	(24 * 1024)	/* names and values of all fields */
#define HTTP2_PATH_MAX	8192		/* of :path */
#define HTTP2_MALFORMED	(-1)		/* not to be answered: RFC 9113 8.1.1 */

/*
 * The fields as they come, one behind the other in a buffer that is the
 * caller's.  Its first len bytes are all there is to keep if the rest of the
 * head has to be waited for.
 */
struct http2_head {
	char		*buf;		/* of HTTP2_HEAD_MAX bytes */
	uint32_t	 len;
	bool		 full;		/* there were more */
	bool		 bad;		/* one was no field at all */
};

void	http2_head_init(struct http2_head *, char *buf);
void	http2_head_add(struct http2_head *, struct str name, struct str value);

/*
 * 0 with *req filled, which points into the head and into `cookies`, another
 * buffer of HTTP2_HEAD_MAX bytes: there crumbs become one field (RFC 9113
 * 8.2.3).  Else the negative HTTP status of the error, or HTTP2_MALFORMED.
 * end: no body follows.  *websocket: it asks for one by `:protocol`.
 */
int	http2_parse(const struct http2_head *, char *cookies, bool end,
	    struct request *req, bool *websocket);

#endif
