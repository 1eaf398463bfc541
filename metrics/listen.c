#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "metrics.h"

#define ACCEPT_BATCH	16
#define PAUSE_TIME	(1 * NSEC_PER_SEC)

static void
listen_watch(struct listener *l)
{
	if (ev_add(l->m->child.ev, &l->io, EPOLLIN) == -1)
		fatal("epoll_ctl: listener");
}

static void
listen_retry(struct ev_timer *t)
{
	listen_watch(container_of(t, struct listener, retry));
}

/* Is there any use in another accept()? */
static bool
listen_failed(struct listener *l, int error)
{
	struct ev	*ev = l->m->child.ev;

	switch (error) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EINVAL:
	case EBADF:
	case ENOTSOCK:
		/* No room, or somebody shut the socket down for all who share
		 * it: epoll would report nothing else. */
		stats_add(&l->m->child.stats, STAT_FD_FULL, 1);
		log_warn("accept: metrics");
		ev_del(ev, &l->io);
		ev_timer_set(ev, &l->retry, ev_now(ev) + PAUSE_TIME);
		return false;
	default:
		/* accept(2): an error of the connection, which is gone. */
		return true;
	}
}

static void
listen_event(struct ev_io *io, uint32_t events)
{
	struct listener	*l = container_of(io, struct listener, io);
	int		 i, fd;

	(void)events;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1)
			client_start(l->m, fd);
		else if (!listen_failed(l, errno))
			return;
	}
}

void
listen_open(struct metrics *m)
{
	struct listener	*l;
	int		 i, n = m->child.nlisteners;

	if (m->child.conf->metrics == NULL || m->history == NULL || n == 0)
		fatalx("master sent no listener and no history");
	if ((m->listener = calloc((size_t)n, sizeof(*l))) == NULL)
		fatal("calloc");
	for (i = 0; i < n; i++) {
		l = &m->listener[i];
		l->m = m;
		l->io.fd = FD_LISTENERS + i;
		l->io.cb = listen_event;
		l->retry.cb = listen_retry;
	}
}

void
listen_start(struct metrics *m)
{
	int	i;

	for (i = 0; i < m->child.nlisteners; i++)
		listen_watch(&m->listener[i]);
}

/* What waits in the queue is for the next generation's process. */
void
listen_drain(struct metrics *m)
{
	struct listener	*l;
	int		 i;

	for (i = 0; i < m->child.nlisteners; i++) {
		l = &m->listener[i];
		ev_timer_cancel(m->child.ev, &l->retry);
		ev_del(m->child.ev, &l->io);
		close(l->io.fd);
	}
}
