#ifndef L4_ACME_HTTP_H
#define L4_ACME_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/acme_wire.h"

/*
 * One request to the CA after the other, each bounded in time and size.  The
 * CA is one origin (scheme, host, port): nothing is sent anywhere else.
 */
#define HTTP_BODY_MAX	(256 * 1024)
#define HTTP_NONCE_MAX	255
#define HTTP_SECONDS	30		/* of one request */

struct http;

struct http_answer {
	long		 status;
	char		*body;		/* terminated; until the next request */
	size_t		 len;
	uint32_t	 retry;		/* Retry-After in seconds, or 0 */
	char		 nonce[HTTP_NONCE_MAX + 1];	/* "" = none came */
	char		 location[ACME_URL_MAX + 1];	/* "" = none */
};

/*
 * Looks the host of the URL up and reads who may vouch for it: ca_file, or the
 * system's list where it is NULL.  Before the sandbox closes.  NULL with *why,
 * which is static or the library's.
 */
struct http *http_new(const char *url, const char *ca_file, const char **why);
/* The port that will be connected to. */
uint16_t http_port(const struct http *);
/* Is the URL one of that origin? */
bool	http_is_ours(const struct http *, const char *url);

/*
 * GET, or POST of a signed object where body is not NULL; HEAD with `head`.
 * False when there was no answer; http_error() says why.
 */
bool	http_request(struct http *, const char *url, const char *body,
	    bool head, struct http_answer *);
const char *http_error(const struct http *);

/*
 * Waits, ms; what master says meanwhile is heeded by the function that was
 * set, which is called whenever its channel has something.
 */
void	http_on_channel(struct http *, int fd, void (*fn)(void *), void *arg);
void	http_wait(struct http *, unsigned int ms);	/* or less */
void	http_sleep(struct http *, unsigned int ms);	/* all of it */

/* http_url.c: pure.  The host (without brackets) and port of an https URL
 * whose path begins with '/'; false for anything else. */
#define HTTP_HOST_MAX	255
bool	http_url_parse(const char *url, char host[HTTP_HOST_MAX + 1],
	    uint16_t *port, size_t *origin_len);

#endif
