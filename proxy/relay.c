#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/l4.h"
#include "common/pp.h"
#include "proxy.h"

#define RELAY_SHARE	(2 * 1024 * 1024)	/* bytes a session moves in
						   one go */
#define RELAY_STEP	4096		/* what one round costs at least */
#define BULK_AFTER	(256 * 1024)	/* bytes within BULK_WITHIN */
#define BULK_WITHIN	1000		/* ms */
#define BULK_SMALL	(16 * 1024)	/* a copy is as good below this */
#define BULK_PATIENCE	64		/* small moves until bulk ends */

#define WATCH	(EPOLLRDHUP | EPOLLET)
#define WATCH_READ	(EPOLLIN | EPOLLPRI)	/* any segment wakes either */

enum step {
	STEP_ON,		/* there is or may be more to do */
	STEP_WAIT,		/* for an event */
	STEP_ENDED,		/* the session is gone */
};

int
relay_watch(struct session *s, struct leg *l, uint32_t events)
{
	if (events & EPOLLOUT)
		l->flags |= LEG_OUT;
	l->flags &= (uint16_t)~LEG_MUTED;
	return ev_add(s->proxy->child.ev, &l->io, WATCH | WATCH_READ | events);
}

/* Makes the watch what the flags say.  The kernel looks at the state of the
 * socket then, so no edge is lost. */
static int
leg_rewatch(struct session *s, struct leg *l)
{
	return ev_mod(s->proxy->child.ev, &l->io, WATCH |
	    (l->flags & LEG_MUTED ? 0 : WATCH_READ) |
	    (l->flags & LEG_OUT ? EPOLLOUT : 0));
}

static struct leg *
leg_other(struct session *s, const struct leg *l)
{
	return &s->leg[l == &s->leg[CLIENT] ? UPSTREAM : CLIENT];
}

/* A leg was reset, or is lost in another way: so is the other (TC9). */
static enum step
relay_fail(struct session *s, const struct leg *l)
{
	session_end(s, l == &s->leg[CLIENT] ? "client-reset" :
	    "upstream-reset", SESSION_RST);
	return STEP_ENDED;
}

static void	relay_reset(struct session *, struct leg *);

/*
 * Nothing can be sent to the leg any more: it was reset, and its event is yet
 * to come.  Its last words may wait to be read, an answer that did not wait for
 * the end of the request for one (BY9).
 */
static enum step
relay_cut(struct session *s, struct leg *l)
{
	if ((s->leg[CLIENT].flags | s->leg[UPSTREAM].flags) & LEG_CUT)
		return relay_fail(s, l);
	relay_reset(s, l);
	return STEP_ENDED;
}

/*
 * The leg takes no more.  Its watch gets EPOLLOUT the first time this happens
 * and keeps it: most never need it, and one that is writable from the start
 * would wake us for nothing.
 */
static enum step
leg_blocked(struct session *s, struct leg *dst)
{
	dst->flags &= (uint16_t)~LEG_WRITABLE;
	if (dst->flags & LEG_OUT || dst->io.slot == 0)
		return STEP_WAIT;
	dst->flags |= LEG_OUT;
	return leg_rewatch(s, dst) == -1 ? relay_fail(s, dst) : STEP_WAIT;
}

/* What was read here waits for the other leg, and more has come: until it is
 * time to read on, each further segment would wake us for nothing. */
static void
leg_mute(struct session *s, struct leg *l)
{
	if (l->flags & LEG_MUTED)
		return;
	l->flags |= LEG_MUTED;
	if (leg_rewatch(s, l) == -1)
		l->flags &= (uint16_t)~LEG_MUTED;
}

/* Nothing is left to be read. */
static enum step
leg_empty(struct session *s, struct leg *l)
{
	if ((l->flags & LEG_MUTED) == 0)
		return STEP_WAIT;
	l->flags &= (uint16_t)~LEG_MUTED;
	return leg_rewatch(s, l) == -1 ? relay_fail(s, l) : STEP_WAIT;
}

/*
 * Nothing can be in flight before the first send, so the option is not
 * needed for it; many connections have no second one.
 */
