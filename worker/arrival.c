#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "worker.h"

#define SLAB	64		/* allocated at once */

/* P7 of the promises: what a connection that says nothing may cost here. */
_Static_assert(sizeof(struct arrival) <= 1024, "an arrival is too large");

static void
arm_deadline(struct worker *w)
{
	struct arrival	*oldest = TAILQ_FIRST(&w->waiting);

	/* All have the same time, so the first in the list is due first. */
	if (oldest != NULL && w->timeout != 0 && w->deadline.pos == 0)
		ev_timer_set(w->child.ev, &w->deadline,
		    oldest->accepted + w->timeout);
}

static struct arrival *
arrival_alloc(struct worker *w)
{
	struct arrival	*a;
	int		 i;

	if ((a = TAILQ_FIRST(&w->spare)) == NULL) {
		if ((a = calloc(SLAB, sizeof(*a))) == NULL)
			return NULL;
		for (i = 0; i < SLAB; i++)
			TAILQ_INSERT_TAIL(&w->spare, &a[i], link);
	}
	TAILQ_REMOVE(&w->spare, a, link);
	return a;
}

/* The connection is gone from here. */
static void
arrival_free(struct arrival *a)
{
	struct worker	*w = a->w;

	if (w->listed == a)
		w->listed = TAILQ_NEXT(a, link);
	TAILQ_REMOVE(&w->waiting, a, link);
	TAILQ_INSERT_HEAD(&w->spare, a, link);
	w->nwaiting--;
	stats_sub(&w->child.stats, STAT_UNDECIDED, 1);
	stats_sub(&w->child.stats, STAT_LIVE, 1);
}

/*
 * Room for one more.  At the limit who has been silent longest is treated as
 * if its time were over: those who say nothing cannot keep others waiting.
 */
static void
arrival_make_room(struct worker *w)
{
	struct arrival	*oldest = TAILQ_FIRST(&w->waiting);

	if (w->max_waiting == 0 || w->nwaiting < w->max_waiting)
		return;
	classify_expired(oldest);
	arrival_free(oldest);
}

/*
 * Until as many bytes are there as can decide it: what comes before wakes
 * nobody.  A FIN does, whatever is there.  Edge-triggered, as there are bytes
 * that can be waited for but not peeked at (those behind urgent data).
 */
static int
arrival_wait(struct arrival *a)
{
	int	need = (int)a->need;

	if (a->need != a->lowat) {
		setsockopt(a->io.fd, SOL_SOCKET, SO_RCVLOWAT, &need,
		    sizeof(need));
		a->lowat = a->need;
	}
	if (a->io.slot != 0)
		return 0;
	return ev_add(a->w->child.ev, &a->io, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

static void
arrival_event(struct ev_io *io, uint32_t events)
{
	struct arrival	*a = container_of(io, struct arrival, io);
	bool		 final = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

	if (classify(a, final) == STEP_WAIT)
		arrival_wait(a);
	else
		arrival_free(a);
}

void
arrival_end(struct arrival *a, const char *reason)
{
	end_arrival(a, END_RESET, reason);
	arrival_free(a);
}

/* It cannot be decided yet. */
static void
arrival_keep(const struct arrival *now)
{
	struct worker	*w = now->w;
	struct arrival	*a;

	arrival_make_room(w);
	if ((a = arrival_alloc(w)) == NULL) {
		struct arrival	tmp = *now;

		end_arrival(&tmp, END_RESET, "undecided");
		return;
	}
	*a = *now;
	TAILQ_INSERT_TAIL(&w->waiting, a, link);
	stats_add(&w->child.stats, STAT_UNDECIDED, 1);
	stats_add(&w->child.stats, STAT_LIVE, 1);
	w->nwaiting++;
	if (arrival_wait(a) == -1) {
		log_warn("epoll_ctl: connection");
		arrival_end(a, "undecided");
		return;
	}
	arm_deadline(w);
}

static bool
may_send_header(const struct conf_listener *l, const struct addr *peer)
{
	size_t	i;

	for (i = 0; i < l->naccept_proxy; i++)
		if (cidr_contains(&l->accept_proxy[i], peer))
			return true;
	return false;
}

/* Asks the socket only where the listener cannot tell. */
static void
local_address(const struct listener *l, int fd, struct addr *local)
{
	struct sockaddr_storage	ss;
	socklen_t		len = sizeof(ss);

	*local = l->addr;
	if (local->family == ADDR_NONE &&
	    getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(local, &ss);
}

void
arrival_start(const struct listener *l, int fd, const struct addr *peer)
{
	struct worker	*w = l->w;
	struct arrival	 a = {
		.io = { .fd = fd, .cb = arrival_event },
		.w = w, .id = w->id_prefix | w->next_id++, .peer = *peer,
		.accepted = ev_now(w->child.ev), .lowat = 1,
		.listener = l->index,
	};

	stats_add(&w->child.stats, STAT_ACCEPTED, 1);
	local_address(l, fd, &a.local);
	a.same_host = addr_is_loopback(peer) || addr_equal_ip(peer, &a.local);
	a.wants_header = may_send_header(l->conf, peer);
	if (classify(&a, false) == STEP_WAIT)
		arrival_keep(&a);
}

static void
arrival_deadline(struct ev_timer *t)
{
	struct worker	*w = container_of(t, struct worker, deadline);
	uint64_t	 now = ev_now(w->child.ev);
	struct arrival	*a;

	while ((a = TAILQ_FIRST(&w->waiting)) != NULL &&
	    a->accepted + w->timeout <= now) {
		classify_expired(a);
		arrival_free(a);
	}
	arm_deadline(w);
}

/* The end: whoever is left is decided as it is, or shed. */
static void
arrival_drained(struct ev_timer *t)
{
	struct worker	*w = container_of(t, struct worker, drained);
	struct arrival	*a;

	while ((a = TAILQ_FIRST(&w->waiting)) != NULL) {
		classify_expired(a);
		arrival_free(a);
	}
	handover_flush(w);
	handover_shed_all(w);
	ev_stop(w->child.ev);
}

void
arrival_drain(struct worker *w)
{
	ev_timer_set(w->child.ev, &w->drained,
	    ev_now(w->child.ev) + sec_to_ns(w->child.conf->drain));
}

void
arrival_open(struct worker *w)
{
	const struct conf	*conf = w->child.conf;
	uint32_t		 n = conf->processes.worker;

	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->spare);
	/* The limit is the daemon's: each worker has its part. */
	w->max_waiting = (conf->limits.undecided + n - 1) / n;
	w->timeout = sec_to_ns(conf->limits.hello_timeout);
	w->deadline.cb = arrival_deadline;
	w->drained.cb = arrival_drained;
	w->peek = malloc(conf->limits.hello_bytes + PP_V2_IN_MAX);
	if (w->peek == NULL)
		fatal("malloc");
}
