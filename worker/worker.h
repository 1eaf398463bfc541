#ifndef L4_WORKER_H
#define L4_WORKER_H

#include <bsd/sys/queue.h>

#include "common/challenge.h"
#include "common/child.h"
#include "common/conn.h"
#include "common/route.h"

/*
 * The way of a connection through a worker:
 *
 *	listen.c	accepts it
 *	arrival.c	keeps it while it is undecided
 *	classify.c	looks at its first bytes and decides
 *	handover.c	gives it to the pool that shall have it, or
 *	end.c		closes it
 *	sessions.c	lists the undecided for master
 *
 * Whoever holds the descriptor at one of these stages closes it or passes it
 * on; no stage comes back to an earlier one.
 */

/* Why no connections are accepted at the moment; bits. */
#define PAUSE_QUEUED	0x1	/* too many wait for full inboxes */
#define PAUSE_FDS	0x2	/* the descriptor table is full */
#define PAUSE_DRAIN	0x4	/* for ever */

struct worker;

struct listener {
	struct ev_io	 io;
	struct ev_timer	 retry;		/* set while its socket is broken */
	struct worker	*w;
	const struct conf_listener *conf;
	uint16_t	 index;		/* in the configuration */
	struct addr	 addr;		/* ADDR_NONE: bound to all */
};

/* A connection from accept to decision. */
struct arrival {
	struct ev_io	 io;
	struct worker	*w;
	TAILQ_ENTRY(arrival) link;	/* waiting: by age; else free list */
	uint64_t	 id;
	uint64_t	 accepted;	/* ns, CLOCK_MONOTONIC */
	struct addr	 peer, local;
	size_t		 need;		/* bytes it waits for */
	size_t		 lowat;		/* its SO_RCVLOWAT */
	uint16_t	 listener;	/* in the configuration */
	bool		 wants_header;	/* a PROXY header must come first */
	bool		 same_host;
	bool		 counted;	/* addrlimit_enter() took it */
	bool		 held;		/* a rule takes it, unless it turns out
					   to be a CA: challenge.c */
};
TAILQ_HEAD(arrivals, arrival);

/* Connections for one message; descriptor i belongs to info[i]. */
struct batch {
	STAILQ_ENTRY(batch) link;
	uint64_t	 due;		/* ns: shed when it still waits */
	unsigned int	 n;
	int		 fd[CONN_BATCH];
	struct conn_info info[CONN_BATCH];
};
STAILQ_HEAD(batches, batch);

/* One that takes connections: the sites, or an upstream. */
struct pool {
	struct ev_io	 io;		/* write end of its inbox, or -1;
					   watched while it is full */
	struct worker	*w;
	TAILQ_ENTRY(pool) link;		/* of the busy ones */
	struct batches	 batches;	/* the last may have room */
	unsigned int	 queued;	/* connections in them */
	bool		 blocked;	/* the inbox is full */
};
TAILQ_HEAD(pools, pool);

struct worker {
	struct child	 child;
	struct route_table *routes;
	uint64_t	 next_id;
	uint64_t	 id_prefix;

	struct listener	*listener;
	unsigned int	 paused;	/* PAUSE_* */
	int		 reserve;	/* descriptor kept for a full table */
	uint64_t	 overflowed;	/* when one was closed for it */
	struct ev_timer	 recheck;	/* of a full table */

	struct arrivals	 waiting;	/* oldest first */
	struct arrivals	 spare;
	unsigned int	 nwaiting;
	unsigned int	 max_waiting;	/* 0: any number */
	uint64_t	 timeout;	/* ns; 0: none */
	struct arrival	*listed;	/* the next to be listed, or NULL */
	struct ev_timer	 deadline;	/* of the oldest */
	struct ev_timer	 drained;	/* ends the process */
	uint8_t		*peek;		/* what was peeked at last */

	struct pool	*pool;		/* as conn_pool() says */
	size_t		 npools;
	unsigned int	 ninboxes;	/* pools that have one */
	struct pools	 busy;		/* those with batches */
	unsigned int	 queued;	/* in all pools */
	struct batches	 free;
	struct ev_timer	 again;		/* while a pool is blocked */
	uint8_t		*message;	/* being written; IPC_DATA_MAX */

	const struct challenges *challenges;	/* the page, or NULL */

	uint64_t	 complained;	/* when complain() said yes */
};

/* listen.c */
void	listen_open(struct worker *);	/* before the sandbox */
void	listen_start(struct worker *);
void	listen_pause(struct worker *, unsigned int why);
void	listen_resume(struct worker *, unsigned int why);
/* Closes a connection's descriptor; a full table has room again. */
void	listen_close(struct worker *, int fd);
/* Takes what was ours to take, then nothing more. */
void	listen_drain(struct worker *);

/* arrival.c */
void	arrival_open(struct worker *);
/* Takes the descriptor. */
void	arrival_start(const struct listener *, int fd, const struct addr *);
/* No more are coming: sets how long those that are here may take. */
void	arrival_drain(struct worker *);
/* One that waits ends with a reset, for this reason. */
void	arrival_end(struct arrival *, const char *reason);

/* classify.c */
enum step {
	STEP_DONE,		/* the descriptor is gone */
	STEP_WAIT,		/* for a->need bytes */
};
/* final: nothing comes after what is there. */
enum step classify(struct arrival *, bool final);
/* Its time is over. */
void	classify_expired(struct arrival *);

/* handover.c */
extern const struct ipc_rule handover_rules[];
extern const size_t handover_nrules;
void	handover_open(struct worker *);
/* Takes the descriptor, which the loop must not watch any more. */
void	handover_add(struct worker *, const struct conn_info *, int fd);
/* Sends what has been added; called after each turn of the loop. */
void	handover_flush(struct worker *);
/* Gives up on what cannot be sent. */
void	handover_shed_all(struct worker *);

/* end.c */
enum end {
	END_CLOSE,		/* FIN: the client reads end of file */
	END_RESET,		/* RST */
	END_LOST,		/* the client was first */
};
/* Closes it and writes its line; reason as in conn_log(). */
void	end_connection(struct worker *, int fd, const struct conn_info *,
	    enum end, const char *reason);
/* The same for one that was not decided. */
void	end_arrival(struct arrival *, enum end, const char *reason);

/* May trouble be logged that can come with every connection?  Not more than
 * once a second. */
bool	complain(struct worker *);

/* challenge.c: does a CA look whether a name is ours? MAY_BE: with *wait
 * bytes it is known; never when `final`.  No rule comes before it. */
enum challenge_verdict { CHALLENGE_IS_NOT, CHALLENGE_IS, CHALLENGE_MAY_BE };
enum challenge_verdict challenge_look(const struct worker *,
	    const struct facts *, const uint8_t *p, size_t len, bool final,
	    size_t *wait);

/* sessions.c */
extern const struct child_sessions worker_sessions;

/* sandbox.c */
/* headers: a listener takes PROXY headers. */
const struct sb_policy *worker_policy(bool headers);

#endif
