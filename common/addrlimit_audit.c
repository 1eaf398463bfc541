#include <sys/mman.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addrlimit.h"
#include "addrlimit_page.h"

/* The total, then the cells of all rows: struct addr_counts as plain words. */
#define WORDS	(1 + ADDR_ROWS * ADDR_CELLS)

_Static_assert(sizeof(struct addr_counts) == WORDS * sizeof(uint32_t),
    "counts are not plain words");

struct addrlimit_audit {
	unsigned int	looks;
	uint32_t	least[WORDS];	/* left over at every look so far */
	uint32_t	held[WORDS];	/* by all children, at this look */
	uint32_t	page[WORDS];	/* of one child */
};

struct addrlimit_audit *
addrlimit_audit_new(void)
{
	struct addrlimit_audit	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	memset(a->least, 0xff, sizeof(a->least));
	return a;
}

void
addrlimit_audit_free(struct addrlimit_audit *a)
{
	free(a);
}

/* With pread(), as looking at a mapping would give memory to every hole. */
static int
add_child(struct addrlimit_audit *a, int own)
{
	ssize_t	n;
	size_t	i;

	n = pread(own, a->page, sizeof(a->page), 0);
	if (n != (ssize_t)sizeof(a->page)) {
		if (n != -1)
			errno = EINVAL;
		return -1;
	}
	for (i = 0; i < WORDS; i++)
		a->held[i] += a->page[i];
	return 0;
}

static void
take_out(struct addrlimit_audit *a, struct addr_counts *c)
{
	size_t	i, j;

	cell_sub(&c->total, a->least[0]);
	for (i = 0; i < ADDR_ROWS; i++)
		for (j = 0; j < ADDR_CELLS; j++)
			if (a->least[1 + i * ADDR_CELLS + j] != 0)
				cell_sub(&c->live[i][j],
				    a->least[1 + i * ADDR_CELLS + j]);
}

static void
look(struct addrlimit_audit *a, const struct addr_counts *c)
{
	const _Atomic uint32_t	*cell = &c->live[0][0];
	uint32_t		 there, over;
	size_t			 i;

	for (i = 0; i < WORDS; i++) {
		there = i == 0 ? cell_get(&c->total) : cell_get(&cell[i - 1]);
		over = there > a->held[i] ? there - a->held[i] : 0;
		if (over < a->least[i])
			a->least[i] = over;
	}
}

int64_t
addrlimit_audit_look(struct addrlimit_audit *a, int shared, const int *own,
    size_t nown)
{
	struct addr_shared	*s;
	size_t			 i;
	int64_t			 out = 0;

	memset(a->held, 0, sizeof(a->held));
	for (i = 0; i < nown; i++)
		if (add_child(a, own[i]) == -1)
			return -1;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, shared,
	    0);
	if (s == MAP_FAILED)
		return -1;
	look(a, &s->counts);
	if (++a->looks == ADDRLIMIT_LOOKS) {
		out = a->least[0];
		take_out(a, &s->counts);
		a->looks = 0;
		memset(a->least, 0xff, sizeof(a->least));
	}
	munmap(s, sizeof(*s));
	return out;
}
