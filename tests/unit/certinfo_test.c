#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "common/certinfo.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

#define DAY	86400

static struct cert_info
sample(void)
{
	struct cert_info	c = {
		.key = CERT_KEY_RSA, .bits = 2048, .self_signed = true,
		.from = -5, .to = INT64_C(253402300799), .issuer = "R11",
		.nnames = 2, .names = "a.example *.b.example",
		.note = "late",
	};

	return c;
}

static bool
reread(const uint8_t *p, size_t len, char why[CERT_WHY_MAX],
    struct cert_info *c)
{
	uint8_t		*exact = malloc(len + 1);
	struct rd	 r;
	bool		 good;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, p, len);
	rd_init(&r, exact, len);
	good = cert_info_read(&r, why, c);
	free(exact);
	return good;
}

/* Nothing but the whole message is one. */
START_TEST(test_wire)
{
	struct cert_info	c = sample(), got;
	uint8_t			buf[CERT_INFO_WIRE_MAX + 1] = { 0 };
	char			why[CERT_WHY_MAX];
	struct wr		w;
	size_t			n;

	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, "bad", &c);
	ck_assert(!w.bad);
	for (n = 0; n < w.len; n++)
		ck_assert(!reread(buf, n, why, &got));
	ck_assert(!reread(buf, w.len + 1, why, &got));
	ck_assert(reread(buf, w.len, why, &got));
	ck_assert_str_eq(why, "bad");
	ck_assert_uint_eq(got.key, CERT_KEY_RSA);
	ck_assert_uint_eq(got.bits, 2048);
	ck_assert(got.self_signed);
	ck_assert_int_eq(got.from, -5);
	ck_assert_int_eq(got.to, c.to);
	ck_assert_str_eq(got.issuer, "R11");
	ck_assert_uint_eq(got.nnames, 2);
	ck_assert_str_eq(got.names, c.names);
	ck_assert_str_eq(got.note, "late");
}
END_TEST

/* The limits of the table in master are those of the message. */
START_TEST(test_wire_limits)
{
	struct cert_info	c = sample(), none, got;
	uint8_t			buf[CERT_INFO_WIRE_MAX];
	char			why[CERT_WHY_MAX];
	struct wr		w;

	memset(&none, 0, sizeof(none));
	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, "", &none);
	ck_assert_uint_eq(w.len, CERT_INFO_WIRE_MIN);
	ck_assert(reread(buf, w.len, why, &got));

	memset(why, 'w', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	memset(c.issuer, 'i', sizeof(c.issuer) - 1);
	memset(c.names, 'n', sizeof(c.names) - 1);
	memset(c.note, 'o', sizeof(c.note) - 1);
	c.issuer[sizeof(c.issuer) - 1] = c.names[sizeof(c.names) - 1] =
	    c.note[sizeof(c.note) - 1] = '\0';
	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, why, &c);
	ck_assert(!w.bad);
	ck_assert(reread(buf, w.len, why, &got));
	ck_assert_str_eq(got.names, c.names);
}
END_TEST

/* The kind of the key is at 2, behind the empty string; the flag at 5, the
 * highest byte of the dates at 13 and 21. */
static const struct {
	size_t	at;
	uint8_t	value;
	bool	good;
} hostile[] = {
	{ 2, 1, true }, { 2, 3, true }, { 2, 4, false }, { 2, 255, false },
	{ 5, 1, true }, { 5, 2, false }, { 13, 1, false }, { 13, 0x80, false },
	{ 21, 0x7f, false }, { 21, 0x80, false }, { 20, 1, false },
};

START_TEST(test_wire_hostile)
{
	struct cert_info	c, got;
	uint8_t			buf[CERT_INFO_WIRE_MAX];
	char			why[CERT_WHY_MAX];
	struct wr		w;

	memset(&c, 0, sizeof(c));
	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, "", &c);
	buf[hostile[_i].at] = hostile[_i].value;
	ck_assert_int_eq(reread(buf, w.len, why, &got), hostile[_i].good);
}
END_TEST

