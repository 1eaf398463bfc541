#include <stdio.h>
#include <string.h>

#include "common/l4.h"
#include "master/ledger.h"
#include "tests/unit/suite.h"

#define NOW	INT64_C(1800000000)
#define DAY	INT64_C(86400)

static const struct ledger_ways	both = { { CHALLENGE_HTTP, CHALLENGE_TLS }, 2,
	false, true };

/* A certificate of 90 days that was had just now. */
static struct ledger
issued(uint32_t random)
{
	struct acme_done	d = { .challenge = CHALLENGE_TLS };
	struct cert_info	c = { .from = NOW, .to = NOW + 90 * DAY };
	struct ledger		l;

	memset(&l, 0xff, sizeof(l));
	l.directory = 0;
	ledger_success(&l, &d, &c, NOW, random);
	return l;
}

static void
attempt_failed(struct ledger *l, enum acme_outcome outcome, uint32_t retry,
    int64_t now)
{
	struct acme_done	d = { .outcome = outcome, .retry = retry,
		.challenge = CHALLENGE_HTTP, .text = "it \"failed\"" };

	ledger_failure(l, &d, &both, now, 0);
}

START_TEST(test_text)
{
	struct ledger	l = issued(7), back;
	char		text[LEDGER_TEXT_MAX], cut[LEDGER_TEXT_MAX];
	size_t		n, i;

	attempt_failed(&l, ACME_FAILED, 0, NOW + DAY);
	l.from = NOW + 5;
	l.to = NOW + 6;
	n = ledger_format(&l, text);
	ck_assert(ledger_parse(&back, text));
	ck_assert_int_eq(memcmp(&l, &back, sizeof(l)), 0);
	for (i = 0; i < n; i++) {
		memcpy(cut, text, i);
		cut[i] = '\0';
		ck_assert_msg(!ledger_parse(&back, cut), "%zu bytes", i);
		ck_assert(back.issued == 0 && back.error[0] == '\0');
	}
	text[n] = 'x';
	text[n + 1] = '\0';
	ck_assert(!ledger_parse(&back, text));
	memset(l.error, 'e', sizeof(l.error) - 1);
	l.error[sizeof(l.error) - 1] = '\0';
	l.issued = l.valid_from = l.valid_to = l.failing = l.next = l.ask =
	    INT64_C(999999999999);
	ck_assert(ledger_format(&l, text) < sizeof(text));
	ck_assert(ledger_parse(&back, text));
}
END_TEST

/* Such certificates there are, of private CAs. */
START_TEST(test_valid_since_before_1970)
{
	struct acme_done	d = { .challenge = CHALLENGE_TLS };
	struct cert_info	c = { .from = -1, .to = NOW + 90 * DAY };
	struct ledger		l, back;
	char			text[LEDGER_TEXT_MAX];

	memset(&l, 0, sizeof(l));
	ledger_success(&l, &d, &c, NOW, 0);
	ledger_format(&l, text);
	ck_assert(ledger_parse(&back, text));
	ck_assert_int_eq(back.issued, NOW);
	ck_assert_int_eq(back.valid_from, 0);
}
END_TEST

START_TEST(test_new_is_due_now)
{
	struct ledger	l;

	memset(&l, 0, sizeof(l));
	ck_assert_int_eq(ledger_due(&l, false, 0.33), 0);
	ck_assert_ptr_null(ledger_refuses(&l, NOW));
}
END_TEST

START_TEST(test_renewal)
{
	struct ledger	l = issued(0);
	int64_t		due = ledger_due(&l, true, 0.33);

	/* A third of its life is left, and never less. */
	ck_assert_int_eq(due, NOW + 90 * DAY - (int64_t)(90 * DAY * 0.33));
	l = issued(999);
	ck_assert_int_lt(ledger_due(&l, true, 0.33), due);
	ck_assert_int_gt(ledger_due(&l, true, 0.33), due - 4 * DAY);
	/* Other names: at once, but not twice an hour. */
	ck_assert_int_eq(ledger_due(&l, false, 0.33), NOW + LEDGER_HOUR);
	ck_assert_ptr_nonnull(ledger_refuses(&l, NOW + LEDGER_HOUR - 1));
	ck_assert_ptr_null(ledger_refuses(&l, NOW + LEDGER_HOUR));
	l.wanted = true;
	ck_assert_int_eq(ledger_due(&l, true, 0.33), NOW + LEDGER_HOUR);
}
END_TEST

