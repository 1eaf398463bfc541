#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/forward_head.h"
#include "tlsterm/http1.h"
#include "tests/unit/suite.h"

/*
 * Heads on their way to an upstream and back: what goes on, what does not, and
 * what is no head at all.
 */
#define OK	"HTTP/1.1 200 OK\r\n"
#define HOST	"Host: a.example:8443\r\n"
#define END	"\r\n\r\n"

/* In a buffer of the exact size, so that a byte read beyond it is seen. */
static int
parse(const char *p, size_t len, struct uphead *h)
{
	char	*copy = malloc(len + (len == 0));
	size_t	 scanned = 0;
	int	 rc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, len);
	rc = uphead_parse(copy, len, &scanned, h);
	free(copy);
	return rc;
}

static const struct {
	const char	*p;
	int		 status;
	bool		 keepalive, chunked;
	int64_t		 length;	/* -1: none */
} good[] = {
	{ OK "\r\n", 200, true, false, -1 },
	{ "HTTP/1.1 404" END, 404, true, false, -1 },
	{ "HTTP/1.1 404 " END, 404, true, false, -1 },
	{ "HTTP/1.0 200 OK" END, 200, false, false, -1 },
	{ "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", 200, true,
	    false, -1 },
	{ OK "Connection: x, CLOSE\r\n\r\n", 200, false, false, -1 },
	{ OK "content-length: 12\r\n\r\n", 200, true, false, 12 },
	{ OK "Transfer-Encoding: Chunked\r\n\r\n", 200, true, true, -1 },
	{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, true,
	    false, 0 },
	{ "HTTP/1.1 200 \xc3\xa9\r\nX: \xc3\xa9\r\nY:\r\n\r\n", 200, true,
	    false, -1 },
	{ "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 103, true, false,
	    -1 },
};

START_TEST(test_good)
{
	struct uphead	 h;
	const char	*p = good[_i].p;
	size_t		 len = strlen(p), k;

	for (k = 0; k < len; k++)
		ck_assert_msg(parse(p, k, &h) == 0, "%s: %zu", p, k);
	ck_assert_int_eq(parse(p, len, &h), (int)len);
	ck_assert_int_eq(h.status, good[_i].status);
	ck_assert_int_eq(h.keepalive, good[_i].keepalive);
	ck_assert_int_eq(h.chunked, good[_i].chunked);
	ck_assert_int_eq(h.has_length, good[_i].length != -1);
	if (h.has_length)
		ck_assert_int_eq((int64_t)h.length, good[_i].length);
}
END_TEST

static const char *const bad[] = {
	"HTTP/2.0 200 OK" END, "HTTP/1.1 099 OK" END, "HTTP/1.1 600 OK" END,
	"HTTP/1.1 20 OK" END, "HTTP/1.1 2000 OK" END, "HTTP/1.1  200 OK" END,
	"HTTP/1.1\t200 OK" END, "http/1.1 200 OK" END, "HTTP/1.1 OK" END,
	"HTTP/1.x 200 OK" END, "HTTP/1.1 200 O\x01K" END, "\r\n" OK "\r\n",
	"HTTP/1.1 200 OK\n\n", OK "A: b\n\r\n", OK "A: b\r\n\n",
	OK "A : b\r\n\r\n", OK ": b\r\n\r\n", OK "A\r\n\r\n",
	OK "A: b\r\n c\r\n\r\n", OK "A: b\rc\r\n\r\n", OK "A: \x7f\r\n\r\n",
	OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
	OK "Content-Length: 1, 1\r\n\r\n", OK "Content-Length: +1\r\n\r\n",
	OK "Content-Length: \r\n\r\n", OK "Content-Length: -1\r\n\r\n",
	OK "Content-Length: 9223372036854775808\r\n\r\n",
	OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
	OK "Transfer-Encoding: identity\r\n\r\n",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 100 x\r\nTransfer-Encoding: chunked\r\n\r\n",
};

