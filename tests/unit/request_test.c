#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "metrics/request.h"
#include "tests/unit/suite.h"

#define N(s)	s, sizeof(s) - 1
#define END	" HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct {
	const char	*text;
	size_t		 len;
	int		 status;
	enum content	 content;
	bool		 head;
} requests[] = {
	{ N("GET /" END), 200, CONTENT_PAGE, false },
	{ N("GET /?x=/metrics" END), 200, CONTENT_PAGE, false },
	{ N("HEAD /" END), 200, CONTENT_PAGE, true },
	{ N("GET / HTTP/1.0\r\n\r\n"), 200, CONTENT_PAGE, false },
	{ N("GET /metrics" END), 200, CONTENT_PLAIN, false },
	{ N("GET /metrics?a" END), 200, CONTENT_PLAIN, false },
	{ N("HEAD /metrics" END), 200, CONTENT_PLAIN, true },
	{ N("GET http://host:1/metrics" END), 200, CONTENT_PLAIN, false },
	{ N("GET HTTP://host/" END), 200, CONTENT_PAGE, false },
	{ N("GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text"
	    "\r\n\r\n"), 200, CONTENT_OPENMETRICS, false },
	{ N("GET /metrics HTTP/1.1\r\nAccept: text/plain;q=0.5\r\n"
	    "Accept: application/openmetrics-text\r\n\r\n"), 200,
	    CONTENT_OPENMETRICS, false },
	{ N("GET / HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n"),
	    200, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nX:\r\nY: \t a\xff\r\n\r\nrest"), 200,
	    CONTENT_PAGE, false },

	{ N("GET /metrics/" END), 404, CONTENT_PAGE, false },
	{ N("GET //" END), 404, CONTENT_PAGE, false },
	{ N("GET /Metrics" END), 404, CONTENT_PAGE, false },
	{ N("GET /metrics%00" END), 404, CONTENT_PAGE, false },
	{ N("HEAD /favicon.ico" END), 404, CONTENT_PAGE, true },
	{ N("POST /" END), 405, CONTENT_PAGE, false },
	{ N("get /" END), 405, CONTENT_PAGE, false },
	{ N("TRACE /metrics" END), 405, CONTENT_PLAIN, false },
	{ N("DELETE /nothing" END), 405, CONTENT_PAGE, false },
	{ N("GET / HTTP/2.0\r\n\r\n"), 505, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.2\r\n"), 505, CONTENT_PAGE, false },

	{ N("\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET /\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET  / HTTP/1.1\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1 \r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\n"), 400, CONTENT_PAGE, false },
	{ N("GET /\0 HTTP/1.1\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET x HTTP/1.1\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET http://host HTTP/1.1\r\n"), 400, CONTENT_PAGE, false },
	{ N("G\x80T / HTTP/1.1\r\n"), 400, CONTENT_PAGE, false },
	{ N("\x16\x03\x01\x02\x00\x01\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nA\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nA : b\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\n: b\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nA: b\r\n c\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nA: b\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nA: \0\r\n"), 400, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\n\0"), 400, CONTENT_PAGE, false },

	{ N(""), 0, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r"), 0, CONTENT_PAGE, false },
	{ N("GET / HTTP/1.1\r\nA: b\r\n\r"), 0, CONTENT_PAGE, false },
};

/* Of exactly that size, so that reading on is seen. */
static int
parse(const char *text, size_t len, struct request *r)
{
	char	*p = malloc(len + (len == 0));
	int	 status;

	ck_assert(p != NULL);
	memcpy(p, text, len);
	status = request_parse(p, len, r);
	free(p);
	return status;
}

START_TEST(test_requests)
{
	struct request	r;

	ck_assert_int_eq(parse(requests[_i].text, requests[_i].len, &r),
	    requests[_i].status);
	if (requests[_i].status == 0)
		return;
	ck_assert_int_eq(r.head, requests[_i].head);
	if (requests[_i].status == 200)
		ck_assert_int_eq(r.content, requests[_i].content);
}
END_TEST

/* No prefix of a good one is refused, and none is taken for all of it. */
START_TEST(test_prefixes)
{
	static const char	whole[] = "GET /metrics HTTP/1.1\r\n"
		"Host: a\r\nAccept: text/plain;q=0.1, */*\r\n\r\n";
	struct request		r;
	size_t			i;

	for (i = 0; i < sizeof(whole) - 1; i++)
		ck_assert_int_eq(parse(whole, i, &r), 0);
	ck_assert_int_eq(parse(whole, i, &r), 200);
}
END_TEST

START_TEST(test_sizes)
{
	static char	buf[REQUEST_MAX];
	struct request	r;
	size_t		n;

	memset(buf, 'a', sizeof(buf));
	ck_assert_int_eq(parse(buf, REQUEST_LINE_MAX, &r), 0);
	ck_assert_int_eq(parse(buf, REQUEST_LINE_MAX + 1, &r), 414);
	n = (size_t)snprintf(buf, sizeof(buf), "GET /%0*d HTTP/1.1\r\n",
	    REQUEST_LINE_MAX, 0);
	ck_assert_int_eq(parse(buf, n, &r), 414);
	n = (size_t)snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nA: ");
	memset(buf + n, 'a', sizeof(buf) - n);
	ck_assert_int_eq(parse(buf, sizeof(buf) - 1, &r), 0);
	ck_assert_int_eq(parse(buf, sizeof(buf), &r), 431);
}
END_TEST

#define OPEN	"application/openmetrics-text"
static const struct {
	const char	*value;
	enum content	 want;
} accepts[] = {
	{ "", CONTENT_PLAIN },
	{ "*/*", CONTENT_PLAIN },
	{ "text/html, application/xhtml+xml, */*;q=0.8", CONTENT_PLAIN },
	{ "text/plain", CONTENT_PLAIN },
	{ OPEN, CONTENT_OPENMETRICS },
	{ "APPLICATION/OpenMetrics-Text", CONTENT_OPENMETRICS },
	{ OPEN ";version=1.0.0", CONTENT_OPENMETRICS },
	{ OPEN "; version=1.0.0; charset=utf-8", CONTENT_OPENMETRICS },
	{ OPEN ";version=0.0.1", CONTENT_PLAIN },
	{ OPEN ";version=2.0.0, */*", CONTENT_PLAIN },
	{ OPEN ";q=0", CONTENT_PLAIN },
	{ OPEN ";q=0.1, text/plain;q=0.2", CONTENT_PLAIN },
	{ OPEN ";q=0.2, text/plain;q=0.2", CONTENT_OPENMETRICS },
	{ OPEN ";q=0.5, text/plain;version=0.0.3;q=0.9", CONTENT_OPENMETRICS },
	{ OPEN ";q=0.5, text/plain;q=0.1, */*;q=0.9", CONTENT_OPENMETRICS },
	{ OPEN ";q=0.5, text/*;q=0.9", CONTENT_PLAIN },
	{ OPEN ";q=1.000,text/plain;q=0.999", CONTENT_OPENMETRICS },
	{ OPEN ";q=x,text/plain", CONTENT_PLAIN },
	{ OPEN ";q=2,text/plain;q=0.1", CONTENT_PLAIN },
	{ OPEN ";q=0.0011", CONTENT_OPENMETRICS },
	/* Prometheus 2.42, 2.53 and 3 */
	{ OPEN ";version=1.0.0,application/openmetrics-text;version=0.0.1;"
	    "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	    CONTENT_OPENMETRICS },
	{ OPEN ";version=1.0.0;q=0.5," OPEN ";version=0.0.1;q=0.4,"
	    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", CONTENT_OPENMETRICS },
	{ OPEN ";version=1.0.0;escaping=allow-utf-8;q=0.6,"
	    OPEN ";version=0.0.1;q=0.5,text/plain;version=1.0.0;"
	    "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
	    "*/*;q=0.2", CONTENT_OPENMETRICS },
	{ ",;,=;=,;q", CONTENT_PLAIN },
};

START_TEST(test_accepts)
{
	ck_assert_int_eq(request_accepts(accepts[_i].value,
	    strlen(accepts[_i].value)), accepts[_i].want);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("request");
	TCase	*tc = tcase_create("request");

	tcase_add_loop_test(tc, test_requests, 0, (int)nitems(requests));
	tcase_add_test(tc, test_prefixes);
	tcase_add_test(tc, test_sizes);
	tcase_add_loop_test(tc, test_accepts, 0, (int)nitems(accepts));
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
