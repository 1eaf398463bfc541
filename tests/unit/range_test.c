#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "tlsterm/body.h"
#include "tests/unit/suite.h"

/* Ranges of HTTP, and bodies that are made of them. */

static const struct {
	const char		*text;
	uint64_t		 size;
	enum range_result	 want;
	size_t			 n;
	struct range		 v[3];
} ranges[] = {
	{ "bytes=0-0", 10, RANGE_SOME, 1, { { 0, 0 } } },
	{ "Bytes= 0-", 10, RANGE_SOME, 1, { { 0, 9 } } },
	{ "bytes=9-", 10, RANGE_SOME, 1, { { 9, 9 } } },
	{ "bytes=2-100", 10, RANGE_SOME, 1, { { 2, 9 } } },
	{ "bytes=-3", 10, RANGE_SOME, 1, { { 7, 9 } } },
	{ "bytes=-100", 10, RANGE_SOME, 1, { { 0, 9 } } },
	{ "bytes=0-18446744073709551616", 10, RANGE_SOME, 1, { { 0, 9 } } },
	{ "bytes=-99999999999999999999999", 10, RANGE_SOME, 1, { { 0, 9 } } },
	{ "bytes=4294967296-", 5000000000, RANGE_SOME, 1,
	    { { 4294967296, 4999999999 } } },
	{ "bytes=10-", 10, RANGE_UNSATISFIABLE, 0, { { 0, 0 } } },
	{ "bytes=-0", 10, RANGE_UNSATISFIABLE, 0, { { 0, 0 } } },
	{ "bytes=0-", 0, RANGE_UNSATISFIABLE, 0, { { 0, 0 } } },
	{ "bytes=-1", 0, RANGE_UNSATISFIABLE, 0, { { 0, 0 } } },
	{ "bytes=9223372036854775808-", 10, RANGE_UNSATISFIABLE, 0,
	    { { 0, 0 } } },
	{ "bytes=18446744073709551615-", 10, RANGE_UNSATISFIABLE, 0,
	    { { 0, 0 } } },
	{ "bytes=18446744073709551616-", 10, RANGE_UNSATISFIABLE, 0,
	    { { 0, 0 } } },
	{ "bytes=0-0,1-1", 10, RANGE_SOME, 2, { { 0, 0 }, { 1, 1 } } },
	{ "bytes=8-,,0-1 , -2", 10, RANGE_SOME, 3,
	    { { 8, 9 }, { 0, 1 }, { 8, 9 } } },
	{ "bytes=20-,1-2,-0", 10, RANGE_SOME, 1, { { 1, 2 } } },
	{ "bytes=20-,30-", 10, RANGE_UNSATISFIABLE, 0, { { 0, 0 } } },
	/* more than the file has: it is cheaper whole */
	{ "bytes=0-9,0-0", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=0-,0-,0-", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,"
	    "0-0,0-0", 100, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=20-,20-,20-,20-,20-,20-,20-,20-,20-,20-,20-,20-,20-,20-,20-,"
	    "20-,20-", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=5-2", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=0-0,5-2", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=,", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=-", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=a-b", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=1", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=1-2x", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=--1", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "bytes=+1-2", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "lines=0-1", 10, RANGE_NONE, 0, { { 0, 0 } } },
	{ "", 10, RANGE_NONE, 0, { { 0, 0 } } },
};

START_TEST(test_range)
{
	size_t			 n = strlen(ranges[_i].text), got, i;
	char			*copy = malloc(n + (n == 0));
	struct range		 v[RANGES_MAX];
	enum range_result	 res;

	memcpy(copy, ranges[_i].text, n);
	res = range_parse((struct str){ copy, n }, ranges[_i].size, v, &got);
	free(copy);
	ck_assert_msg(res == ranges[_i].want, "%s: %d", ranges[_i].text,
	    (int)res);
	if (res != RANGE_SOME)
		return;
	ck_assert_uint_eq(got, ranges[_i].n);
	for (i = 0; i < got; i++) {
		ck_assert_uint_eq(v[i].first, ranges[_i].v[i].first);
		ck_assert_uint_eq(v[i].last, ranges[_i].v[i].last);
	}
}
END_TEST

/* The same bytes, in pieces of any size. */
START_TEST(test_parts)
{
	static const struct range	v[] = { { 0, 1 }, { 4, 8 }, { 9, 9 } };
	char			 boundary[RANGE_BOUNDARY], want[1024], got[1024];
	struct body		 b;
	uint64_t		 total;
	size_t			 done = 0;
	ssize_t			 n;

	body_init(&b);
	b.text = "0123456789";
	b.parts = parts_new(v, nitems(v), 10, "text/plain", boundary, &total);
	ck_assert_ptr_nonnull(b.parts);
	b.left = total;
	snprintf(want, sizeof(want),
	    "\r\n--%s\r\nContent-Type: text/plain\r\n"
	    "Content-Range: bytes 0-1/10\r\n\r\n01"
	    "\r\n--%s\r\nContent-Type: text/plain\r\n"
	    "Content-Range: bytes 4-8/10\r\n\r\n45678"
	    "\r\n--%s\r\nContent-Type: text/plain\r\n"
	    "Content-Range: bytes 9-9/10\r\n\r\n9\r\n--%s--\r\n", boundary,
	    boundary, boundary, boundary);
	ck_assert_uint_eq(total, strlen(want));
	while ((n = body_read(&b, got + done, (size_t)_i)) > 0)
		done += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(b.left, 0);
	ck_assert_uint_eq(done, strlen(want));
	ck_assert_mem_eq(got, want, done);
	body_close(&b);
}
END_TEST

START_TEST(test_body_short_file)
{
	char		 name[] = "/tmp/l4mux-range-XXXXXX", buf[64];
	struct body	 b;

	body_init(&b);
	b.fd = mkstemp(name);
	ck_assert_int_ne(b.fd, -1);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(write(b.fd, "0123456789", 10), 10);
	b.left = 20;
	ck_assert_int_eq(body_read(&b, buf, 5), 5);
	ck_assert_mem_eq(buf, "01234", 5);
	ck_assert_int_eq(body_read(&b, buf, sizeof(buf)), -1);
	body_close(&b);
	ck_assert_int_eq(b.fd, -1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("range");
	TCase	*tc = tcase_create("range");

	tcase_add_loop_test(tc, test_range, 0, (int)nitems(ranges));
	tcase_add_loop_test(tc, test_parts, 1, 130);
	tcase_add_test(tc, test_body_short_file);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
