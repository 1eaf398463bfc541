#ifndef L4_TEST_ROUTE_FACTS_H
#define L4_TEST_ROUTE_FACTS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/route.h"

/*
 * Facts and fallbacks for the tests of routes.
 */
#define STRS(...)							\
	{ (const char *[]){ __VA_ARGS__ },				\
	    sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *) }
#define UP(i)		{ TARGET_UPSTREAM, i }
#define NET4(a, b, c, d, n) { { ADDR_V4, { a, b, c, d }, 0 }, n }
#define BIT(p)		(1u << (p))

static const struct addr	client = { ADDR_V4, { 10, 1, 2, 3 }, 4000 };
static const struct addr	server = { ADDR_V4, { 192, 0, 2, 1 }, 443 };
static const struct cidr	net10 = NET4(10, 0, 0, 0, 8);
static const struct cidr	net172 = NET4(172, 16, 0, 0, 12);

/* Decisions as one number: routes as they are, then names, then fallbacks. */
enum { BY_NAME = 1000000, BY_FALLBACK = 2000000, WAITS = 3000000 };

static inline long
decided(const struct conf *conf, const struct facts *f)
{
	struct route_table	*t = route_table_new(conf);
	struct decision		 d;
	enum route_verdict	 v = route_decide(t, f, &d);

	route_table_free(t);
	if (v == ROUTE_WAIT)
		return WAITS;
	switch (d.reason) {
	case REASON_ROUTE:
		ck_assert_int_eq(d.target.kind, conf->route[d.rule].to.kind);
		ck_assert_int_eq(d.target.index, conf->route[d.rule].to.index);
		ck_assert_int_eq(d.log, conf->route[d.rule].log);
		return d.rule;
	case REASON_NAME:
		ck_assert_int_eq(d.target.kind, TARGET_SITE);
		return BY_NAME + d.target.index;
	case REASON_CHALLENGE:
		ck_abort_msg("no rule decides that");
	case REASON_FALLBACK:
		ck_assert_int_eq(d.target.index, conf->fallback[d.rule].index);
		return BY_FALLBACK + d.rule;
	}
	ck_abort();
}

static inline struct facts
facts_none(void)
{
	return (struct facts){ .peer = client, .local = server,
	    .hello = FACT_NONE, .http = FACT_NONE };
}

static inline struct facts
facts_pending(void)
{
	struct facts	f = facts_none();

	f.hello = f.http = FACT_PENDING;
	f.proto_pending = ~1u;
	f.need = 1;
	return f;
}

static inline struct facts
facts_tls(const char *sni, const char *alpn)
{
	struct facts	f = facts_none();

	f.proto_yes = BIT(PROTO_TLS);
	f.hello = FACT_KNOWN;
	snprintf(f.tls.sni, sizeof(f.tls.sni), "%s", sni);
	if (alpn != NULL) {
		f.tls.alpnlen = (uint8_t)(1 + strlen(alpn));
		f.tls.alpn[0] = (uint8_t)strlen(alpn);
		memcpy(f.tls.alpn + 1, alpn, strlen(alpn));
	}
	return f;
}

static inline struct facts
facts_http(const char *host)
{
	struct facts	f = facts_none();

	f.proto_yes = BIT(PROTO_HTTP);
	f.http = FACT_KNOWN;
	snprintf(f.host, sizeof(f.host), "%s", host);
	return f;
}

static inline struct facts
facts_proto(enum proto p)
{
	struct facts	f = facts_none();

	f.proto_yes = BIT(p);
	return f;
}

static inline struct facts
facts_malformed(void)
{
	struct facts	f = facts_proto(PROTO_TLS);

	f.malformed = true;
	return f;
}

static inline void
fallbacks(struct conf *c)
{
	uint32_t	i;

	for (i = 0; i < FALLBACK__MAX; i++)
		c->fallback[i] = (struct conf_target){ TARGET_UPSTREAM,
		    100 + i };
}

#endif
