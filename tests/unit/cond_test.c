#include <check.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/cond.h"
#include "tlsterm/httpdate.h"
#include "tests/unit/suite.h"

/* Dates and conditions of HTTP. */
#define WHEN	784111777		/* as in RFC 9110 5.6.7 */
#define NOW	1700000000		/* 2023-11-14 */

static const struct {
	const char	*text;
	bool		 good;
	int64_t		 when;
} dates[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", true, WHEN },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", true, WHEN },
	{ "Sun Nov  6 08:49:37 1994", true, WHEN },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", true, 0 },
	{ "Wed, 31 Dec 1969 23:59:59 GMT", true, -1 },
	{ "Tue, 29 Feb 2000 12:00:00 GMT", true, 951825600 },
	{ "Sat, 31 Dec 9999 23:59:59 GMT", true, 253402300799 },
	{ "Monday, 02-Jan-73 00:00:00 GMT", true, 3250540800 },
	{ "Tuesday, 02-Jan-74 00:00:00 GMT", true, 126316800 },
	{ "Mon, 29 Feb 1900 12:00:00 GMT", false, 0 },
	{ "Sun, 31 Jun 1994 08:49:37 GMT", false, 0 },
	{ "Sun, 00 Nov 1994 08:49:37 GMT", false, 0 },
	{ "Sun, 06 nov 1994 08:49:37 GMT", false, 0 },
	{ "Sun, 06 Nov 1994 24:49:37 GMT", false, 0 },
	{ "Sun, 06 Nov 1994 08:60:37 GMT", false, 0 },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", false, 0 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT ", false, 0 },
	{ "Sun, 6 Nov 1994 08:49:37 GMT", false, 0 },
	{ "1994-11-06", false, 0 },
	{ "", false, 0 },
};

START_TEST(test_date)
{
	size_t	 n = strlen(dates[_i].text), k;
	char	*copy = malloc(n + 1), back[HTTPDATE_LEN + 1];
	time_t	 when = 0;

	memcpy(copy, dates[_i].text, n + 1);
	ck_assert_msg(httpdate_parse((struct str){ copy, n }, NOW, &when) ==
	    dates[_i].good, "%s", copy);
	if (dates[_i].good) {
		ck_assert_int_eq(when, dates[_i].when);
		ck_assert(httpdate_parse((struct str){ httpdate_format(back,
		    when), HTTPDATE_LEN }, NOW, &when));
		ck_assert_int_eq(when, dates[_i].when);
	}
	for (k = 0; dates[_i].good && k < n; k++)
		ck_assert(!httpdate_parse((struct str){ copy, k }, NOW,
		    &when));
	free(copy);
}
END_TEST

/* Against the C library, over the years files are from. */
START_TEST(test_date_format)
{
	char		 got[HTTPDATE_LEN + 1], want[64];
	struct tm	 tm;
	time_t		 t;

	for (t = -100000000; t < 5000000000; t += 86400 * 3 + 3601) {
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		ck_assert_str_eq(httpdate_format(got, t), want);
	}
}
END_TEST

/* Times that no year of four digits has are brought into one. */
START_TEST(test_date_extreme)
{
	char	got[HTTPDATE_LEN + 1];

	ck_assert_str_eq(httpdate_format(got, (time_t)INT64_MAX),
	    "Fri, 31 Dec 9999 23:59:59 GMT");
	ck_assert_str_eq(httpdate_format(got, (time_t)INT64_MIN),
	    "Mon, 01 Jan 0001 00:00:00 GMT");
}
END_TEST

#define S(text)		{ text, sizeof(text) - 1 }
#define SAME		"Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE		"Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER		"Sun, 06 Nov 1994 08:49:38 GMT"

static const struct {
	struct str	match, none_match, since, unmodified;
	int		status;
} conds[] = {
	{ .status = 0 },
	{ .none_match = S("\"a\""), .status = 304 },
	{ .none_match = S("\"b\""), .status = 0 },
	{ .none_match = S("\"a-br\""), .status = 304 },
	{ .none_match = S("\"a-gzip\""), .status = 0 },
	{ .match = S("\"a-br\""), .status = 0 },
	{ .none_match = S("W/\"a\""), .status = 304 },
	{ .none_match = S("\"x,y\", \"b\" ,\"a\""), .status = 304 },
	{ .none_match = S("\"x,\"a\""), .status = 0 },
	{ .none_match = S("*"), .status = 304 },
	{ .none_match = S("a"), .status = 0 },
	{ .none_match = S(""), .status = 0 },
	{ .since = S(SAME), .status = 304 },
	{ .since = S(AFTER), .status = 304 },
	{ .since = S(BEFORE), .status = 0 },
	{ .since = S("yesterday"), .status = 0 },
	{ .none_match = S("\"b\""), .since = S(SAME), .status = 0 },
	{ .match = S("\"a\""), .status = 0 },
	{ .match = S("*"), .status = 0 },
	{ .match = S("W/\"a\""), .status = 412 },
	{ .match = S("\"b\""), .status = 412 },
	{ .unmodified = S(SAME), .status = 0 },
	{ .unmodified = S(BEFORE), .status = 412 },
	{ .unmodified = S("never"), .status = 0 },
	{ .match = S("\"a\""), .unmodified = S(BEFORE), .status = 0 },
	{ .match = S("\"a\""), .none_match = S("\"a\""), .status = 304 },
};

START_TEST(test_cond)
{
	struct validator	v = { S("\"a-br\""), S("\"a\""), WHEN, NOW };
	static struct request	req;

	memset(&req, 0, sizeof(req));
	req.if_match = conds[_i].match;
	req.if_none_match = conds[_i].none_match;
	req.if_modified_since = conds[_i].since;
	req.if_unmodified_since = conds[_i].unmodified;
	ck_assert_int_eq(cond_check(&req, &v), conds[_i].status);
}
END_TEST

START_TEST(test_if_range)
{
	static const struct {
		struct str	value;
		bool		use;
	} cases[] = {
		{ { NULL, 0 }, true },
		{ S("\"a\""), true },
		{ S("\"b\""), false },
		{ S("\"a-br\""), false },
		{ S("W/\"a\""), false },
		{ S(SAME), true },
		{ S(BEFORE), false },
		{ S(AFTER), false },
		{ S("a"), false },
	};
	struct validator	v = { S("\"a-br\""), S("\"a\""), WHEN, NOW };
	static struct request	req;

	memset(&req, 0, sizeof(req));
	req.if_range = cases[_i].value;
	ck_assert(cond_range(&req, &v) == cases[_i].use);
	/* Written this second: it may change once more without a trace. */
	v.now = WHEN;
	req.if_range = (struct str)S(SAME);
	ck_assert(!cond_range(&req, &v));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cond");
	TCase	*tc = tcase_create("cond");

	tcase_add_loop_test(tc, test_date, 0, (int)nitems(dates));
	tcase_add_test(tc, test_date_format);
	tcase_add_test(tc, test_date_extreme);
	tcase_add_loop_test(tc, test_cond, 0, (int)nitems(conds));
	tcase_add_loop_test(tc, test_if_range, 0, 9);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
