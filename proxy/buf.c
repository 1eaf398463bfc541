#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "buf.h"

/* Sizes, and how many free ones are kept for the next who needs one. */
static const struct {
	size_t		size;
	uint32_t	keep;
} buf_class[BUF_CLASSES] = {
	{ 4 * 1024,	64 },
	{ 16 * 1024,	16 },
	{ BUF_MAX,	8 },
};

static struct buf *
buf_get(struct bufs *bs, uint32_t class)
{
	struct buf	*b = bs->free[class];

	if (b != NULL) {
		bs->free[class] = b->next;
		bs->nfree[class]--;
	} else if ((b = malloc(sizeof(*b) + buf_class[class].size)) == NULL)
		return NULL;
	b->class = class;
	b->off = 0;
	return b;
}

struct buf *
buf_keep(struct bufs *bs, const void *src, size_t n)
{
	struct buf	*b;
	uint32_t	 class;

	for (class = 0; class < BUF_CLASSES; class++)
		if (n <= buf_class[class].size)
			break;
	if (class == BUF_CLASSES || (b = buf_get(bs, class)) == NULL)
		return NULL;
	memcpy(b->data, src, n);
	b->len = (uint32_t)n;
	return b;
}

void
buf_release(struct bufs *bs, struct buf *b)
{
	if (b == NULL)
		return;
	if (bs->nfree[b->class] >= buf_class[b->class].keep) {
		free(b);
		return;
	}
	b->next = bs->free[b->class];
	bs->free[b->class] = b;
	bs->nfree[b->class]++;
}
