#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "tests/unit/suite.h"

static size_t
sample(uint8_t *buf, size_t cap)
{
	struct wr	w;

	wr_init(&w, buf, cap);
	wr_u8(&w, 0x01);
	wr_u16(&w, 0x0203);
	wr_u32(&w, 0x04050607);
	wr_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	wr_str(&w, "name");
	wr_blob(&w, "\0\1", 2);
	return w.bad ? 0 : w.len;
}

START_TEST(test_round_trip)
{
	uint8_t		 buf[64];
	char		 name[5];
	const uint8_t	*blob;
	struct rd	 r;
	size_t		 len;

	rd_init(&r, buf, sample(buf, sizeof(buf)));
	ck_assert_uint_eq(rd_u8(&r), 0x01);
	ck_assert_uint_eq(rd_u16(&r), 0x0203);
	ck_assert_uint_eq(rd_u32(&r), 0x04050607);
	ck_assert(rd_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	rd_str(&r, name, sizeof(name));
	ck_assert_str_eq(name, "name");
	blob = rd_blob(&r, &len);
	ck_assert_uint_eq(len, 2);
	ck_assert_mem_eq(blob, "\0\1", 2);
	ck_assert(rd_done(&r));
	ck_assert_uint_eq(buf[1], 0x03);	/* little-endian */
}
END_TEST

START_TEST(test_every_shorter_buffer_is_refused)
{
	uint8_t	big[64], *small;
	size_t	k, n = sample(big, sizeof(big));

	for (k = 0; k < n; k++) {
		small = malloc(k + 1);
		ck_assert_uint_eq(sample(small, k), 0);
		free(small);
	}
}
END_TEST

START_TEST(test_every_shorter_message_is_refused)
{
	uint8_t		 buf[64], *cut;
	char		 name[8];
	size_t		 k, len, n = sample(buf, sizeof(buf));
	struct rd	 r;

	for (k = 0; k < n; k++) {
		cut = malloc(k + 1);
		memcpy(cut, buf, k);
		rd_init(&r, cut, k);
		rd_u8(&r);
		rd_u16(&r);
		rd_u32(&r);
		rd_u64(&r);
		rd_str(&r, name, sizeof(name));
		rd_blob(&r, &len);
		ck_assert(!rd_done(&r));
		free(cut);
	}
}
END_TEST

START_TEST(test_strings)
{
	struct rd	r;
	char		dst[4];

	rd_init(&r, "\4\0abcd", 6);	/* no room for the terminator */
	rd_str(&r, dst, sizeof(dst));
	ck_assert(r.bad);
	ck_assert_str_eq(dst, "");
	rd_init(&r, "\3\0a\0b", 5);	/* a NUL inside */
	rd_str(&r, dst, sizeof(dst));
	ck_assert(r.bad);
	rd_init(&r, "\1\0ab", 4);	/* something left over */
	rd_str(&r, dst, sizeof(dst));
	ck_assert(!rd_done(&r));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("wire");
	TCase	*tc = tcase_create("wire");

	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_every_shorter_buffer_is_refused);
	tcase_add_test(tc, test_every_shorter_message_is_refused);
	tcase_add_test(tc, test_strings);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