static void
leg_no_delay(struct leg *dst)
{
	int	one = 1;

	if ((dst->flags & (LEG_SENT | LEG_NODELAY)) == LEG_SENT) {
		(void)setsockopt(dst->io.fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		dst->flags |= LEG_NODELAY;
	}
	dst->flags |= LEG_SENT;
}

/*
 * Splicing into a socket that is not non-blocking would block us, whatever
 * the flags of splice(2); ours are, the client's is of another process.
 */
static bool
leg_may_splice(const struct session *s, const struct leg *src)
{
	int	fl;

	if (src->flags & LEG_NOSPLICE)
		return false;
	fl = fcntl(s->leg[CLIENT].io.fd, F_GETFL);
	return fl != -1 && fl & O_NONBLOCK;
}

static void
relay_go_bulk(struct session *s, struct leg *src)
{
	if (!leg_may_splice(s, src)) {
		src->flags |= LEG_NOSPLICE;
		return;
	}
	if ((src->flags & LEG_WAS_BULK) == 0)
		stats_add(&s->proxy->child.stats, STAT_SPLICED, 1);
	src->flags |= LEG_BULK | LEG_WAS_BULK;
	src->small = 0;
}

/* Is it time to splice, or to stop it? */
static void
relay_judge(struct session *s, struct leg *src, size_t n)
{
	uint32_t	ms = session_ms(s->active);

	if (src->flags & LEG_BULK) {
		src->small = n < BULK_SMALL ? src->small + 1 : 0;
		if (src->small >= BULK_PATIENCE) {
			src->flags &= (uint16_t)~LEG_BULK;
			src->burst = 0;
		}
		return;
	}
	if (ms - src->burst_at > BULK_WITHIN) {
		src->burst_at = ms;
		src->burst = 0;
	}
	src->burst += (uint32_t)n;
	if (src->burst >= BULK_AFTER && (src->flags & LEG_NOSPLICE) == 0)
		relay_go_bulk(s, src);
}

/* n bytes were read from src. */
static void
relay_count(struct session *s, struct leg *src, size_t n)
{
	s->active = ev_now(s->proxy->child.ev);
	src->moved += n;
	stats_add(&s->proxy->child.stats, src == &s->leg[CLIENT] ?
	    STAT_RELAYED_IN : STAT_RELAYED_OUT, n);
	if (s->flags & SESSION_UNANSWERED && src == &s->leg[UPSTREAM]) {
		s->flags &= (uint8_t)~SESSION_UNANSWERED;
		s->proxy->sessions.unanswered--;
	}
	relay_judge(s, src, n);
}

/* Sends the bytes on; keeps what is not taken. */
static enum step
relay_give(struct session *s, struct leg *src, struct leg *dst,
    const uint8_t *p, size_t len)
{
	int	flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	ssize_t	n;

	/* The FIN comes next, from relay_finish() or close(): in this segment,
	 * not in one of its own. */
	if (src->flags & LEG_EOF)
		flags |= MSG_MORE;
	leg_no_delay(dst);
	n = send(dst->io.fd, p, len, flags);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return relay_cut(s, dst);
		n = 0;
	}
	if ((size_t)n == len)
		return STEP_ON;
	src->buf = buf_keep(&s->proxy->bufs, p + n, len - (size_t)n);
	if (src->buf == NULL)
		return relay_fail(s, dst);
	src->stuck_at = session_ms(ev_now(s->proxy->child.ev));
	return leg_blocked(s, dst);
}

/*
 * recv() returned n of cap bytes.  A short read means that nothing is left
 * (epoll(7)), and after FIN that nothing will come, unless urgent data is
 * about: reading stops at the mark then.
 */
static void
leg_was_read(struct leg *src, size_t n, size_t cap)
{
	if (n == 0)
		src->flags |= LEG_EOF;
	else if (n < cap && (src->flags & LEG_EXACT) == 0) {
		src->flags &= (uint16_t)~LEG_READABLE;
		if (src->flags & LEG_RDHUP)
			src->flags |= LEG_EOF;
	}
}

/*
 * Through the buffer that all sessions share.  Its first `pre` bytes are
 * there already and go first.
 */
static enum step
relay_copy(struct session *s, struct leg *src, struct leg *dst, size_t pre)
{
	uint8_t	*p = s->proxy->scratch;
	ssize_t	 n;

	n = recv(src->io.fd, p + pre, SCRATCH - pre, MSG_DONTWAIT);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return relay_fail(s, src);
		if (errno == EAGAIN)
			src->flags &= (uint16_t)~LEG_READABLE;
		n = 0;
	} else
		leg_was_read(src, (size_t)n, SCRATCH - pre);
	if (n > 0)
		relay_count(s, src, (size_t)n);
	if (pre + (size_t)n == 0)
		return STEP_ON;
	return relay_give(s, src, dst, p, pre + (size_t)n);
}

