#ifndef L4_EV_H
#define L4_EV_H

#include <sys/epoll.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Event loop: epoll, a timer heap on CLOCK_MONOTONIC, signalfd.  One per
 * process.  Watches and timers are embedded in their owner, which is found
 * with container_of(); the loop allocates only its own tables.
 *
 * The kernel is given a slot number and its generation, never a pointer: an
 * event that arrives for a watch that is gone is dropped.  An owner may
 * therefore free itself in any callback.
 */
struct ev;			/* the loop */

struct ev_io {
	int		 fd;
	uint32_t	 slot;		/* the loop's; 0 = not watched */
	void		(*cb)(struct ev_io *, uint32_t events);
};

struct ev_timer {
	uint64_t	 due;		/* ns, CLOCK_MONOTONIC */
	uint32_t	 pos;		/* in the heap; 0 = not set */
	void		(*cb)(struct ev_timer *);
};

/* Fatal when the kernel refuses. */
struct ev *ev_new(void);
void	ev_free(struct ev *);

/* Watches io->fd; events as in epoll_ctl(2).  -1 with errno set. */
int	ev_add(struct ev *, struct ev_io *, uint32_t events);
int	ev_mod(struct ev *, struct ev_io *, uint32_t events);
/* Stops watching; to be called before a descriptor is sent to another process,
 * as closing it here does not take it out of epoll. No-op if not watched. */
void	ev_del(struct ev *, struct ev_io *);
/* The same for a descriptor that is closed next and is nobody else's: saves
 * the system call. */
void	ev_forget(struct ev *, struct ev_io *);

/* Sets or moves the timer. */
void	ev_timer_set(struct ev *, struct ev_timer *, uint64_t due);
void	ev_timer_cancel(struct ev *, struct ev_timer *);

/* The time of this turn of the loop; ns, CLOCK_MONOTONIC. */
uint64_t ev_now(const struct ev *);
/* Reads the clock again. */
uint64_t ev_clock(void);

/* Blocks the signals of the set and delivers them to cb in the loop; returns
 * the descriptor of the signalfd, which stays the loop's. */
int	ev_signals(struct ev *, const sigset_t *,
	    void (*cb)(int signo, void *arg), void *arg);
/* Called after the events of each turn, before the loop sleeps. */
void	ev_each_turn(struct ev *, void (*cb)(void *arg), void *arg);

/* Until ev_stop(). */
void	ev_run(struct ev *);
void	ev_stop(struct ev *);

#endif
