#ifndef L4_PROXY_BUF_H
#define L4_PROXY_BUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * Buffers for what a peer did not take at once.  A session has one only while
 * something waits in it, so idle sessions cost none.
 */
#define BUF_CLASSES	3

struct buf {
	struct buf	*next;		/* free list */
	uint32_t	 class;
	uint32_t	 off;		/* first byte not yet taken */
	uint32_t	 len;		/* end of the bytes */
	uint8_t		 data[];
};

struct bufs {
	struct buf	*free[BUF_CLASSES];
	uint32_t	 nfree[BUF_CLASSES];
};

/* The most one buffer holds. */
#define BUF_MAX		(64 * 1024)

/* A buffer with a copy of the n bytes, n <= BUF_MAX; NULL without memory. */
struct buf *buf_keep(struct bufs *, const void *, size_t n);
/* Gives it back; NULL is nothing. */
void	buf_release(struct bufs *, struct buf *);

static inline size_t
buf_len(const struct buf *b)
{
	return b == NULL ? 0 : b->len - b->off;
}

#endif