static enum step
relay_flush_pipe(struct session *s, struct leg *src, struct leg *dst)
{
	struct pipe	*p = src->pipe;
	ssize_t		 n;

	leg_no_delay(dst);
	while (p->len > 0) {
		n = splice(p->fd[0], NULL, dst->io.fd, NULL, p->len,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return leg_blocked(s, dst);
		if (n <= 0)
			return relay_cut(s, dst);
		p->len -= (uint32_t)n;
		s->active = ev_now(s->proxy->child.ev);
		src->stuck_at = session_ms(s->active);
	}
	src->held = NULL;
	src->flags &= (uint16_t)~LEG_PIPED;
	pipe_put(&s->proxy->pipes, p);
	return STEP_ON;
}

static enum step
relay_flush_buf(struct session *s, struct leg *src, struct leg *dst)
{
	struct buf	*b = src->buf;
	ssize_t		 n;

	leg_no_delay(dst);
	n = send(dst->io.fd, b->data + b->off, buf_len(b),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return relay_cut(s, dst);
		return leg_blocked(s, dst);
	}
	b->off += (uint32_t)n;
	s->active = ev_now(s->proxy->child.ev);
	src->stuck_at = session_ms(s->active);
	if (buf_len(b) > 0)
		return leg_blocked(s, dst);
	src->held = NULL;
	buf_release(&s->proxy->bufs, b);
	return STEP_ON;
}

/* What waits goes first. */
static enum step
relay_flush(struct session *s, struct leg *src, struct leg *dst)
{
	if ((dst->flags & LEG_WRITABLE) == 0)
		return STEP_WAIT;
	return src->flags & LEG_PIPED ? relay_flush_pipe(s, src, dst) :
	    relay_flush_buf(s, src, dst);
}

static enum step
relay_splice(struct session *s, struct leg *src, struct leg *dst)
{
	struct pipes	*ps = &s->proxy->pipes;
	struct pipe	*p;
	ssize_t		 n;

	p = pipe_get(ps, sessions_have_room(s->proxy, 1),
	    ev_now(s->proxy->child.ev));
	if (p == NULL)
		return relay_copy(s, src, dst, 0);
	n = splice(src->io.fd, NULL, p->fd[1], NULL, p->cap,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		p->len = (uint32_t)n;
		src->pipe = p;
		src->flags |= LEG_PIPED;
		src->stuck_at = session_ms(ev_now(s->proxy->child.ev));
		relay_count(s, src, (size_t)n);
		return relay_flush(s, src, dst);
	}
	pipe_put(ps, p);
	if (n == 0) {
		/* The end, or an urgent mark before it: recv(2) can tell. */
		src->flags &= (uint16_t)~LEG_BULK;
		src->flags |= LEG_NOSPLICE | LEG_EXACT;
	} else if (errno == EAGAIN)
		src->flags &= (uint16_t)~LEG_READABLE;
	else if (errno == EINVAL) {
		src->flags &= (uint16_t)~LEG_BULK;
		src->flags |= LEG_NOSPLICE;
	} else if (errno != EINTR)
		return relay_fail(s, src);
	return STEP_ON;
}

/* Everything that src sent was taken, its FIN is next. */
static enum step
relay_finish(struct session *s, struct leg *src, struct leg *dst)
{
	if (src->flags & LEG_DONE)
		return STEP_WAIT;
	src->flags |= LEG_DONE;
	if (s->timer.pos == 0)
		relay_timer(s);
	/* Both done: close() says it.  Where it fails dst was reset, and an
	 * event tells. */
	if ((dst->flags & LEG_DONE) == 0)
		(void)shutdown(dst->io.fd, SHUT_WR);
	return STEP_WAIT;
}

/* One direction.  STEP_ON: more could be done, but the share is used up. */
static enum step
relay_pump(struct session *s, struct leg *src, struct leg *dst, size_t *left)
{
	uint64_t	before;
	size_t		cost;
	enum step	step;

	for (;;) {
		if (src->held != NULL) {
			if ((step = relay_flush(s, src, dst)) != STEP_ON)
				return step;
		}
		if (src->flags & LEG_EOF)
			return relay_finish(s, src, dst);
		if ((src->flags & LEG_READABLE) == 0)
			return leg_empty(s, src);
		if (*left == 0)
			return STEP_ON;
		before = src->moved;
		step = src->flags & LEG_BULK ? relay_splice(s, src, dst) :
		    relay_copy(s, src, dst, 0);
		if (step != STEP_ON)
			return step;
		cost = (size_t)(src->moved - before) + RELAY_STEP;
		*left = cost < *left ? *left - cost : 0;
	}
}

void
relay_run(struct session *s)
{
	struct leg	*c = &s->leg[CLIENT], *u = &s->leg[UPSTREAM];
	size_t		 in = RELAY_SHARE, out = RELAY_SHARE;
	enum step	 step;

	if ((step = relay_pump(s, c, u, &in)) == STEP_ENDED)
		return;
	if (step == STEP_ON)
		session_queue(s);
	if ((step = relay_pump(s, u, c, &out)) == STEP_ENDED)
		return;
	if (step == STEP_ON)
		session_queue(s);
	if (c->flags & u->flags & LEG_DONE)
		session_end(s, "fin", SESSION_FIN);
}

/*
 * The leg was reset.  What it had sent before was received in order, and is
 * given to the other as far as that takes it at once; then the reset is too.
 */
static void
relay_reset(struct session *s, struct leg *src)
{
	struct leg	*dst = leg_other(s, src);
	unsigned int	 i;
	enum step	 step = STEP_ON;

	if (s->state != SESSION_RELAY) {
		relay_fail(s, src);
		return;
	}
	src->flags |= LEG_READABLE | LEG_CUT;
	/* No FIN follows: nothing may be kept back for one. */
	src->flags &= (uint16_t)~LEG_RDHUP;
	for (i = 0; i < RELAY_SHARE / SCRATCH && step == STEP_ON; i++) {
		if (src->held != NULL)
			step = relay_flush(s, src, dst);
		else if ((src->flags & (LEG_READABLE | LEG_EOF)) ==
		    LEG_READABLE)
			step = relay_copy(s, src, dst, 0);
		else
			break;
	}
	if (step != STEP_ENDED)
		relay_fail(s, src);
}

static int
leg_error(const struct leg *l)
{
	int		error = 0;
	socklen_t	len = sizeof(error);

	if (getsockopt(l->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	return error;
}

void
relay_event(struct session *s, struct leg *l, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		l->flags |= LEG_READABLE;
	if (events & EPOLLRDHUP)
		l->flags |= LEG_RDHUP;
	if (events & EPOLLOUT)
		l->flags |= LEG_WRITABLE;
	if (events & EPOLLPRI) {
		/* splice(2) never gets past an urgent mark. */
		l->flags |= LEG_EXACT | LEG_NOSPLICE;
		l->flags &= (uint16_t)~LEG_BULK;
	}
	if (events & EPOLLERR && leg_error(l) != 0) {
		relay_reset(s, l);
		return;
	}
	if ((events & ~(uint32_t)EPOLLOUT) == EPOLLIN && l->held != NULL)
		leg_mute(s, l);
	if (s->state == SESSION_RELAY)
		relay_run(s);
}

/* Built once per session, when a backend is there to get it. */
static size_t
relay_header(const struct session *s, uint8_t *p)
{
	const struct conf_upstream	*up = s->proxy->up;
	struct pp_tlvs			 tlvs = { NULL, NULL };

	if (up->send_proxy == PP_NONE)
		return 0;
	/* Where TLS has ended the upstream cannot see these itself. */
	if (s->leg[CLIENT].flags & LEG_INNER && s->names != NULL) {
		tlvs.authority = s->names;
		tlvs.alpn = s->names + strlen(s->names) + 1;
	}
	return pp_write(up->send_proxy, &s->peer, &s->local, &tlvs, p);
}

/*
 * The last ACK of the handshake was held back to ride on the first bytes.
 * There are none: a server that speaks first waits for it.
 */
static void
leg_ack_now(const struct leg *l)
{
	int	one = 1;

	(void)setsockopt(l->io.fd, IPPROTO_TCP, TCP_QUICKACK, &one,
	    sizeof(one));
}

void
relay_start(struct session *s)
{
	struct leg	*c = &s->leg[CLIENT], *u = &s->leg[UPSTREAM];
	size_t		 n;

	n = relay_header(s, s->proxy->scratch);
	if (relay_copy(s, c, u, n) == STEP_ENDED)
		return;
	if ((u->flags & LEG_SENT) == 0)
		leg_ack_now(u);
	/* Only now: what is ready already is reported when they are added. */
	if ((c->io.slot == 0 && relay_watch(s, c, 0) == -1) ||
	    (u->io.slot == 0 && relay_watch(s, u, u->flags & LEG_WRITABLE ?
	    0 : EPOLLOUT) == -1)) {
		stats_add(&s->proxy->child.stats, STAT_FD_FULL, 1);
		session_end(s, "refused", SESSION_RST);
		return;
	}
	relay_timer(s);
	relay_run(s);
}
