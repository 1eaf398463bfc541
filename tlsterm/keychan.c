#include <sys/queue.h>
#include <sys/random.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/err.h>

#include "common/ipc.h"
#include "common/l4.h"
#include "common/log.h"
#include "common/proto.h"
#include "common/sign.h"
#include "keychan.h"

#define TICK_MS		50	/* how often what waits is looked over */
#define RECV_BURST	64	/* packets taken in one event */

/* A signature's way; each state but KS_DONE is a list. */
enum keysig_state {
	KS_UNSENT,		/* goes out at the end of this turn */
	KS_SENT,
	KS_SETTLED,		/* its handshake is to be resumed */
	KS_LISTS,
	KS_DONE = KS_LISTS,	/* resumed, or never listed */
};

/* Lives on the stack of the paused job, as do tbs and sig. */
struct keysig {
	TAILQ_ENTRY(keysig)	 entry;
	enum keysig_state	 state;
	struct keywait		*wait;
	struct sign_request	 req;
	uint8_t			*sig;
	size_t			 sigsize;
	size_t			 siglen;	/* 0 = failed */
	const char		*why;		/* it failed */
	uint64_t		 deadline;	/* ns, CLOCK_MONOTONIC */
	uint64_t		 retry;
	uint64_t		 packet;	/* number of its packet */
	bool			 retried;
	bool			 entered;	/* by keychan_handshake() */
};

TAILQ_HEAD(keysigs, keysig);

struct keychan {
	struct ev	*ev;
	struct ev_io	 io;
	struct ev_timer	 timer;
	struct keysigs	 list[KS_LISTS];
	size_t		 waiting;
	struct keywait	*current;	/* in keychan_handshake() */
	uint32_t	 next_id;
	uint64_t	 packets;	/* sent */
	uint64_t	 newest;	/* packet number that had an answer */
	uint64_t	 heard;		/* time of the last answer */
	bool		 blocked;	/* until it is writable */
	bool		 gone;
	uint8_t		 in[IPC_HEADER + SIGNED_PACKET_MAX];
	uint8_t		 out[SIGN_PACKET_MAX];
};

static void
keysig_enter(struct keychan *ch, struct keysig *s, enum keysig_state to)
{
	if (s->state < KS_LISTS)
		TAILQ_REMOVE(&ch->list[s->state], s, entry);
	s->state = to;
	if (to < KS_LISTS)
		TAILQ_INSERT_TAIL(&ch->list[to], s, entry);
}

static void
keysig_fail(struct keychan *ch, struct keysig *s, const char *why)
{
	s->siglen = 0;
	s->why = why;
	keysig_enter(ch, s, KS_SETTLED);
}

/* A resumed connection may end itself and others: start over each time. */
static void
keychan_wake(struct keychan *ch)
{
	struct keysig	*s;

	while ((s = TAILQ_FIRST(&ch->list[KS_SETTLED])) != NULL) {
		keysig_enter(ch, s, KS_DONE);
		s->wait->resume(s->wait);
	}
}

static void
keychan_lost(struct keychan *ch)
{
	struct keysig	*s;
	int		 i;

	if (ch->gone)
		return;
	log_warnx("keys: channel is gone");
	ch->gone = true;
	ev_del(ch->ev, &ch->io);
	for (i = KS_UNSENT; i <= KS_SENT; i++)
		while ((s = TAILQ_FIRST(&ch->list[i])) != NULL)
			keysig_fail(ch, s, "channel is gone");
}

/* Answers come nearly in the order of requests: the search is short. */
static void
keychan_deliver(struct keychan *ch, const struct sign_answer *a)
{
	struct keysig	*s;

	s = TAILQ_FIRST(&ch->list[KS_SENT]);
	while (s != NULL && s->req.id != a->id)
		s = TAILQ_NEXT(s, entry);
	if (s == NULL)
		return;		/* late, or the second one to a retry */
	if (s->packet > ch->newest)
		ch->newest = s->packet;
	if (a->status != SIGN_OK || a->len > s->sigsize) {
		keysig_fail(ch, s, a->status == SIGN_REFUSED ? "refused" :
		    a->status == SIGN_NO_KEY ? "no such key" : "failed");
		return;
	}
	memcpy(s->sig, a->sig, a->len);
	s->siglen = a->len;
	keysig_enter(ch, s, KS_SETTLED);
}

