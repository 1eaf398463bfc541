#ifndef L4_H2_RUN_H
#define L4_H2_RUN_H

#include <nghttp2/nghttp2.h>

#include "h2.h"
#include "h2_limit.h"
#include "http2.h"

/* What the files h2*.c share. */

#define H2_FRAME	16384		/* data of one: what any client takes */
#define H2_HEAD		9		/* of a frame */
#define H2_DOWN_MIN	4096		/* forward_read()'s */
#define H2_PENDING_MAX	16		/* requests */
#define H2_WAIT		(100 * NSEC_PER_MSEC)	/* of a small piece, for others
						   to go with it */

TAILQ_HEAD(h2_streams, h2_stream);

/* A head that is whole, and waits for others to be answered with. */
struct h2_pending {
	int32_t			 id;
	struct http2_head	 head;
};

struct h2_server {
	struct h1_server	*h1;
	nghttp2_session_callbacks *calls;
	nghttp2_option		*option;
	char			 head[HTTP2_HEAD_MAX];	/* being read */
	char			 cookies[HTTP2_HEAD_MAX];
	char			 down[H2_DOWN_MIN];

	struct h2_streams	 spare;		/* freed; so many: */
	unsigned int		 nspare;

	/* of one connection, and only while its input is read */
	struct h2_pending	 pending[H2_PENDING_MAX];
	unsigned int		 npending;
	char			 heads[HTTP2_HEAD_MAX];	/* theirs */
	size_t			 headslen;
};

/* One request and its answer. */
struct h2_stream {
	TAILQ_ENTRY(h2_stream)	 link;
	struct h2		*h;
	int32_t			 id;
	uint64_t		 begun, moved;	/* ns */
	bool			 more;		/* of its body is to come */
	bool			 is_head;
	bool			 answered;	/* its head is on the way */

	struct blob		*strings;	/* of its head, or NULL */
	struct body		 body;		/* being sent */
	char			*text;		/* of body, owned */
	size_t			 held;		/* on account, besides this */
	uint32_t		 skipped;	/* of a body nobody wants */

	/* windows: h2_window.c */
	uint64_t		 waits;		/* since when; 0 = it does not */
	bool			 waited;	/* long enough */
	size_t			 widest, wants;	/* bytes, so far; and now */

	/* while an upstream has it */
	struct forward		*fwd;		/* NULL: none has */
	bool			 woken;
	bool			 deferred;	/* nothing came from it */
	bool			 headed;	/* its answer has begun */
	bool			 down_done;	/* it has ended */
	char			*up;		/* not taken by it */
	uint32_t		 uplen;
	bool			 ending;	/* and then no more comes */
	uint32_t		 owed;		/* taken, but the client was not
						   told yet that it may go on */
	char			*down;		/* not taken by the client */
	uint32_t		 downoff, downlen;
};

enum h2_drain { H2_SERVING, H2_NOTICE, H2_LAST_CALL };

struct h2 {
	struct h2_server	*s;
	const struct origin	*o;
	nghttp2_session		*session;
	struct h2_streams	 streams;
	unsigned int		 nwoken, nwait;
	void			(*wake)(void *);
	void			*arg;

	uint64_t		 now;
	uint64_t		 began;
	uint64_t		 since;		/* idle; or began */
	uint64_t		 sent;		/* the socket took something */
	uint64_t		 bytes;		/* io->out then */
	size_t			 budget;	/* of this run */

	/* limits */
	size_t			 mem;
	struct h2_limit		 resets, noise, dribble;
	uint32_t		 returns;	/* frames that open a window
						   again are no noise */
	struct h2_scan		 scan;
	int32_t			 newest;	/* stream of the client */
	uint64_t		 reset;		/* when we reset one; 0 = not */
	uint32_t		 block, continuations, decoded;	/* of a head */
	uint64_t		 heading;	/* when it began; 0 = none */
	uint32_t		 doom;		/* the error to end it with */

