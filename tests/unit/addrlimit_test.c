#include <sys/mman.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/addrlimit.h"
#include "common/conf.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

#define SEC	NSEC_PER_SEC

static struct conf	conf;
static int		shared = -1, own[2] = { -1, -1 };

static void
setup(void)
{
	memset(&conf, 0, sizeof(conf));
	ck_assert_int_ne(shared = addrlimit_create_shared(), -1);
	ck_assert_int_ne(own[0] = addrlimit_create_own(), -1);
	ck_assert_int_ne(own[1] = addrlimit_create_own(), -1);
}

static void
teardown(void)
{
	close(shared);
	close(own[0]);
	close(own[1]);
}

static struct addrlimit *
map(int i)
{
	struct addrlimit	*l = addrlimit_map(shared, own[i], &conf);

	ck_assert_ptr_nonnull(l);
	return l;
}

static struct addr
v4(uint32_t n)
{
	struct addr	a = { .family = ADDR_V4, .port = (uint16_t)n };

	a.ip[0] = 10;
	a.ip[1] = (uint8_t)(n >> 16);
	a.ip[2] = (uint8_t)(n >> 8);
	a.ip[3] = (uint8_t)n;
	return a;
}

static struct addr
v6(uint8_t net, uint8_t host)
{
	struct addr	a = { .family = ADDR_V6, .ip = { 0x20, 1, 0xd, 0xb8 } };

	a.ip[7] = net;
	a.ip[15] = host;
	return a;
}

static enum addrlimit_verdict
enter(struct addrlimit *l, struct addr a)
{
	return addrlimit_enter(l, &a, SEC);
}

START_TEST(test_per_address)
{
	struct addrlimit	*l, *other;
	struct addr		 a = v4(1), b = v4(2);
	int			 i;

	conf.limits.per_address = 3;
	l = map(0);
	other = map(1);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(enter(i % 2 ? l : other, a), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(l, a), ADDRLIMIT_ADDRESS);
	ck_assert_int_eq(enter(other, a), ADDRLIMIT_ADDRESS);
	ck_assert_int_eq(enter(l, b), ADDRLIMIT_OK);
	ck_assert_uint_eq(addrlimit_count(l, &a), 3);
	ck_assert_uint_eq(addrlimit_total(l), 4);
	addrlimit_leave(l, &a);
	ck_assert_int_eq(enter(other, a), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(l, a), ADDRLIMIT_ADDRESS);
	addrlimit_unmap(l);
	addrlimit_unmap(other);
}
END_TEST

START_TEST(test_total)
{
	struct addrlimit	*l;
	struct addr		 none = { .family = ADDR_NONE };
	uint32_t		 i;

	conf.limits.connections = 100;
	l = map(0);
	for (i = 0; i < 99; i++)
		ck_assert_int_eq(enter(l, v4(i)), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(l, none), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(l, none), ADDRLIMIT_CONNECTIONS);
	ck_assert_int_eq(enter(l, v4(1000)), ADDRLIMIT_CONNECTIONS);
	ck_assert_uint_eq(addrlimit_count(l, &(struct addr){
	    .family = ADDR_V4, .ip = { 10, 0, 3, 232 } }), 0);
	addrlimit_leave(l, &none);
	ck_assert_int_eq(enter(l, v4(1000)), ADDRLIMIT_OK);
	ck_assert_uint_eq(addrlimit_total(l), 100);
	addrlimit_unmap(l);
}
END_TEST

START_TEST(test_ipv6_by_net)
{
	struct addrlimit	*l;
	struct addr		 a;

	conf.limits.per_address = 2;
	l = map(0);
	ck_assert_int_eq(enter(l, v6(1, 1)), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(l, v6(1, 2)), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(l, v6(1, 3)), ADDRLIMIT_ADDRESS);
	ck_assert_int_eq(enter(l, v6(2, 1)), ADDRLIMIT_OK);
	a = v6(1, 9);
	ck_assert_uint_eq(addrlimit_count(l, &a), 2);
	addrlimit_unmap(l);
}
END_TEST

/* The way through the processes: counted once, whoever has it. */
START_TEST(test_hand_over)
{
	struct addrlimit	*worker = map(0), *proxy = map(1);
	struct addr		 a = v4(7);

	ck_assert_int_eq(enter(worker, a), ADDRLIMIT_OK);
	addrlimit_hold(proxy, &a);
	addrlimit_pass(worker, &a);
	ck_assert_uint_eq(addrlimit_count(worker, &a), 1);
	ck_assert_uint_eq(addrlimit_total(worker), 1);
	/* The worker's death costs nothing now. */
	ck_assert_int_eq(addrlimit_reap(shared, own[0]), 0);
	ck_assert_uint_eq(addrlimit_count(proxy, &a), 1);
	addrlimit_leave(proxy, &a);
	ck_assert_uint_eq(addrlimit_count(proxy, &a), 0);
	ck_assert_uint_eq(addrlimit_total(proxy), 0);
	/* What is left twice by mistake is no credit. */
	addrlimit_leave(proxy, &a);
	ck_assert_uint_eq(addrlimit_total(proxy), 0);
	addrlimit_unmap(worker);
	addrlimit_unmap(proxy);
}
END_TEST

