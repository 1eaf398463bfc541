#ifndef L4_PROXY_PROXY_H
#define L4_PROXY_PROXY_H

#include "common/child.h"
#include "common/conn.h"
#include "balance.h"
#include "buf.h"
#include "member.h"
#include "pipe.h"
#include "session.h"

/*
 * The state of a proxy process: it relays the connections of one upstream and
 * never looks at what it relays.
 */

/* Bytes of the buffer all copies go through. */
#define SCRATCH		BUF_MAX

struct inbox {
	struct ev_io	 io;
	struct ev_timer	 timer;		/* tries again when paused */
	uint32_t	 pool;
	bool		 paused;	/* no descriptors for more sessions */
	bool		 gone;		/* nothing comes from it any more */
};

/* Where live sessions go when this generation is replaced. */
struct handover {
	int		 fd;		/* inbox of the next one; -1 = nowhere */
	bool		 told;		/* our own inbox will come to an end */
	struct ev_timer	 timer;		/* the next batch */
	struct session_walk at;
};

struct health;

struct proxy {
	struct child		 child;
	const struct conf_upstream *up;
	struct inbox		 inbox;
	struct members		 members;
	struct balancer		 balance;
	struct health		*health;	/* NULL: no active checks */
	struct sessions		 sessions;
	struct session_walk	 listed;	/* how far a list has come */
	struct pipes		 pipes;
	struct bufs		 bufs;
	uint8_t			*scratch;	/* SCRATCH bytes */
	bool			 draining;
	struct handover		 handover;
	struct ev_timer		 drain_timer;
	struct ev_timer		 resolve_timer;
	struct conn_info	 batch[CONN_BATCH];	/* being received */
};

/* main.c: ends the process when nothing is left that it is for. */
void	proxy_check_over(struct proxy *);

/* inbox.c */
void	inbox_open(struct proxy *);
/* Takes nothing more from it. */
void	inbox_close(struct proxy *);
/* No more until inbox_resume(), which is tried at the end of each session and
 * now and then. */
void	inbox_pause(struct proxy *);
void	inbox_resume(struct proxy *);

/* handover.c: master's IPC_HAND_OVER; then, when draining, sends what relays
 * on to the next generation, a few sessions at a time. */
int	handover_on_channel(void *arg, struct ipc_msg *);
void	handover_start(struct proxy *);

/* adopt.c: IPC_SESSION, a session that an older generation relayed.  -1 when
 * anything about it is wrong; the descriptors are closed. */
int	adopt_session(void *arg, struct ipc_msg *);

/* dial.c: connects the session to a member, or ends it. */
void	dial_start(struct session *);
void	dial_event(struct session *, uint32_t events);
void	dial_timeout(struct session *);

/* relay.c */
void	relay_start(struct session *);
/* Moves what can be moved, up to a fair share; may end the session. */
void	relay_run(struct session *);
/* Events of one leg of a session that relays. */
void	relay_event(struct session *, struct leg *, uint32_t events);
/* Registers a leg, edge-triggered; -1 with errno set. */
int	relay_watch(struct session *, struct leg *, uint32_t events);

/* timeout.c: keepalive and idle time; sets the timer again; may end the
 * session. */
void	relay_timer(struct session *);
/* What keepalive is set to, in ms. */
uint32_t relay_keepalive_ms(const struct proxy *);

/* health.c */
void	health_start(struct proxy *);
void	health_stop(struct proxy *);

/* list.c */
extern const struct child_sessions proxy_sessions;

/* sandbox.c */
extern const struct sb_policy proxy_policy;

#endif
