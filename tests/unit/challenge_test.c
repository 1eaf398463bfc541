#include <sys/mman.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/challenge.h"
#include "common/l4.h"
#include "monotone.h"
#include "tests/unit/suite.h"
#include "worker/worker.h"

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *token)
{
	return challenge_token(p, len, token, need);
}

#define WELL	"GET " CHALLENGE_PATH
#define T64	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

static const struct {
	const char	*line;
	enum verdict	 want;
	const char	*token;
} lines[] = {
	{ WELL "a HTTP/1.1\r\n", VERDICT_MATCH, "a" },
	{ WELL T64 T64 " HTTP/1.0\r\n", VERDICT_MATCH, T64 T64 },
	{ WELL T64 T64 "x HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ WELL " HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ WELL "a/b HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ WELL "a%62 HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ WELL "../a HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ WELL "a\r\n HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ WELL "a", VERDICT_NEED_MORE, "" },
	{ "POST " CHALLENGE_PATH "a HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ "GET /.well-known/acme-challengf/a HTTP/1.1\r\n", VERDICT_NO_MATCH,
	    "" },
	{ "GET / HTTP/1.1\r\n", VERDICT_NO_MATCH, "" },
	{ "\x16\x03\x01", VERDICT_NO_MATCH, "" },
	{ "", VERDICT_NEED_MORE, "" },
};

START_TEST(test_token)
{
	char		 token[CHALLENGE_TOKEN_MAX + 1] = "";
	enum verdict	 v;
	size_t		 first;
	const char	*wrong;

	wrong = monotone_check(parse_fn, (const uint8_t *)lines[_i].line,
	    strlen(lines[_i].line), token, &v, &first);
	ck_assert_msg(wrong == NULL, "%s: %s", lines[_i].line, wrong);
	ck_assert_int_eq(v, lines[_i].want);
	if (v == VERDICT_MATCH)
		ck_assert_str_eq(token, lines[_i].token);
}
END_TEST

static const struct {
	const char	*name, *sni;
} names[] = {
	{ "www.example.org", "www.example.org" },
	{ "192.0.2.1", "1.2.0.192.in-addr.arpa" },
	{ "2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "8.b.d.0.1.0.0.2.ip6.arpa" },
};

START_TEST(test_sni)
{
	char	sni[HELLO_NAME_MAX + 1];

	challenge_sni(names[_i].name, sni);
	ck_assert_str_eq(sni, names[_i].sni);
}
END_TEST

static struct challenge
make(enum challenge_kind kind, const char *name, const char *token)
{
	struct challenge	c = { .kind = kind };

	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.token, sizeof(c.token), "%s", token);
	snprintf(c.proof, sizeof(c.proof), "%s.print", token);
	return c;
}

START_TEST(test_page)
{
	struct challenges	*page;
	const struct challenges	*child;
	struct challenge	 http, tls, got;
	int			 fd = challenges_create(&page);

	ck_assert_int_ne(fd, -1);
	ck_assert_ptr_nonnull(child = challenges_map(fd));
	ck_assert(!challenges_any(child) && !challenges_any(NULL));
	http = make(CHALLENGE_HTTP, "a.test", "tokenA");
	tls = make(CHALLENGE_TLS, "192.0.2.1", "tokenB");
	ck_assert(challenges_add(page, &http) && challenges_add(page, &tls));
	ck_assert(challenges_any(child));
	ck_assert(challenges_by_token(child, "tokenA", &got));
	ck_assert_str_eq(got.proof, "tokenA.print");
	ck_assert(!challenges_by_token(child, "tokenB", &got));
	ck_assert(!challenges_by_token(child, "token", &got));
	ck_assert(challenges_by_sni(child, "1.2.0.192.in-addr.arpa", &got));
	ck_assert_str_eq(got.name, "192.0.2.1");
	ck_assert(!challenges_by_sni(child, "a.test", &got));
	challenges_clear(page);
	ck_assert(!challenges_by_token(child, "tokenA", &got));
	ck_assert(!challenges_any(child));
	close(fd);
}
END_TEST

START_TEST(test_page_is_bounded)
{
	struct challenges	*page;
	struct challenge	 c, got;
	char			 token[16];
	int			 i, fd = challenges_create(&page);

	for (i = 0; i < CHALLENGES_MAX; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		c = make(CHALLENGE_HTTP, "a.test", token);
		ck_assert(challenges_add(page, &c));
	}
	c = make(CHALLENGE_HTTP, "a.test", "one-more");
	ck_assert(!challenges_add(page, &c));
	ck_assert(challenges_by_token(page, "t127", &got));
	challenges_clear(page);
	c = make(CHALLENGE_HTTP, "a.test", "bad/token");
	ck_assert(!challenges_add(page, &c));
	c = make(CHALLENGE_DNS, "a.test", "token");
	ck_assert(!challenges_add(page, &c));
	c = make(CHALLENGE_HTTP, "a.test", "token");
	snprintf(c.proof, sizeof(c.proof), "a\r\nSet-Cookie: x");
	ck_assert(!challenges_add(page, &c));
	close(fd);
}
END_TEST

/* Whoever gets the descriptor gets no way to write. */
START_TEST(test_page_is_masters)
{
	struct challenges	*page;
	int			 fd = challenges_create(&page);

	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0), MAP_FAILED);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	close(fd);
}
END_TEST

#define ALPN	"\x0a" CHALLENGE_ALPN

