#include <stdio.h>
#include <string.h>

#include "common/acme_wire.h"
#include "common/l4.h"
#include "master/ledger.h"
#include "tests/unit/suite.h"

/* What acme says goes on: to the administrator's programs, to whoever asks for
 * a challenge, into a file. */
#define PRINT	"0123456789abcdefghijklmnopqrstuvwxyzABCDE-_"	/* 43 bytes */
#define NOW	INT64_C(1800000000)

static const struct {
	unsigned int	 kind;
	const char	*token, *proof;
	bool		 good;
} offers[] = {
	{ CHALLENGE_HTTP, "a-T_1", "a-T_1." PRINT, true },
	{ CHALLENGE_TLS, "a-T_1", "a-T_1." PRINT, true },
	{ CHALLENGE_DNS, "a-T_1", PRINT, true },
	{ CHALLENGE_DNS, "a-T_1", "", false },
	{ CHALLENGE_DNS, "a-T_1", PRINT "x", false },
	{ CHALLENGE_DNS, "a-T_1", "\"\nupdate add x.example 60 A 192.0.2.66\n\"",
	    false },
	{ CHALLENGE_DNS, "a-T_1", "0123456789abcdefghijklmnopqrstuvwxyzABCDE-;",
	    false },
	{ CHALLENGE_DNS, "a-T_1", "a-T_1." PRINT, false },
	{ CHALLENGE_DNS, "a T_1", PRINT, false },
	{ CHALLENGE_DNS, "", PRINT, false },
	{ CHALLENGE_HTTP, "a-T_1", PRINT, false },
	{ CHALLENGE_HTTP, "a-T_1", "a-T_1", false },
	{ CHALLENGE_HTTP, "a-T_1", "a-T_1.", false },
	{ CHALLENGE_HTTP, "a-T_1", "a-T_2." PRINT, false },
	{ CHALLENGE_HTTP, "a-T_1", "a-T_1." PRINT "x", false },
	{ CHALLENGE_HTTP, "a-T_1", "<script>alert(1)</script>", false },
	{ CHALLENGE_HTTP, "../T_1", "../T_1." PRINT, false },
	{ CHALLENGE_NONE, "a-T_1", "a-T_1." PRINT, false },
	{ CHALLENGE__MAX, "a-T_1", "a-T_1." PRINT, false },
};

START_TEST(test_offer)
{
	struct challenge	c = { .kind = offers[_i].kind,
		.name = "s.example" }, got;
	uint8_t			buf[1024];
	struct wr		w;
	struct rd		r;

	strcpy(c.token, offers[_i].token);
	strcpy(c.proof, offers[_i].proof);
	wr_init(&w, buf, sizeof(buf));
	acme_offer_write(&w, &c);
	rd_init(&r, buf, w.len);
	ck_assert_int_eq(acme_offer_read(&r, &got), offers[_i].good);
	if (offers[_i].good)
		ck_assert_str_eq(got.proof, c.proof);
}
END_TEST

static const struct {
	uint64_t	from, to;
	bool		good;
} windows[] = {
	{ 0, 0, true },
	{ NOW, NOW + 1, true },
	{ 1, ACME_TIME_MAX, true },
	{ 1, ACME_TIME_MAX + 1, false },
	{ 1, UINT64_MAX, false },
	{ UINT64_MAX, UINT64_MAX, false },
	{ 2, 1, false },
};

/* What is taken can be written down and read again: limits and pauses survive
 * a restart whatever a CA suggests. */
START_TEST(test_window)
{
	struct acme_done	d = { .from = windows[_i].from,
		.to = windows[_i].to }, got;
	struct ledger		l, back;
	char			text[LEDGER_TEXT_MAX];
	uint8_t			buf[ACME_DONE_MAX];
	struct wr		w;
	struct rd		r;

	wr_init(&w, buf, sizeof(buf));
	acme_done_write(&w, &d);
	rd_init(&r, buf, w.len);
	ck_assert_int_eq(acme_done_read(&r, &got), windows[_i].good);
	if (!windows[_i].good)
		return;
	memset(&l, 0, sizeof(l));
	ledger_asked(&l, &got, NOW, 7);
	ledger_format(&l, text);
	ck_assert(ledger_parse(&back, text));
	ck_assert_int_eq(memcmp(&l, &back, sizeof(l)), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("acme_wire");
	TCase	*tc = tcase_create("acme_wire");

	tcase_add_loop_test(tc, test_offer, 0, nitems(offers));
	tcase_add_loop_test(tc, test_window, 0, nitems(windows));
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