START_TEST(test_bad)
{
	struct uphead	h;

	ck_assert_msg(parse(bad[_i], strlen(bad[_i]), &h) == -1, "%s",
	    bad[_i]);
}
END_TEST

START_TEST(test_limits)
{
	static char	 big[UPHEAD_MAX + 1];
	struct uphead	 h;
	char		*p = big;
	int		 i;

	memset(big, 'x', sizeof(big));
	memcpy(big, OK "A: ", sizeof(OK "A: ") - 1);
	ck_assert_int_eq(parse(big, UPHEAD_MAX - 1, &h), 0);
	ck_assert_int_eq(parse(big, UPHEAD_MAX, &h), -1);
	p += sprintf(p, OK);
	for (i = 0; i <= REQUEST_FIELDS_MAX; i++)
		p += sprintf(p, "A: b\r\n");
	p += sprintf(p, "\r\n");
	ck_assert_int_eq(parse(big, (size_t)(p - big), &h), -1);
}
END_TEST

/* Those of the answer's fields that go on, by the first byte of their names. */
START_TEST(test_answer_fields)
{
	static const char	head[] = OK "A: 1\r\nConnection: b, close\r\n"
	    "B: 1\r\nKeep-Alive: 1\r\nProxy-Authenticate: 1\r\nTE: 1\r\n"
	    "Trailer: x\r\nUpgrade: h2c\r\nContent-Length: 1\r\n"
	    "Set-Cookie: a\r\nC: 2\r\n\r\n";
	struct uphead		h;
	char			got[8] = "";
	size_t			scanned = 0, i, n = 0;

	ck_assert_int_gt(uphead_parse(head, sizeof(head) - 1, &scanned, &h),
	    0);
	for (i = 0; i < h.nfields; i++)
		if (forward_field(&h, &h.field[i]))
			got[n++] = h.field[i].name.p[0];
	ck_assert_str_eq(got, "ASC");
}
END_TEST

#define TAIL	"X-Forwarded-For: 192.0.2.1\r\n"			\
		"Forwarded: for=192.0.2.1;host=\"a.example:8443\";"	\
		"proto=https\r\n"					\
		"X-Forwarded-Proto: https\r\n"				\
		"X-Forwarded-Host: a.example:8443\r\n"

static const struct {
	const char	*in, *out;
	bool		 keepalive;
} heads[] = {
	{ "GET /a?b HTTP/1.1\r\n" HOST "\r\n",
	  "GET /a?b HTTP/1.1\r\n" HOST TAIL "\r\n", true },
	{ "GET / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\n\r\n",
	  "GET / HTTP/1.1\r\n" HOST TAIL "Connection: close\r\n\r\n", false },
	{ "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1\r\n"
	  "x_forwarded_for: 1\r\nX-FORWARDED-Anything: 1\r\nForwarded: 1\r\n"
	  "X-Real_IP: 1\r\nForwardedx: 1\r\n\r\n",
	  "GET / HTTP/1.1\r\n" HOST "Forwardedx: 1\r\n" TAIL "\r\n", true },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: a, Host\r\nA: 1\r\nB: 1\r\n"
	  "TE: x\r\nProxy-X: 1\r\nUpgrade: h2c\r\n\r\n",
	  "GET / HTTP/1.1\r\n" HOST "B: 1\r\n" TAIL "\r\n", true },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n"
	  "Expect: 100-continue\r\n\r\n",
	  "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n" TAIL
	  "Content-Length: 7\r\n\r\n", true },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: x\r\n\r\n",
	  "POST / HTTP/1.1\r\n" HOST TAIL "Content-Length: 0\r\n\r\n", true },
	{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n",
	  "POST / HTTP/1.1\r\n" HOST TAIL "Transfer-Encoding: chunked\r\n\r\n",
	  true },
	{ "GET /w HTTP/1.1\r\n" HOST "Connection: keep-alive, upgrade\r\n"
	  "Upgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n",
	  "GET /w HTTP/1.1\r\n" HOST "Sec-WebSocket-Key: x\r\n" TAIL
	  "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true },
	{ "POST /w HTTP/1.1\r\n" HOST "Connection: upgrade\r\n"
	  "Upgrade: websocket\r\n\r\n",
	  "POST /w HTTP/1.1\r\n" HOST TAIL "\r\n", true },
};

