#ifndef L4_PROXY_PIPE_H
#define L4_PROXY_PIPE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Pipes for splice(2).  A direction holds one only while bytes are in it: an
 * empty one goes back to the pool, so a few serve all sessions whose peers
 * keep up.  Both their number and the idle ones are bounded.
 */
struct pipe {
	struct pipe	*next;		/* free list */
	int		 fd[2];
	uint32_t	 cap;		/* bytes */
	uint32_t	 len;		/* bytes in it */
	bool		 foreign;	/* who made it may have its ends still:
					   it is for one session, not for the
					   pool */
};

struct pipes {
	struct pipe	*free;
	uint32_t	 nfree;
	uint32_t	 n;		/* all there are */
	uint64_t	 retry;		/* ns: none could be made, not before */
};

#define PIPES_MAX	256

/*
 * An empty pipe, or NULL: there is none and `more` may not be made, or the
 * kernel gives none that is worth it.  Copy then.
 */
struct pipe *pipe_get(struct pipes *, bool more, uint64_t now);
/* Gives it back; closes one with bytes left in it, or of another process. NULL
 * is nothing. */
void	pipe_put(struct pipes *, struct pipe *);

/*
 * One that another process made, with len bytes in it; takes the two ends.
 * NULL without memory, or when it is none: they stay the caller's.
 */
struct pipe *pipe_adopt(struct pipes *, const int fd[2], uint32_t len);
/* Undoes that; the ends are the caller's again. */
void	pipe_disown(struct pipes *, struct pipe *);

static inline uint32_t
pipe_len(const struct pipe *p)
{
	return p == NULL ? 0 : p->len;
}

#endif
