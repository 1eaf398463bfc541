#include <sys/uio.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "proxy.h"
#include "record.h"

/*
 * What relays here goes on in the next generation: the two sockets, what is on
 * its way between them, and what is known of the session.  A session is whole
 * in one process at any time: it is sent in one message or stays.
 */

/*
 * So many at a time leave both processes time for those that still relay, or
 * relay again (docs/performance.md).
 */
#define BATCH		8
#define BATCH_EVERY	NSEC_PER_MSEC
#define FULL_AGAIN	(5 * NSEC_PER_MSEC)	/* the inbox is full */
#define ROUND_AGAIN	(100 * NSEC_PER_MSEC)	/* for those not sent yet */

static void
record_name(const struct session *s, struct record *c)
{
	const struct conf	*conf = s->proxy->child.conf;
	char			 why[RECORD_REASON];

	strlcpy(c->sni, session_name(s, NAME_SNI), sizeof(c->sni));
	strlcpy(c->alpn, session_name(s, NAME_ALPN), sizeof(c->alpn));
	if (s->flags & SESSION_FOREIGN) {
		strlcpy(c->listen, session_name(s, NAME_LISTEN),
		    sizeof(c->listen));
		strlcpy(c->reason, session_name(s, NAME_REASON),
		    sizeof(c->reason));
		return;
	}
	strlcpy(c->listen, conf->listener[s->listener].name,
	    sizeof(c->listen));
	conn_reason_format(s->reason, s->rule, why);
	strlcpy(c->reason, why, sizeof(c->reason));
}

static void
record_leg(const struct leg *l, struct record_leg *r)
{
	r->moved = l->moved;
	r->stuck_at = l->stuck_at;
	r->flags = l->flags & RECORD_LEG_FLAGS;
	if (l->held == NULL)
		return;
	if (l->flags & LEG_PIPED) {
		r->held = HELD_PIPE;
		r->len = pipe_len(l->pipe);
	} else {
		r->held = HELD_BUF;
		r->len = (uint32_t)buf_len(l->buf);
	}
}

static void
record_fill(const struct session *s, struct record *c)
{
	const struct proxy	*p = s->proxy;

	memset(c, 0, sizeof(*c));
	c->id = s->id;
	c->accepted = s->accepted;
	c->active = s->active;
	if (s->flags & SESSION_ON_MEMBER)
		c->member = p->members.v[s->member].key;
	c->peer = s->peer;
	c->local = s->local;
	if (s->flags & SESSION_KEEPALIVE)
		c->keepalive = relay_keepalive_ms(p);
	c->proto = s->proto;
	c->flags = s->flags & RECORD_FLAGS;
	record_leg(&s->leg[CLIENT], &c->leg[CLIENT]);
	record_leg(&s->leg[UPSTREAM], &c->leg[UPSTREAM]);
	record_name(s, c);
}

/*
 * A pipe with the bytes of a buffer.  False when there is none that takes them
 * all, as where the user has its share of pipe memory (pipe(7)).
 */
static bool
carrier_open(const struct buf *b, int fd[2])
{
	struct iovec	iov = { .iov_len = buf_len(b) };

	iov.iov_base = (void *)(uintptr_t)(b->data + b->off);
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1)
		return false;
	if (writev(fd[1], &iov, 1) == (ssize_t)iov.iov_len)
		return true;
	close(fd[0]);
	close(fd[1]);
	return false;
}

/* What is to be closed after the message, sent or not: carriers. */
struct carriers {
	int		fd[4];
	unsigned int	n;
};

static void
carriers_close(struct carriers *cs)
{
	while (cs->n > 0)
		close(cs->fd[--cs->n]);
}

static bool
message_add(struct ipc_msg *m, struct carriers *cs, const struct leg *l)
{
	int	fd[2];

	if (l->held == NULL)
		return true;
	if (l->flags & LEG_PIPED)
		memcpy(fd, l->pipe->fd, sizeof(fd));
	else {
		if (!carrier_open(l->buf, fd))
			return false;
		memcpy(&cs->fd[cs->n], fd, sizeof(fd));
		cs->n += 2;
	}
	memcpy(&m->fd[m->nfds], fd, sizeof(fd));
	m->nfds += 2;
	return true;
}

