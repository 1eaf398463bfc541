#ifndef L4_REDIRECT_H
#define L4_REDIRECT_H

#include "request.h"

/*
 * URLs for Location.  Pure.  Each writes at most size bytes to dst and returns
 * the length, or 0 when it does not fit.  Bytes that a URL may not have are
 * escaped.
 */

/* A template with {host} {uri} {path} {query}. */
size_t	redirect_expand(char *dst, size_t size, const char *template,
	    const struct request *);
/* https://host[:port]uri; port 443 is left out. */
size_t	redirect_https(char *dst, size_t size, const char *host,
	    uint16_t port, struct str uri);
/* The path of the request with a slash added at its end, or all slashes there
 * taken off; slashes at the start become one, so that it stays on this host.
 * The query is kept. */
size_t	redirect_slash(char *dst, size_t size, const struct request *,
	    bool add);

#endif
