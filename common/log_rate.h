#ifndef L4_LOG_RATE_H
#define L4_LOG_RATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Lines that come by the thousand are written up to a number a second in each
 * group, and counted beyond it.  Pure: time is given, nothing is written.
 */
#define LOG_GROUPS	16	/* in one second; what is more is "other" */
#define LOG_GROUP_LEN	32

struct log_group {
	char		name[LOG_GROUP_LEN];
	uint64_t	lines;		/* in this second */
	uint64_t	left;		/* of them, not written */
};

struct log_rate {
	uint32_t	 max;		/* a second and group; 0 = any */
	uint64_t	 second;	/* the one that is counted */
	unsigned int	 n;
	struct log_group group[LOG_GROUPS];
};

/* May a line of this group be written?  The caller has begun the second. */
bool	log_rate_take(struct log_rate *, const char *group);
/* Forgets the counts: those of `second` follow. */
void	log_rate_begin(struct log_rate *, uint64_t second);

#endif
