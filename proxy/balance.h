#ifndef L4_PROXY_BALANCE_H
#define L4_PROXY_BALANCE_H

#include "common/addr.h"
#include "common/conf.h"
#include "member.h"

/* How the next member is chosen.  Pure. */
struct balancer {
	enum balance	how;
	uint32_t	turn;		/* round robin */
};

/*
 * The index of the member to try next, of those whose bit in `tried` is not
 * set: one that may be used, or when there is none, one that is being skipped.
 * -1 when all were tried.  BALANCE_HASH: a client address keeps its member as
 * long as that is usable, whatever members come or go beside it; without a
 * client address it is round robin.
 */
int	balance_pick(struct balancer *, const struct member *, size_t n,
	    uint64_t tried, const struct addr *client, uint64_t now);

/* 64 bits of any bytes; not for adversaries. */
uint64_t balance_hash(const void *, size_t);

#endif
