#ifndef L4_REQUEST_H
#define L4_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hello.h"
#include "str.h"

/*
 * A request, whatever version of HTTP it came in.  All strings point into the
 * buffer it was parsed from and are valid until that buffer changes: what a
 * handler wants to keep it copies.
 */
#define REQUEST_FIELDS_MAX	100

enum method {
	METHOD_OTHER,		/* known to HTTP, not to a file server */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
};

struct field {
	struct str	name;
	struct str	value;
};

struct request {
	enum method	 method;
	struct str	 method_name;
	struct str	 uri;		/* path and query as sent; begins with
					   '/', or is "*" */
	struct str	 path;		/* still escaped */
	struct str	 query;		/* after the '?'; p is NULL without */
	uint8_t		 minor;		/* HTTP/1.x */
	bool		 keepalive;	/* the client wants it */

	/* the body that follows */
	bool		 chunked;
	bool		 has_length;	/* it was announced, even as 0 */
	uint64_t	 length;

	/* fields that handlers look at; p is NULL where there is none */
	struct str	 range;
	struct str	 if_range;
	struct str	 if_match;
	struct str	 if_none_match;
	struct str	 if_modified_since;
	struct str	 if_unmodified_since;
	struct str	 accept_encoding;
	struct str	 cache_control;

	struct field	 field[REQUEST_FIELDS_MAX];	/* all, as sent */
	size_t		 nfields;
	char		 host[HELLO_NAME_MAX + 1];	/* normalised, without
							   port; "" = none */
};

/*
 * What every version of HTTP has in common.  Pure.
 */
enum request_class {
	REQUEST_TOKEN = 1,	/* RFC 9110 5.6.2 */
	REQUEST_VALUE = 2,	/* of a field, 5.5 */
	REQUEST_TARGET = 4,	/* visible, and UTF-8 */
	REQUEST_LOWER = 8,	/* a token without capitals */
};
/* Are all bytes of that class? */
bool	request_bytes(struct str, enum request_class);

void	request_init(struct request *);
/* 0; -400 for what is no method; -501 for one that nobody knows. */
int	request_method(struct request *, struct str name);
/* Path and query, or "*": of class REQUEST_TARGET, checked by the caller. */
void	request_uri(struct request *, struct str uri);
/* uri-host [ ":" port ] (RFC 9110 7.2) to a host of HELLO_NAME_MAX + 1 bytes;
 * false when it is none. */
bool	request_host(char *dst, struct str);
/* A Content-Length: twice, a list, a sign or blanks inside are ways to
 * smuggle. */
bool	request_length(struct str, uint64_t *len);
/* Appends; false where there are too many.  Whoever parses knows the fields
 * that frame the request. */
bool	request_field(struct request *, struct field);

#endif
