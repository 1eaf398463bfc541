#include <stdio.h>
#include <string.h>

#include <check.h>

#include "common/l4.h"
#include "common/log_rate.h"
#include "tests/unit/suite.h"

static unsigned int
taken(struct log_rate *r, const char *group, unsigned int n)
{
	unsigned int	i, yes = 0;

	for (i = 0; i < n; i++)
		yes += log_rate_take(r, group);
	return yes;
}

START_TEST(test_up_to_the_rate)
{
	struct log_rate	r = { .max = 3 };

	ck_assert_uint_eq(taken(&r, "a", 10), 3);
	ck_assert_uint_eq(r.group[0].left, 7);
	ck_assert_str_eq(r.group[0].name, "a");
}
END_TEST

START_TEST(test_groups_do_not_share)
{
	struct log_rate	r = { .max = 3 };

	ck_assert_uint_eq(taken(&r, "a", 10), 3);
	ck_assert_uint_eq(taken(&r, "ab", 2), 2);
	ck_assert_uint_eq(r.n, 2);
	ck_assert_uint_eq(r.group[1].left, 0);
}
END_TEST

START_TEST(test_next_second)
{
	struct log_rate	r = { .max = 1 };

	ck_assert_uint_eq(taken(&r, "a", 5), 1);
	log_rate_begin(&r, 7);
	ck_assert_uint_eq(r.second, 7);
	ck_assert_uint_eq(taken(&r, "a", 5), 1);
	ck_assert_uint_eq(r.group[0].left, 4);
}
END_TEST

START_TEST(test_zero_is_no_limit)
{
	struct log_rate	r = { .max = 0 };

	ck_assert_uint_eq(taken(&r, "a", 1000), 1000);
	ck_assert_uint_eq(r.n, 0);
}
END_TEST

/* However many there are, and however long: nothing grows. */
START_TEST(test_many_groups)
{
	struct log_rate	r = { .max = 1 };
	char		name[200];
	unsigned int	i, lines = 0;

	for (i = 0; i < 1000; i++) {
		memset(name, 'x', sizeof(name));
		snprintf(name, sizeof(name), "%u", i);
		if (i % 2 == 0)
			name[strlen(name)] = 'x';
		name[sizeof(name) - 1] = '\0';
		lines += log_rate_take(&r, name);
	}
	ck_assert_uint_eq(r.n, LOG_GROUPS);
	ck_assert_uint_eq(lines, LOG_GROUPS);
	ck_assert_str_eq(r.group[LOG_GROUPS - 1].name, "other");
	ck_assert_uint_eq(r.group[LOG_GROUPS - 1].left, 1000 - LOG_GROUPS);
	for (i = 0; i < LOG_GROUPS; i++)
		ck_assert_uint_lt(strlen(r.group[i].name), LOG_GROUP_LEN);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("log_rate");
	TCase	*tc = tcase_create("log_rate");

	tcase_add_test(tc, test_up_to_the_rate);
	tcase_add_test(tc, test_groups_do_not_share);
	tcase_add_test(tc, test_next_second);
	tcase_add_test(tc, test_zero_is_no_limit);
	tcase_add_test(tc, test_many_groups);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