static const struct {
	const char	*sni, *alpn;
	bool		 cut;
	enum challenge_verdict want;
} hellos[] = {
	{ "a.test", ALPN, false, CHALLENGE_IS },
	{ "b.test", ALPN, false, CHALLENGE_IS_NOT },
	{ "", ALPN, false, CHALLENGE_IS_NOT },
	{ "a.test", ALPN "\x02h2", false, CHALLENGE_IS_NOT },
	{ "a.test", "\x02h2" ALPN, false, CHALLENGE_IS_NOT },
	{ "a.test", "\x02h2", false, CHALLENGE_IS_NOT },
	{ "a.test", "\x0a" "acme-tls/2", false, CHALLENGE_IS_NOT },
	{ "a.test", ALPN, true, CHALLENGE_IS_NOT },
	{ "a.test", "", false, CHALLENGE_IS_NOT },
};

static struct conf	conf;

/* A worker with these challenges open. */
static struct worker
worker_with(const struct challenge *c, size_t n)
{
	struct challenges	*page;
	struct worker		 w;
	size_t			 i;

	memset(&w, 0, sizeof(w));
	conf.limits.hello_bytes = 1024;
	w.child.conf = &conf;
	close(challenges_create(&page));
	for (i = 0; i < n; i++)
		ck_assert(challenges_add(page, &c[i]));
	w.challenges = page;
	return w;
}

START_TEST(test_hello)
{
	struct challenge	c = make(CHALLENGE_TLS, "a.test", "t");
	struct worker		w = worker_with(&c, 1), none;
	struct facts		f;
	size_t			wait = 0;

	memset(&f, 0, sizeof(f));
	f.hello = FACT_KNOWN;
	f.proto_yes = 1u << PROTO_TLS;
	snprintf(f.tls.sni, sizeof(f.tls.sni), "%s", hellos[_i].sni);
	f.tls.alpnlen = (uint8_t)strlen(hellos[_i].alpn);
	memcpy(f.tls.alpn, hellos[_i].alpn, f.tls.alpnlen);
	f.tls.alpn_cut = hellos[_i].cut;
	ck_assert_int_eq(challenge_look(&w, &f, NULL, 0, false, &wait),
	    hellos[_i].want);
	none = worker_with(NULL, 0);
	ck_assert_int_eq(challenge_look(&none, &f, NULL, 0, false, &wait),
	    CHALLENGE_IS_NOT);
}
END_TEST

#define OURS	"GET " CHALLENGE_PATH "ours HTTP/1.1\r\n"

static const struct {
	const char	*bytes;
	bool		 final;
	enum challenge_verdict want;
} requests[] = {
	{ OURS, false, CHALLENGE_IS },
	{ OURS, true, CHALLENGE_IS },
	{ "GET " CHALLENGE_PATH "our", false, CHALLENGE_MAY_BE },
	{ "GET " CHALLENGE_PATH "our", true, CHALLENGE_IS_NOT },
	{ "GET " CHALLENGE_PATH "theirs HTTP/1.1\r\n", false,
	    CHALLENGE_IS_NOT },
	{ "GET / HTTP/1.1\r\n", false, CHALLENGE_IS_NOT },
	{ "", false, CHALLENGE_MAY_BE },
	{ "", true, CHALLENGE_IS_NOT },
	{ "\x16\x03\x01", false, CHALLENGE_MAY_BE },
	{ "\x16\x03\x01", true, CHALLENGE_IS_NOT },
	{ "SSH-2.0-x\r\n", false, CHALLENGE_IS_NOT },
};

START_TEST(test_request)
{
	struct challenge	c = make(CHALLENGE_HTTP, "a.test", "ours");
	struct worker		w = worker_with(&c, 1);
	const uint8_t		*p = (const uint8_t *)requests[_i].bytes;
	size_t			len = strlen(requests[_i].bytes), wait = 0;
	struct facts		f;
	enum challenge_verdict	v;

	memset(&f, 0, sizeof(f));
	facts_learn(&f, p, len, false);
	v = challenge_look(&w, &f, p, len, requests[_i].final, &wait);
	ck_assert_int_eq(v, requests[_i].want);
	if (v == CHALLENGE_MAY_BE)
		ck_assert_uint_gt(wait, len);
}
END_TEST

/* Too large to be one: what is waited for is bounded. */
START_TEST(test_large_hello)
{
	struct challenge	c = make(CHALLENGE_TLS, "a.test", "t");
	struct worker		w = worker_with(&c, 1);
	struct facts		f;
	size_t			wait = 0;

	memset(&f, 0, sizeof(f));
	f.hello = FACT_PENDING;
	f.proto_yes = 1u << PROTO_TLS;
	f.need = 1024;
	ck_assert_int_eq(challenge_look(&w, &f, NULL, 0, false, &wait),
	    CHALLENGE_MAY_BE);
	f.need = 1025;
	ck_assert_int_eq(challenge_look(&w, &f, NULL, 0, false, &wait),
	    CHALLENGE_IS_NOT);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("challenge");
	TCase	*tc = tcase_create("challenge");

	tcase_add_loop_test(tc, test_token, 0, nitems(lines));
	tcase_add_loop_test(tc, test_sni, 0, nitems(names));
	tcase_add_test(tc, test_page);
	tcase_add_test(tc, test_page_is_bounded);
	tcase_add_test(tc, test_page_is_masters);
	tcase_add_loop_test(tc, test_hello, 0, nitems(hellos));
	tcase_add_loop_test(tc, test_request, 0, nitems(requests));
	tcase_add_test(tc, test_large_hello);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
