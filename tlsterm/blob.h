#ifndef L4_BLOB_H
#define L4_BLOB_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes in memory that several answers may be sending at once, long after who
 * made them has given them up.  All that are alive are counted: what slow
 * readers hold is part of the budget.
 */
struct budget {
	size_t		used, max;
};

struct blob {
	struct budget	*budget;	/* outlives it */
	uint32_t	 users;
	size_t		 len;		/* bytes at p that are of use */
	size_t		 size;		/* and of memory */
	char		 p[];
};

/* With room for size bytes, len 0, for one user.  NULL when that is more than
 * the budget has, or there is no memory. */
struct blob *blob_new(struct budget *, size_t size);
/* One user more; returns it. */
struct blob *blob_hold(struct blob *);
/* One user less; the last frees it.  NULL is none. */
void	blob_drop(struct blob *);
/* Gives back the memory behind len.  For its only user. */
struct blob *blob_fit(struct blob *);

#endif
