#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "tlsterm.h"

#define INBOX_MESSAGES	4	/* for one wake-up: others share the inbox */
#define INBOX_PAUSE	(100 * NSEC_PER_MSEC)
#define FDS_SPARE	8	/* for files being looked for */

/* Every client has a socket, and some have a file. */
static bool
inbox_full(const struct tlsterm *t)
{
	return t->own_fds + t->nclients + t->h1->nfiles + t->ups.nfds +
	    CONN_BATCH + FDS_SPARE > t->max_fds;
}

static void
inbox_stop(struct tlsterm *t)
{
	if (t->inbox_off)
		return;
	ev_del(t->child.ev, &t->inbox);
	t->inbox_off = true;
}

void
inbox_resume(struct tlsterm *t)
{
	if (!t->inbox_off || t->inbox_timer.pos != 0 || t->inbox.fd == -1 ||
	    inbox_full(t))
		return;
	if (ev_add(t->child.ev, &t->inbox, EPOLLIN | EPOLLEXCLUSIVE) == -1)
		fatal("epoll_ctl: inbox");
	t->inbox_off = false;
}

static void
inbox_pause(struct tlsterm *t)
{
	struct ev	*ev = t->child.ev;

	stats_add(&t->child.stats, STAT_FD_FULL, 1);
	inbox_stop(t);
	ev_timer_set(ev, &t->inbox_timer, ev_now(ev) + INBOX_PAUSE);
}

static void
inbox_again(struct ev_timer *timer)
{
	inbox_resume(container_of(timer, struct tlsterm, inbox_timer));
}

static bool
target_valid(const struct tlsterm *t, const struct conn_info *info)
{
	if (info->target.kind == TARGET_CHALLENGE && t->responder == NULL)
		return false;
	return conn_pool(t->child.conf, info) == POOL_SITES && !info->inner;
}

/* Is every record good, and is there one for each descriptor? */
static bool
conns_valid(const struct tlsterm *t, const struct ipc_msg *m)
{
	struct conn_info	info;
	struct rd		r;
	unsigned int		i, n;

	rd_init(&r, m->data, m->len);
	n = rd_u8(&r);
	if (n != m->nfds)
		return false;
	for (i = 0; i < n; i++)
		if (!conn_read(&r, t->child.conf, &info) ||
		    !target_valid(t, &info))
			return false;
	return rd_done(&r);
}

static int
on_conn(void *arg, struct ipc_msg *m)
{
	struct tlsterm		*t = arg;
	struct conn_info	 info;
	struct rd		 r;
	unsigned int		 i;

	if (!conns_valid(t, m)) {
		ipc_close_fds(m);
		return -1;
	}
	rd_init(&r, m->data, m->len);
	rd_u8(&r);
	for (i = 0; i < m->nfds; i++) {
		conn_read(&r, t->child.conf, &info);
		client_new(t, m->fd[i], &info);
	}
	return 0;
}

static const struct ipc_rule inbox_rules[] = {
	{ IPC_CONN, CHILD_RUN, IPC_FD_STREAM, 1, CONN_BATCH, 1, IPC_DATA_MAX,
	    on_conn },
};

/* False when there is nothing more for now. */
static bool
inbox_message(struct tlsterm *t, uint32_t events)
{
	const struct stats	*st = &t->child.stats;
	struct ipc_msg		 m;
	unsigned int		 n;

	switch (ipc_recv(t->inbox.fd, t->child.buf, CHILD_BUFSIZE, &m)) {
	case IPC_OK:
		n = m.nfds;
		if (ipc_dispatch(inbox_rules, nitems(inbox_rules), CHILD_RUN,
		    &m, t) == 0)
			/* A batch that is not full was the last. */
			return n == CONN_BATCH;
		stats_add(st, STAT_IPC_BAD, 1);
		return true;
	case IPC_BAD:
		stats_add(st, STAT_IPC_BAD, 1);
		return true;
	case IPC_LOST:
		stats_add(st, STAT_IPC_LOST, 1);
		inbox_pause(t);
		return false;
	case IPC_GONE:
		if ((events & (EPOLLHUP | EPOLLERR)) == 0) {
			stats_add(st, STAT_IPC_BAD, 1);
			return true;
		}
		inbox_stop(t);
		close(t->inbox.fd);
		t->inbox.fd = -1;
		return false;
	default:
		return false;
	}
}

void
inbox_read(struct tlsterm *t, uint32_t events)
{
	int	i;

	for (i = 0; i < INBOX_MESSAGES; i++) {
		if (inbox_full(t)) {
			inbox_pause(t);
			return;
		}
		if (!inbox_message(t, events))
			return;
	}
}

static void
inbox_event(struct ev_io *io, uint32_t events)
{
	inbox_read(container_of(io, struct tlsterm, inbox), events);
}

void
inbox_start(struct tlsterm *t)
{
	t->inbox.cb = inbox_event;
	t->inbox_timer.cb = inbox_again;
	t->inbox_off = true;
	inbox_resume(t);
}