START_TEST(test_reap)
{
	struct addrlimit	*l = map(0);
	struct addr		 a = v4(1);
	uint32_t		 i;
	pid_t			 pid;
	int			 status;

	ck_assert_int_eq(enter(l, a), ADDRLIMIT_OK);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		struct addrlimit	*c = map(1);

		for (i = 0; i < 1000; i++)
			enter(c, v4(i));
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(addrlimit_total(l), 1001);
	ck_assert_uint_ge(addrlimit_count(l, &a), 2);
	ck_assert_int_eq(addrlimit_reap(shared, own[1]), 0);
	ck_assert_uint_eq(addrlimit_total(l), 1);
	ck_assert_uint_eq(addrlimit_count(l, &a), 1);
	for (i = 2; i < 1000; i++) {
		struct addr	b = v4(i);

		ck_assert_uint_le(addrlimit_count(l, &b), 1);
	}
	/* The page is clean again: nothing is taken back twice. */
	ck_assert_int_eq(addrlimit_reap(shared, own[1]), 0);
	ck_assert_uint_eq(addrlimit_total(l), 1);
	addrlimit_unmap(l);
}
END_TEST

/*
 * The sketch never says less than there is, and rarely more: 10 000 addresses
 * fill 15 % of each row, so a stranger meets two busy cells in 2 % of cases.
 */
START_TEST(test_collisions)
{
	struct addrlimit	*l = map(0);
	struct addr		 a;
	uint32_t		 i, wrong = 0;

	for (i = 0; i < 10000; i++)
		ck_assert_int_eq(enter(l, v4(i)), ADDRLIMIT_OK);
	for (i = 0; i < 10000; i++) {
		a = v4(i);
		ck_assert_uint_ge(addrlimit_count(l, &a), 1);
		a = v4(100000 + i);
		wrong += addrlimit_count(l, &a) > 0;
	}
	ck_assert_uint_lt(wrong, 500);
	for (i = 0; i < 10000; i++) {
		a = v4(i);
		addrlimit_leave(l, &a);
	}
	for (i = 0; i < 10000; i++) {
		a = v4(i);
		ck_assert_uint_eq(addrlimit_count(l, &a), 0);
	}
	addrlimit_unmap(l);
}
END_TEST

/* Two daemons do not put an address into the same cells. */
START_TEST(test_keyed)
{
	struct addrlimit	*l = map(0), *m;
	uint32_t		 i, n, same = 0;
	int			 second = addrlimit_create_shared();

	ck_assert_int_ne(second, -1);
	m = addrlimit_map(second, own[1], &conf);
	ck_assert_ptr_nonnull(m);
	/* So full that every address has company, but not the same. */
	for (i = 0; i < 60000; i++) {
		enter(l, v4(i));
		enter(m, v4(i));
	}
	for (i = n = 0; i < 60000; i++) {
		struct addr	a = v4(i);

		if (addrlimit_count(l, &a) > 1) {
			n++;
			same += addrlimit_count(m, &a) ==
			    addrlimit_count(l, &a);
		}
	}
	ck_assert_uint_gt(n, 1000);
	ck_assert_uint_lt(same, n / 2);
	addrlimit_unmap(l);
	addrlimit_unmap(m);
	close(second);
}
END_TEST

START_TEST(test_rate)
{
	struct addrlimit	*l;
	struct addr		 a = v4(1), b = v4(2);
	uint64_t		 now = 1000 * SEC;
	int			 i, taken;

	conf.limits.rate_per_address = 5;
	l = map(0);
	for (taken = i = 0; i < 20; i++)
		taken += addrlimit_enter(l, &a, now) == ADDRLIMIT_OK;
	ck_assert_int_eq(taken, 5);
	ck_assert_int_eq(addrlimit_enter(l, &a, now), ADDRLIMIT_RATE);
	ck_assert_uint_eq(addrlimit_total(l), 5);
	ck_assert_int_eq(addrlimit_enter(l, &b, now), ADDRLIMIT_OK);
	/* One more every 200 ms, and those refused cost nothing. */
	ck_assert_int_eq(addrlimit_enter(l, &a, now + SEC / 5 - 1),
	    ADDRLIMIT_RATE);
	ck_assert_int_eq(addrlimit_enter(l, &a, now + SEC / 5), ADDRLIMIT_OK);
	ck_assert_int_eq(addrlimit_enter(l, &a, now + SEC / 5),
	    ADDRLIMIT_RATE);
	/* Over ten seconds: 5 a second. */
	now += 100 * SEC;
	for (taken = i = 0; i < 1000; i++)
		taken += addrlimit_enter(l, &a, now + (uint64_t)i * SEC /
		    100) == ADDRLIMIT_OK;
	ck_assert_int_ge(taken, 50);
	ck_assert_int_le(taken, 55);
	addrlimit_unmap(l);
}
END_TEST