static int
keychan_on_signed(void *arg, struct ipc_msg *m)
{
	struct keychan		*ch = arg;
	struct sign_answer	 a;
	struct rd		 r;
	int			 n;

	rd_init(&r, m->data, m->len);
	for (n = rd_u8(&r); n > 0; n--) {
		if (!sign_answer_read(&r, &a))
			return -1;
		keychan_deliver(ch, &a);
	}
	ch->heard = ev_now(ch->ev);
	return rd_done(&r) ? 0 : -1;
}

static const struct ipc_rule keychan_rules[] = {
	{ IPC_SIGNED, 1, IPC_FD_NONE, 0, 0, 1 + SIGN_ANSWER_HEAD,
	    SIGNED_PACKET_MAX, keychan_on_signed },
};

static void
keychan_recv(struct keychan *ch)
{
	struct ipc_msg	m;
	int		i;

	for (i = 0; i < RECV_BURST; i++)
		switch (ipc_recv(ch->io.fd, ch->in, sizeof(ch->in), &m)) {
		case IPC_OK:
			if (ipc_dispatch(keychan_rules, nitems(keychan_rules),
			    1, &m, ch) == -1)
				fatalx("keys: malformed answer");
			if (TAILQ_EMPTY(&ch->list[KS_SENT]))
				return;		/* all are answered */
			break;
		case IPC_BAD:
		case IPC_LOST:
			fatalx("keys: malformed answer");
		case IPC_GONE:
			keychan_lost(ch);
			return;
		case IPC_AGAIN:
			return;
		}
}

static void
keychan_event(struct ev_io *io, uint32_t events)
{
	struct keychan	*ch = container_of(io, struct keychan, io);

	if (events & EPOLLOUT) {
		ch->blocked = false;	/* the end of this turn flushes */
		if (ev_mod(ch->ev, io, EPOLLIN) == -1)
			fatal("epoll_ctl");
	}
	if (events & ~(uint32_t)EPOLLOUT)
		keychan_recv(ch);
	keychan_wake(ch);
}

/*
 * A request that has waited for long is lost if one that was sent after it has
 * its answer, or if there is silence.  Else keys is just busy, and asking
 * again would make it busier.
 */
static void
keysig_look(struct keychan *ch, struct keysig *s, uint64_t now)
{
	if (s->deadline <= now)
		keysig_fail(ch, s, "timed out");
	else if (s->state == KS_SENT && !s->retried && s->retry <= now &&
	    (s->packet < ch->newest ||
	    ch->heard + KEYCHAN_RETRY_MS * NSEC_PER_MSEC <= now)) {
		s->retried = true;
		keysig_enter(ch, s, KS_UNSENT);
	}
}

static void
keychan_tick(struct ev_timer *t)
{
	struct keychan	*ch = container_of(t, struct keychan, timer);
	uint64_t	 now = ev_now(ch->ev);
	struct keysig	*s, *next;
	int		 i;

	for (i = KS_UNSENT; i <= KS_SENT; i++)
		for (s = TAILQ_FIRST(&ch->list[i]); s != NULL; s = next) {
			next = TAILQ_NEXT(s, entry);
			keysig_look(ch, s, now);
		}
	if (ch->waiting > 0)
		ev_timer_set(ch->ev, t, now + TICK_MS * NSEC_PER_MSEC);
	keychan_wake(ch);
}

struct keychan *
keychan_new(struct ev *ev, int fd)
{
	struct keychan	*ch;
	int		 i;

	if ((ch = calloc(1, sizeof(*ch))) == NULL)
		fatal("calloc");
	/*
	 * The channel may have been another process's before it died: answers
	 * to its requests shall find nothing here.
	 */
	if (getrandom(&ch->next_id, sizeof(ch->next_id), 0) !=
	    (ssize_t)sizeof(ch->next_id))
		fatal("getrandom");
	for (i = 0; i < KS_LISTS; i++)
		TAILQ_INIT(&ch->list[i]);
	ch->ev = ev;
	ch->io.fd = fd;
	ch->io.cb = keychan_event;
	ch->timer.cb = keychan_tick;
	if (ev_add(ev, &ch->io, EPOLLIN) == -1)
		fatal("epoll_ctl");
	return ch;
}

void
keychan_free(struct keychan *ch)
{
	if (ch == NULL)
		return;
	ev_timer_cancel(ch->ev, &ch->timer);
	ev_del(ch->ev, &ch->io);
	close(ch->io.fd);
	free(ch);
}

