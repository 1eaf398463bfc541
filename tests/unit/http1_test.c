#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/http1.h"
#include "tests/unit/suite.h"

/*
 * The head of a request: every head in a buffer of its exact size, so that a
 * byte read beyond it is seen.
 */
#define HOST	"Host: a.example\r\n"
#define END	"\r\n\r\n"

static int
parse(const char *p, size_t len, struct request *req)
{
	char	*copy = malloc(len + (len == 0));
	size_t	 scanned = 0;
	int	 rc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, len);
	rc = http1_parse(copy, len, &scanned, req);
	free(copy);
	return rc;
}

static const char *const good[] = {
	"GET / HTTP/1.1\r\n" HOST "\r\n",
	"HEAD /a/b?c=d HTTP/1.1\r\n" HOST "\r\n",
	"\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
	"GET / HTTP/1.0" END,
	"GET / HTTP/1.2\r\n" HOST "\r\n",
	"GET http://a.example HTTP/1.1\r\n" HOST "\r\n",
	"GET HTTPS://A.example:8443/x HTTP/1.1\r\n" HOST "\r\n",
	"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	"POST / HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n",
	"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n",
	"GET / HTTP/1.1\r\nhOsT:\ta.example:443 \t\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:443\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "X:\r\nY: a\tb \xc3\xa9\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n",
	"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\n\r\n",
};

START_TEST(test_good)
{
	struct request	 req;
	const char	*p = good[_i];
	size_t		 len = strlen(p), k;

	ck_assert_int_eq(parse(p, len, &req), (int)len);
	/* What follows belongs to the next one. */
	ck_assert_int_eq(http1_parse(p, len, &(size_t){ 0 }, &req), (int)len);
	for (k = 0; k < len; k++)
		ck_assert_msg(parse(p, k, &req) == 0, "%s: %zu", p, k);
}
END_TEST

