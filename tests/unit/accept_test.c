#include <check.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/accept.h"
#include "tests/unit/suite.h"

/* Accept-Encoding: what is chosen, as letters: Zstd, Br, Gzip, - for none. */
static const struct {
	const char	*field, *want;
} cases[] = {
	{ "gzip", "g-" },
	{ "x-gzip", "g-" },
	{ "GZip", "g-" },
	{ "gzip, br, zstd", "zbg-" },
	{ "gzip, deflate, br, zstd", "zbg-" },
	{ "br;q=1.0, gzip;q=0.8, *;q=0.1", "bgz-" },
	{ "gzip;q=0.5,br;q=0.501", "bg-" },
	{ "*", "zbg-" },
	{ "*;q=0.5, br;q=0", "zg-" },
	{ "gzip;q=0", "-" },
	{ "", "-" },
	{ "identity", "-" },
	{ "identity, gzip;q=0.5", "-" },
	{ "identity;q=0.5, gzip", "g-" },
	{ "identity;q=0.5, gzip;q=0.5", "g-" },
	{ "identity;q=0, gzip", "g" },
	{ "identity;q=0", "" },
	{ "*;q=0", "" },
	{ "*;q=0, gzip", "g" },
	{ "*;q=0, identity", "-" },
	{ "*;q=0, identity;q=0.1, br;q=0.1", "b-" },
	{ " gzip ; q=0.7 ,, br ;Q=0.8 ", "bg-" },
	/* broken: as if they were not there */
	{ "gzip;q=2", "-" },
	{ "gzip;q=0.1234", "-" },
	{ "gzip;q=1.001", "-" },
	{ "gzip;q=-1", "-" },
	{ "gzip;q=", "-" },
	{ "gzip;q", "-" },
	{ "gzip;level=9", "-" },
	{ "gzip;q=0.5;q=1", "-" },
	{ "gzip;;q=1", "-" },
	{ ";q=1, br", "b-" },
	{ "gzi, gzipp, g", "-" },
	{ "gzip;q=1.000, br;q=0.000", "g-" },
};

static void
letters(const struct accept *a, char *dst)
{
	size_t	i;

	for (i = 0; i < a->n; i++)
		*dst++ = encoding_name(a->v[i])[0];
	if (a->plain)
		*dst++ = '-';
	*dst = '\0';
}

static const enum encoding	all[] = { ENC_ZSTD, ENC_BR, ENC_GZIP };

START_TEST(test_choice)
{
	size_t		 n = strlen(cases[_i].field), k;
	char		*copy = malloc(n + 1), got[8];
	struct accept	 a;

	memcpy(copy, cases[_i].field, n);
	accept_parse(&a, (struct str){ copy, n }, all, nitems(all));
	letters(&a, got);
	ck_assert_msg(strcmp(got, cases[_i].want) == 0, "%s: %s",
	    cases[_i].field, got);
	for (k = 0; k < a.n; k++)
		ck_assert(a.q[k] >= 1 && a.q[k] <= 1000 &&
		    (k == 0 || a.q[k] <= a.q[k - 1]));
	free(copy);
}
END_TEST

/* Any prefix gives some choice without a byte beyond it being read. */
START_TEST(test_prefixes)
{
	size_t		 n = strlen(cases[_i].field), k;
	struct accept	 a;
	char		*copy;

	for (k = 0; k < n; k++) {
		copy = malloc(k + 1);
		memcpy(copy, cases[_i].field, k);
		copy = realloc(copy, k > 0 ? k : 1);
		accept_parse(&a, (struct str){ copy, k }, all, nitems(all));
		ck_assert_uint_le(a.n, ENC__MAX);
		free(copy);
	}
}
END_TEST

START_TEST(test_site_order)
{
	static const enum encoding	mine[] = { ENC_GZIP, ENC_ZSTD };
	struct accept			a;
	char				got[8];

	accept_parse(&a, STR("zstd, br, gzip"), mine, nitems(mine));
	letters(&a, got);
	ck_assert_str_eq(got, "gz-");
	accept_parse(&a, STR("zstd, br, gzip;q=0.9"), mine, nitems(mine));
	letters(&a, got);
	ck_assert_str_eq(got, "zg-");
	accept_parse(&a, STR("zstd, br, gzip"), mine, 0);
	letters(&a, got);
	ck_assert_str_eq(got, "-");
	/* No field at all: RFC 9110 would let us, who asks so simply may not
	 * know of any. */
	accept_parse(&a, (struct str){ NULL, 0 }, mine, nitems(mine));
	letters(&a, got);
	ck_assert_str_eq(got, "-");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("accept");
	TCase	*tc = tcase_create("accept");

	tcase_add_loop_test(tc, test_choice, 0, (int)nitems(cases));
	tcase_add_loop_test(tc, test_prefixes, 0, (int)nitems(cases));
	tcase_add_test(tc, test_site_order);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
