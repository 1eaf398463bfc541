#ifndef L4_H2_LIMIT_H
#define L4_H2_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * So many in a period, at any time: a bucket that leaks evenly.  Zero is an
 * empty one.  Pure.
 */
struct h2_limit {
	uint64_t	at;		/* ns, when it leaked last */
	uint32_t	level;
};

/* One more; false when that is more than max in `period` ns. */
bool	h2_limit_take(struct h2_limit *, uint64_t now, uint32_t max,
	    uint64_t period);
/* n that were not meant. */
void	h2_limit_give(struct h2_limit *, uint32_t n);

/*
 * Follows the frames of a client through its bytes, from the first on: some
 * the library lets pass in silence that are not to be passed over.
 */
#define H2_PREFACE	24	/* bytes before the first frame */

struct h2_scan {
	uint32_t	left;		/* to be passed over; H2_PREFACE at
					   first */
	uint8_t		have;
	uint8_t		buf[13];	/* head of a frame, and a stream */
};

struct h2_seen {
	uint8_t		type;
	uint32_t	len;
	int32_t		stream;
	int32_t		depends;	/* of PRIORITY (RFC 7540 6.3), if its
					   length is right; else -1 */
};

/* Takes bytes off, up to and with the head of the next frame.  False: there is
 * none in them. */
bool	h2_scan_next(struct h2_scan *, const uint8_t **p, size_t *n,
	    struct h2_seen *);

#endif