START_TEST(test_the_ca_suggests)
{
	struct ledger		l = issued(500);
	struct acme_done	d = { .from = NOW + 10 * DAY,
		.to = NOW + 12 * DAY, .retry = 0 };

	ledger_asked(&l, &d, NOW, 0);
	ck_assert_int_eq(ledger_due(&l, true, 0.33), NOW + 11 * DAY);
	ck_assert_int_eq(l.ask, NOW + 6 * LEDGER_HOUR);
	d.retry = 1;
	ledger_asked(&l, &d, NOW, 0);
	ck_assert_int_eq(l.ask, NOW + LEDGER_HOUR);
	d.retry = UINT32_MAX;
	ledger_asked(&l, &d, NOW, 0);
	ck_assert_int_eq(l.ask, NOW + DAY);
	/* Where it does not answer, what it said before holds. */
	d.outcome = ACME_FAILED;
	d.from = d.to = 0;
	ledger_asked(&l, &d, NOW, 0);
	ck_assert_int_eq(ledger_due(&l, true, 0.33), NOW + 11 * DAY);
}
END_TEST

START_TEST(test_pauses)
{
	static const int	minutes[] = { 1, 2, 5, 10, 20, 40, 60, 120,
		240, 360, 360 };
	struct ledger		l = issued(0);
	int64_t			now = NOW + 80 * DAY;
	size_t			i;

	for (i = 0; i < nitems(minutes); i++) {
		attempt_failed(&l, ACME_FAILED, 0, now);
		ck_assert_int_eq(l.next - now, minutes[i] * 60);
		ck_assert_str_eq(l.error, "it \"failed\"");
		/* Far enough apart that the hour does not matter. */
		now = l.next + 2 * LEDGER_HOUR;
		ck_assert_int_eq(ledger_due(&l, true, 0.33), l.next);
	}
	now = l.failing + 31 * DAY;
	attempt_failed(&l, ACME_FAILED, 0, now);
	ck_assert_int_eq(l.next - now, DAY);
}
END_TEST

/* What was asked for before its time is tried again like anything else. */
START_TEST(test_wanted_early)
{
	struct ledger	l = issued(0);
	int64_t		now = NOW + DAY;

	l.wanted = true;
	ck_assert_int_eq(ledger_due(&l, true, 0.33), NOW + LEDGER_HOUR);
	attempt_failed(&l, ACME_FAILED, 0, now);
	ck_assert_int_eq(ledger_due(&l, true, 0.33), now + 60);
}
END_TEST

START_TEST(test_five_an_hour)
{
	struct ledger	l = issued(0);
	int64_t		now = NOW + 80 * DAY;
	int		i;

	for (i = 0; i < LEDGER_FAILURES; i++) {
		ck_assert_ptr_null(ledger_refuses(&l, now + i));
		attempt_failed(&l, ACME_FAILED, 0, now + i);
	}
	ck_assert_ptr_nonnull(ledger_refuses(&l, now + LEDGER_HOUR - 1));
	ck_assert_ptr_null(ledger_refuses(&l, now + LEDGER_HOUR));
	l.wanted = true;		/* also who asks for it waits */
	ck_assert_int_eq(ledger_due(&l, true, 0.33), now + LEDGER_HOUR);
}
END_TEST

/* An attempt at a time that is not to come for years. */
START_TEST(test_clock_set_back)
{
	struct ledger	l = issued(0);
	int64_t		ahead = NOW + 3650 * DAY, now = NOW + 80 * DAY;
	int		i;

	l.ask = ahead;
	for (i = 0; i < LEDGER_FAILURES; i++)
		attempt_failed(&l, ACME_LIMITED, 7200, ahead);
	ledger_mend(&l, now);
	ck_assert_int_eq(l.issued, NOW);
	ck_assert_int_eq(l.failing, now);
	ck_assert_int_eq(ledger_due(&l, true, 0.33), now + 7 * DAY);
	ck_assert_int_lt(l.ask, now + 2 * DAY);
	/* Who asks waits for the hour, and no longer. */
	ck_assert_ptr_nonnull(ledger_refuses(&l, now));
	ck_assert_ptr_null(ledger_refuses(&l, now + LEDGER_HOUR));
}
END_TEST

