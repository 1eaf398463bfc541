#ifndef L4_ADDRLIMIT_H
#define L4_ADDRLIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/*
 * How many connections are alive, in all and for each client address, over all
 * processes and generations.
 *
 * One shared page, mapped by every worker, proxy and tlsterm, holds the counts:
 * a sketch of two rows of cells, chosen by a keyed hash of the address (IPv6
 * addresses by their /64), so that its size is fixed.  An address is counted
 * as the smaller of its two cells: never less than it has, and more only if
 * it shares both with others.  Beside it every child has a page of its own with
 * what it holds at the moment, so that master can take back what a dead child
 * held.
 *
 *	worker		enter, then pass (handed over) or leave (ended here)
 *	receiver	hold, then leave, or pass (session handed on)
 *
 * While it waits in an inbox a connection is in the shared counts alone.
 */
struct addrlimit;
struct conf;

enum addrlimit_verdict {
	ADDRLIMIT_OK,
	ADDRLIMIT_CONNECTIONS,
	ADDRLIMIT_ADDRESS,
	ADDRLIMIT_RATE,
};
/* The key of the limit, as the log names it; NULL for ADDRLIMIT_OK. */
const char *addrlimit_reason(enum addrlimit_verdict);

/*
 * Master: memfds with their size sealed, -1 with errno set.  One shared for
 * the life of the daemon, one own for each child; the caller closes.
 */
int	addrlimit_create_shared(void);
int	addrlimit_create_own(void);

/*
 * With limits.connections, .per_address and .rate_per_address of conf; an
 * address may use up the connections of one second (at least one) at once.
 * The descriptors may be closed afterwards.  NULL with errno set.
 */
struct addrlimit *addrlimit_map(int shared, int own, const struct conf *);
void	addrlimit_unmap(struct addrlimit *);

/*
 * A new connection; it is counted if the answer is ADDRLIMIT_OK, and only
 * then.  now: ns, CLOCK_MONOTONIC.  A peer without an address (ADDR_NONE)
 * counts in the total alone.
 */
enum addrlimit_verdict addrlimit_enter(struct addrlimit *,
	    const struct addr *peer, uint64_t now);
/* Handed over: still alive, no longer ours. */
void	addrlimit_pass(struct addrlimit *, const struct addr *peer);
/* Taken over: alive, now ours. */
void	addrlimit_hold(struct addrlimit *, const struct addr *peer);
/* It ended here. */
void	addrlimit_leave(struct addrlimit *, const struct addr *peer);

/* Live connections in all; of an address, as the sketch has it. */
uint32_t addrlimit_total(const struct addrlimit *);
uint32_t addrlimit_count(const struct addrlimit *, const struct addr *);

/*
 * Master, when a child is dead: takes what its own page says it held out of
 * the shared counts, and clears the page, which may then be given to another
 * child.  -1 with errno set if a page cannot be mapped.
 */
int	addrlimit_reap(int shared, int own);

/*
 * Master, from time to time: what is in the shared counts but in no page of a
 * child waits in an inbox, or was lost on the way (a message that met a full
 * descriptor table, a child killed between two counts) and would count for
 * ever.  What is left over at ADDRLIMIT_LOOKS looks in a row is taken out.
 * Calls should be far apart against the time a connection spends in an inbox.
 *
 * own: the pages of all children alive.  Returns how many connections were
 * taken out of the total, -1 with errno set.
 */
#define ADDRLIMIT_LOOKS	5
struct addrlimit_audit;
struct addrlimit_audit *addrlimit_audit_new(void);
void	addrlimit_audit_free(struct addrlimit_audit *);
int64_t	addrlimit_audit_look(struct addrlimit_audit *, int shared,
	    const int *own, size_t nown);

#endif
