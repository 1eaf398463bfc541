#ifndef L4_METRICS_HISTORY_H
#define L4_METRICS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The last hour, one sample every ten seconds, in a file that master keeps: the
 * next process, of this generation or another, goes on with it.  An earlier one
 * may have been captured, so what is read from it is numbers and nothing else.
 */
#define HISTORY_PERIOD	10		/* seconds */
#define HISTORY_SLOTS	360

enum series {
	SERIES_NEW,		/* connections a second */
	SERIES_LIVE,		/* connections */
	SERIES_IN,		/* bytes a second, from clients */
	SERIES_OUT,		/* ... to them */
	SERIES_REQUESTS,	/* a second, of sites */
	SERIES_FAILED,		/* connections a second */
	SERIES_CPU,		/* percent of one */
	SERIES_MEMORY,		/* bytes */
	SERIES__MAX
};

struct sample {
	uint64_t	 at;		/* ns, CLOCK_MONOTONIC; 0 = none */
	float		 v[SERIES__MAX];	/* finite, not negative */
};

struct history;			/* the mapped file */

/* Maps it; NULL with errno set.  The descriptor stays the caller's. */
struct history *history_map(int fd);

/* Is it time for another sample? */
bool	history_due(const struct history *, uint64_t now);
void	history_add(struct history *, const struct sample *);
/* Those of the last hour, oldest first, at most HISTORY_SLOTS; how many. */
size_t	history_get(const struct history *, uint64_t now,
	    struct sample *);

#endif
