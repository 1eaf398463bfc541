#include <sys/mman.h>

#include <math.h>

#include "common/l4.h"
#include "common/proto.h"
#include "history.h"

#define PERIOD	(HISTORY_PERIOD * NSEC_PER_SEC)

struct history {
	uint32_t	next;		/* where the next sample goes */
	uint32_t	unused;
	struct sample	slot[HISTORY_SLOTS];
};
_Static_assert(sizeof(struct history) <= HISTORY_BYTES, "the file is larger");

struct history *
history_map(int fd)
{
	void	*p;

	p = mmap(NULL, sizeof(struct history), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* The file may say anything. */
static uint32_t
history_next(const struct history *h)
{
	return h->next % HISTORY_SLOTS;
}

static bool
sample_is_good(const struct sample *s, uint64_t now)
{
	size_t	i;

	if (s->at == 0 || s->at > now ||
	    now - s->at > HISTORY_SLOTS * PERIOD)
		return false;
	for (i = 0; i < SERIES__MAX; i++)
		if (!isfinite(s->v[i]) || s->v[i] < 0)
			return false;
	return true;
}

bool
history_due(const struct history *h, uint64_t now)
{
	struct sample	last;

	last = h->slot[(history_next(h) + HISTORY_SLOTS - 1) % HISTORY_SLOTS];
	/* A report that is a little early is of the turn it was asked for. */
	return !sample_is_good(&last, now) ||
	    now - last.at >= PERIOD - PERIOD / 10;
}

void
history_add(struct history *h, const struct sample *s)
{
	uint32_t	at = history_next(h);

	h->slot[at] = *s;
	h->next = (at + 1) % HISTORY_SLOTS;
}

size_t
history_get(const struct history *h, uint64_t now, struct sample *dst)
{
	uint32_t	at = history_next(h);
	size_t		i, n = 0;

	for (i = 0; i < HISTORY_SLOTS; i++) {
		dst[n] = h->slot[(at + i) % HISTORY_SLOTS];
		if (sample_is_good(&dst[n], now) &&
		    (n == 0 || dst[n].at > dst[n - 1].at))
			n++;
	}
	return n;
}
