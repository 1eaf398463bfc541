#ifndef L4_COND_H
#define L4_COND_H

#include <stdint.h>
#include <time.h>

#include "request.h"

/* Conditional requests (RFC 9110 13).  Pure. */

/* What is true of the file as it would be sent. */
struct validator {
	struct str	etag;		/* strong, with its quotes */
	struct str	plain;		/* the same without the encoding: who
					   has that need not have this */
	time_t		mtime;
	time_t		now;
};

/*
 * 0: go on; 304 or 412: the answer, by the order of RFC 9110 13.2.2.
 * For GET and HEAD.
 */
int	cond_check(const struct request *, const struct validator *);
/* May the Range field be used, as far as If-Range says? */
bool	cond_range(const struct request *, const struct validator *);

#endif
