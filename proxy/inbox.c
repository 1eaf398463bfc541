#include "common/l4.h"
#include "common/log.h"
#include "proxy.h"

#define INBOX_MESSAGES	4		/* for one wake-up */
#define INBOX_RETRY	NSEC_PER_SEC

/*
 * The read end of the upstream's inbox, shared with the other members of its
 * pool and with those of other generations.
 */

/* All of a message's records are right, or none of its connections is taken. */
static bool
inbox_parse(struct proxy *p, const struct ipc_msg *m)
{
	struct conn_info	*c;
	struct rd		 r;
	unsigned int		 i;
	bool			 good = true;

	rd_init(&r, m->data, m->len);
	if (rd_u8(&r) != m->nfds)
		return false;
	for (i = 0; good && i < m->nfds; i++) {
		c = &p->batch[i];
		good = conn_read(&r, p->child.conf, c) &&
		    c->target.kind == TARGET_UPSTREAM &&
		    conn_pool_of(c->target.index) == p->inbox.pool;
	}
	return good && rd_done(&r);
}

static int
inbox_conns(void *arg, struct ipc_msg *m)
{
	struct proxy	*p = arg;
	unsigned int	 i;

	if (!inbox_parse(p, m)) {
		ipc_close_fds(m);
		return -1;
	}
	for (i = 0; i < m->nfds; i++)
		session_open(p, m->fd[i], &p->batch[i]);
	return 0;
}

static const struct ipc_rule inbox_rules[] = {
	/* type, phases, kind and number of fds, size, handler */
	{ IPC_CONN,	CHILD_RUN, IPC_FD_STREAM, 1, CONN_BATCH,
	    1, IPC_DATA_MAX, inbox_conns },
	{ IPC_SESSION,	CHILD_RUN, IPC_FD_ANY, 2, 6,
	    1, IPC_DATA_MAX, adopt_session },
};

/* Where nothing ends by itself, waiting for descriptors would be for ever. */
static bool
inbox_has_room(const struct proxy *p)
{
	return p->sessions.live == 0 || sessions_have_room(p, 0);
}

/* True when there may be another message. */
static bool
inbox_receive(struct proxy *p, uint32_t events)
{
	const struct stats	*st = &p->child.stats;
	struct ipc_msg		 m;
	unsigned int		 n;

	switch (ipc_recv(p->inbox.io.fd, p->child.buf, CHILD_BUFSIZE, &m)) {
	case IPC_OK:
		n = m.nfds;
		if (ipc_dispatch(inbox_rules, nitems(inbox_rules), CHILD_RUN,
		    &m, p) == -1)
			stats_add(st, STAT_IPC_BAD, 1);
		/* A batch that is not full was the last: saves a call. */
		return n == CONN_BATCH;
	case IPC_BAD:
		stats_add(st, STAT_IPC_BAD, 1);
		return true;
	case IPC_LOST:
		stats_add(st, STAT_IPC_LOST, 1);
		stats_add(st, STAT_FD_FULL, 1);
		inbox_pause(p);
		return false;
	case IPC_GONE:
		if ((events & (EPOLLHUP | EPOLLERR)) == 0) {
			/* The end may have come since; epoll will say. */
			if (p->handover.told)
				return false;
			stats_add(st, STAT_IPC_BAD, 1);
			return true;
		}
		inbox_close(p);
		proxy_check_over(p);
		return false;
	case IPC_AGAIN:
		break;
	}
	return false;
}

static void
inbox_event(struct ev_io *io, uint32_t events)
{
	struct proxy	*p = container_of(io, struct proxy, inbox.io);
	unsigned int	 i;

	for (i = 0; i < INBOX_MESSAGES; i++) {
		if (!inbox_has_room(p)) {
			inbox_pause(p);
			return;
		}
		if (!inbox_receive(p, events) || io->slot == 0)
			return;
	}
}

static void
inbox_watch(struct proxy *p)
{
	if (ev_add(p->child.ev, &p->inbox.io, EPOLLIN | EPOLLEXCLUSIVE) == -1)
		fatal("epoll_ctl: inbox");
	p->inbox.paused = false;
}

void
inbox_pause(struct proxy *p)
{
	if (p->inbox.gone)
		return;
	ev_del(p->child.ev, &p->inbox.io);
	p->inbox.paused = true;
	ev_timer_set(p->child.ev, &p->inbox.timer,
	    ev_now(p->child.ev) + INBOX_RETRY);
}

void
inbox_resume(struct proxy *p)
{
	if (!p->inbox.paused || p->inbox.gone || !inbox_has_room(p))
		return;
	ev_timer_cancel(p->child.ev, &p->inbox.timer);
	inbox_watch(p);
}

static void
inbox_retry(struct ev_timer *t)
{
	struct proxy	*p = container_of(t, struct proxy, inbox.timer);

	inbox_resume(p);
	if (p->inbox.paused)
		ev_timer_set(p->child.ev, t,
		    ev_now(p->child.ev) + INBOX_RETRY);
}

void
inbox_open(struct proxy *p)
{
	p->inbox.io.cb = inbox_event;
	p->inbox.timer.cb = inbox_retry;
	inbox_watch(p);
}

void
inbox_close(struct proxy *p)
{
	p->inbox.gone = true;
	p->inbox.paused = false;
	ev_timer_cancel(p->child.ev, &p->inbox.timer);
	ev_del(p->child.ev, &p->inbox.io);
}
