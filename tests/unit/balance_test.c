#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "proxy/balance.h"
#include "tests/unit/suite.h"

#define N	5

struct fixture {
	struct member	m[N];
	struct balancer	b;
};

static void
setup(struct fixture *f, enum balance how)
{
	size_t	i;

	memset(f, 0, sizeof(*f));
	f->b.how = how;
	for (i = 0; i < N; i++)
		f->m[i].key = balance_hash(&i, sizeof(i));
}

static struct addr
client(unsigned int i)
{
	struct addr	a = { .family = ADDR_V4, .ip = { 198, 51,
		(uint8_t)(i >> 8), (uint8_t)i } };

	return a;
}

static int
pick(struct fixture *f, size_t n, uint64_t tried, unsigned int who,
    uint64_t now)
{
	struct addr	a = client(who);

	return balance_pick(&f->b, f->m, n, tried, &a, now);
}

/* Whatever the method: each member once, then none. */
START_TEST(test_balance_tries_all)
{
	struct fixture	f;
	uint64_t	tried = 0;
	int		i, k;

	setup(&f, (enum balance)_i);
	f.m[1].sick = true;
	f.m[3].retry = 100;
	for (k = 0; k < N; k++) {
		i = pick(&f, N, tried, 7, 50);
		ck_assert_int_ge(i, 0);
		ck_assert_int_lt(i, N);
		ck_assert_uint_eq(tried >> i & 1, 0);
		tried |= UINT64_C(1) << i;
		/* Those that are skipped come last. */
		ck_assert_int_eq(i == 1 || i == 3, k >= N - 2);
	}
	ck_assert_int_eq(pick(&f, N, tried, 7, 50), -1);
	ck_assert_int_eq(pick(&f, 0, 0, 7, 50), -1);
}
END_TEST

/* The 64th bit is a member as well. */
START_TEST(test_balance_most_members)
{
	static struct member	m[MEMBERS_MAX];
	struct balancer		b = { (enum balance)_i, 0 };
	struct addr		a = client(1);
	uint64_t		tried = 0;
	int			i, k;

	for (k = 0; k < MEMBERS_MAX; k++) {
		i = balance_pick(&b, m, MEMBERS_MAX, tried, &a, 0);
		ck_assert_int_ge(i, 0);
		ck_assert_uint_eq(tried >> i & 1, 0);
		tried |= UINT64_C(1) << i;
	}
	ck_assert_uint_eq(tried, UINT64_MAX);
	ck_assert_int_eq(balance_pick(&b, m, MEMBERS_MAX, tried, &a, 0), -1);
}
END_TEST

START_TEST(test_balance_skips_until_retry)
{
	struct fixture	f;

	setup(&f, (enum balance)_i);
	f.m[0].retry = 100;
	ck_assert_int_eq(pick(&f, 2, 0, 7, 99), 1);
	ck_assert_int_eq(pick(&f, 2, 0, 7, 99), 1);
	f.m[1].sick = true;
	ck_assert_int_eq(pick(&f, 2, 0, 7, 100), 0);
	ck_assert_int_eq(pick(&f, 2, 0, 7, 100), 0);
}
END_TEST

START_TEST(test_balance_round_robin)
{
	struct fixture	f;
	int		k;

	setup(&f, BALANCE_ROUND_ROBIN);
	for (k = 0; k < 3 * N; k++)
		ck_assert_int_eq(pick(&f, N, 0, 7, 0), k % N);
}
END_TEST

START_TEST(test_balance_least_conn)
{
	struct fixture	f;
	int		i, k;

	setup(&f, BALANCE_LEAST_CONN);
	f.m[2].live = 3;
	for (k = 0; k < 3 * (N - 1) + N; k++) {
		i = pick(&f, N, 0, 7, 0);
		f.m[i].live++;
	}
	/* All even now: the fourth of everybody. */
	for (i = 0; i < N; i++)
		ck_assert_uint_eq(f.m[i].live, 4);
}
END_TEST

START_TEST(test_balance_hash_keeps)
{
	struct fixture	f;
	unsigned int	who, moved = 0, count[N] = { 0 };
	int		was;

	setup(&f, BALANCE_HASH);
	for (who = 0; who < 1000; who++) {
		was = pick(&f, N, 0, who, 0);
		ck_assert_int_eq(pick(&f, N, 0, who, 0), was);
		count[was]++;
		/* Without member 4 only its own clients move, ... */
		if (pick(&f, N - 1, 0, who, 0) != was) {
			ck_assert_int_eq(was, N - 1);
			moved++;
		}
		/* ... and the same holds while one is skipped. */
		f.m[0].sick = true;
		if (was != 0)
			ck_assert_int_eq(pick(&f, N, 0, who, 0), was);
		f.m[0].sick = false;
	}
	ck_assert_uint_eq(moved, count[N - 1]);
	for (who = 0; who < N; who++)
		ck_assert_uint_gt(count[who], 1000 / N / 2);
}
END_TEST

/* The port is not part of a client; no address means taking turns. */
START_TEST(test_balance_hash_address)
{
	struct fixture	f;
	struct addr	a = client(3), none = { 0 };
	int		i, was;

	setup(&f, BALANCE_HASH);
	was = balance_pick(&f.b, f.m, N, 0, &a, 0);
	a.port = 9;
	ck_assert_int_eq(balance_pick(&f.b, f.m, N, 0, &a, 0), was);
	for (i = 0; i < N; i++)
		ck_assert_int_eq(balance_pick(&f.b, f.m, N, 0, &none, 0), i);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("balance");
	TCase	*tc = tcase_create("balance");

	tcase_add_loop_test(tc, test_balance_tries_all, 0, 3);
	tcase_add_loop_test(tc, test_balance_most_members, 0, 3);
	tcase_add_loop_test(tc, test_balance_skips_until_retry, 0, 3);
	tcase_add_test(tc, test_balance_round_robin);
	tcase_add_test(tc, test_balance_least_conn);
	tcase_add_test(tc, test_balance_hash_keeps);
	tcase_add_test(tc, test_balance_hash_address);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
