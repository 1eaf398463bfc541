#include <check.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/h2_limit.h"
#include "tlsterm/http2.h"
#include "tests/unit/suite.h"

/*
 * The head of an HTTP/2 request, and what a client may do how often.  Heads
 * are written as "name=value" lines; the ':' kind has its colon.
 */
static char	buf[HTTP2_HEAD_MAX], cookies[HTTP2_HEAD_MAX];

static void
add_line(struct http2_head *h, const char *line, size_t n)
{
	const char	*eq = memchr(line, '=', n);
	size_t		 name = (size_t)(eq - line);

	http2_head_add(h, (struct str){ line, name },
	    (struct str){ eq + 1, n - name - 1 });
}

static int
parse(const char *text, bool end, struct request *req, bool *websocket)
{
	struct http2_head	h;
	const char		*nl;

	http2_head_init(&h, buf);
	for (; (nl = strchr(text, '\n')) != NULL; text = nl + 1)
		add_line(&h, text, (size_t)(nl - text));
	return http2_parse(&h, cookies, end, req, websocket);
}

#define GET	":method=GET\n:scheme=https\n:path=/\n"
#define AT	":authority=a.example\n"
#define POST	":method=POST\n:scheme=https\n:path=/\n" AT
#define WS	":method=CONNECT\n:protocol=websocket\n:scheme=https\n"

static const struct {
	const char	*head;
	bool		 end;
	int		 want;
} cases[] = {
	{ GET AT, true, 0 },
	{ GET AT, false, 0 },
	{ GET "host=a.example\n", true, 0 },
	{ GET AT "host=A.example:443\n", true, 0 },
	{ GET ":authority=[2001:DB8::1]:443\n", true, 0 },
	{ GET AT "te=trailers\nx=\ny=a\tb \xc3\xa9\n", true, 0 },
	{ ":scheme=HTTP\n:method=GET\n:path=/a?b\n" AT, true, 0 },
	{ ":method=OPTIONS\n:scheme=https\n:path=*\n" AT, true, 0 },
	{ POST "content-length=5\n", false, 0 },
	{ POST "content-length=0\n", true, 0 },
	{ WS ":path=/ws\n" AT, false, 0 },

	/* RFC 9113 8.3: there, once, known, and before the others */
	{ "", true, HTTP2_MALFORMED },
	{ ":scheme=https\n:path=/\n" AT, true, HTTP2_MALFORMED },
	{ ":method=GET\n:path=/\n" AT, true, HTTP2_MALFORMED },
	{ ":method=GET\n:scheme=https\n" AT, true, HTTP2_MALFORMED },
	{ ":method=GET\n:scheme=https\n:path=\n" AT, true, HTTP2_MALFORMED },
	{ GET AT ":path=/\n", true, HTTP2_MALFORMED },
	{ GET AT ":path=\n", true, HTTP2_MALFORMED },
	{ GET AT "x=y\n:method=GET\n", true, HTTP2_MALFORMED },
	{ GET "x=y\n" AT, true, HTTP2_MALFORMED },
	{ GET AT ":status=200\n", true, HTTP2_MALFORMED },
	{ GET AT ":=x\n", true, HTTP2_MALFORMED },

	/* 8.2 */
	{ GET AT "X=y\n", true, HTTP2_MALFORMED },
	{ GET AT "a b=y\n", true, HTTP2_MALFORMED },
	{ GET AT "=y\n", true, HTTP2_MALFORMED },
	{ GET AT "x= y\n", true, HTTP2_MALFORMED },
	{ GET AT "x=y\t\n", true, HTTP2_MALFORMED },
	{ GET AT "x=a\rb\n", true, HTTP2_MALFORMED },
	{ GET AT "x=a\x7f\n", true, HTTP2_MALFORMED },
	{ GET AT "connection=close\n", true, HTTP2_MALFORMED },
	{ GET AT "keep-alive=1\n", true, HTTP2_MALFORMED },
	{ GET AT "proxy-connection=x\n", true, HTTP2_MALFORMED },
	{ GET AT "transfer-encoding=chunked\n", true, HTTP2_MALFORMED },
	{ GET AT "upgrade=h2c\n", true, HTTP2_MALFORMED },
	{ GET AT "te=gzip\n", true, HTTP2_MALFORMED },

	/* where to */
	{ GET, true, -400 },
	{ GET ":authority=\n", true, -400 },
	{ GET ":authority=a/b\n", true, -400 },
	{ GET ":authority=u@a.example\n", true, -400 },
	{ GET ":authority=a.example:65536\n", true, -400 },
	{ GET AT "host=b.example\n", true, HTTP2_MALFORMED },
	{ GET AT "host=a.example\nhost=a.example\n", true, HTTP2_MALFORMED },
	{ ":method=GET\n:scheme=ftp\n:path=/\n" AT, true, -400 },
	{ ":method=GET\n:scheme=https\n:path=x\n" AT, true, -400 },
	{ ":method=GET\n:scheme=https\n:path=*\n" AT, true, -400 },
	{ ":method=GET\n:scheme=https\n:path=/ x\n" AT, true, -400 },
	{ ":method=GET\n:scheme=https\n:path=/#x\n" AT, true, -400 },
	{ ":method=FROB\n:scheme=https\n:path=/\n" AT, true, -501 },
	{ ":method=G T\n:scheme=https\n:path=/\n" AT, true, -400 },

	/* lengths */
	{ POST "content-length=5\n", true, HTTP2_MALFORMED },
	{ POST "content-length=+5\n", false, HTTP2_MALFORMED },
	{ POST "content-length=5\ncontent-length=5\n", false,
	    HTTP2_MALFORMED },
	{ POST "content-length=\n", false, HTTP2_MALFORMED },

	/* CONNECT; RFC 8441 4 */
	{ ":method=CONNECT\n" AT, false, -405 },
	{ ":method=CONNECT\n:path=/\n" AT, false, HTTP2_MALFORMED },
	{ ":method=CONNECT\n:scheme=https\n" AT, false, HTTP2_MALFORMED },
	{ ":method=CONNECT\nx=y\n", false, HTTP2_MALFORMED },
	{ GET AT ":protocol=websocket\n", true, HTTP2_MALFORMED },
	{ WS AT, false, HTTP2_MALFORMED },
	{ WS ":path=/\nhost=a.example\n", false, HTTP2_MALFORMED },
	{ WS ":path=/\n" AT "content-length=1\n", false, HTTP2_MALFORMED },
	{ ":method=CONNECT\n:protocol=ftp\n:scheme=https\n:path=/\n" AT,
	    false, -501 },
};

