#include <sys/random.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/l4.h"
#include "range.h"

/* Decimal digits up to a byte that is none; UINT64_MAX, larger than any file,
 * when it does not fit.  False when there is no digit. */
static bool
take_number(struct str *s, uint64_t *n)
{
	size_t	i;

	*n = 0;
	for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		if (*n > (UINT64_MAX - 9) / 10)
			*n = UINT64_MAX;
		else
			*n = *n * 10 + (uint64_t)(s->p[i] - '0');
	}
	s->p += i;
	s->n -= i;
	return i > 0;
}

/* "-N": the last N bytes. */
static enum range_result
parse_suffix(struct str s, uint64_t size, struct range *r)
{
	uint64_t	n;

	s.p++;
	s.n--;
	if (!take_number(&s, &n) || s.n != 0)
		return RANGE_NONE;
	if (n == 0 || size == 0)
		return RANGE_UNSATISFIABLE;
	r->first = n < size ? size - n : 0;
	r->last = size - 1;
	return RANGE_SOME;
}

static enum range_result
parse_one(struct str s, uint64_t size, struct range *r)
{
	if (s.n > 0 && s.p[0] == '-')
		return parse_suffix(s, size, r);
	if (!take_number(&s, &r->first) || s.n == 0 || s.p[0] != '-')
		return RANGE_NONE;
	s.p++;
	s.n--;
	if (s.n == 0)
		r->last = UINT64_MAX;
	else if (!take_number(&s, &r->last) || s.n != 0 || r->last < r->first)
		return RANGE_NONE;
	if (r->first >= size)
		return RANGE_UNSATISFIABLE;
	if (r->last >= size)
		r->last = size - 1;
	return RANGE_SOME;
}

enum range_result
range_parse(struct str s, uint64_t size, struct range v[RANGES_MAX],
    size_t *n)
{
	static const struct str	unit = { "bytes=", 6 };
	struct range		r;
	struct str		item;
	uint64_t		sum = 0;
	size_t			asked = 0;

	*n = 0;
	if (s.n <= unit.n || strncasecmp(s.p, unit.p, unit.n) != 0)
		return RANGE_NONE;
	s.p += unit.n;
	s.n -= unit.n;
	while (str_next(&s, &item)) {
		if (item.n == 0)
			continue;
		if (++asked > RANGES_MAX)
			return RANGE_NONE;
		switch (parse_one(item, size, &r)) {
		case RANGE_NONE:
			return RANGE_NONE;
		case RANGE_UNSATISFIABLE:
			continue;
		default:
			break;
		}
		/* Each of them is inside, so no sum can wrap before this. */
		sum += r.last - r.first + 1;
		if (sum > size)
			return RANGE_NONE;
		v[(*n)++] = r;
	}
	if (asked == 0)
		return RANGE_NONE;
	return *n > 0 ? RANGE_SOME : RANGE_UNSATISFIABLE;
}

#define PART_HEAD	320	/* of one part: boundary, type, range */
#define TYPE_MAX	160

struct part {
	uint64_t	first, len;
	size_t		headlen;
	char		head[PART_HEAD];
};

struct parts {
	size_t		 n;		/* the last has a head alone */
	size_t		 i;
	uint64_t	 at;		/* in part i */
	struct part	 v[];
};

static void
part_head(struct part *p, const char *boundary, const char *type,
    const struct range *r, uint64_t size)
{
	int	n;

	n = snprintf(p->head, sizeof(p->head),
	    "\r\n--%s\r\n%s%.*s%sContent-Range: bytes %llu-%llu/%llu\r\n\r\n",
	    boundary, type[0] != '\0' ? "Content-Type: " : "", TYPE_MAX, type,
	    type[0] != '\0' ? "\r\n" : "", (unsigned long long)r->first,
	    (unsigned long long)r->last, (unsigned long long)size);
	p->headlen = (size_t)n;
}

struct parts *
parts_new(const struct range *r, size_t n, uint64_t size, const char *type,
    char boundary[RANGE_BOUNDARY], uint64_t *total)
{
	struct parts	*p;
	struct part	*last;
	uint64_t	 seed[2] = { 0, 0 };
	size_t		 i;

	/* What it is does not matter, as long as no file was made for it. */
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) == -1)
		seed[0] = size;
	snprintf(boundary, RANGE_BOUNDARY, "%015llu%015llu",
	    (unsigned long long)(seed[0] % 1000000000000000),
	    (unsigned long long)(seed[1] % 1000000000000000));
	if ((p = calloc(1, sizeof(*p) + (n + 1) * sizeof(p->v[0]))) == NULL)
		return NULL;
	p->n = n + 1;
	*total = 0;
	for (i = 0; i < n; i++) {
		p->v[i].first = r[i].first;
		p->v[i].len = r[i].last - r[i].first + 1;
		part_head(&p->v[i], boundary, type, &r[i], size);
		*total += p->v[i].headlen + p->v[i].len;
	}
	last = &p->v[n];
	last->headlen = (size_t)snprintf(last->head, sizeof(last->head),
	    "\r\n--%s--\r\n", boundary);
	*total += last->headlen;
	return p;
}

void
parts_free(struct parts *p)
{
	free(p);
}

size_t
parts_next(struct parts *p, size_t n, const char **text, uint64_t *offset)
{
	struct part	*v;
	uint64_t	 left;

	*text = NULL;
	while (p->i < p->n) {
		v = &p->v[p->i];
		if (p->at < v->headlen) {
			left = v->headlen - p->at;
			n = left < n ? (size_t)left : n;
			*text = v->head + p->at;
			p->at += n;
			return n;
		}
		left = v->headlen + v->len - p->at;
		if (left > 0) {
			n = left < n ? (size_t)left : n;
			*offset = v->first + (p->at - v->headlen);
			p->at += n;
			return n;
		}
		p->i++;
		p->at = 0;
	}
	return 0;
}
