#ifndef L4_METRICS_REQUEST_H
#define L4_METRICS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a client of the listener asks for: the head of one HTTP/1 request (RFC
 * 9112), of which little matters here.  Pure functions of bytes.
 */
#define REQUEST_LINE_MAX	2048
#define REQUEST_MAX		8192	/* the whole head */

enum content {			/* what is served */
	CONTENT_PAGE,		/* the status page */
	CONTENT_OPENMETRICS,	/* OpenMetrics 1.0 */
	CONTENT_PLAIN,		/* text/plain; version=0.0.4 */
	CONTENT__MAX
};

struct request {
	enum content	 content;
	bool		 head;		/* no body is wanted */
};

/*
 * 0: the head is not complete.  200: *r is set.  Else the status to refuse it
 * with: 400, 404, 405, 414, 431 or 505; r->head is set.
 */
int	request_parse(const char *buf, size_t len, struct request *r);

/* The format of metrics that the value of an Accept field prefers (RFC 9110
 * 12.5.1): OpenMetrics only where it is named; len 0 is no such field. */
enum content request_accepts(const char *value, size_t len);

#endif