/*
 * Not watched any more from before it is sent: close() does not take a socket
 * out of epoll while another process has it.
 */
static enum ipc_result
session_post(struct session *s, struct ipc_msg *m)
{
	struct proxy	*p = s->proxy;
	struct leg	*l;
	enum ipc_result	 res;

	for (l = s->leg; l < s->leg + nitems(s->leg); l++)
		ev_del(p->child.ev, &l->io);
	if ((res = ipc_send(p->handover.fd, m)) == IPC_OK) {
		session_handed_on(s);
		return res;
	}
	/* What became ready meanwhile is reported when they are added. */
	for (l = s->leg; l < s->leg + nitems(s->leg); l++) {
		if (relay_watch(s, l, l->flags & LEG_OUT ? EPOLLOUT : 0)
		    == -1) {
			stats_add(&p->child.stats, STAT_FD_FULL, 1);
			session_end(s, "refused", SESSION_RST);
			break;
		}
	}
	return res;
}

enum handed {
	HANDED_ON,
	HANDED_NOT,		/* this one can not be sent now */
	HANDED_FULL,		/* none can */
	HANDED_NOWHERE,		/* the next generation is gone */
};

static enum handed
handover_one(struct session *s)
{
	static const enum handed outcome[] = {
		[IPC_OK] = HANDED_ON, [IPC_AGAIN] = HANDED_FULL,
		[IPC_GONE] = HANDED_NOWHERE, [IPC_BAD] = HANDED_NOWHERE,
		[IPC_LOST] = HANDED_NOWHERE,
	};
	struct carriers	cs = { .n = 0 };
	struct ipc_msg	m = { .type = IPC_SESSION, .nfds = 2 };
	uint8_t		data[RECORD_MAX];
	struct record	c;
	struct wr	w;
	enum handed	res = HANDED_NOT;

	record_fill(s, &c);
	wr_init(&w, data, sizeof(data));
	record_write(&w, &c);
	m.data = data;
	m.len = w.len;
	m.fd[0] = s->leg[CLIENT].io.fd;
	m.fd[1] = s->leg[UPSTREAM].io.fd;
	if (!w.bad && message_add(&m, &cs, &s->leg[CLIENT]) &&
	    message_add(&m, &cs, &s->leg[UPSTREAM]))
		res = outcome[session_post(s, &m)];
	carriers_close(&cs);
	return res;
}

static void
handover_close(struct handover *h)
{
	if (h->fd != -1)
		close(h->fd);
	h->fd = -1;
}

static void
handover_again(struct proxy *p, uint64_t after)
{
	ev_timer_set(p->child.ev, &p->handover.timer,
	    ev_now(p->child.ev) + after);
}

static void
handover_batch(struct ev_timer *t)
{
	struct proxy		*p = container_of(t, struct proxy,
				    handover.timer);
	struct handover		*h = &p->handover;
	struct session_walk	 here;
	struct session		*s;
	unsigned int		 n;

	for (n = 0; n < BATCH; n++) {
		here = h->at;
		if ((s = sessions_next(&p->sessions, &h->at)) == NULL) {
			if (p->sessions.live > 0)
				handover_again(p, ROUND_AGAIN);
			return;
		}
		/* One that connects is sent when it has. */
		if (s->state != SESSION_RELAY)
			continue;
		switch (handover_one(s)) {
		case HANDED_FULL:
			h->at = here;
			handover_again(p, FULL_AGAIN);
			return;
		case HANDED_NOWHERE:
			handover_close(h);
			return;
		default:
			break;
		}
	}
	handover_again(p, BATCH_EVERY);
}

void
handover_start(struct proxy *p)
{
	if (!p->draining || p->handover.fd == -1 || p->sessions.live == 0 ||
	    p->handover.timer.pos != 0)
		return;
	p->handover.timer.cb = handover_batch;
	/* A timer that is due now would run in this turn. */
	handover_again(p, 1);
}

int
handover_on_channel(void *arg, struct ipc_msg *m)
{
	struct proxy	*p = arg;

	ev_timer_cancel(p->child.ev, &p->handover.timer);
	handover_close(&p->handover);
	p->handover.told = true;
	if (m->nfds > 0)
		p->handover.fd = m->fd[0];
	handover_start(p);
	return 0;
}