	struct http2_head	 head;
	int32_t			 collecting;	/* stream it is for; 0 = none */
	char			*saved;		/* of it, between runs */
	uint8_t			*rest;		/* was read in an earlier run */
	uint32_t		 restlen;

	enum h2_drain		 drain;
	uint64_t		 noticed;
	bool			 settled;	/* client's SETTINGS are here */
	bool			 acked;		/* it has taken ours */
	bool			 served;
	bool			 blocked;	/* s->h1->out is full */
	bool			 over;		/* all is said */
	bool			 error, late;
};

static inline void
h2_spend(struct h2 *h, size_t n)
{
	h->budget -= n < h->budget ? n : h->budget;
}

/* h2_session.c */
/* The callbacks, and what else all sessions have in common. */
void	h2_session_setup(struct h2_server *);
/* Makes h->session, with our SETTINGS under way; -1 without memory. */
int	h2_session_open(struct h2 *);
/* Looks at what the library is to get next, of n bytes: the head of a frame, or
 * what follows one.  How many these are. */
size_t	h2_watch(struct h2 *, const uint8_t *p, size_t n);
/* After the callbacks: the connection is to end, with this error.  The first
 * one counts. */
void	h2_doom(struct h2 *, uint32_t error);
/* Counts a stream that is reset. */
void	h2_count_reset(struct h2 *);
/* Counts n bytes of data that are sent where the windows have `room`. */
void	h2_count_data(struct h2 *, size_t n, size_t room);
/* n bytes more on account, of those that are not the library's; false when that
 * is too much. */
bool	h2_hold(struct h2 *, size_t n);
void	h2_release(struct h2 *, size_t n);

/* h2_stream.c */
/* A whole head is there, of stream `id`; end: no body follows. */
void	h2_request(struct h2 *, int32_t id, bool end);
/* Answers those that wait: before anything else is done for their streams, and
 * before the input is left. */
void	h2_requests(struct h2 *);
/* Of its body. */
void	h2_body(struct h2_stream *, const char *p, size_t n);
void	h2_body_end(struct h2_stream *);
/* Writes h1->res as the answer. */
void	h2_answer(struct h2_stream *);
void	h2_answer_error(struct h2_stream *, int status);
/* For nghttp2_submit_*(): 0 or its error; source NULL: no body. */
int	h2_submit_head(struct h2_stream *, const nghttp2_data_provider *source);
int	h2_submit_interim(struct h2_stream *);
/* The answer is out, but not all of the request was here. */
void	h2_stream_sent(struct h2_stream *);
void	h2_reset(struct h2 *, int32_t id, uint32_t error);
void	h2_stream_free(struct h2_stream *);
/* To h1->out; libnghttp2's error when it cannot. */
int	h2_stream_send(struct h2_stream *, const uint8_t *head, size_t n);

/* h2_window.c */
/* There are `left` bytes, and the windows have room for n of them: is the
 * stream to wait?  Then NGHTTP2_ERR_DEFERRED is for the library; it goes on by
 * itself, H2_WAIT after st->waits at the latest. */
bool	h2_window_waits(struct h2_stream *, size_t n, uint64_t left);
void	h2_window_release(struct h2_stream *);
/* Windows may have opened, or time has gone by. */
void	h2_window_look(struct h2 *);
/* n bytes of data go out: the client will open its windows again. */
void	h2_window_sent(struct h2 *, size_t n);
/* Is this a frame that does so for them? */
bool	h2_window_returns(struct h2 *);

/* h2_forward.c */
void	h2_forward_begin(struct h2_stream *, bool websocket);
void	h2_forward_body(struct h2_stream *, const char *p, size_t n);
void	h2_forward_body_end(struct h2_stream *);
/* Moves what can be moved. */
void	h2_forward_step(struct h2_stream *);
void	h2_forward_drop(struct h2_stream *);
/* Is it the upstream that we wait for? */
bool	h2_forward_waits(const struct h2_stream *);

#endif
