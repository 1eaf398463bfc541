#ifndef L4_HOOK_H
#define L4_HOOK_H

#include <sys/types.h>

#include "common/ev.h"

struct master;

/*
 * A program of the administrator's, run as users.hook (not root: as who we
 * are), with an environment of PATH alone, its output to the log, and not
 * longer than HOOK_SECONDS.
 */
#define HOOK_SECONDS	120

#define HOOK_FILE_0	"/proc/self/fd/3"
#define HOOK_FILE_1	"/proc/self/fd/4"

struct hook {
	struct master	*master;
	pid_t		 pid;		/* 0 = does not run */
	struct ev_timer	 timer;
	const char	*user;		/* of the configuration */
	int		 fd[2];		/* it has them as descriptors 3 and 4,
					   by name HOOK_FILE_*; -1 = none */
	/* It has ended; ok: with status 0. */
	void		(*done)(struct hook *, bool ok);
};

/* argv[0] is the program; NULL ends it.  False, logged, when it cannot be
 * started: done() is not called then. */
bool	hook_start(struct hook *, char *const argv[]);
/* Ends it; done() is not called. */
void	hook_stop(struct hook *);
/* The process with this pid has ended: true when it was this one. */
bool	hook_reaped(struct hook *, pid_t, int status);

#endif
