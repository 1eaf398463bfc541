#ifndef L4_MASTER_GATHER_H
#define L4_MASTER_GATHER_H

#include "common/ipc.h"
#include "common/json.h"
#include "generation.h"

/*
 * What only the children know: lists of connections, and which of them has the
 * one that shall end.  One question is under way at a time; those who want the
 * list meanwhile share the next one.
 */
enum gather_kind { GATHER_SESSIONS, GATHER_KILL };

/* A question of a control client, embedded in it. */
struct gather {
	struct gather	*next;
	struct master	*master;
	enum gather_kind kind;
	bool		 active;	/* the children are being asked */
	bool		 any;		/* connections of every target */
	char		*target;	/* name, or "undecided" */
	uint64_t	 id;		/* of the connection to end */
	uint32_t	 most, rows;	/* rows: of so many at most; 0 = all */
	uint64_t	 left_out;	/* rows that had no room, of those that
					   were looked at */
	struct json	*json;
	/* NULL error: the members after "ok" have been written. */
	void		(*done)(struct gather *, const char *error);
};

/* Has any generation a target of that name? */
bool	gather_knows(const struct master *, const char *target);
/* Begins, now or when it is its turn; done() may be called before it returns.
 * Takes target, which may be NULL. */
void	gather_start(struct gather *);
/* Nobody waits for it any more; done() will not be called.  No-op for one that
 * is not under way. */
void	gather_cancel(struct gather *);

/* From policy.c and proc.c. */
int	gather_on_rows(void *proc, struct ipc_msg *);
int	gather_on_killed(void *proc, struct ipc_msg *);
void	gather_proc_gone(struct proc *);

#endif
