#include "route_facts.h"
#include "tests/unit/suite.h"

static const struct cidr	any4 = NET4(0, 0, 0, 0, 0);

static struct conf_match	not_b = { .sni = STRS("b.example") };
static struct conf_match	not_ssh = { .protocols = BIT(PROTO_SSH) };
static struct conf_match	not_172 = { .from = (struct cidr *)&net172,
	.nfrom = 1 };

static struct conf_route rules[] = {
	{ { .from = (struct cidr *)&net172, .nfrom = 1 }, NULL, UP(0), true,
	    1 },
	{ { .sni = STRS("a.example", "*.w.example", "") }, NULL, UP(1), true,
	    2 },
	{ { .host = STRS("a.example", "*.w.example") }, NULL, UP(2), false,
	    3 },
	{ { .alpn = STRS("h2") }, &not_b, UP(3), true, 4 },
	{ { .protocols = BIT(PROTO_SSH) | BIT(PROTO_RDP) }, NULL, UP(4), true,
	    5 },
	{ { .sni = STRS("a.example", "b.example"), .from =
	    (struct cidr *)&net10, .nfrom = 1 }, NULL, UP(5), true, 6 },
	{ { .to_address = (struct cidr *)&net10, .nto_address = 1 }, NULL,
	    UP(6), true, 7 },
	{ { .listen = (uint32_t[]){ 3, 7 }, .nlisten = 2 }, &not_ssh, UP(7),
	    true, 8 },
};

static struct conf_site sites[] = {
	{ .names = STRS("*.example") },
	{ .names = STRS("b.example", "s.example", "*.deep.example") },
	{ .names = STRS("b.example") },
};

static struct conf
example(size_t nroute, size_t nsite)
{
	struct conf	c = { .route = rules, .nroute = nroute, .site = sites,
		.nsite = nsite };

	fallbacks(&c);
	return c;
}

static void
expect(long want, struct facts f)
{
	struct conf	c = example(nitems(rules), nitems(sites));

	ck_assert_int_eq(decided(&c, &f), want);
}

START_TEST(test_tls)
{
	struct facts	f;

	expect(1, facts_tls("a.example", "h2"));
	expect(1, facts_tls("x.w.example", NULL));
	expect(1, facts_tls("", NULL));
	expect(3, facts_tls("other.test", "h2"));
	expect(5, facts_tls("b.example", "h2"));	/* not */
	expect(5, facts_tls("b.example", NULL));
	expect(BY_FALLBACK, facts_tls("other.test", "http/1.1"));

	f = facts_tls("a.example", NULL);
	f.peer = (struct addr){ ADDR_V4, { 172, 31, 0, 1 }, 1 };
	expect(0, f);
	f.peer = (struct addr){ ADDR_V6, { 0x20, 1, 0xd, 0xb8 }, 1 };
	expect(1, f);
	f = facts_tls("b.example", NULL);
	f.peer.family = ADDR_V6;
	expect(BY_NAME + 1, f);
	f.local.ip[0] = 10;
	expect(6, f);
	f = facts_tls("x.test", NULL);
	f.listener = 7;
	expect(7, f);
	f.listener = 4;
	expect(BY_FALLBACK, f);
}
END_TEST

START_TEST(test_wildcard)
{
	expect(BY_FALLBACK, facts_tls("w.test", NULL));
	expect(BY_NAME + 0, facts_tls("w.example", NULL));	/* apex */
	expect(BY_FALLBACK, facts_tls("x.y.w.example", NULL));
	expect(BY_FALLBACK, facts_tls("example", NULL));
	expect(BY_NAME + 0, facts_tls("q.example", NULL));
	/* an exact name goes before a wildcard of an earlier site */
	expect(BY_NAME + 1, facts_tls("s.example", NULL));
	expect(BY_NAME + 1, facts_tls("q.deep.example", NULL));
}
END_TEST

START_TEST(test_http)
{
	expect(2, facts_http("a.example"));
	expect(2, facts_http("x.w.example"));
	expect(BY_NAME + 1, facts_http("b.example"));
	expect(BY_NAME + 1, facts_http("s.example"));
	expect(BY_FALLBACK, facts_http(""));
	expect(BY_FALLBACK, facts_http("other.test"));
}
END_TEST

START_TEST(test_protocol)
{
	struct facts	f;

	expect(4, facts_proto(PROTO_SSH));
	expect(4, facts_proto(PROTO_RDP));
	expect(BY_FALLBACK, facts_proto(PROTO_SOCKS5));
	f = facts_proto(PROTO_SOCKS5);
	f.listener = 3;
	expect(7, f);
	expect(BY_FALLBACK, facts_none());
}
END_TEST

