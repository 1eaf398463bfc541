#include "route_facts.h"
#include "tests/unit/suite.h"

/*
 * Random rules over few values, against the definition read line by line.
 */
static const char *const names[] = {
	"", "a.x", "b.x", "x", "a.b.x", "*.x", "*.b.x", "c.b.x"
};
static const char *const protos_alpn[] = { "h2", "http/1.1" };
#define RULES	12

struct sample {
	struct conf		 conf;
	struct conf_route	 route[RULES];
	struct conf_match	 unless[RULES];
	struct conf_site	 site[3];
	const char		*value[1024];
	size_t			 nvalues;
	uint32_t		 listen[2];
};

static uint32_t
rnd(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % n;
}

static struct conf_strs
some(struct sample *s, uint64_t *st, const char *const *from, uint32_t nfrom)
{
	struct conf_strs	l = { &s->value[s->nvalues], 0 };

	while (l.n < 3 && rnd(st, 3) != 0)
		l.v[l.n++] = from[rnd(st, nfrom)];
	s->nvalues += l.n;
	return l;
}

static struct conf_match
random_match(struct sample *s, uint64_t *st)
{
	struct conf_match	m = { 0 };

	switch (rnd(st, 4)) {
	case 0:
		m.host = some(s, st, names, nitems(names));
		break;
	case 1:
		break;
	default:
		m.sni = some(s, st, names, nitems(names));
	}
	if (rnd(st, 4) == 0)
		m.alpn = some(s, st, protos_alpn, nitems(protos_alpn));
	if (rnd(st, 4) == 0)
		m.protocols = BIT(1 + rnd(st, PROTO__MAX - 1)) |
		    BIT(PROTO_TLS + rnd(st, 2));
	if (rnd(st, 4) == 0) {
		m.from = (struct cidr *)(rnd(st, 2) ? &net10 : &net172);
		m.nfrom = 1;
	}
	if (rnd(st, 4) == 0) {
		m.listen = s->listen;
		m.nlisten = 1 + rnd(st, 2);
	}
	return m;
}

static void
random_sample(struct sample *s, uint64_t *st)
{
	size_t	i;

	memset(s, 0, sizeof(*s));
	s->listen[0] = 1;
	s->listen[1] = 2;
	s->conf.route = s->route;
	s->conf.nroute = rnd(st, RULES + 1);
	s->conf.site = s->site;
	s->conf.nsite = rnd(st, 4);
	fallbacks(&s->conf);
	for (i = 0; i < s->conf.nroute; i++) {
		s->route[i].match = random_match(s, st);
		s->unless[i] = random_match(s, st);
		if (rnd(st, 3) == 0)
			s->route[i].unless = &s->unless[i];
		s->route[i].to = (struct conf_target)UP((uint32_t)i);
	}
	for (i = 0; i < s->conf.nsite; i++)
		s->site[i].names = some(s, st, names, nitems(names));
}

static bool
ref_name(const char *pattern, const char *name)
{
	char	full[64];
	size_t	label = strcspn(name, ".");

	if (strncmp(pattern, "*.", 2) != 0 || label == 0)
		return strcmp(pattern, name) == 0;
	snprintf(full, sizeof(full), "%.*s%s", (int)label, name, pattern + 1);
	return strcmp(full, name) == 0;
}

static bool
ref_names(const struct conf_strs *l, bool there, const char *name)
{
	size_t	i;

	for (i = 0; there && i < l->n; i++)
		if (ref_name(l->v[i], name))
			return true;
	return l->n == 0;
}

static bool
ref_match(const struct conf_match *m, const struct facts *f)
{
	char	alpn[256];
	bool	listen = m->nlisten == 0;
	size_t	i;

	for (i = 0; i < m->nlisten; i++)
		listen |= m->listen[i] == f->listener;
	snprintf(alpn, sizeof(alpn), "%.*s", f->tls.alpn[0],
	    (const char *)f->tls.alpn + 1);
	return listen &&
	    (m->nfrom == 0 || cidr_contains(m->from, &f->peer)) &&
	    (m->protocols == 0 || m->protocols & f->proto_yes) &&
	    ref_names(&m->sni, f->hello == FACT_KNOWN, f->tls.sni) &&
	    ref_names(&m->alpn, f->hello == FACT_KNOWN && f->tls.alpnlen > 0,
	    alpn) &&
	    ref_names(&m->host, f->http == FACT_KNOWN, f->host);
}

static long
ref_decide(const struct conf *c, const struct facts *f)
{
	const char	*name = f->hello == FACT_KNOWN ? f->tls.sni :
	    f->http == FACT_KNOWN ? f->host : NULL;
	size_t		 i, j;
	int		 wild;

	for (i = 0; i < c->nroute; i++)
		if (ref_match(&c->route[i].match, f) &&
		    (c->route[i].unless == NULL ||
		    !ref_match(c->route[i].unless, f)))
			return (long)i;
	for (wild = 0; name != NULL && wild < 2; wild++)
		for (i = 0; i < c->nsite; i++)
			for (j = 0; j < c->site[i].names.n; j++)
				if ((c->site[i].names.v[j][0] == '*') == wild &&
				    ref_name(c->site[i].names.v[j], name))
					return BY_NAME + (long)i;
	return BY_FALLBACK;
}