START_TEST(test_verdicts)
{
	struct request	req;
	bool		websocket;

	ck_assert_msg(parse(cases[_i].head, cases[_i].end, &req,
	    &websocket) == cases[_i].want, "%s", cases[_i].head);
}
END_TEST

START_TEST(test_request)
{
	struct request	req;
	bool		websocket;

	ck_assert_int_eq(parse(":method=HEAD\n:scheme=https\n:path=/a?b=c\n"
	    ":authority=A.example:44\nrange=bytes=0-1\n", true, &req,
	    &websocket), 0);
	ck_assert(req.method == METHOD_HEAD && !websocket && req.keepalive);
	ck_assert(str_eq(req.uri, STR("/a?b=c")));
	ck_assert(str_eq(req.path, STR("/a")) && str_eq(req.query,
	    STR("b=c")));
	ck_assert_str_eq(req.host, "a.example");
	ck_assert(str_eq(req.range, STR("bytes=0-1")));
	ck_assert(!req.chunked && !req.has_length && req.length == 0);
	/* Upstreams get the host as it was written. */
	ck_assert_uint_eq(req.nfields, 2);
	ck_assert(str_eq(req.field[1].name, STR("host")) &&
	    str_eq(req.field[1].value, STR("A.example:44")));
}
END_TEST

START_TEST(test_bodies)
{
	struct request	req;
	bool		websocket;

	ck_assert_int_eq(parse(POST, false, &req, &websocket), 0);
	ck_assert(req.chunked && !req.has_length);
	ck_assert_int_eq(parse(POST "content-length=7\n", false, &req,
	    &websocket), 0);
	ck_assert(!req.chunked && req.has_length && req.length == 7);
	ck_assert_int_eq(parse(WS ":path=/\n" AT, false, &req, &websocket), 0);
	ck_assert(websocket && !req.chunked && req.length == 0);
}
END_TEST

START_TEST(test_cookies)
{
	struct request	req;
	bool		websocket;

	ck_assert_int_eq(parse(GET AT "cookie=a=b\nx=y\ncookie=c\ncookie=\n",
	    true, &req, &websocket), 0);
	ck_assert_uint_eq(req.nfields, 3);
	ck_assert(str_eq(req.field[0].value, STR("a=b; c; ")));
}
END_TEST

/* n cookies of one byte: the most that joining can add. */
START_TEST(test_cookies_fit)
{
	struct http2_head	h;
	struct request		req;
	bool			websocket;

	http2_head_init(&h, buf);
	add_line(&h, ":method=GET", 11);
	add_line(&h, ":scheme=https", 13);
	add_line(&h, ":path=/", 7);
	add_line(&h, ":authority=a.example", 20);
	while (!h.full && h.len < HTTP2_HEAD_MAX - 16)
		add_line(&h, "cookie=x", 8);
	ck_assert(!h.full);
	ck_assert_int_eq(http2_parse(&h, cookies, true, &req, &websocket), 0);
	ck_assert_uint_lt(req.field[0].value.n, HTTP2_HEAD_MAX);
}
END_TEST

