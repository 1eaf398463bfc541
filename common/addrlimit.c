#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addrlimit.h"
#include "addrlimit_page.h"
#include "conf.h"
#include "l4.h"

struct addrlimit {
	struct addr_shared	*shared;
	struct addr_counts	*own;
	uint32_t		 max_total, max_live;
	uint64_t		 interval;	/* ns a new connection costs;
						   0 = no limit of the rate */
	uint64_t		 burst;		/* ns that may be owed */
};

/* Where an address is counted; no cell for one that is none. */
struct place {
	bool		any;
	uint16_t	cell[ADDR_ROWS];
};

const char *
addrlimit_reason(enum addrlimit_verdict v)
{
	static const char *const names[] = {
		[ADDRLIMIT_CONNECTIONS] = "connections",
		[ADDRLIMIT_ADDRESS] = "per_address",
		[ADDRLIMIT_RATE] = "rate_per_address",
	};

	return v < nitems(names) ? names[v] : NULL;
}

static int
create_sealed(const char *name, size_t size)
{
	int	fd, saved;

	if ((fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)) == -1)
		return -1;
	if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void *
map_page(int fd, size_t size)
{
	void	*p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int
addrlimit_create_shared(void)
{
	struct addr_shared	*p;
	int			 fd;

	fd = create_sealed("l4mux-addrs", sizeof(struct addr_shared));
	if (fd == -1)
		return -1;
	if ((p = map_page(fd, sizeof(*p))) == NULL) {
		close(fd);
		return -1;
	}
	siphash_new_key(p->key);
	munmap(p, sizeof(*p));
	return fd;
}

int
addrlimit_create_own(void)
{
	return create_sealed("l4mux-addrs-own", sizeof(struct addr_counts));
}

static void
set_rate(struct addrlimit *l, double rate)
{
	if (rate <= 0)
		return;
	l->interval = rate > 1e9 ? 1 : rate < 1e-6 ? sec_to_ns(1e6) :
	    sec_to_ns(1 / rate);
	l->burst = rate < 1 ? l->interval : NSEC_PER_SEC;
}

struct addrlimit *
addrlimit_map(int shared, int own, const struct conf *conf)
{
	struct addrlimit	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	l->shared = map_page(shared, sizeof(*l->shared));
	l->own = map_page(own, sizeof(*l->own));
	if (l->shared == NULL || l->own == NULL) {
		addrlimit_unmap(l);
		return NULL;
	}
	l->max_total = conf->limits.connections;
	l->max_live = conf->limits.per_address;
	set_rate(l, conf->limits.rate_per_address);
	return l;
}

void
addrlimit_unmap(struct addrlimit *l)
{
	if (l == NULL)
		return;
	if (l->shared != NULL)
		munmap(l->shared, sizeof(*l->shared));
	if (l->own != NULL)
		munmap(l->own, sizeof(*l->own));
	free(l);
}

static struct place
place_of(const struct addrlimit *l, const struct addr *a)
{
	struct place	p = { .any = a->family != ADDR_NONE };
	uint8_t		k[9] = { 0 };
	uint64_t	h;

	if (!p.any)
		return p;
	k[0] = a->family;
	/* Whoever has an IPv6 address has its /64. */
	memcpy(k + 1, a->ip, a->family == ADDR_V4 ? 4 : 8);
	h = siphash(l->shared->key, k, sizeof(k));
	p.cell[0] = (uint16_t)h;
	p.cell[1] = (uint16_t)(h >> 16);
	return p;
}

/* What it was before; a full cell stays full. */
static uint32_t
cell_inc(_Atomic uint32_t *c)
{
	uint32_t	old = cell_get(c);

	while (old != UINT32_MAX && !atomic_compare_exchange_weak_explicit(c,
	    &old, old + 1, memory_order_relaxed, memory_order_relaxed))
		continue;
	return old;
}

static void
counts_add(struct addr_counts *c, const struct place *p)
{
	int	i;

	cell_inc(&c->total);
	for (i = 0; p->any && i < ADDR_ROWS; i++)
		cell_inc(&c->live[i][p->cell[i]]);
}

static void
counts_sub(struct addr_counts *c, const struct place *p)
{
	int	i;

	cell_sub(&c->total, 1);
	for (i = 0; p->any && i < ADDR_ROWS; i++)
		cell_sub(&c->live[i][p->cell[i]], 1);
}

/*
 * Counts first and takes back what was too much.  Processes that ask for one
 * address at the same moment see its two cells in different order, and may go
 * above its limit by as many as they are; never above the total.
 */
static enum addrlimit_verdict
counts_try(struct addrlimit *l, const struct place *p)
{
	struct addr_counts	*c = &l->shared->counts;
	uint32_t	 total, n, least = UINT32_MAX;
	int		 i;

	total = cell_inc(&c->total);
	for (i = 0; p->any && i < ADDR_ROWS; i++)
		if ((n = cell_inc(&c->live[i][p->cell[i]])) < least)
			least = n;
	if (l->max_total != 0 && total >= l->max_total) {
		counts_sub(c, p);
		return ADDRLIMIT_CONNECTIONS;
	}
	if (p->any && l->max_live != 0 && least >= l->max_live) {
		counts_sub(c, p);
		return ADDRLIMIT_ADDRESS;
	}
	return ADDRLIMIT_OK;
}

/* Raises the cell to v; it never goes back. */
static void
bucket_raise(_Atomic uint64_t *b, uint64_t v)
{
	uint64_t	old = atomic_load_explicit(b, memory_order_relaxed);

	while (old < v && !atomic_compare_exchange_weak_explicit(b, &old, v,
	    memory_order_relaxed, memory_order_relaxed))
		continue;
}

/*
 * A bucket that holds `burst` and gains a token every `interval`, kept as the
 * time when it is full.  Of the two cells the one that owes less counts, and
 * only what lies below the new value is raised: an address that shares one cell
 * with a busy one pays nothing for it.
 */
static bool
rate_take(struct addrlimit *l, const struct place *p, uint64_t now)
{
	uint64_t	t, least = UINT64_MAX;
	int		i;

	for (i = 0; i < ADDR_ROWS; i++) {
		t = atomic_load_explicit(&l->shared->full_at[i][p->cell[i]],
		    memory_order_relaxed);
		if (t < least)
			least = t;
	}
	if (least < now)
		least = now;
	if (least + l->interval > now + l->burst)
		return false;
	for (i = 0; i < ADDR_ROWS; i++)
		bucket_raise(&l->shared->full_at[i][p->cell[i]],
		    least + l->interval);
	return true;
}

enum addrlimit_verdict
addrlimit_enter(struct addrlimit *l, const struct addr *peer, uint64_t now)
{
	struct place		p = place_of(l, peer);
	enum addrlimit_verdict	v;

	if ((v = counts_try(l, &p)) != ADDRLIMIT_OK)
		return v;
	if (l->interval != 0 && p.any && !rate_take(l, &p, now)) {
		counts_sub(&l->shared->counts, &p);
		return ADDRLIMIT_RATE;
	}
	counts_add(l->own, &p);
	return ADDRLIMIT_OK;
}

void
addrlimit_pass(struct addrlimit *l, const struct addr *peer)
{
	struct place	p = place_of(l, peer);

	counts_sub(l->own, &p);
}

void
addrlimit_hold(struct addrlimit *l, const struct addr *peer)
{
	struct place	p = place_of(l, peer);

	counts_add(l->own, &p);
}

void
addrlimit_leave(struct addrlimit *l, const struct addr *peer)
{
	struct place	p = place_of(l, peer);

	counts_sub(l->own, &p);
	counts_sub(&l->shared->counts, &p);
}

uint32_t
addrlimit_total(const struct addrlimit *l)
{
	return cell_get(&l->shared->counts.total);
}

uint32_t
addrlimit_count(const struct addrlimit *l, const struct addr *peer)
{
	struct place	 p = place_of(l, peer);
	uint32_t	 n, least = UINT32_MAX;
	int		 i;

	for (i = 0; p.any && i < ADDR_ROWS; i++) {
		n = cell_get(&l->shared->counts.live[i][p.cell[i]]);
		if (n < least)
			least = n;
	}
	return p.any ? least : 0;
}

static void
cell_take_back(_Atomic uint32_t *shared, _Atomic uint32_t *own)
{
	uint32_t	n;

	if (cell_get(own) == 0)
		return;
	n = atomic_exchange_explicit(own, 0, memory_order_relaxed);
	cell_sub(shared, n);
}

int
addrlimit_reap(int shared, int own)
{
	struct addr_shared	*s;
	struct addr_counts	*c;
	size_t			 i, j;

	if ((s = map_page(shared, sizeof(*s))) == NULL)
		return -1;
	if ((c = map_page(own, sizeof(*c))) == NULL) {
		munmap(s, sizeof(*s));
		return -1;
	}
	cell_take_back(&s->counts.total, &c->total);
	for (i = 0; i < ADDR_ROWS; i++)
		for (j = 0; j < ADDR_CELLS; j++)
			cell_take_back(&s->counts.live[i][j], &c->live[i][j]);
	munmap(c, sizeof(*c));
	munmap(s, sizeof(*s));
	return 0;
}
