#ifndef L4_H1_H
#define L4_H1_H

#include "forward.h"
#include "http1.h"
#include "httpdate.h"
#include "io.h"
#include "response.h"
#include "site.h"

/*
 * HTTP/1.x on one connection: reads requests, one after the other, has each
 * answered by site_respond() and writes the answer.
 */
#define H1_IN_MAX	(32 * 1024)
#define H1_BODY_PIECE	(16 * 1024)	/* of a body at a time: a record of
					   TLS, and it stays in the cache */
#define H1_HEAD_ROOM	(48 * 1024)

/* What all connections of the process share. */
struct h1_server {
	const struct sites	*sites;
	const struct stats	*stats;
	struct upstreams	*ups;
	bool			 draining;	/* every answer is the last */
	unsigned int		 nfiles;	/* open for bodies */

	time_t			 now;		/* of date */
	char			 date[HTTPDATE_LEN + 1];

	struct request		 req;
	struct response		 res;
	size_t			 inoff, inlen;	/* of in */
	char			 in[H1_IN_MAX];
	size_t			 outlen;
	char			 out[H1_HEAD_ROOM + H1_BODY_PIECE];
};

struct h1 {
	char		*in;		/* a request of which a part came */
	uint32_t	 inlen;
	size_t		 scanned;	/* http1_parse()'s */

	struct body	 body;		/* being sent */

	struct chunked	 chunked;	/* of the body being skipped */
	uint64_t	 skip;
	bool		 skip_chunked;
	uint32_t	 skipped;

	/* while an upstream has the request, or the whole connection */
	struct forward	*fwd;		/* NULL: none has */
	void		(*wake)(void *h1);	/* the owner's */
	bool		 headed;	/* the answer has begun */
	bool		 chunk_out;	/* its body goes out in chunks */
	bool		 up_done, down_done;	/* ends of a tunnel */
	bool		 is_head, keepalive;	/* of the request */
	uint8_t		 minor;
	bool		 lost;		/* the upstream broke off */

	bool		 served;	/* a request was answered */
	bool		 close;		/* after what is being sent */
	bool		 error;		/* the client broke the rules */
};

/* Of what one connection may do in its turn: a read, beside its bytes.  A
 * record may hold but one. */
#define H1_READ_COST	512

enum h1_result {
	H1_IDLE,		/* between requests */
	H1_READING,		/* in the middle of one */
	H1_SENDING,		/* the socket is full */
	H1_UPSTREAM,		/* for an upstream: no time of ours */
	H1_READY,		/* more to do; others first */
	H1_LAST,		/* all is sent, we close */
	H1_GONE,		/* the client closed, nothing is left to do */
	H1_BROKEN,
};

/* Fatal without memory. */
struct h1_server *h1_server_new(const struct sites *, const struct stats *);
/* For HTTP/2 too: sets s->date; counts an answer. */
void	h1_clock(struct h1_server *, time_t now);
void	h1_count(const struct h1_server *, const struct origin *, int status);
/* For HTTP/2 too: makes s->res; what that cost, of a turn. */
size_t	h1_respond(struct h1_server *, const struct origin *,
	    const struct request *);

void	h1_init(struct h1 *);
/* Does what can be done now. */
enum h1_result h1_run(struct h1_server *, struct h1 *, struct io *,
	    const struct origin *);
/* The whole connection goes to an upstream, as h1_run() finds it.  False
 * without memory or descriptors. */
bool	h1_relay(struct h1 *, struct upstream *, const struct origin *,
	    const char *alpn);
/* A request took too long to come: says so, if it can be said. */
enum h1_result h1_timeout(struct h1_server *, struct h1 *, struct io *,
	    const struct origin *);
/* Nothing came of a next request, nothing is being sent. */
bool	h1_idle(const struct h1 *, const struct io *);
void	h1_free(struct h1_server *, struct h1 *);

#endif