/* Less than one a second: one, then a pause. */
START_TEST(test_rate_slow)
{
	struct addrlimit	*l;
	struct addr		 a = v4(1);
	uint64_t		 now = 1000 * SEC;

	conf.limits.rate_per_address = 0.1;
	l = map(0);
	ck_assert_int_eq(addrlimit_enter(l, &a, now), ADDRLIMIT_OK);
	ck_assert_int_eq(addrlimit_enter(l, &a, now + 9 * SEC),
	    ADDRLIMIT_RATE);
	ck_assert_int_eq(addrlimit_enter(l, &a, now + 10 * SEC),
	    ADDRLIMIT_OK);
	addrlimit_unmap(l);
}
END_TEST

/* Counters that other processes change at the same time come out even. */
START_TEST(test_at_once)
{
	struct addrlimit	*l;
	struct addr		 a = v4(1);
	pid_t			 pid[2];
	int			 i, j, status;

	conf.limits.per_address = 1000000;
	l = map(0);
	for (i = 0; i < 2; i++) {
		ck_assert_int_ne(pid[i] = fork(), -1);
		if (pid[i] != 0)
			continue;
		for (j = 0; j < 200000; j++) {
			enter(l, a);
			if (j % 2 == 0)
				addrlimit_leave(l, &a);
		}
		_exit(0);
	}
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(addrlimit_count(l, &a), 200000);
	ck_assert_uint_eq(addrlimit_total(l), 200000);
	addrlimit_unmap(l);
}
END_TEST

/* What got lost between two processes does not count for ever. */
START_TEST(test_audit)
{
	struct addrlimit_audit	*audit = addrlimit_audit_new();
	struct addrlimit	*worker = map(0), *proxy = map(1);
	struct addr		 lost = v4(1), late = v4(2), held = v4(3);
	int64_t			 out = 0;
	int			 i;

	ck_assert_ptr_nonnull(audit);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(enter(worker, lost), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(worker, held), ADDRLIMIT_OK);
	ck_assert_int_eq(enter(worker, late), ADDRLIMIT_OK);
	addrlimit_pass(worker, &lost);
	addrlimit_pass(worker, &lost);
	addrlimit_pass(worker, &late);
	for (i = 0; i < ADDRLIMIT_LOOKS; i++) {
		ck_assert_int_eq(out, 0);
		ck_assert_uint_eq(addrlimit_total(worker), 5);
		/* one leaves the inbox in time */
		if (i == ADDRLIMIT_LOOKS - 1)
			addrlimit_hold(proxy, &late);
		out = addrlimit_audit_look(audit, shared, own, 2);
	}
	ck_assert_int_eq(out, 2);
	ck_assert_uint_eq(addrlimit_total(worker), 3);
	ck_assert_uint_eq(addrlimit_count(worker, &lost), 1);
	ck_assert_uint_eq(addrlimit_count(worker, &late), 1);
	ck_assert_uint_eq(addrlimit_count(worker, &held), 1);
	for (i = 0; i < 2 * ADDRLIMIT_LOOKS; i++)
		ck_assert_int_eq(addrlimit_audit_look(audit, shared, own, 2),
		    0);
	ck_assert_uint_eq(addrlimit_total(worker), 3);
	ck_assert_int_eq(addrlimit_audit_look(audit, shared, &(int){ -1 }, 1),
	    -1);
	addrlimit_audit_free(audit);
	addrlimit_unmap(worker);
	addrlimit_unmap(proxy);
}
END_TEST

/* Whoever has the page cannot make it shorter under the others. */
START_TEST(test_sealed)
{
	ck_assert_int_eq(ftruncate(shared, 0), -1);
	ck_assert_int_eq(ftruncate(own[0], 0), -1);
	ck_assert_ptr_null(addrlimit_map(-1, own[0], &conf));
	ck_assert_int_eq(addrlimit_reap(shared, -1), -1);
}
END_TEST

START_TEST(test_reason)
{
	ck_assert_ptr_null(addrlimit_reason(ADDRLIMIT_OK));
	ck_assert_str_eq(addrlimit_reason(ADDRLIMIT_RATE),
	    "rate_per_address");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("addrlimit");
	TCase	*tc = tcase_create("addrlimit");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_per_address);
	tcase_add_test(tc, test_total);
	tcase_add_test(tc, test_ipv6_by_net);
	tcase_add_test(tc, test_hand_over);
	tcase_add_test(tc, test_reap);
	tcase_add_test(tc, test_collisions);
	tcase_add_test(tc, test_keyed);
	tcase_add_test(tc, test_rate);
	tcase_add_test(tc, test_rate_slow);
	tcase_add_test(tc, test_at_once);
	tcase_add_test(tc, test_audit);
	tcase_add_test(tc, test_sealed);
	tcase_add_test(tc, test_reason);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
