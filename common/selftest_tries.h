#ifndef L4_SELFTEST_TRIES_H
#define L4_SELFTEST_TRIES_H

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

/* What is there to be misused. */
struct scene {
	int		 conn;		/* accepted TCP connection */
	int		 listener;	/* the first of a worker, else -1 */
	int		 docroot;	/* of a tlsterm, else -1 */
	pid_t		 sibling;	/* a process of the same user */
	struct sockaddr_in elsewhere;	/* listens, and is no upstream */
};

/*
 * One thing that a captured process would try.  fn returns what the decisive
 * system call did: -1 with errno set, or not refused.
 */
struct attempt {
	const char	*name;
	uint32_t	 roles;		/* bits of enum role */
	uint32_t	 needs;		/* SB_HAS_*: what alone refuses it */
	long		(*fn)(const struct scene *);
};
extern const struct attempt selftest_attempts[];
extern const size_t selftest_nattempts;

#endif