START_TEST(test_clock_is_right)
{
	struct ledger	l = issued(5), before;

	attempt_failed(&l, ACME_LIMITED, UINT32_MAX, NOW + 80 * DAY);
	before = l;
	ledger_mend(&l, NOW + 80 * DAY);
	ck_assert_int_eq(memcmp(&l, &before, sizeof(l)), 0);
}
END_TEST

START_TEST(test_retry_after)
{
	struct ledger	l = issued(0);

	attempt_failed(&l, ACME_LIMITED, 7200, NOW + 80 * DAY);
	ck_assert_int_eq(l.next, NOW + 80 * DAY + 7200);
	attempt_failed(&l, ACME_LIMITED, UINT32_MAX, NOW + 80 * DAY);
	ck_assert_int_eq(l.next, NOW + 87 * DAY);
}
END_TEST

START_TEST(test_the_other_challenge)
{
	struct ledger	l = issued(0);

	attempt_failed(&l, ACME_REFUSED, 0, NOW + 80 * DAY);
	ck_assert_int_eq(l.challenge, CHALLENGE_TLS);
	ck_assert_int_eq(l.next, NOW + 80 * DAY);
	attempt_failed(&l, ACME_REFUSED, 0, NOW + 80 * DAY);
	ck_assert_int_eq(l.next, NOW + 80 * DAY + 120);
	ck_assert(l.rehearse);
	/* What has nothing to do with challenges changes none. */
	attempt_failed(&l, ACME_FAILED, 0, NOW + 80 * DAY);
	ck_assert_int_eq(l.challenge, CHALLENGE_TLS);
}
END_TEST

START_TEST(test_rehearsal)
{
	struct ledger		l = issued(0);
	struct acme_done	d = { .challenge = CHALLENGE_HTTP };

	attempt_failed(&l, ACME_REFUSED, 0, NOW + 80 * DAY);
	ck_assert(!l.rehearse);
	attempt_failed(&l, ACME_REFUSED, 0, NOW + 80 * DAY);
	ck_assert(l.rehearse);
	ledger_rehearsed(&l, &d);
	ck_assert(!l.rehearse);
	ck_assert_int_eq(l.challenge, CHALLENGE_HTTP);
	/* The failures are not forgotten: they are what limits it. */
	ck_assert_uint_eq(l.failures, 2);
	ck_assert_int_lt(ledger_due(&l, true, 0.33), NOW + 80 * DAY);
}
END_TEST

START_TEST(test_the_other_directory)
{
	struct ledger		l = issued(0);
	struct acme_done	d = { .outcome = ACME_LIMITED,
		.retry = 7 * 86400 };
	struct ledger_ways	w = both;
	int64_t			now = NOW + 80 * DAY;

	w.fallback = true;
	ledger_failure(&l, &d, &w, now, 0);
	ck_assert_int_eq(l.directory, 0);
	ledger_failure(&l, &d, &w, now, 0);
	ck_assert_int_eq(l.directory, 1);
	ck_assert_int_eq(l.next, now + 120);
	ledger_failure(&l, &d, &w, now, 0);
	ledger_failure(&l, &d, &w, now, 0);
	ck_assert_int_eq(l.directory, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ledger");
	TCase	*tc = tcase_create("ledger");

	tcase_add_test(tc, test_text);
	tcase_add_test(tc, test_valid_since_before_1970);
	tcase_add_test(tc, test_new_is_due_now);
	tcase_add_test(tc, test_renewal);
	tcase_add_test(tc, test_the_ca_suggests);
	tcase_add_test(tc, test_pauses);
	tcase_add_test(tc, test_wanted_early);
	tcase_add_test(tc, test_five_an_hour);
	tcase_add_test(tc, test_clock_set_back);
	tcase_add_test(tc, test_clock_is_right);
	tcase_add_test(tc, test_retry_after);
	tcase_add_test(tc, test_the_other_challenge);
	tcase_add_test(tc, test_rehearsal);
	tcase_add_test(tc, test_the_other_directory);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
