#include "balance.h"

/* The finaliser of splitmix64: every bit of x moves half of the result's. */
static uint64_t
balance_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t
balance_hash(const void *src, size_t len)
{
	const uint8_t	*p = src;
	uint64_t	 h = len;
	size_t		 i;

	for (i = 0; i < len; i++)
		h = balance_mix(h ^ p[i]) + UINT64_C(0x9e3779b97f4a7c15);
	return h;
}

struct candidates {
	const struct member	*m;
	size_t			 n;
	uint64_t		 tried;
	uint64_t		 now;
	bool			 any;	/* those being skipped as well */
};

static bool
balance_may(const struct candidates *c, size_t i)
{
	if (c->tried >> i & 1)
		return false;
	return c->any || member_usable(&c->m[i], c->now);
}

static int
balance_turn(struct balancer *b, const struct candidates *c)
{
	size_t	i, k;

	for (k = 0; k < c->n; k++) {
		i = (b->turn + k) % c->n;
		if (balance_may(c, i)) {
			b->turn = (uint32_t)((i + 1) % c->n);
			return (int)i;
		}
	}
	return -1;
}

/* The one with the fewest sessions; among equals, whose turn it is. */
static int
balance_least(struct balancer *b, const struct candidates *c)
{
	size_t	i, k;
	int	best = -1;

	for (k = 0; k < c->n; k++) {
		i = (b->turn + k) % c->n;
		if (balance_may(c, i) &&
		    (best == -1 || c->m[i].live < c->m[best].live))
			best = (int)i;
	}
	if (best != -1)
		b->turn = (uint32_t)(((size_t)best + 1) % c->n);
	return best;
}

/*
 * Rendezvous hashing: each pair of client and member has a weight, the
 * heaviest wins.  Losing a member moves its own clients only.
 */
static int
balance_rendezvous(const struct candidates *c, const struct addr *client)
{
	uint64_t	key, weight, top = 0;
	size_t		i;
	int		best = -1;

	key = balance_hash(client->ip, client->family == ADDR_V4 ? 4 : 16);
	for (i = 0; i < c->n; i++) {
		weight = balance_mix(key ^ c->m[i].key);
		if (balance_may(c, i) && (best == -1 || weight > top)) {
			best = (int)i;
			top = weight;
		}
	}
	return best;
}

static int
balance_among(struct balancer *b, const struct candidates *c,
    const struct addr *client)
{
	if (b->how == BALANCE_LEAST_CONN)
		return balance_least(b, c);
	if (b->how == BALANCE_HASH && client->family != ADDR_NONE)
		return balance_rendezvous(c, client);
	return balance_turn(b, c);
}

int
balance_pick(struct balancer *b, const struct member *m, size_t n,
    uint64_t tried, const struct addr *client, uint64_t now)
{
	struct candidates	c = { .m = m, .n = n, .tried = tried,
		.now = now };
	int			i;

	if ((i = balance_among(b, &c, client)) != -1)
		return i;
	c.any = true;
	return balance_among(b, &c, client);
}
