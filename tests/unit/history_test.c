#include <sys/mman.h>

#include <check.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/proto.h"
#include "metrics/history.h"
#include "tests/unit/suite.h"

#define SEC	NSEC_PER_SEC
#define HOUR	(HISTORY_SLOTS * HISTORY_PERIOD * SEC)
#define START	(10 * HOUR)

static int		 file = -1;
static struct history	*h;
static struct sample	 got[HISTORY_SLOTS];

static void
setup(void)
{
	file = memfd_create("history", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, HISTORY_BYTES), 0);
	h = history_map(file);
	ck_assert(h != NULL);
}

static void
teardown(void)
{
	close(file);
}

static void
add(uint64_t at, float v)
{
	struct sample	s = { .at = at };
	size_t		i;

	for (i = 0; i < SERIES__MAX; i++)
		s.v[i] = v;
	history_add(h, &s);
}

START_TEST(test_empty)
{
	ck_assert_uint_eq(history_get(h, START, got), 0);
	ck_assert(history_due(h, START));
}
END_TEST

START_TEST(test_when_it_is_due)
{
	add(START, 1);
	ck_assert(!history_due(h, START + 1));
	ck_assert(!history_due(h, START + 8 * SEC));
	ck_assert(history_due(h, START + 10 * SEC - SEC / 2));
	ck_assert(history_due(h, START + 2 * HOUR));
}
END_TEST

START_TEST(test_an_hour_and_no_more)
{
	size_t		i, n = 2 * HISTORY_SLOTS + 7;
	uint64_t	now = 0;

	for (i = 0; i < n; i++) {
		now = START + i * HISTORY_PERIOD * SEC;
		add(now, (float)i);
	}
	ck_assert_uint_eq(history_get(h, now, got), HISTORY_SLOTS);
	for (i = 0; i < HISTORY_SLOTS; i++)
		ck_assert(got[i].v[0] == (float)(n - HISTORY_SLOTS + i));
	ck_assert_uint_eq(history_get(h, now + HOUR / 2, got),
	    HISTORY_SLOTS / 2 + 1);
	ck_assert(got[HISTORY_SLOTS / 2].at == now);
	ck_assert_uint_eq(history_get(h, now + 2 * HOUR, got), 0);
}
END_TEST

/* The next process goes on where the last one was. */
START_TEST(test_it_outlives_who_writes)
{
	add(START, 1);
	h = history_map(file);
	add(START + 10 * SEC, 2);
	ck_assert_uint_eq(history_get(h, START + 11 * SEC, got), 2);
	ck_assert(got[0].v[0] == 1 && got[1].v[0] == 2);
}
END_TEST

/* A captured process may have left anything: what is read is numbers, in the
 * order of time. */
START_TEST(test_what_is_read_is_sane)
{
	static const float	wrong[] = { -1, NAN, INFINITY, -INFINITY };
	uint32_t		next = 0xfffffff5;
	size_t			i, n;

	for (i = 0; i < nitems(wrong); i++)
		add(START + i, wrong[i]);
	add(START + 20 * SEC, 1);	/* not yet */
	add(START + 10 * SEC, 2);
	add(START + 5 * SEC, 3);	/* before the last */
	add(START + 11 * SEC, 4);
	n = history_get(h, START + 12 * SEC, got);
	ck_assert_uint_eq(n, 2);
	ck_assert(got[0].v[0] == 2 && got[1].v[0] == 4);
	ck_assert_int_eq(pwrite(file, &next, sizeof(next), 0), sizeof(next));
	add(START + 13 * SEC, 5);
	ck_assert_uint_ge(history_get(h, START + 14 * SEC, got), 1);
}
END_TEST

START_TEST(test_noise)
{
	uint64_t	x = 88172645463325252u;
	uint8_t		noise[HISTORY_BYTES];
	size_t		i, k, n;

	for (k = 0; k < 50; k++) {
		for (i = 0; i < sizeof(noise); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			noise[i] = (uint8_t)x;
		}
		ck_assert_int_eq(pwrite(file, noise, sizeof(noise), 0),
		    sizeof(noise));
		n = history_get(h, UINT64_MAX / 2, got);
		for (i = 0; i < n; i++)
			ck_assert(isfinite(got[i].v[0]) && got[i].v[0] >= 0);
		history_due(h, UINT64_MAX / 2);
		add(UINT64_MAX / 2, 1);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("history");
	TCase	*tc = tcase_create("history");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_empty);
	tcase_add_test(tc, test_when_it_is_due);
	tcase_add_test(tc, test_an_hour_and_no_more);
	tcase_add_test(tc, test_it_outlives_who_writes);
	tcase_add_test(tc, test_what_is_read_is_sane);
	tcase_add_test(tc, test_noise);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