/* A rule that is open blocks those behind it, and only those. */
START_TEST(test_pending)
{
	struct conf	c = example(nitems(rules), 0);
	struct facts	f = facts_pending();

	ck_assert_int_eq(decided(&c, &f), WAITS);
	f.local.ip[0] = 10;
	ck_assert_int_eq(decided(&c, &f), WAITS);
	f.peer.ip[0] = 172;
	f.peer.ip[1] = 16;
	ck_assert_int_eq(decided(&c, &f), 0);

	/* the protocol is known, the name is not */
	f = facts_pending();
	f.proto_yes = BIT(PROTO_TLS);
	f.proto_pending = 0;
	f.http = FACT_NONE;
	ck_assert_int_eq(decided(&c, &f), WAITS);

	/* nothing that is open matters */
	c.route = rules + 6;
	c.nroute = 1;
	f = facts_pending();
	ck_assert_int_eq(decided(&c, &f), BY_FALLBACK);
	c.nsite = 1;
	ck_assert_int_eq(decided(&c, &f), WAITS);
}
END_TEST

START_TEST(test_pending_not)
{
	struct conf_route	r = { .unless = &not_ssh, .to = UP(0) };
	struct conf		c = { .route = &r, .nroute = 1 };
	struct facts		f = facts_pending();

	fallbacks(&c);
	ck_assert_int_eq(decided(&c, &f), WAITS);
	f.proto_pending = BIT(PROTO_RDP);
	ck_assert_int_eq(decided(&c, &f), 0);
	r.unless = &not_172;
	f = facts_pending();
	ck_assert_int_eq(decided(&c, &f), 0);
	r.match.sni = (struct conf_strs)STRS("a");
	ck_assert_int_eq(decided(&c, &f), WAITS);
	f.peer.ip[0] = 172;
	f.peer.ip[1] = 16;
	ck_assert_int_eq(decided(&c, &f), BY_FALLBACK);
}
END_TEST

/* A broken hello passes no rule that asks for the payload. */
START_TEST(test_malformed)
{
	struct conf_route	order[] = {
		{ { .sni = STRS("a"), .from = (struct cidr *)&net172,
		    .nfrom = 1 }, NULL, UP(0), true, 1 },
		{ { .protocols = BIT(PROTO_TLS) }, NULL, UP(1), true, 2 },
		{ { .from = (struct cidr *)&any4, .nfrom = 1 }, NULL, UP(2),
		    true, 3 },
	};
	struct conf	c = { .route = order, .nroute = 3 };
	struct facts	f = facts_malformed();

	fallbacks(&c);
	ck_assert_int_eq(decided(&c, &f), BY_FALLBACK + FALLBACK_MALFORMED);
	order[1].match.protocols = BIT(PROTO_SSH);
	ck_assert_int_eq(decided(&c, &f), BY_FALLBACK + FALLBACK_MALFORMED);
	order[1].match.protocols = 0;
	order[1].match.host = (struct conf_strs)STRS("a");
	ck_assert_int_eq(decided(&c, &f), BY_FALLBACK + FALLBACK_MALFORMED);
	/* no rule before asks: the plain one wins */
	order[1].match = order[2].match;
	ck_assert_int_eq(decided(&c, &f), 1);
	/* none at all */
	c.nroute = 0;
	ck_assert_int_eq(decided(&c, &f), BY_FALLBACK + FALLBACK_MALFORMED);
}
END_TEST

START_TEST(test_explain)
{
	static const struct {
		uint32_t	 rule;
		const char	*no;
	} want[] = {
		{ 0, "from" }, { 1, "sni" }, { 2, "host" }, { 3, "not" },
		{ 4, "protocol" }, { 5, "" }, { 6, "to_address" },
		{ 7, "listen" },
	};
	struct conf		 c = example(nitems(rules), 0);
	struct facts		 f = facts_tls("b.example", "h2");
	struct route_table	*t;
	size_t			 i;

	for (i = 0; i < nitems(want); i++)
		ck_assert_str_eq(route_explain(&c, want[i].rule, &f),
		    want[i].no);
	f = facts_tls("x", "http/1.1");
	ck_assert_str_eq(route_explain(&c, 3, &f), "alpn");

	c = example(0, nitems(sites));
	t = route_table_new(&c);
	ck_assert_int_eq(route_site_by_name(t, "s.example"), 1);
	ck_assert_int_eq(route_site_by_name(t, "t.example"), 0);
	ck_assert_int_eq(route_site_by_name(t, "t.test"), -1);
	route_table_free(t);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("route");
	TCase	*tc = tcase_create("route");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_tls);
	tcase_add_test(tc, test_wildcard);
	tcase_add_test(tc, test_http);
	tcase_add_test(tc, test_protocol);
	tcase_add_test(tc, test_pending);
	tcase_add_test(tc, test_pending_not);
	tcase_add_test(tc, test_malformed);
	tcase_add_test(tc, test_explain);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
