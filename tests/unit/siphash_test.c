#include <check.h>

#include "common/siphash.h"
#include "tests/unit/suite.h"

/*
 * From the reference's table: key 00 01 .. 0f, message 00 01 .. (n - 1);
 * the 15-byte one is the example of the paper (Appendix A).
 */
static const struct {
	size_t		len;
	uint64_t	want;
} vectors[] = {
	{ 0, UINT64_C(0x726fdb47dd0e0e31) },
	{ 1, UINT64_C(0x74f839c593dc67fd) },
	{ 8, UINT64_C(0x93f5f5799a932462) },
	{ 15, UINT64_C(0xa129ca6149be45e5) },
};

START_TEST(test_vector)
{
	uint8_t	key[SIPHASH_KEY], msg[16], i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = msg[i] = i;
	ck_assert_uint_eq(siphash(key, msg, vectors[_i].len),
	    vectors[_i].want);
}
END_TEST

START_TEST(test_new_key)
{
	uint8_t	a[SIPHASH_KEY], b[SIPHASH_KEY];

	siphash_new_key(a);
	siphash_new_key(b);
	ck_assert_mem_ne(a, b, SIPHASH_KEY);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("siphash");
	TCase	*tc = tcase_create("siphash");

	tcase_add_loop_test(tc, test_vector, 0,
	    (int)(sizeof(vectors) / sizeof(vectors[0])));
	tcase_add_test(tc, test_new_key);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
