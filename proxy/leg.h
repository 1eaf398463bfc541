#ifndef L4_PROXY_LEG_H
#define L4_PROXY_LEG_H

#include <stdint.h>

#include "common/ev.h"

struct buf;
struct pipe;

enum { CLIENT, UPSTREAM };	/* index of the leg */

/*
 * One socket of a session and the direction that begins there.  What was read
 * here and waits for the other leg is held; nothing more is read until that
 * is gone.
 */
struct leg {
	struct ev_io	 io;		/* owns io.fd; -1 = none */
	union {
		void		*held;	/* NULL: nothing */
		struct buf	*buf;
		struct pipe	*pipe;	/* LEG_PIPED */
	};
	uint64_t	 moved;		/* payload read here */
	uint32_t	 burst;		/* bytes read since burst_at */
	uint32_t	 burst_at;	/* ms, see session_ms() */
	uint32_t	 stuck_at;	/* ms: the other leg took the last byte */
	uint16_t	 flags;
	uint8_t		 small;		/* small moves in a row, while bulk */
};

#define LEG_READABLE	0x0001	/* there may be something to read */
#define LEG_WRITABLE	0x0002	/* it may take something */
#define LEG_RDHUP	0x0004	/* FIN is in: nothing comes after it */
#define LEG_EXACT	0x0008	/* a short read does not mean it is empty */
#define LEG_EOF		0x0010	/* read to the end */
#define LEG_DONE	0x0020	/* and the end was passed on */
#define LEG_OUT		0x0040	/* EPOLLOUT is watched */
#define LEG_BULK	0x0080	/* moves by splice(2) */
#define LEG_WAS_BULK	0x0100
#define LEG_NOSPLICE	0x0200
#define LEG_SENT	0x0400	/* something was sent to it */
#define LEG_NODELAY	0x0800	/* TCP_NODELAY is set, or makes no sense */
#define LEG_PIPED	0x1000	/* what is held is a pipe */
#define LEG_CUT		0x2000	/* it was reset: only what it sent before that
				   counts */
#define LEG_MUTED	0x4000	/* nothing to be read is watched for */
#define LEG_INNER	0x8000	/* tlsterm is at the other end, which has
				   the client's place in the limits */

#endif