/* One packet; false when there is nothing more that can be sent now. */
static bool
keychan_send(struct keychan *ch)
{
	struct ipc_msg	 m = { .type = IPC_SIGN, .data = ch->out };
	struct keysig	*s;
	struct wr	 w;
	uint8_t		 n = 0;

	wr_init(&w, ch->out, sizeof(ch->out));
	wr_u8(&w, 0);
	for (s = TAILQ_FIRST(&ch->list[KS_UNSENT]); s != NULL &&
	    n < SIGN_BATCH; s = TAILQ_NEXT(s, entry), n++)
		sign_request_write(&w, &s->req);
	if (n == 0 || ch->gone)
		return false;
	ch->out[0] = n;
	m.len = w.len;
	switch (ipc_send(ch->io.fd, &m)) {
	case IPC_OK:
		break;
	case IPC_AGAIN:
		ch->blocked = true;
		if (ev_mod(ch->ev, &ch->io, EPOLLIN | EPOLLOUT) == -1)
			fatal("epoll_ctl");
		return false;
	default:
		keychan_lost(ch);
		return false;
	}
	for (ch->packets++; n > 0; n--) {
		s = TAILQ_FIRST(&ch->list[KS_UNSENT]);
		s->packet = ch->packets;
		keysig_enter(ch, s, KS_SENT);
	}
	return true;
}

void
keychan_flush(void *arg)
{
	struct keychan	*ch = arg;

	while (!ch->blocked && keychan_send(ch))
		;
	keychan_wake(ch);	/* if sending has failed */
}

size_t
keychan_waiting(const struct keychan *ch)
{
	return ch->waiting;
}

int
keychan_handshake(struct keywait *w, SSL *ssl)
{
	struct keychan	*ch = w->chan;
	int		 r;

	SSL_set_mode(ssl, SSL_MODE_ASYNC);
	if (w->sig != NULL)
		w->sig->entered = true;
	ch->current = w;
	r = SSL_do_handshake(ssl);
	ch->current = NULL;
	if (r == 1)
		SSL_clear_mode(ssl, SSL_MODE_ASYNC);
	return r;
}

void
keychan_end(struct keywait *w, SSL *ssl)
{
	struct keysig	*s = w->sig;

	if (s != NULL) {
		s->siglen = 0;
		s->why = "connection ended";
		keysig_enter(w->chan, s, KS_DONE);
		keychan_handshake(w, ssl);
	}
	ERR_clear_error();
}

/*
 * Until it is settled.  Whoever comes back without keychan_handshake() was not
 * paused at all (ASYNC_block_pause()): waiting for more would be for ever.
 */
static void
keysig_wait(struct keysig *s)
{
	while (s->state == KS_UNSENT || s->state == KS_SENT) {
		s->entered = false;
		if (ASYNC_pause_job() != 1 || !s->entered) {
			keysig_fail(s->wait->chan, s, "cannot wait");
			break;
		}
	}
}

size_t
keychan_sign(struct keychan *ch, uint32_t key, uint16_t scheme,
    const uint8_t *tbs, size_t len, uint8_t *sig, size_t sigsize)
{
	struct keysig	s = { .state = KS_DONE, .wait = ch->current,
		.sig = sig, .sigsize = sigsize, .why = "channel is gone" };
	uint64_t	now = ev_clock();	/* a turn can be long */

	/* A group that a configuration allows may have another shape. */
	if (s.wait == NULL || s.wait->sig != NULL ||
	    ASYNC_get_current_job() == NULL || len > SIGN_TBS_MAX ||
	    sign_shape(tbs, len) == SIGN_SHAPE_NONE)
		return 0;
	s.req = (struct sign_request){ .id = ch->next_id++, .key = key,
		.scheme = scheme, .tbs = tbs, .len = len };
	s.retry = now + KEYCHAN_RETRY_MS * NSEC_PER_MSEC;
	s.deadline = now + KEYCHAN_TIMEOUT_MS * NSEC_PER_MSEC;
	if (!ch->gone) {
		s.wait->sig = &s;
		ch->waiting++;
		keysig_enter(ch, &s, KS_UNSENT);
		if (ch->timer.pos == 0)
			ev_timer_set(ch->ev, &ch->timer,
			    now + TICK_MS * NSEC_PER_MSEC);
		keysig_wait(&s);
		keysig_enter(ch, &s, KS_DONE);
		ch->waiting--;
		s.wait->sig = NULL;
	}
	if (s.siglen == 0)
		ERR_raise_data(ERR_LIB_USER, ERR_R_INTERNAL_ERROR, "keys: %s",
		    s.why);
	return s.siglen;
}