START_TEST(test_wire_escapes)
{
	struct cert_info	c = sample(), got;
	uint8_t			buf[CERT_INFO_WIRE_MAX];
	char			why[CERT_WHY_MAX];
	struct wr		w;

	strcpy(c.issuer, "a\033[2J\xc3\xa4\n");
	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, "x\ny", &c);
	ck_assert(reread(buf, w.len, why, &got));
	ck_assert_str_eq(why, "x?y");
	ck_assert_str_eq(got.issuer, "a?[2J???");
}
END_TEST

static const struct {
	int64_t		left;		/* seconds until it expires */
	enum cert_age	age;
	int64_t		days, next;
} ages[] = {
	{ 31 * DAY, CERT_GOOD, 31, DAY },
	{ 30 * DAY + 7, CERT_GOOD, 30, 7 },
	{ 30 * DAY + 1, CERT_GOOD, 30, 1 },
	{ 30 * DAY, CERT_SOON, 30, DAY },
	{ 30 * DAY - 1, CERT_SOON, 29, DAY },
	{ DAY, CERT_SOON, 1, DAY },
	{ 100, CERT_SOON, 0, 100 },
	{ 1, CERT_SOON, 0, 1 },
	{ 0, CERT_EXPIRED, -1, DAY },
	{ 1 - DAY, CERT_EXPIRED, -1, DAY },
	{ -DAY, CERT_EXPIRED, -2, DAY },
};

START_TEST(test_age)
{
	struct cert_info	c = sample();
	int64_t			now = c.to - ages[_i].left;

	ck_assert_int_eq(cert_age(&c, now), ages[_i].age);
	ck_assert_int_eq(cert_days_left(&c, now), ages[_i].days);
	ck_assert_int_eq(cert_next_change(&c, now, DAY), ages[_i].next);
}
END_TEST

/* Early is before all else; the next date is, whatever the order of them. */
static const struct {
	int64_t		now, from, to;
	enum cert_age	age;
	int64_t		next;
} early[] = {
	{ 0, 7, 90 * DAY, CERT_EARLY, 7 },
	{ 7, 7, 90 * DAY, CERT_GOOD, DAY },
	{ 0, 9, 30 * DAY + 5, CERT_EARLY, 5 },
	{ 0, 9, 30 * DAY, CERT_EARLY, 9 },
	{ -3653 * DAY, 0, 90 * DAY, CERT_EARLY, DAY },
	{ 100, 200, 100, CERT_EXPIRED, 100 },
};

START_TEST(test_early)
{
	struct cert_info	c = sample();

	c.from = early[_i].from;
	c.to = early[_i].to;
	ck_assert_int_eq(cert_age(&c, early[_i].now), early[_i].age);
	ck_assert_int_eq(cert_next_change(&c, early[_i].now, DAY),
	    early[_i].next);
}
END_TEST

START_TEST(test_key_name)
{
	static const struct {
		enum cert_key	 key;
		uint16_t	 bits;
		const char	*want;
	} cases[] = {
		{ CERT_KEY_NONE, 0, "" }, { CERT_KEY_RSA, 4096, "RSA 4096" },
		{ CERT_KEY_EC, 384, "ECDSA P-384" },
		{ CERT_KEY_ED25519, 256, "Ed25519" },
		{ CERT_KEY_RSA, 65535, "RSA 65535" },
	};
	struct cert_info	c = sample();
	char			name[CERT_KEY_NAMELEN];
	size_t			i;

	for (i = 0; i < nitems(cases); i++) {
		c.key = cases[i].key;
		c.bits = cases[i].bits;
		ck_assert_str_eq(cert_key_name(&c, name), cases[i].want);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("certinfo");
	TCase	*tc = tcase_create("certinfo");

	tcase_add_test(tc, test_wire);
	tcase_add_test(tc, test_wire_limits);
	tcase_add_loop_test(tc, test_wire_hostile, 0,
	    (int)nitems(hostile));
	tcase_add_test(tc, test_wire_escapes);
	tcase_add_loop_test(tc, test_age, 0, (int)nitems(ages));
	tcase_add_loop_test(tc, test_early, 0, (int)nitems(early));
	tcase_add_test(tc, test_key_name);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
