#ifndef L4_H2_H
#define L4_H2_H

#include "h1.h"

/*
 * HTTP/2 (RFC 9113) on one connection, which ALPN has agreed on: the same
 * site_respond() as for HTTP/1, many requests at a time.  libnghttp2 has the
 * frames and HPACK; here is what it may cost us.
 */
#define H2_STREAMS_MAX	100		/* requests at a time */
#define H2_MEMORY_MAX	(208 * 1024)	/* of one connection; with TLS and what
					   it has of upstreams, 256 KiB */
#define H2_MEMORY_LIB	(48 * 1024)	/* of that, kept for the library, which
					   could not go on without */
#define H2_WINDOW	(128 * 1024)	/* for bodies of requests: what may
					   have to be kept; of one, and of
					   all of them together */
#define H2_BLOCK_MAX	(64 * 1024)	/* HPACK, of one head */
#define H2_CONTINUATIONS 8		/* frames: the last is too many */
#define H2_DECODED_MAX	(64 * 1024)	/* of a head, refused ones too */
#define H2_RESETS	200		/* streams reset, by either side, */
#define H2_NOISE	1000		/* and frames that further nothing, */
#define H2_DRIBBLE	10000		/* and pieces of an answer that are
					   tiny because the window is, */
#define H2_PERIOD	10		/* in so many seconds */

/* What all connections of the process share. */
struct h2_server;
struct h2;

/* Fatal without memory. */
struct h2_server *h2_server_new(struct h1_server *);

/* NULL without memory.  wake: as h1.wake, with arg.  now: ns, CLOCK_MONOTONIC,
 * here and below. */
struct h2 *h2_new(struct h2_server *, const struct origin *,
	    void (*wake)(void *), void *arg, uint64_t now);
/* Does what can be done now.  What it waits for, of those that it returns, is
 * of no interest: h2_due() says how long. */
enum h1_result h2_run(struct h2 *, struct io *, uint64_t now);
/* When h2_late() is to be called if nothing moves; 0: never. */
uint64_t h2_due(const struct h2 *, const struct io *);
enum h1_result h2_late(struct h2 *, struct io *, uint64_t now);
/* The word for the log if it ended for a reason of its own, or NULL. */
const char *h2_end_word(const struct h2 *);
void	h2_free(struct h2 *);

#endif