/* Everything a connection of this sample may turn out to be. */
static struct facts
completion(uint32_t i)
{
	static const char *const	given[] = {
		"", "a.x", "b.x", "x", "a.b.x", "z.x", "z.b.x", "c.b.x", "z"
	};
	uint32_t			n = nitems(given);

	if (i < 3 * n)
		return facts_tls(given[i % n], i < n ? NULL :
		    protos_alpn[i / n - 1]);
	if (i < 4 * n)
		return facts_http(given[i % n]);
	if (i == 4 * n)
		return facts_none();
	return facts_proto((enum proto)(i - 4 * n));
}
#define COMPLETIONS	(4 * 9 + PROTO__MAX)

static void
check_known(struct sample *s, uint64_t st)
{
	struct facts	f;
	uint32_t	i;

	random_sample(s, &st);
	for (i = 0; i < COMPLETIONS; i++) {
		f = completion(i);
		f.listener = (uint16_t)rnd(&st, 4);
		ck_assert_int_eq(decided(&s->conf, &f),
		    ref_decide(&s->conf, &f));
	}
}

/*
 * What is decided early is what would be decided at the end, however the rest
 * turns out.
 */
static void
check_pending(struct sample *s, uint64_t st)
{
	struct facts	 f = facts_pending(), g;
	uint32_t	 i;
	long		 early;

	random_sample(s, &st);
	f.listener = (uint16_t)rnd(&st, 4);
	early = decided(&s->conf, &f);
	for (i = 0; early != WAITS && i < COMPLETIONS; i++) {
		g = completion(i);
		g.listener = f.listener;
		ck_assert_int_eq(ref_decide(&s->conf, &g), early);
	}
	g = facts_malformed();
	g.listener = f.listener;
	if (early < BY_NAME)
		ck_assert_int_eq(decided(&s->conf, &g), early);
	else
		ck_assert_int_eq(decided(&s->conf, &g),
		    BY_FALLBACK + FALLBACK_MALFORMED);
}

START_TEST(test_random)
{
	struct sample	*s = malloc(sizeof(*s));
	uint64_t	 seed;

	ck_assert_ptr_nonnull(s);
	for (seed = 0; seed < 2000; seed++) {
		check_known(s, seed);
		check_pending(s, seed);
	}
	free(s);
}
END_TEST

START_TEST(test_many)
{
	enum { N = 100000 };
	struct conf_route	*r = calloc(N, sizeof(*r));
	char			(*name)[24] = calloc(N, sizeof(*name));
	const char		**v = calloc(N, sizeof(*v));
	struct conf		 c = { .route = r, .nroute = N };
	struct route_table	*t;
	struct facts		 f;
	struct decision		 d;
	uint32_t		 i;

	ck_assert(r != NULL && name != NULL && v != NULL);
	fallbacks(&c);
	for (i = 0; i < N; i++) {
		snprintf(name[i], sizeof(name[i]), "h%u.example", i);
		v[i] = name[i];
		r[i].match.sni.v = &v[i];
		r[i].match.sni.n = 1;
		r[i].to = (struct conf_target)UP(i);
	}
	t = route_table_new(&c);
	for (i = 0; i < N; i++) {
		f = facts_tls(name[i], NULL);
		ck_assert_int_eq(route_decide(t, &f, &d), ROUTE_TAKE);
		ck_assert_int_eq(d.reason, REASON_ROUTE);
		ck_assert_int_eq(d.rule, i);
	}
	route_table_free(t);
	free(r);
	free(name);
	free(v);
}
END_TEST

/* One rule with very many names is no different. */
START_TEST(test_many_names)
{
	enum { N = 100000 };
	char			(*name)[24] = calloc(N, sizeof(*name));
	const char		**v = calloc(N, sizeof(*v));
	struct conf_route	 r = { .match = { .sni = { v, N } },
		.to = UP(0) };
	struct conf		 c = { .route = &r, .nroute = 1 };
	struct route_table	*t;
	struct facts		 f;
	struct decision		 d;
	uint32_t		 i;

	ck_assert(name != NULL && v != NULL);
	fallbacks(&c);
	for (i = 0; i < N; i++) {
		snprintf(name[i], sizeof(name[i]), "h%u.example", i);
		v[i] = name[i];
	}
	t = route_table_new(&c);
	for (i = 0; i < N; i++) {
		f = facts_tls(name[i], NULL);
		ck_assert_int_eq(route_decide(t, &f, &d), ROUTE_TAKE);
		ck_assert_int_eq(d.reason, REASON_ROUTE);
	}
	route_table_free(t);
	free(name);
	free(v);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("route_random");
	TCase	*tc = tcase_create("route_random");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_random);
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_many_names);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
