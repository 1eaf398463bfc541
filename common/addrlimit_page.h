#ifndef L4_ADDRLIMIT_PAGE_H
#define L4_ADDRLIMIT_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "siphash.h"

/*
 * The pages behind addrlimit.h.  No order is asked of the memory: each cell
 * stands for itself.
 */
#define ADDR_ROWS	2
#define ADDR_CELLS	65536

/* A child's own page. */
struct addr_counts {
	_Atomic uint32_t	total;
	_Atomic uint32_t	live[ADDR_ROWS][ADDR_CELLS];
};

struct addr_shared {
	uint8_t			key[SIPHASH_KEY];
	struct addr_counts	counts;
	/*
	 * The token bucket of a cell, as the time at which it will be full
	 * again: ns, CLOCK_MONOTONIC.
	 */
	_Atomic uint64_t	full_at[ADDR_ROWS][ADDR_CELLS];
};

static inline uint32_t
cell_get(const _Atomic uint32_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* Never below nothing, whatever another process did to the page. */
static inline void
cell_sub(_Atomic uint32_t *c, uint32_t n)
{
	uint32_t	old = cell_get(c);

	while (!atomic_compare_exchange_weak_explicit(c, &old,
	    old > n ? old - n : 0, memory_order_relaxed,
	    memory_order_relaxed))
		continue;
}

#endif
