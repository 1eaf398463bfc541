#include <check.h>

#include "common/l4.h"
#include "common/probe.h"
#include "monotone.h"
#include "tests/unit/suite.h"

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *host)
{
	return http_host_parse(p, len, host, need);
}

#define L60	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
#define N(s)	s, sizeof(s) - 1
#define GET	"GET / HTTP/1.1\r\n"
#define OK	VERDICT_MATCH
#define BAD	VERDICT_MALFORMED
#define OTHER	VERDICT_NO_MATCH

static const struct {
	const char	*head;
	size_t		 len;
	enum verdict	 want;
	const char	*host;
} heads[] = {
	{ N(GET "Host: example.org\r\n\r\n"), OK, "example.org" },
	{ N(GET "host:Example.ORG.\r\n\r\n"), OK, "example.org" },
	{ N(GET "HOST:\t example.org \t\r\n\r\n"), OK, "example.org" },
	{ N(GET "Host: example.org:8080\r\n\r\n"), OK, "example.org" },
	{ N(GET "Host: example.org:\r\n\r\n"), OK, "example.org" },
	{ N(GET "Host: a_b\r\n\r\n"), OK, "a_b" },
	{ N(GET "Host: 192.0.2.1:80\r\n\r\n"), OK, "192.0.2.1" },
	{ N(GET "Host: [2001:DB8::1]\r\n\r\n"), OK, "[2001:db8::1]" },
	{ N(GET "Host: [::1]:80\r\n\r\n"), OK, "[::1]" },
	{ N(GET "Host:\r\n\r\n"), OK, "" },
	{ N(GET "\r\n"), OK, "" },
	{ N("GET / HTTP/1.0\r\n\r\n"), OK, "" },
	{ N("GET / HTTP/1.9\r\nHost: a\r\n\r\n"), OK, "a" },
	{ N(GET "A: 1\r\nHost: a\r\nB:\r\nHosts: x\r\nX-Host: y\r\n\r\n"), OK,
	    "a" },
	{ N(GET "A: \x80\xff\t x\r\nHost: a\r\n\r\n"), OK, "a" },
	{ N("GET http://B.example:80/x HTTP/1.1\r\nHost: a\r\n\r\n"), OK,
	    "b.example" },
	{ N("GET https://b HTTP/1.1\r\n\r\n"), OK, "b" },
	{ N("GET http://b?http://c/ HTTP/1.1\r\nHost:\r\n\r\n"), OK, "b" },
	{ N("GET http://[::1]:80/ HTTP/1.1\r\n\r\n"), OK, "[::1]" },
	{ N("GET /http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), OK, "a" },
	{ N("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), OK, "a" },
	{ N("CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n"), OK, "a" },
	{ N("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"), OK, "a" },

	{ N(GET "Host: a\r\nHost: a\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a\r\nhost: b\r\n\r\n"), BAD, "" },
	{ N(GET "Host:\r\nHost: b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a,b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a/b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a@b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a?b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a\\b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a%2eb\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a..b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: .\r\n\r\n"), BAD, "" },
	{ N(GET "Host: :80\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a:99999\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a:+80\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a:80:80\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a:8 0\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a\0b\r\n\r\n"), BAD, "" },
	{ N(GET "Host: a\x80\r\n\r\n"), BAD, "" },
	{ N(GET "Host: ::1\r\n\r\n"), BAD, "" },
	{ N(GET "Host: [::1\r\n\r\n"), BAD, "" },
	{ N(GET "Host: [::1]x\r\n\r\n"), BAD, "" },
	{ N(GET "Host: [::1%lo]\r\n\r\n"), BAD, "" },
	{ N(GET "Host: [1.2.3.4]\r\n\r\n"), BAD, "" },
	{ N(GET "Host: []\r\n\r\n"), BAD, "" },
	{ N(GET "Host: " L60 "wxyz\r\n\r\n"), BAD, "" },
	{ N(GET "Host: [" L60 L60 "]\r\n\r\n"), BAD, "" },
	{ N(GET "Host: [" L60 L60 L60 L60 L60 "]\r\n\r\n"), BAD, "" },
	{ N(GET "Host : a\r\n\r\n"), BAD, "" },
	{ N(GET " Host: a\r\n\r\n"), BAD, "" },
	{ N(GET "A: b\r\n folded\r\n\r\n"), BAD, "" },
	{ N(GET ": a\r\n\r\n"), BAD, "" },
	{ N(GET "Host\r\n\r\n"), BAD, "" },
	{ N(GET "A(b): c\r\n\r\n"), BAD, "" },
	{ N(GET "A: b\rc\r\n\r\n"), BAD, "" },
	{ N(GET "A: b\0c\r\n\r\n"), BAD, "" },
	{ N(GET "A: b\x7f\r\n\r\n"), BAD, "" },
	{ N(GET "A: b\n\r\n"), BAD, "" },
	{ N(GET "A: b\r\n\n"), BAD, "" },
	{ N("GET / HTTP/1.1\nHost: a\r\n\r\n"), BAD, "" },
	{ N("GET /\r\n"), BAD, "" },
	{ N("GET / \r\n"), BAD, "" },
	{ N("GET / / HTTP/1.1\r\n"), BAD, "" },
	{ N("GET /  HTTP/1.1\r\n"), BAD, "" },
	{ N("GET / HTTP/1.1 \r\n"), BAD, "" },
	{ N("GET / http/1.1\r\n"), BAD, "" },
	{ N("GET / HTTP/1.10\r\n"), BAD, "" },
	{ N("GET / HTTP/1,1\r\n"), BAD, "" },
	{ N("GET / HTTP/1.x\r\n"), BAD, "" },
	{ N("GET /\1 HTTP/1.1\r\n"), BAD, "" },
	{ N("GET http:// HTTP/1.1\r\n"), BAD, "" },
	{ N("GET http:///x HTTP/1.1\r\n"), BAD, "" },
	{ N("GET http://u@b/ HTTP/1.1\r\n"), BAD, "" },
	{ N("GET http://u:p@b/ HTTP/1.1\r\n"), BAD, "" },
	{ N("GET http://b:x/ HTTP/1.1\r\n"), BAD, "" },
	{ N("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), BAD, "" },
	{ N("GET http://b/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n"), BAD, "" },

	{ N("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), OTHER, "" },
	{ N("GET / HTTP/2.0\r\n\r\n"), OTHER, "" },
	{ N("GET / HTTP/9.9\r\n\r\n"), OTHER, "" },
	{ N("SSH-2.0-x\r\n"), OTHER, "" },
	{ N("\x16\3\1"), OTHER, "" },
	{ N("EHLO a\r\n"), OTHER, "" },
};

START_TEST(test_head)
{
	char		 host[HELLO_NAME_MAX + 1];
	const char	*err;
	enum verdict	 v;
	size_t		 first;

	err = monotone_check(parse_fn, (const uint8_t *)heads[_i].head,
	    heads[_i].len, host, &v, &first);
	ck_assert_msg(err == NULL, "%s: %s", heads[_i].head, err);
	ck_assert_msg(v == heads[_i].want, "%s: %d", heads[_i].head, v);
	if (v != VERDICT_MATCH)
		return;
	ck_assert_uint_eq(first, heads[_i].len);
	ck_assert_str_eq(host, heads[_i].host);
}
END_TEST

/* The body may be anything. */
START_TEST(test_body)
{
	static const char	head[] = GET "Host: a\r\n\r\n\0Host: b\n";
	char			host[HELLO_NAME_MAX + 1];
	size_t			need;

	ck_assert_int_eq(prefix_verdict(parse_fn, (const uint8_t *)head,
	    sizeof(head) - 1, &need, host), VERDICT_MATCH);
	ck_assert_str_eq(host, "a");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_host");
	TCase	*tc = tcase_create("http_host");

	tcase_add_loop_test(tc, test_head, 0, (int)nitems(heads));
	tcase_add_test(tc, test_body);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
