#ifndef L4_PROC_H
#define L4_PROC_H

#include <sys/types.h>

#include "common/ev.h"
#include "common/ipc.h"
#include "common/proto.h"
#include "common/stats.h"

/*
 * A child: started, told what it needs, watched, started again.
 */
struct acme_run;
struct generation;
struct publish;

enum proc_state {
	PROC_NEW,		/* not started yet */
	PROC_STARTING,		/* no IPC_READY yet */
	PROC_RUNNING,
	PROC_DRAINING,
	PROC_WAITING,		/* died; starts again after a pause */
	PROC_GONE,		/* ended for good */
	PROC__MAX
};

struct proc {
	struct generation *gen;
	enum role	 role;
	int		 instance;	/* within role, or within the pool */
	uint32_t	 pool;		/* of a proxy */
	bool		 oneshot;	/* keys, working for master; acme */
	struct acme_run	*run;		/* that it works for, or NULL: acme.h;
					   it is not one of the generation's */

	enum proc_state	 state;
	pid_t		 pid;		/* 0 = none */
	struct ev_io	 chan;		/* fd -1 = none */
	unsigned int	 step;		/* of the set-up (setup.c) */
	size_t		 item;
	uint64_t	 since;		/* this pid */

	struct stats	 stats;		/* survive the pid */
	int		 stats_fd;
	int		 addrs_fd;	/* own page of addrlimit.h, or -1 */
	bool		 took_last;	/* it said so: IPC_DRAINING */
	uint32_t	 mechanisms;
	int		 landlock_abi;

	uint32_t	 asked;		/* the question it owes an answer to,
					   or 0: gather.c */
	uint64_t	 asked_at;	/* ns */
	bool		 silent;	/* it did not answer in time */

	struct publish	*publish;	/* of a metrics process */

	struct ev_timer	 pause;
	uint64_t	 pinged;	/* ns: not answered yet; 0 = all are */
	unsigned int	 restarts;
	unsigned int	 failures;	/* in a row: short lives */
	int		 last_exit;	/* wait status */
	bool		 died;		/* last_exit means something */
};

/* From this number of short lives in a row, status says degraded. */
#define PROC_DEGRADED	5

/* -1 with errno set; then nothing to close. */
int	proc_init(struct proc *, struct generation *, enum role, int instance,
	    uint32_t pool);
void	proc_close(struct proc *);
/* A process that an earlier program of this pid started: watches it. */
void	proc_adopt(struct proc *, struct generation *);
void	proc_start(struct proc *);
void	proc_ready(struct proc *);
void	proc_drain(struct proc *);
/* Tells a proxy which inbox is to have its live sessions; -1 = none. */
void	proc_hand_over(struct proc *, int inbox);
void	proc_kill(struct proc *);
/* It shall log as much as master does. */
void	proc_tell_log_level(struct proc *);
/* It did what it may not do: says so and ends it; it is started anew. */
void	proc_misbehaves(struct proc *, const char *how);
/* What a child has as its environment, or NULL for nothing; not freed. */
char	*proc_tunables(void);
/* Asks whether its loop turns, and ends it when it has not answered for long,
 * or has not got ready: one that is stopped holds connections that others
 * could have, and a reload waits for it. */
void	proc_ping(struct proc *);
/* The process of that pid has ended. */
void	proc_reaped(struct proc *, int status);
const char *proc_state_name(enum proc_state);
/* "worker[0]", "proxy reality[0]".  Returns dst. */
#define PROC_NAMELEN	80
const char *proc_name(const struct proc *, char dst[PROC_NAMELEN]);

/* setup.c: sends as much of the set-up as the channel takes; 1 when all is
 * sent, 0 when it would block, -1 when the child is gone. */
int	setup_send(struct proc *);

/* policy.c: what a child may make master do. */
int	policy_dispatch(struct proc *, struct ipc_msg *);

#endif
