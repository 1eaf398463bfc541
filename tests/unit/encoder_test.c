#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "tlsterm/encoder.h"
#include "tests/unit/decode.h"
#include "tests/unit/suite.h"

/* What is encoded is decoded to the same, in whatever pieces. */
/* Words with something of a language's repetition. */
static char *
make_text(size_t n)
{
	static const char	*words[] = { "the ", "socket ", "is ", "handed ",
		"over ", "and ", "nothing ", "replayed.\n", "<p>", "</p>" };
	char			*p = malloc(n + 16);
	size_t			 len = 0;
	unsigned int		 x = 7;

	while (len < n) {
		x = x * 1103515245 + 12345;
		strcpy(p + len, words[x >> 16 & 7]);
		len += strlen(words[x >> 16 & 7]);
	}
	return p;
}

static const size_t	sizes[] = { 1, 511, 4096, 16384, 16385, 100000,
    131072, 131073, 400000, 1048577 };

static void
round_trip(enum encoding enc, enum effort effort, size_t len)
{
	struct budget		 budget = { 0, 64 << 20 };
	char			*text = make_text(len), *back;
	struct encoder		*e;
	struct blob		*b;
	enum encoder_result	 rc = ENCODER_MORE;
	size_t			 done = 0, n, pieces = 0;

	e = encoder_new(enc, effort, &budget, len, len + 1024);
	ck_assert_ptr_nonnull(e);
	while (rc == ENCODER_MORE) {
		n = encoder_piece(e);
		ck_assert(n > 0 && n <= len - done);
		rc = encoder_step(e, text + done, n);
		done += n;
		pieces++;
	}
	ck_assert_int_eq(rc, ENCODER_DONE);
	ck_assert_uint_eq(done, len);
	ck_assert(effort == EFFORT_BEST || pieces == 1);
	ck_assert(effort == EFFORT_FAST || len <= 131072 || pieces > 1);
	b = encoder_take(e);
	encoder_free(e);
	ck_assert(len < 4096 || b->len < len / 2);
	ck_assert_uint_eq(budget.used, sizeof(*b) + b->len);
	back = malloc(len + 1);
	ck_assert_uint_eq(decode(enc, b->p, b->len, back, len + 1), len);
	ck_assert(memcmp(text, back, len) == 0);
	blob_drop(b);
	ck_assert_uint_eq(budget.used, 0);
	free(back);
	free(text);
}

START_TEST(test_round_trip)
{
	enum encoding	enc = (enum encoding)(_i % ENC__MAX);
	size_t		len = sizes[_i / ENC__MAX];

	round_trip(enc, EFFORT_FAST, len);
	round_trip(enc, EFFORT_BEST, len);
}
END_TEST

/* What does not get smaller is not made; nothing is written behind the room. */
START_TEST(test_no_room)
{
	enum encoding		 enc = (enum encoding)(_i % ENC__MAX);
	struct budget		 budget = { 0, 1 << 20 };
	struct encoder		*e;
	enum encoder_result	 rc = ENCODER_MORE;
	char			*noise = malloc(100000);
	size_t			 i, n;
	unsigned int		 x = 1;

	for (i = 0; i < 100000; i++) {
		x = x * 1103515245 + 12345;
		noise[i] = (char)(x >> 16);
	}
	e = encoder_new(enc, _i < ENC__MAX ? EFFORT_FAST : EFFORT_BEST,
	    &budget, 100000, 100000);
	ck_assert_ptr_nonnull(e);
	for (i = 0; rc == ENCODER_MORE; i += n) {
		n = encoder_piece(e);
		rc = encoder_step(e, noise + i, n);
	}
	ck_assert_int_eq(rc, ENCODER_FAILED);
	encoder_free(e);
	ck_assert_uint_eq(budget.used, 0);
	free(noise);
}
END_TEST

START_TEST(test_budget)
{
	struct budget	 budget = { 0, 10000 };
	struct blob	*a, *b;

	ck_assert_ptr_null(encoder_new(ENC_GZIP, EFFORT_FAST, &budget, 20000,
	    20000));
	ck_assert_uint_eq(budget.used, 0);
	ck_assert_ptr_null(blob_new(&budget, SIZE_MAX));
	a = blob_new(&budget, 6000);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(blob_new(&budget, 6000));
	/* Who still holds it keeps it alive, and counted. */
	b = blob_hold(a);
	blob_drop(a);
	ck_assert_ptr_null(blob_new(&budget, 6000));
	blob_drop(b);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("encoder");
	TCase	*tc = tcase_create("encoder");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_round_trip, 0,
	    (int)nitems(sizes) * ENC__MAX);
	tcase_add_loop_test(tc, test_no_room, 0, 2 * ENC__MAX);
	tcase_add_test(tc, test_budget);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
