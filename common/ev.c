#include <sys/signalfd.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ev.h"
#include "l4.h"
#include "log.h"

#define EV_BATCH	128	/* events of one epoll_wait() */

/*
 * A slot is named in the kernel by its number and generation, so that an event
 * for a watch that is gone finds nothing.  Slot 0 is never used.
 */
struct ev_slot {
	struct ev_io	*io;		/* NULL: free */
	uint32_t	 gen;
	uint32_t	 next;		/* free list */
};

struct ev {
	int			 epfd;
	int			 running;
	uint64_t		 now;

	struct ev_slot		*slot;
	uint32_t		 nslots;
	uint32_t		 free;		/* first free slot, 0 = none */

	struct ev_timer		**heap;		/* 1-based */
	uint32_t		 ntimers;
	uint32_t		 heapcap;

	struct ev_io		 sigio;
	void			(*sigcb)(int, void *);
	void			*sigarg;
	void			(*turncb)(void *);
	void			*turnarg;
};

uint64_t
ev_clock(void)
{
	struct timespec	ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1)
		fatal("clock_gettime");
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t
ev_now(const struct ev *ev)
{
	return ev->now;
}

struct ev *
ev_new(void)
{
	struct ev	*ev;

	if ((ev = calloc(1, sizeof(*ev))) == NULL)
		fatal("calloc");
	if ((ev->epfd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		fatal("epoll_create1");
	ev->sigio.fd = -1;
	ev->now = ev_clock();
	return ev;
}

void
ev_free(struct ev *ev)
{
	if (ev == NULL)
		return;
	if (ev->sigio.fd != -1)
		close(ev->sigio.fd);
	close(ev->epfd);
	free(ev->slot);
	free(ev->heap);
	free(ev);
}

static void
ev_grow_slots(struct ev *ev)
{
	uint32_t	i, n = ev->nslots == 0 ? 64 : ev->nslots * 2;
	struct ev_slot	*slot;

	if ((slot = reallocarray(ev->slot, n, sizeof(*slot))) == NULL)
		fatal("reallocarray");
	for (i = n - 1; i >= ev->nslots && i > 0; i--) {
		slot[i].io = NULL;
		slot[i].gen = 0;
		slot[i].next = ev->free;
		ev->free = i;
	}
	ev->slot = slot;
	ev->nslots = n;
}

static void
ev_release(struct ev *ev, struct ev_io *io)
{
	struct ev_slot	*s = &ev->slot[io->slot];

	s->io = NULL;
	s->gen++;
	s->next = ev->free;
	ev->free = io->slot;
	io->slot = 0;
}

static int
ev_ctl(struct ev *ev, int op, struct ev_io *io, uint32_t events)
{
	struct epoll_event	e = { .events = events };

	e.data.u64 = (uint64_t)ev->slot[io->slot].gen << 32 | io->slot;
	return epoll_ctl(ev->epfd, op, io->fd, &e);
}

int
ev_add(struct ev *ev, struct ev_io *io, uint32_t events)
{
	uint32_t	n;

	if (ev->free == 0)
		ev_grow_slots(ev);
	n = ev->free;
	ev->free = ev->slot[n].next;
	ev->slot[n].io = io;
	io->slot = n;
	if (ev_ctl(ev, EPOLL_CTL_ADD, io, events) == -1) {
		ev_release(ev, io);
		return -1;
	}
	return 0;
}

int
ev_mod(struct ev *ev, struct ev_io *io, uint32_t events)
{
	return ev_ctl(ev, EPOLL_CTL_MOD, io, events);
}

void
ev_del(struct ev *ev, struct ev_io *io)
{
	if (io->slot == 0)
		return;
	if (ev_ctl(ev, EPOLL_CTL_DEL, io, 0) == -1)
		log_warn("epoll_ctl: delete");
	ev_release(ev, io);
}

void
ev_forget(struct ev *ev, struct ev_io *io)
{
	if (io->slot != 0)
		ev_release(ev, io);
}

static void
heap_place(struct ev *ev, struct ev_timer *t, uint32_t pos)
{
	ev->heap[pos] = t;
	t->pos = pos;
}

static void
heap_up(struct ev *ev, struct ev_timer *t, uint32_t pos)
{
	while (pos > 1 && ev->heap[pos / 2]->due > t->due) {
		heap_place(ev, ev->heap[pos / 2], pos);
		pos /= 2;
	}
	heap_place(ev, t, pos);
}

static void
heap_down(struct ev *ev, struct ev_timer *t, uint32_t pos)
{
	uint32_t	kid;

	while ((kid = pos * 2) <= ev->ntimers) {
		if (kid < ev->ntimers &&
		    ev->heap[kid + 1]->due < ev->heap[kid]->due)
			kid++;
		if (ev->heap[kid]->due >= t->due)
			break;
		heap_place(ev, ev->heap[kid], pos);
		pos = kid;
	}
	heap_place(ev, t, pos);
}

static void
heap_reserve(struct ev *ev)
{
	uint32_t	  cap;
	struct ev_timer	**heap;

	if (ev->ntimers + 1 < ev->heapcap)
		return;
	cap = ev->heapcap == 0 ? 64 : ev->heapcap * 2;
	if ((heap = reallocarray(ev->heap, cap, sizeof(*heap))) == NULL)
		fatal("reallocarray");
	ev->heap = heap;
	ev->heapcap = cap;
}

void
ev_timer_set(struct ev *ev, struct ev_timer *t, uint64_t due)
{
	uint64_t	old = t->due;

	t->due = due;
	if (t->pos == 0) {
		heap_reserve(ev);
		heap_up(ev, t, ++ev->ntimers);
	} else if (due < old)
		heap_up(ev, t, t->pos);
	else
		heap_down(ev, t, t->pos);
}

void
ev_timer_cancel(struct ev *ev, struct ev_timer *t)
{
	struct ev_timer	*last;
	uint32_t	 pos = t->pos;

	if (pos == 0)
		return;
	t->pos = 0;
	last = ev->heap[ev->ntimers--];
	if (last == t)
		return;
	if (pos > 1 && ev->heap[pos / 2]->due > last->due)
		heap_up(ev, last, pos);
	else
		heap_down(ev, last, pos);
}

static void
ev_run_timers(struct ev *ev)
{
	struct ev_timer	*t;

	while (ev->ntimers > 0 && ev->heap[1]->due <= ev->now) {
		t = ev->heap[1];
		ev_timer_cancel(ev, t);
		t->cb(t);
	}
}

/* Milliseconds until the first timer, rounded up so that it is due then. */
static int
ev_timeout(const struct ev *ev)
{
	uint64_t	ms, now;

	if (ev->ntimers == 0)
		return -1;
	now = ev_clock();
	if (ev->heap[1]->due <= now)
		return 0;
	ms = (ev->heap[1]->due - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static void
ev_signal(struct ev_io *io, uint32_t events)
{
	struct ev		*ev = container_of(io, struct ev, sigio);
	struct signalfd_siginfo	 si;

	(void)events;
	while (read(io->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		ev->sigcb((int)si.ssi_signo, ev->sigarg);
}

int
ev_signals(struct ev *ev, const sigset_t *set, void (*cb)(int, void *),
    void *arg)
{
	if (sigprocmask(SIG_BLOCK, set, NULL) == -1)
		fatal("sigprocmask");
	ev->sigio.fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ev->sigio.fd == -1)
		fatal("signalfd");
	ev->sigio.cb = ev_signal;
	ev->sigcb = cb;
	ev->sigarg = arg;
	if (ev_add(ev, &ev->sigio, EPOLLIN) == -1)
		fatal("epoll_ctl: signalfd");
	return ev->sigio.fd;
}

void
ev_each_turn(struct ev *ev, void (*cb)(void *), void *arg)
{
	ev->turncb = cb;
	ev->turnarg = arg;
}

static void
ev_dispatch(struct ev *ev, const struct epoll_event *e)
{
	uint32_t	 n = (uint32_t)e->data.u64;
	struct ev_slot	*s = &ev->slot[n];

	if (s->io != NULL && s->gen == (uint32_t)(e->data.u64 >> 32))
		s->io->cb(s->io, e->events);
}

void
ev_run(struct ev *ev)
{
	struct epoll_event	events[EV_BATCH];
	int			i, n;

	ev->running = 1;
	while (ev->running) {
		if (ev->turncb != NULL)
			ev->turncb(ev->turnarg);
		if (!ev->running)
			break;
		n = epoll_wait(ev->epfd, events, EV_BATCH, ev_timeout(ev));
		if (n == -1 && errno != EINTR)
			fatal("epoll_wait");
		ev->now = ev_clock();
		for (i = 0; i < n && ev->running; i++)
			ev_dispatch(ev, &events[i]);
		ev_run_timers(ev);
	}
}

void
ev_stop(struct ev *ev)
{
	ev->running = 0;
}
