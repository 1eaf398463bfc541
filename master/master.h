#ifndef L4_MASTER_H
#define L4_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/conf.h"
#include "common/ev.h"

/*
 * The one process that stays root: it has the configuration, the listeners,
 * the children and the control socket, and reads no byte from the network.
 */
struct acme;
struct addrlimit_audit;
struct generation;
struct control;
struct gather;
struct proc;

struct sock {			/* one listening socket */
	struct addr	 addr;
	struct ev_io	 io;	/* tells when somebody shut it down */
	struct master	*master;
	int		 backlog;
};

/* Ticket keys: RFC 5077 4.  Newest first; see IPC_TICKETS. */
#define TICKET_KEYS	2
#define TICKET_KEY_LEN	80

/* gather.c: what the children are being asked. */
struct gathering {
	struct gather	*list;		/* in the order in which they came */
	bool		 running;
	uint32_t	 number;	/* of the question; never 0 */
	uint64_t	 began;		/* ns */
	struct ev_timer	 timer;
};

/* docroot.c: looking whether they are still where they were. */
struct docroots {
	struct ev_timer	 timer;
	size_t		 next;		/* site to look at */
	uint32_t	 tried;		/* generation in force when a new one
					   was begun; 0: none was */
	uint64_t	 began;		/* ns, that one */
	uint64_t	 again, pause;	/* ns: none before, and how long it had
					   to wait */
};

struct master {
	struct ev	*ev;
	const char	*path;		/* of the configuration */
	char		*self;		/* path of our own binary */
	char		*libexec;	/* where the children's binaries are */
	bool		 privileged;
	bool		 check_only;	/* -n */
	const char	*selftest;	/* role to try out, or NULL */
	int		 verbose;	/* -v: times */
	uint64_t	 started;	/* ns, CLOCK_MONOTONIC */

	struct sock	**sock;		/* bound once; kept as long as the
					   configuration has them */
	size_t		 nsock;
	int		 devnull;

	struct generation *gen;		/* takes new connections; NULL before
					   the first is up */
	struct generation *starting;	/* NULL when none is */
	struct generation *draining;	/* list */
	struct generation *switching;	/* of those, one whose workers may
					   still take connections, or NULL */
	uint32_t	 last_generation;

	struct acme	*acme;		/* NULL: no certificates of a CA yet */
	struct control	*control;
	struct gathering gathering;
	int		 history;	/* HISTORY_BYTES, or -1 */
	int		 addrs;		/* shared page of addrlimit.h, or -1 */
	struct addrlimit_audit *audit;
	struct ev_timer	 audit_timer;
	uint8_t		 tickets[TICKET_KEYS][TICKET_KEY_LEN];
	struct ev_timer	 ticket_timer;
	struct ev_timer	 expiry_timer;
	struct ev_timer	 stop_timer;
	struct ev_timer	 watch;		/* of the children */
	struct ev_timer	 watchdog;	/* of the service manager */
	struct ev_timer	 log_timer;
	bool		 log_lost;	/* syslog does not listen */
	uint64_t	 log_dropped;	/* our own lines */
	uint64_t	 watchdog_period;	/* ns */
	bool		 stopping;
	bool		 log_changed;	/* the level is not the
					   configuration's */
	bool		 upgrading;	/* the new binary is being asked */
	bool		 reload_again;	/* asked for while one was under way */
	bool		 upgrade_after;	/* ... and an upgrade */
	uint64_t	 reloads_begun;	/* numbers them for who waits */
	uint64_t	 reloads_done;	/* the first start included */
	int		 ready_fd;	/* -1, or who started us waits here */
	int		 resume;	/* -1, or the state of an earlier program:
					   upgrade.h */
	struct docroots	 docroots;
	int		 status;	/* of the exit */
};

/* listen.c: binds what the configuration lists and is not bound yet.  On false
 * err says what failed. */
bool	listen_open(struct master *, const struct conf *, char *err,
	    size_t errsize);
/* Closes what the configuration does not have, and makes the rest as it says;
 * NULL: closes all. */
void	listen_close(struct master *, const struct conf *);
/* A socket of an earlier program. */
void	listen_adopt(struct master *, const struct addr *, int fd);
/* The socket of an address, or -1. */
int	listen_find(const struct master *, const struct addr *);

/* limits.c: begins to look, from time to time, for counts of connections that
 * nobody has any more. */
void	limits_start_audit(struct master *);

/* users.c: does every role have a user of its own?  On false err says which
 * has not, and what to do. */
bool	users_check(const struct master *, const struct conf *, char *err,
	    size_t errsize);

/*
 * selftest.c: --selftest-sandbox.  Starts one process of the role, on a
 * listener of its own, to try its sandbox out.  Returns the exit status: what
 * selftest.h says, or 2 where there is no such process in this configuration.
 */
int	selftest_run(struct master *, struct conf *, const char *role);

/* tickets.c: the first keys; new ones in time, once a generation is up; those
 * of now to one process that is ready. */
void	tickets_make(struct master *);
void	tickets_start(struct master *);
void	tickets_tell(struct proc *);

/* docroot.c: begins to look for docroots that were replaced. */
void	docroots_start(struct master *);

/* expiry.c: says what expires soon and what has, now and when that changes, and
 * has certificates that are made here renewed.  A generation is up. */
void	expiry_start(struct master *);

/* life.c: from the first generation to the last process. */
void	life_start(struct master *, struct conf *);
/* A generation is up, could not be started, or has no process left. */
void	life_up(struct generation *);
void	life_failed(struct generation *);
void	life_over(struct generation *);
/* Do only the new workers take connections by now? Then a reload is over. */
void	life_check_switched(struct master *);
/* Starts a generation of the configuration in force, for certificates or
 * docroots that are to be made or opened again; not while another one is under way. */
void	life_renew(struct master *);
/* Reads the configuration again; what is wrong with it goes to the log. */
void	life_reload(struct master *);
void	life_upgrade(struct master *);
void	life_upgrade_failed(struct master *, const char *error);
/* The number of the reload that a request of now will be answered by. */
uint64_t life_next_reload(const struct master *);
/* Drains, for as long as the configuration says; the second time, at once. */
void	life_stop(struct master *);
/* Drains for as long as relayed connections last. */
void	life_drain(struct master *);
/* Of master and all children, until the next generation takes over. */
void	life_log_level(struct master *, enum log_level);
void	life_reap(struct master *);
/* Begins to ask the children, now and then, whether their loops turn. */
void	life_start_watch(struct master *);

/* logs.c: opens the log as descriptor 2; false with errno set. */
bool	logs_open(struct master *, const struct conf *);
/* Begins to use it as configured, also after an upgrade. */
void	logs_start(struct master *, const struct conf *);
/* The generation that takes over may want another format or level. */
void	logs_change(struct master *, const struct conf *);

/* notify.c: sd_notify(3) protocol; nothing where NOTIFY_SOCKET is not set. */
void	notify_send(const char *state);
void	notify_send_fd(const char *state, int fd);	/* -1: none */
/* Puts a listener into the manager's store, or takes it out. */
void	notify_store(const struct addr *, int fd, bool keep);
/* Keeps telling the manager that the loop turns, if it wants to know. */
void	notify_watchdog(struct master *);

#endif
