#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "worker.h"

#define ACCEPT_BATCH	16	/* of one listener in one turn */
#define DRAIN_MAX	4096
#define PAUSE_TIME	(100 * NSEC_PER_MSEC)

static void
listen_watch(struct listener *l)
{
	/* Of the workers that sleep, one is woken. */
	if (ev_add(l->w->child.ev, &l->io, EPOLLIN | EPOLLEXCLUSIVE) == -1)
		log_warn("epoll_ctl: listener");
}

void
listen_pause(struct worker *w, unsigned int why)
{
	int	i;

	if (w->paused == 0)
		for (i = 0; i < w->child.nlisteners; i++)
			ev_del(w->child.ev, &w->listener[i].io);
	w->paused |= why;
}

void
listen_resume(struct worker *w, unsigned int why)
{
	int	i;

	if ((w->paused & why) == 0)
		return;
	w->paused &= ~why;
	if (w->paused != 0)
		return;
	for (i = 0; i < w->child.nlisteners; i++)
		if (w->listener[i].retry.pos == 0)
			listen_watch(&w->listener[i]);
}

void
listen_close(struct worker *w, int fd)
{
	close(fd);
	listen_resume(w, PAUSE_FDS);
}

static void
listen_recheck(struct ev_timer *t)
{
	struct worker	*w = container_of(t, struct worker, recheck);

	if (w->reserve == -1)
		w->reserve = dup(FD_LOG);
	listen_resume(w, PAUSE_FDS);
}

/*
 * The connection at the head of the queue is told that nobody has time for it,
 * with the descriptor that was kept for this.  Not more often than it takes to
 * try again: another worker may have room for the rest.
 */
static void
listen_overflow(struct listener *l)
{
	struct worker	*w = l->w;
	uint64_t	 now = ev_now(w->child.ev);
	int		 fd;

	if (w->reserve == -1 || now < w->overflowed + PAUSE_TIME)
		return;
	w->overflowed = now;
	close(w->reserve);
	fd = accept4(l->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		close(fd);
		stats_add(&w->child.stats, STAT_ACCEPTED, 1);
		stats_add(&w->child.stats, STAT_ENDED, 1);
	}
	w->reserve = dup(FD_LOG);
}

/* No descriptor, or no memory for one. */
static void
listen_exhausted(struct listener *l, int error)
{
	struct worker	*w = l->w;

	stats_add(&w->child.stats, STAT_FD_FULL, 1);
	if (complain(w)) {
		errno = error;
		log_warn("accept");
	}
	if (error == EMFILE || error == ENFILE)
		listen_overflow(l);
	listen_pause(w, PAUSE_FDS);
	ev_timer_set(w->child.ev, &w->recheck,
	    ev_now(w->child.ev) + PAUSE_TIME);
}

static void
listen_retry(struct ev_timer *t)
{
	struct listener	*l = container_of(t, struct listener, retry);

	if (l->w->paused == 0)
		listen_watch(l);
}

/*
 * Somebody shut the socket down for all who share it.  Master listens again;
 * until then epoll would report nothing else.
 */
static void
listen_broken(struct listener *l, int error)
{
	struct ev	*ev = l->w->child.ev;

	if (complain(l->w)) {
		errno = error;
		log_warn("accept: listener %s", l->conf->name);
	}
	ev_del(ev, &l->io);
	ev_timer_set(ev, &l->retry, ev_now(ev) + PAUSE_TIME);
}

/* Is there any use in another accept()? */
static bool
listen_failed(struct listener *l, int error)
{
	switch (error) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		listen_exhausted(l, error);
		return false;
	case EINVAL:
	case EBADF:
	case ENOTSOCK:
		listen_broken(l, error);
		return false;
	default:
		/* accept(2): an error of the connection, which is gone. */
		return true;
	}
}

/* Accepts at most max connections. */
static void
listen_take(struct listener *l, unsigned int max)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	struct addr		 peer;
	int			 fd;

	for (; max > 0 && (l->w->paused & ~PAUSE_DRAIN) == 0; max--) {
		len = sizeof(ss);
		fd = accept4(l->io.fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			addr_from_sockaddr(&peer, &ss);
			arrival_start(l, fd, &peer);
		} else if (!listen_failed(l, errno))
			break;
	}
}

static void
listen_event(struct ev_io *io, uint32_t events)
{
	(void)events;
	listen_take(container_of(io, struct listener, io), ACCEPT_BATCH);
}

static bool
is_any(const struct addr *a)
{
	static const uint8_t	zero[sizeof(a->ip)];

	return memcmp(a->ip, zero, a->family == ADDR_V4 ? 4 : 16) == 0;
}

static void
listener_init(struct worker *w, int i)
{
	struct listener		*l = &w->listener[i];
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);

	l->io.fd = FD_LISTENERS + i;
	l->io.cb = listen_event;
	l->retry.cb = listen_retry;
	l->w = w;
	l->index = w->child.listener[i];
	if (l->index >= w->child.conf->nlistener)
		fatalx("listener %u is not configured", l->index);
	l->conf = &w->child.conf->listener[l->index];
	if (getsockname(l->io.fd, (struct sockaddr *)&ss, &len) == -1)
		fatal("getsockname: listener %s", l->conf->name);
	addr_from_sockaddr(&l->addr, &ss);
	if (is_any(&l->addr))
		l->addr.family = ADDR_NONE;
}

void
listen_open(struct worker *w)
{
	int	i, n = w->child.nlisteners;

	if ((w->listener = calloc((size_t)n + 1, sizeof(*w->listener))) ==
	    NULL)
		fatal("calloc");
	for (i = 0; i < n; i++)
		listener_init(w, i);
	w->recheck.cb = listen_recheck;
	if ((w->reserve = dup(FD_LOG)) == -1)
		fatal("dup");
}

void
listen_start(struct worker *w)
{
	int	i;

	for (i = 0; i < w->child.nlisteners; i++)
		listen_watch(&w->listener[i]);
}

void
listen_drain(struct worker *w)
{
	bool	paused = w->paused != 0;
	int	i;

	listen_pause(w, PAUSE_DRAIN);
	/*
	 * If it was this worker that the kernel woke for what came last, no
	 * other knows of it.
	 */
	for (i = 0; !paused && i < w->child.nlisteners; i++)
		listen_take(&w->listener[i], DRAIN_MAX);
	/* One that master gives up as well is then closed. */
	for (i = 0; i < w->child.nlisteners; i++)
		close(w->listener[i].io.fd);
}