static size_t
rewrite(const char *in, bool keepalive, char *out, size_t size,
    const char *peer)
{
	struct request		req;
	struct forward_facts	f = { .tls = true, .keepalive = keepalive };
	size_t			scanned = 0;

	ck_assert(addr_parse_ip(&f.peer, peer));
	ck_assert_int_eq(http1_parse(in, strlen(in), &scanned, &req),
	    (int)strlen(in));
	f.websocket = forward_is_websocket(&req);
	return forward_write_head(out, size, &req, &f);
}

START_TEST(test_heads)
{
	char	out[2048];
	size_t	n, k;

	n = rewrite(heads[_i].in, heads[_i].keepalive, out, sizeof(out),
	    "192.0.2.1");
	out[n] = '\0';
	ck_assert_str_eq(out, heads[_i].out);
	for (k = 0; k <= n; k += 1 + n / 50)
		ck_assert_uint_eq(rewrite(heads[_i].in, heads[_i].keepalive,
		    out, k, "192.0.2.1"), k == n ? n : 0);
}
END_TEST

START_TEST(test_ipv6)
{
	char	out[2048];
	size_t	n;

	n = rewrite("GET / HTTP/1.1\r\n" HOST "\r\n", true, out, sizeof(out),
	    "2001:db8::1");
	out[n] = '\0';
	ck_assert_ptr_nonnull(strstr(out, "for=\"[2001:db8::1]\";"));
	ck_assert_ptr_nonnull(strstr(out, "X-Forwarded-For: 2001:db8::1\r"));
}
END_TEST

static const struct {
	const char	*path;
	int64_t		 to;
} matches[] = {
	{ "/ws", 0 }, { "/ws/", 0 }, { "/ws/x", 0 }, { "/wsx", -1 },
	{ "/w", -1 }, { "/", -1 }, { "/ws/deep", 1 }, { "/ws/deeper", 0 },
	{ "/ws/deep/", 1 }, { "/all/", 2 }, { "/all", -1 }, { "/all/x", 2 },
	{ "/%77s", 0 }, { "/%57s", -1 }, { "/ws%2fdeep", 1 },
	{ "/ws/..", -400 }, { "/ws/%2e%2E/x", -400 }, { "/ws/.", -400 },
	{ "/ws/x/%2e", -400 }, { "/ws%5c..", -1 }, { "/ws/a%5c..%5cb", -400 },
	{ "/ws/...", 0 }, { "/ws/.a", 0 }, { "/ws/a.", 0 }, { "/ws/..a", 0 },
	{ "/../ws", -1 }, { "/ws/%", 0 }, { "/ws/%zz", 0 }, { "/ws/%2", 0 },
};

START_TEST(test_match)
{
	static struct conf_site_proxy	proxy[] = {
		{ "/ws", 0 }, { "/ws/deep", 1 }, { "/all/", 2 } };
	const struct conf_site		site = { .proxy = proxy, .nproxy = 3 };
	const char			*p = matches[_i].path;

	ck_assert_msg(forward_match(&site, (struct str){ p, strlen(p) }) ==
	    matches[_i].to, "%s", p);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("forward");
	TCase	*tc = tcase_create("forward");

	tcase_add_loop_test(tc, test_good, 0, (int)nitems(good));
	tcase_add_loop_test(tc, test_bad, 0, (int)nitems(bad));
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_answer_fields);
	tcase_add_loop_test(tc, test_heads, 0, (int)nitems(heads));
	tcase_add_test(tc, test_ipv6);
	tcase_add_loop_test(tc, test_match, 0, (int)nitems(matches));
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
