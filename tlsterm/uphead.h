#ifndef L4_UPHEAD_H
#define L4_UPHEAD_H

#include "request.h"

/*
 * The head of an HTTP/1.x answer (RFC 9112) of an upstream, as strict as that
 * of a request: two who do not agree where an answer ends can be made to give
 * one client what is another's.  Pure.
 */
#define UPHEAD_MAX	(32 * 1024)	/* all of it */

struct uphead {
	int		 status;	/* 100 to 599 */
	uint8_t		 minor;
	bool		 keepalive;
	bool		 websocket;	/* Upgrade says so, and Connection */
	bool		 chunked;
	bool		 has_length;
	uint64_t	 length;
	struct str	 connection;	/* the last such field; p NULL: none */
	struct field	 field[REQUEST_FIELDS_MAX];	/* all, as sent */
	size_t		 nfields;
};

/*
 * Returns the length of the head with *h filled; 0 when more is needed; -1 when
 * it is broken.  *scanned as in http1_parse().
 */
int	uphead_parse(const char *p, size_t len, size_t *scanned,
	    struct uphead *h);

#endif
