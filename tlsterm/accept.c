#include "accept.h"
#include "common/l4.h"

#define Q_ONE		1000
#define Q_NONE		(-1)	/* not said */

static const struct {
	struct str	name;
	enum encoding	encoding;
} codings[] = {
	{ { "zstd", 4 },	ENC_ZSTD },
	{ { "br", 2 },		ENC_BR },
	{ { "gzip", 4 },	ENC_GZIP },
	{ { "x-gzip", 6 },	ENC_GZIP },	/* RFC 9110 8.4.1.3 */
};

/* What the field says of each; Q_NONE where it says nothing. */
struct said {
	int	encoding[ENC__MAX];
	int	identity, any;
};

/* qvalue (RFC 9110 12.4.2) in thousandths; -1 when it is none. */
static int
qvalue(struct str s)
{
	int	q, unit = Q_ONE / 10;
	size_t	i;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.n > 1 && s.p[1] != '.'))
		return -1;
	q = s.p[0] == '1' ? Q_ONE : 0;
	for (i = 2; i < s.n; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		q += (s.p[i] - '0') * unit;
	}
	return q > Q_ONE ? -1 : q;
}

/* "gzip;q=0.5": takes the name off *item; -1 when it is broken. */
static int
take_weight(struct str *item)
{
	const char	*semi = memchr(item->p, ';', item->n);
	struct str	 param;

	if (semi == NULL)
		return Q_ONE;
	param.p = semi + 1;
	param.n = item->n - (size_t)(param.p - item->p);
	item->n = (size_t)(semi - item->p);
	*item = str_trim(*item);
	param = str_trim(param);
	if (param.n < 2 || (param.p[0] | 0x20) != 'q' || param.p[1] != '=')
		return -1;
	return qvalue((struct str){ param.p + 2, param.n - 2 });
}

static void
say(struct said *s, struct str item)
{
	int	q = take_weight(&item);
	size_t	i;

	if (q == -1)
		return;
	if (str_eq(item, STR("*")))
		s->any = q;
	else if (str_caseeq(item, STR("identity")))
		s->identity = q;
	for (i = 0; i < nitems(codings); i++)
		if (str_caseeq(item, codings[i].name))
			s->encoding[codings[i].encoding] = q;
}

/* Behind those of the same weight, which came before it. */
static void
insert(struct accept *a, enum encoding e, unsigned int q)
{
	size_t	i;

	for (i = a->n++; i > 0 && a->q[i - 1] < q; i--) {
		a->v[i] = a->v[i - 1];
		a->q[i] = a->q[i - 1];
	}
	a->v[i] = e;
	a->q[i] = q;
}

void
accept_parse(struct accept *a, struct str field, const enum encoding *prefer,
    size_t n)
{
	struct said	s = { { Q_NONE, Q_NONE, Q_NONE }, Q_NONE, Q_NONE };
	struct str	item;
	size_t		i;
	int		q;

	a->n = 0;
	a->plain = true;
	if (field.p == NULL)
		return;
	while (str_next(&field, &item))
		say(&s, item);
	if (s.identity == 0 || (s.identity == Q_NONE && s.any == 0))
		a->plain = false;
	for (i = 0; i < n; i++) {
		q = s.encoding[prefer[i]];
		if (q == Q_NONE)
			q = s.any;
		if (q > 0 && q >= s.identity)
			insert(a, prefer[i], (unsigned int)q);
	}
}

static const struct {
	const char	*name, *suffix;
} names[ENC__MAX] = {
	[ENC_ZSTD] = { "zstd", ".zst" },
	[ENC_BR] = { "br", ".br" },
	[ENC_GZIP] = { "gzip", ".gz" },
};

const char *
encoding_name(enum encoding e)
{
	return names[e].name;
}

const char *
encoding_suffix(enum encoding e)
{
	return names[e].suffix;
}
