#ifndef L4_STATS_H
#define L4_STATS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Counters of one process: a shared page that the child writes and master
 * reads, also after the child's death.  Counting costs an addition.  Gauges go
 * up and down; the rest only up.
 *
 * What must add up, at rest:
 *   worker  accepted = undecided + queued + handed + ended
 *   tlsterm received = live + ended
 *   proxy   received + taken_over = live + ended + handed_on
 *   sum of handed and forwarded = sum of received + what waits in inboxes +
 *	what died there
 *   sum of handed_on = sum of taken_over, likewise
 */
enum stat_id {
	/* every role */
	STAT_LIVE,		/* gauge: connections now */
	STAT_RECEIVED,		/* connections from an inbox */
	STAT_ENDED,		/* connections this process ended */
	STAT_BYTES_IN,		/* payload from clients, when it ends */
	STAT_BYTES_OUT,
	STAT_LOG_DROPPED,	/* lines that could not be written */
	STAT_LOG_LIMITED,	/* lines beyond log.rate */
	STAT_IPC_BAD,		/* messages refused */
	STAT_IPC_LOST,		/* messages lost to a full table */
	STAT_FD_FULL,		/* turns that ended in EMFILE, ENFILE */

	/* worker */
	STAT_ACCEPTED,
	STAT_UNDECIDED,		/* gauge */
	STAT_QUEUED,		/* gauge: decided, the inbox is full */
	STAT_HANDED,
	STAT_SHED,		/* ended: the inbox stayed full */
	STAT_LIMITED,		/* ended: per_address, rate, connections */
	STAT_PROXY_HEADERS,	/* inbound PROXY headers taken */
	STAT_PROXY_BAD,		/* ended: header wrong or late */

	/* proxy */
	STAT_CONNECTED,
	STAT_CONNECT_FAILED,	/* sessions reset: no backend took them */
	STAT_REFUSED,		/* sessions reset: max_connections, loop */
	STAT_SPLICED,		/* directions that went bulk */
	STAT_TAKEN_OVER,	/* sessions from an older generation */
	STAT_HANDED_ON,		/* sessions given to a newer one */
	STAT_RELAYED_IN,	/* bytes read so far, from clients */
	STAT_RELAYED_OUT,	/* ... and from backends */

	/* tlsterm */
	STAT_HANDSHAKES,
	STAT_RESUMED,
	STAT_HANDSHAKE_FAILED,
	STAT_REQUESTS,
	STAT_2XX, STAT_3XX, STAT_4XX, STAT_5XX,
	STAT_FORWARDED,		/* connections made to upstreams */
	STAT_CACHE_HITS,	/* requests for files */
	STAT_CACHE_MISSES,
	STAT_CACHE_BYTES,	/* gauge */

	/* keys */
	STAT_SIGNED,
	STAT_SIGN_REFUSED,

	/* metrics */
	STAT_ANSWERED,		/* requests */
	STAT_TURNED_AWAY,	/* clients ended: too late, too many */

	STAT__MAX
};

/* For metrics and status: the name, and whether it is a gauge. */
struct stat_desc {
	const char	*name;
	int		 gauge;
};
extern const struct stat_desc stat_desc[STAT__MAX];

/*
 * After these, and the times below, come cells whose meaning is the role's:
 *   worker   one per route, one per site (implied route), then FALLBACK__MAX:
 *	      connections that took it
 *   proxy    four per backend: PROXY_CELL_*
 *   tlsterm  one per site: requests
 */
enum { PROXY_CELL_STATE, PROXY_CELL_LIVE, PROXY_CELL_TOTAL, PROXY_CELL_FAILED,
	PROXY_CELL__MAX };
enum { BACKEND_UNKNOWN, BACKEND_UP, BACKEND_DOWN };

/*
 * How long things took: after the fixed counters, for each of these how often
 * within which bound, and the sum in microseconds.
 */
enum stat_time {
	TIME_CONNECT,		/* proxy: to a backend that took it */
	TIME_HANDSHAKE,		/* tlsterm: of TLS, once it is done */
	TIME__MAX
};
#define TIME_BOUNDS	13
#define TIME_CELLS	(TIME_BOUNDS + 2)	/* beyond all bounds; sum */
struct stat_bound {
	uint64_t	 us;
	const char	*seconds;	/* as OpenMetrics writes it */
};
extern const struct stat_bound stat_bound[TIME_BOUNDS];
#define STAT_FIXED	(STAT__MAX + TIME__MAX * TIME_CELLS)

struct stats {
	size_t			 ncells;
	size_t			 size;		/* of the mapping */
	volatile uint64_t	*count;		/* STAT_FIXED, then cells */
};

/* A memfd for ncells cells, its size sealed; -1 with errno set. */
int	stats_create(size_t ncells);
/* 0, or -1 with errno set.  Master maps read-only. */
int	stats_map(struct stats *, int fd, size_t ncells, int writable);
void	stats_unmap(struct stats *);

static inline void
stats_add(const struct stats *s, enum stat_id what, uint64_t n)
{
	s->count[what] += n;
}

static inline void
stats_sub(const struct stats *s, enum stat_id what, uint64_t n)
{
	s->count[what] -= n;
}

static inline volatile uint64_t *
stats_cell(const struct stats *s, size_t i)
{
	return &s->count[STAT_FIXED + i];
}

/* The cells of one of the times. */
static inline volatile uint64_t *
stats_times(const struct stats *s, enum stat_time what)
{
	return &s->count[STAT__MAX + what * TIME_CELLS];
}

void	stats_time(const struct stats *, enum stat_time what, uint64_t ns);

#endif