static const struct {
	const char	*head;
	int		 status;
} bad[] = {
	{ "GET /\r\n\r\n", 400 },			/* HTTP/0.9 */
	{ "GET / HTTP/0.9" END, 505 },
	{ "GET / HTTP/9.9" END, 505 },
	{ "GET / HTTP/2.0" END, 505 },
	{ "GET / HTTP/1.10" END, 400 },
	{ "GET / http/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /a\x01 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET a HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "get / HTTP/1.1\r\n" HOST "\r\n", 501 },
	{ "BREW / HTTP/1.1\r\n" HOST "\r\n", 501 },
	{ "PRI * HTTP/2.0\r\n\r\n", 400 },
	{ "PRI / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", 405 },
	{ "GET / HTTP/1.1" END, 400 },			/* no Host */
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:+1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\n\r\n", 400 },
	{ "GET / HTTP/1.1\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "\n\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n", 400 },
#define BODY(fields)	"POST / HTTP/1.1\r\n" HOST fields "\r\n"
	{ BODY("Content-Length: 1\r\nContent-Length: 1\r\n"), 400 },
	{ BODY("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400 },
	{ BODY("Content-Length: +5\r\n"), 400 },
	{ BODY("Content-Length: -5\r\n"), 400 },
	{ BODY("Content-Length: 5,5\r\n"), 400 },
	{ BODY("Content-Length:\r\n"), 400 },
	{ BODY("Content-Length: 0x5\r\n"), 400 },
	{ BODY("Content-Length: 5 5\r\n"), 400 },
	{ BODY("Content-Length: 9223372036854775808\r\n"), 400 },
	{ BODY("Content-Length: 18446744073709551616\r\n"), 400 },
	{ BODY("Content-Length: 99999999999999999999\r\n"), 400 },
	{ BODY("Transfer-Encoding: xchunked\r\n"), 400 },
	{ BODY("Transfer-Encoding: chunked, identity\r\n"), 400 },
	{ BODY("Transfer-Encoding: identity\r\n"), 400 },
	{ BODY("Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n"), 400 },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
};

START_TEST(test_bad)
{
	struct request	req;

	ck_assert_msg(parse(bad[_i].head, strlen(bad[_i].head), &req) ==
	    -bad[_i].status, "%s", bad[_i].head);
}
END_TEST

/* strlen() would not see these. */
START_TEST(test_nul)
{
	static const char	value[] = "GET / HTTP/1.1\r\n" HOST
	    "X: a\0b\r\n\r\n", host[] = "GET / HTTP/1.1\r\n"
	    "Host: a\0.example\r\n\r\n";
	struct request		req;

	ck_assert_int_eq(parse(value, sizeof(value) - 1, &req), -400);
	ck_assert_int_eq(parse(host, sizeof(host) - 1, &req), -400);
}
END_TEST

START_TEST(test_meaning)
{
	static const char	head[] = "GET http://A.Example.:80/a?b?c "
	    "HTTP/1.1\r\nHost: a.example\r\nConnection: x, Close\r\n"
	    "If-None-Match: \"e\"\r\nRANGE: bytes=0-1\r\n\r\nGET";
	struct request		req;

	ck_assert_int_eq(http1_parse(head, sizeof(head) - 1, &(size_t){ 0 },
	    &req), (int)sizeof(head) - 4);
	ck_assert_int_eq(req.method, METHOD_GET);
	ck_assert_str_eq(req.host, "a.example");
	ck_assert(str_eq(req.uri, STR("/a?b?c")));
	ck_assert(str_eq(req.path, STR("/a")));
	ck_assert(str_eq(req.query, STR("b?c")));
	ck_assert(str_eq(req.if_none_match, STR("\"e\"")));
	ck_assert(str_eq(req.range, STR("bytes=0-1")));
	ck_assert_ptr_null(req.if_range.p);
	ck_assert(!req.keepalive);
	ck_assert_uint_eq(req.nfields, 4);
}
END_TEST

static const struct {
	const char	*head;
	bool		 keepalive;
} lasting[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", true },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false },
	{ "GET / HTTP/1.0\r\n\r\n", false },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
};

START_TEST(test_keepalive)
{
	struct request	req;

	ck_assert_int_gt(http1_parse(lasting[_i].head,
	    strlen(lasting[_i].head), &(size_t){ 0 }, &req), 0);
	ck_assert(req.keepalive == lasting[_i].keepalive);
}
END_TEST

/* A head with a target, a field value and a number of fields of given size. */
static int
sized(size_t target, size_t value, unsigned int fields)
{
	static char	buf[HTTP1_HEAD_MAX + 4096];
	struct request	req;
	size_t		n;
	unsigned int	i;

	n = (size_t)sprintf(buf, "GET /");
	memset(buf + n, 'a', target - 1);
	n += target - 1;
	n += (size_t)sprintf(buf + n, " HTTP/1.1\r\n" HOST "X: ");
	memset(buf + n, 'b', value);
	n += value;
	n += (size_t)sprintf(buf + n, "\r\n");
	for (i = 2; i < fields; i++)
		n += (size_t)sprintf(buf + n, "Y:\r\n");
	n += (size_t)sprintf(buf + n, "\r\n");
	i = (unsigned int)n;
	n = 0;
	return parse(buf, i, &req) == (int)i ? 200 :
	    -http1_parse(buf, i, &n, &req);
}

START_TEST(test_limits)
{
	/* "GET " and " HTTP/1.1" are 13 bytes of the line. */
	ck_assert_int_eq(sized(HTTP1_LINE_MAX - 13, 1, 2), 200);
	ck_assert_int_eq(sized(HTTP1_LINE_MAX - 12, 1, 2), 414);
	/* HOST is 17 bytes, "X: " and its end 5, the empty line 2. */
	ck_assert_int_eq(sized(1, HTTP1_FIELDS_MAX - 22, 2), 200);
	ck_assert_int_eq(sized(1, HTTP1_FIELDS_MAX - 21, 2), 431);
	ck_assert_int_eq(sized(1, 1, REQUEST_FIELDS_MAX), 200);
	ck_assert_int_eq(sized(1, 1, REQUEST_FIELDS_MAX + 1), 431);
}
END_TEST

/* What never ends gets its answer before the buffer is full. */
START_TEST(test_endless)
{
	static char	buf[HTTP1_HEAD_MAX];
	struct request	req;
	size_t		n;

	memset(buf, 'A', sizeof(buf));
	ck_assert_int_eq(parse(buf, HTTP1_LINE_MAX + 3, &req), -414);
	n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\n");
	buf[n] = 'A';
	ck_assert_int_eq(parse(buf, sizeof(buf), &req), -431);
	ck_assert_int_eq(parse("SSH-2.0-x\r\n", 11, &req), -400);
	ck_assert_int_eq(parse("\x16\x03\x01", 3, &req), -400);
}
END_TEST

/* What was looked at is not looked at again, wherever it was cut. */
START_TEST(test_pieces)
{
	const char	*p = good[1];
	struct request	 req;
	size_t		 len = strlen(p), cut, scanned;

	for (cut = 0; cut < len; cut++) {
		scanned = 0;
		ck_assert_int_eq(http1_parse(p, cut, &scanned, &req), 0);
		ck_assert_uint_le(scanned, cut);
		ck_assert_int_eq(http1_parse(p, len, &scanned, &req),
		    (int)len);
	}
}
END_TEST

static const struct {
	const char	*body, *data;
	bool		 good;
} chunks[] = {
	{ "0\r\n\r\n", "", true },
	{ "5\r\nhello\r\n0\r\n\r\n", "hello", true },
	{ "5\r\nhello\r\n006\r\n world\r\n0\r\n\r\n", "hello world", true },
	{ "a;x=\"y\"\r\n0123456789\r\n0\r\nT: x\r\nU:\r\n\r\n",
	    "0123456789", true },
	{ "A\r\n0123456789\r\n00\r\n\r\n", "0123456789", true },
	{ "5\nhello\r\n0\r\n\r\n", "", false },
	{ "5\r\nhello\n0\r\n\r\n", "hello", false },
	{ "5\r\nhelloX\r\n0\r\n\r\n", "hello", false },
	{ "5;a\nb\r\nhello\r\n0\r\n\r\n", "", false },
	{ "\r\n0\r\n\r\n", "", false },
	{ ";x\r\n", "", false },
	{ "-5\r\n", "", false },
	{ "0x5\r\n", "", false },
	{ "5 \r\n", "", false },
	{ "1000000000000000\r\n", "", false },
	{ "0\r\nT: a\nb\r\n\r\n", "", false },
	{ "0\r\n\rX", "", false },
};

/* In pieces of every size. */
START_TEST(test_chunked)
{
	size_t		len = strlen(chunks[_i].body), piece, off, have;
	struct chunked	c;
	struct str	data;
	char		got[64];

	for (piece = 1; piece <= len; piece++) {
		memset(&c, 0, sizeof(c));
		have = 0;
		for (off = 0; off < len && c.state < CHUNK_DONE; ) {
			off += chunked_next(&c, chunks[_i].body + off,
			    len - off < piece ? len - off : piece, &data);
			memcpy(got + have, data.p, data.n);
			have += data.n;
		}
		got[have] = '\0';
		ck_assert_msg((c.state == CHUNK_DONE) == chunks[_i].good &&
		    (c.state == CHUNK_BAD) != chunks[_i].good,
		    "%s: %d", chunks[_i].body, (int)c.state);
		ck_assert_str_eq(got, chunks[_i].data);
		ck_assert(!chunks[_i].good || off == len);
	}
}
END_TEST

START_TEST(test_chunk_overhead)
{
	static const char	ext[] = "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct chunked		c = { 0 };
	struct str		data;
	int			i;

	chunked_next(&c, ext, sizeof(ext) - 1, &data);
	for (i = 0; i < 1000 && c.state != CHUNK_BAD; i++)
		chunked_next(&c, ext + 2, sizeof(ext) - 3, &data);
	ck_assert_int_eq(c.state, CHUNK_BAD);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http1");
	TCase	*tc = tcase_create("http1");

	tcase_add_loop_test(tc, test_good, 0, (int)nitems(good));
	tcase_add_loop_test(tc, test_bad, 0, (int)nitems(bad));
	tcase_add_test(tc, test_nul);
	tcase_add_test(tc, test_meaning);
	tcase_add_loop_test(tc, test_keepalive, 0, (int)nitems(lasting));
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_endless);
	tcase_add_test(tc, test_pieces);
	tcase_add_loop_test(tc, test_chunked, 0, (int)nitems(chunks));
	tcase_add_test(tc, test_chunk_overhead);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