START_TEST(test_limits)
{
	static char		big[HTTP2_HEAD_MAX];
	struct http2_head	h;
	struct request		req;
	bool			websocket;
	int			n;

	memset(big, 'x', sizeof(big));
	http2_head_init(&h, buf);
	http2_head_add(&h, STR("x"), (struct str){ big, sizeof(big) - 5 });
	ck_assert(!h.full && h.len == sizeof(buf));
	http2_head_add(&h, STR(""), STR(""));
	ck_assert(h.full);
	ck_assert_int_eq(http2_parse(&h, cookies, true, &req, &websocket),
	    -431);
	http2_head_init(&h, buf);
	http2_head_add(&h, STR("x"), (struct str){ big, sizeof(big) - 4 });
	ck_assert(h.full && h.len == 0);

	http2_head_init(&h, buf);
	for (n = 0; n < REQUEST_FIELDS_MAX + 1; n++)
		add_line(&h, "x=y", 3);
	ck_assert_int_eq(http2_parse(&h, cookies, true, &req, &websocket),
	    -431);
	big[0] = '/';
	http2_head_init(&h, buf);
	add_line(&h, ":method=GET", 11);
	add_line(&h, ":scheme=https", 13);
	add_line(&h, ":authority=a.example", 20);
	http2_head_add(&h, STR(":path"), (struct str){ big,
	    HTTP2_PATH_MAX + 1 });
	ck_assert_int_eq(http2_parse(&h, cookies, true, &req, &websocket),
	    -414);
	h.bad = true;
	ck_assert_int_eq(http2_parse(&h, cookies, true, &req, &websocket),
	    HTTP2_MALFORMED);
}
END_TEST

#define SEC	NSEC_PER_SEC

START_TEST(test_limit)
{
	struct h2_limit	l = { 0 };
	uint64_t	now = 1000 * SEC;
	int		i;

	for (i = 0; i < 200; i++)
		ck_assert(h2_limit_take(&l, now, 200, 10 * SEC));
	ck_assert(!h2_limit_take(&l, now, 200, 10 * SEC));
	/* One in 50 ms leaks out. */
	ck_assert(!h2_limit_take(&l, now + SEC / 20 - 1, 200, 10 * SEC));
	ck_assert(h2_limit_take(&l, now + SEC / 20, 200, 10 * SEC));
	ck_assert(!h2_limit_take(&l, now + SEC / 20, 200, 10 * SEC));
	h2_limit_give(&l, 2);
	ck_assert(h2_limit_take(&l, now + SEC / 20, 200, 10 * SEC));
	h2_limit_give(&l, 1000);
	ck_assert_uint_eq(l.level, 0);
	/* A clock that stands still, or a long time. */
	for (i = 0; i < 200; i++)
		ck_assert(h2_limit_take(&l, now + 3600 * SEC, 200, 10 * SEC));
	ck_assert(!h2_limit_take(&l, now + 3600 * SEC, 200, 10 * SEC));
}
END_TEST

/* Frames as they come, cut anywhere. */
START_TEST(test_scan)
{
	static const uint8_t	bytes[] =
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	    "\0\0\0\4\0\0\0\0\0"			/* SETTINGS */
	    "\0\0\5\2\0\0\0\0\7" "\200\0\0\3x"		/* PRIORITY */
	    "\0\0\4\2\0\0\0\0\7" "\0\0\0\3"		/* too short */
	    "\0\0\3\0\1\0\0\0\5" "abc";			/* DATA */
	static const struct h2_seen	want[] = {
		{ 4, 0, 0, -1 }, { 2, 5, 7, 3 }, { 2, 4, 7, -1 },
		{ 0, 3, 5, -1 }
	};
	struct h2_scan	s = { .left = H2_PREFACE };
	struct h2_seen	f;
	const uint8_t	*p = bytes;
	size_t		 i = 0, n, end = sizeof(bytes) - 1;

	while (p < bytes + end) {
		n = (size_t)_i + 1;
		if (n > (size_t)(bytes + end - p))
			n = (size_t)(bytes + end - p);
		while (h2_scan_next(&s, &p, &n, &f)) {
			ck_assert_uint_lt(i, nitems(want));
			ck_assert_uint_eq(f.type, want[i].type);
			ck_assert_uint_eq(f.len, want[i].len);
			ck_assert_int_eq(f.stream, want[i].stream);
			ck_assert_int_eq(f.depends, want[i].depends);
			i++;
		}
		ck_assert_uint_eq(n, 0);
	}
	ck_assert_uint_eq(i, nitems(want));
	ck_assert(s.left == 0 && s.have == 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http2");
	TCase	*tc = tcase_create("http2");

	tcase_add_loop_test(tc, test_verdicts, 0, (int)nitems(cases));
	tcase_add_test(tc, test_request);
	tcase_add_test(tc, test_bodies);
	tcase_add_test(tc, test_cookies);
	tcase_add_test(tc, test_cookies_fit);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_limit);
	tcase_add_loop_test(tc, test_scan, 0, 70);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
