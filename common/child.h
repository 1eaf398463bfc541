#ifndef L4_CHILD_H
#define L4_CHILD_H

#include "conf.h"
#include "ev.h"
#include "ipc.h"
#include "proto.h"
#include "sandbox.h"
#include "stats.h"

/*
 * The connections that a role has, for master to list and to end.  A list is
 * taken in pieces with the work of others in between; one begun anew forgets
 * the one before.
 */
struct conn_row;
struct wr;
struct child_sessions {
	void	(*begin)(void *arg);
	/* False: there are no more.  The row is zeroed. */
	bool	(*next)(void *arg, struct conn_row *);
	/* Ends the connection of that id; false: it is not here. */
	bool	(*kill)(void *arg, uint64_t id);
};

/*
 * How every child starts, in this order, each step fatal if it fails:
 *
 *	child_open()	 descriptors and configuration from master
 *	(the role)	 opens and allocates what it needs
 *	child_confine()	 limits, root, ids, no_new_privs, Landlock, seccomp
 *	child_ready()	 tells master
 *	ev_run()
 *
 * argv is the program's name and the instance number; a third word, "selftest",
 * has child_confine() try the sandbox out instead (selftest.h).
 */
struct child {
	enum role	 role;
	int		 instance;
	uint32_t	 generation;
	struct conf	*conf;
	struct stats	 stats;
	struct ev	*ev;
	bool		 privileged;	/* started as root */
	bool		 strict;
	int		 nlisteners;	/* FD_LISTENERS ... */
	uint16_t	*listener;	/* configuration index of each */
	struct addrlimit *addrs;	/* NULL: no such limit configured */
	uint32_t	 mechanisms;	/* SB_HAS_*, after child_confine() */
	int		 landlock_abi;

	int		 parent;	/* pid of master */
	bool		 started;	/* IPC_START came */
	bool		 draining;
	bool		 selftest;

	/* the role's: */
	void		*arg;		/* passed to its handlers */
	const struct ipc_rule *rules;	/* messages only this role is sent */
	size_t		 nrules;
	void		(*drain)(void *arg);	/* IPC_DRAIN, SIGTERM, or
						   master's death */
	const struct child_sessions *sessions;	/* NULL: has none */
	struct ev_io	 chan;
	struct ev_timer	 flood;		/* the log leaves lines out */
	uint8_t		*buf;		/* IPC_HEADER + IPC_DATA_MAX, for
					   every ipc_recv() of the process */
};

/* Phases of a child, for ipc_rule.phases. */
#define CHILD_SETUP	1u		/* until IPC_START */
#define CHILD_RUN	2u
#define CHILD_BUFSIZE	(IPC_HEADER + IPC_DATA_MAX)

/*
 * Takes role and instance, then messages from master until IPC_START: those
 * that all roles get are handled here, the rest by c->rules.  The caller has
 * set role, arg, rules, drain.
 */
void	child_open(struct child *, int argc, char **argv);

struct child_jail {
	const struct sb_policy	*policy;
	const struct sb_landlock *landlock;
	size_t			 nlandlock;
	enum conf_user		 user;
	uint64_t		 nofile;	/* RLIMIT_NOFILE; 0 = as is */
	int			 cwd;		/* -1, or a directory to stay in
						   (UNIX upstreams) */
	bool			 needs_network;	/* stays in the host's network
						   namespace */
	bool			 needs_mounts;	/* ... mount namespace: has
						   directories that may be
						   mounted and unmounted */
	bool			 patient;	/* preempts nobody when it wakes:
						   work comes in batches */
};
void	child_confine(struct child *, const struct child_jail *);

/* Sends IPC_READY and watches the channel and signals. */
void	child_ready(struct child *);

/* One-shot runs: sends IPC_DONE with that payload. */
void	child_done(struct child *, const struct wr *found);

/* Sends IPC_FAILED with the reason, logs it, exits 1. */
void	child_fail(struct child *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), noreturn));

#endif
