#include <sys/eventfd.h>

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/ev.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

static struct ev	*ev;

static void
make_loop(void)
{
	ev = ev_new();
}

static void
free_loop(void)
{
	ev_free(ev);
}

static uint64_t	order[64];
static size_t	norder;

static void
record(struct ev_timer *t)
{
	order[norder++] = t->due;
}

static void
stop(struct ev_timer *t)
{
	(void)t;
	ev_stop(ev);
}

START_TEST(test_timers_in_order)
{
	static struct ev_timer	t[40];
	struct ev_timer		last = { .cb = stop };
	uint64_t		now = ev_clock();
	size_t			i;

	norder = 0;
	srand(1);
	for (i = 0; i < nitems(t); i++) {
		t[i].cb = record;
		ev_timer_set(ev, &t[i], now + (uint64_t)(rand() % 1000));
	}
	for (i = 0; i < nitems(t); i += 3)	/* moved, both ways */
		ev_timer_set(ev, &t[i], now + (uint64_t)(rand() % 1000));
	for (i = 1; i < nitems(t); i += 4)
		ev_timer_cancel(ev, &t[i]);
	ev_timer_set(ev, &last, now + 2000);
	ev_run(ev);
	ck_assert_uint_eq(norder, nitems(t) - nitems(t) / 4);
	for (i = 1; i < norder; i++)
		ck_assert(order[i - 1] <= order[i]);
}
END_TEST

/* Two watches in one batch of events: the first frees the second. */
struct twin {
	struct ev_io	 io;
	struct twin	*other;
	int		*calls;
};

static void
end_other(struct ev_io *io, uint32_t events)
{
	struct twin	*t = container_of(io, struct twin, io);

	(void)events;
	++*t->calls;
	ev_del(ev, &t->io);
	if (t->other != NULL) {
		ev_del(ev, &t->other->io);
		free(t->other);
	}
	ev_stop(ev);
}

START_TEST(test_event_for_a_dead_watch)
{
	struct twin	*a = calloc(1, sizeof(*a));
	struct twin	*b = calloc(1, sizeof(*b));
	int		 pa[2], pb[2], calls = 0;

	ck_assert_int_eq(pipe(pa), 0);
	ck_assert_int_eq(pipe(pb), 0);
	a->io.fd = pa[0];
	b->io.fd = pb[0];
	a->io.cb = b->io.cb = end_other;
	a->other = b;
	b->other = NULL;
	a->calls = b->calls = &calls;
	ck_assert_int_eq(ev_add(ev, &a->io, EPOLLIN), 0);
	ck_assert_int_eq(ev_add(ev, &b->io, EPOLLIN), 0);
	ck_assert_int_eq(write(pa[1], "x", 1), 1);
	ck_assert_int_eq(write(pb[1], "x", 1), 1);
	ev_run(ev);
	ck_assert_int_eq(calls, 1);
	free(a);
	close(pa[0]);
	close(pa[1]);
	close(pb[0]);
	close(pb[1]);
}
END_TEST

static int	seen;

static void
count(struct ev_io *io, uint32_t events)
{
	(void)io;
	(void)events;
	seen++;
	ev_stop(ev);
}

/* After ev_forget() the kernel may still report it: the slot has moved on. */
START_TEST(test_slot_is_reused_safely)
{
	struct ev_io	gone = { .cb = count }, kept = { .cb = count };
	struct ev_timer	t = { .cb = stop };
	int		p[2], copy;

	seen = 0;
	ck_assert_int_eq(pipe(p), 0);
	gone.fd = p[0];
	ck_assert_int_eq(ev_add(ev, &gone, EPOLLIN), 0);
	copy = dup(p[0]);		/* another process would hold it */
	ev_forget(ev, &gone);
	close(p[0]);
	ck_assert_int_ne(kept.fd = eventfd(0, EFD_CLOEXEC), -1);
	ck_assert_int_eq(ev_add(ev, &kept, EPOLLIN), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ev_timer_set(ev, &t, ev_clock() + NSEC_PER_MSEC);
	ev_run(ev);
	ck_assert_int_eq(seen, 0);
	ev_del(ev, &kept);
	close(kept.fd);
	close(copy);
	close(p[1]);
}
END_TEST

static int	turns;

static void
turn(void *arg)
{
	(void)arg;
	if (++turns == 3)
		ev_stop(ev);
}

START_TEST(test_each_turn)
{
	struct ev_timer	a = { .cb = record }, b = { .cb = record };

	turns = 0;
	norder = 0;
	ev_each_turn(ev, turn, NULL);
	ev_timer_set(ev, &a, ev_clock());
	ev_timer_set(ev, &b, ev_clock() + NSEC_PER_MSEC);
	ev_run(ev);
	ck_assert_int_ge(turns, 3);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ev");
	TCase	*tc = tcase_create("ev");

	tcase_add_checked_fixture(tc, make_loop, free_loop);
	tcase_add_test(tc, test_timers_in_order);
	tcase_add_test(tc, test_event_for_a_dead_watch);
	tcase_add_test(tc, test_slot_is_reused_safely);
	tcase_add_test(tc, test_each_turn);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
