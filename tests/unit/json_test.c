#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

#define DOC_MAX	4096

/* The document that holds just this string. */
static const char *
quoted(struct json *j, const char *s, size_t len)
{
	const char	*doc;
	size_t		 n;

	json_init(j, DOC_MAX);
	json_strn(j, NULL, s, len);
	ck_assert_ptr_nonnull(doc = json_done(j, &n));
	ck_assert_uint_eq(doc[n - 1], '\n');
	return doc;
}

static const struct {
	const char	*in;
	size_t		 len;
	const char	*out;
} strings[] = {
	{ "", 0, "\"\"" },
	{ "plain", 5, "\"plain\"" },
	{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
	{ "\n\r\t\x1b\x7f", 5, "\"\\n\\u000d\\u0009\\u001b\\u007f\"" },
	{ "a\0b", 3, "\"a\\u0000b\"" },
	{ "\xc3\xa9", 2, "\"\\u00e9\"" },
	{ "\xe2\x82\xac", 3, "\"\\u20ac\"" },
	{ "\xf0\x9f\x98\x80", 4, "\"\\ud83d\\ude00\"" },
	{ "\xf4\x8f\xbf\xbf", 4, "\"\\udbff\\udfff\"" },
	{ "\x9b", 1, "\"\\ufffd\"" },
	{ "\xc2\x9b", 2, "\"\\u009b\"" },
	{ "\xc0\xae", 2, "\"\\ufffd\\ufffd\"" },	/* overlong */
	{ "\xe0\x80\xae", 3, "\"\\ufffd\\ufffd\\ufffd\"" },
	{ "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" },	/* surrogate */
	{ "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	{ "\xf5\x80\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	{ "\xe2\x82", 2, "\"\\ufffd\\ufffd\"" },	/* cut */
	{ "\xe2\x82z", 3, "\"\\ufffd\\ufffdz\"" },
	{ "\xf0\x9f\x98", 3, "\"\\ufffd\\ufffd\\ufffd\"" },
};

START_TEST(test_string)
{
	struct json	 j;
	const char	*doc;
	char		*copy;
	size_t		 len = strings[_i].len;

	/* Exact size: a byte read too far is seen by ASan. */
	ck_assert_ptr_nonnull(copy = malloc(len > 0 ? len : 1));
	memcpy(copy, strings[_i].in, len);
	doc = quoted(&j, copy, len);
	ck_assert_uint_eq(strlen(strings[_i].out), j.len - 1);
	ck_assert_int_eq(memcmp(doc, strings[_i].out, j.len - 1), 0);
	free(copy);
	json_free(&j);
}
END_TEST

/* Whatever the bytes, the document is printable ASCII and one line. */
START_TEST(test_every_byte_pair)
{
	struct json	 j;
	const char	*doc;
	char		 in[2] = { (char)(_i >> 8), (char)(_i & 0xff) };
	size_t		 i;

	doc = quoted(&j, in, sizeof(in));
	for (i = 0; i + 1 < j.len; i++)
		ck_assert_msg(doc[i] >= 0x20 && doc[i] < 0x7f,
		    "byte %02x in the document", (unsigned char)doc[i]);
	json_free(&j);
}
END_TEST

START_TEST(test_document)
{
	static const char want[] = "{\"ok\":true,"
	    "\"big\":18446744073709551615,\"neg\":-9223372036854775808,"
	    "\"real\":1.500,\"nan\":null,\"null\":null,"
	    "\"list\":[\"a\",{},[]]}\n";
	struct json	 j;
	const char	*doc;
	size_t		 len;

	json_init(&j, DOC_MAX);
	json_object(&j, NULL);
	json_bool(&j, "ok", true);
	json_uint(&j, "big", UINT64_MAX);
	json_int(&j, "neg", INT64_MIN);
	json_real(&j, "real", 1.5);
	json_real(&j, "nan", NAN);
	json_str(&j, "null", NULL);
	json_array(&j, "list");
	json_str(&j, NULL, "a");
	json_object(&j, NULL);
	json_end(&j);
	json_array(&j, NULL);
	json_end(&j);
	json_end(&j);
	json_end(&j);
	ck_assert_ptr_nonnull(doc = json_done(&j, &len));
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_int_eq(memcmp(doc, want, len), 0);
	json_free(&j);
}
END_TEST

/* Every limit from nothing to enough: bad or the same document. */
START_TEST(test_limit)
{
	struct json	 j;
	size_t		 max, len;
	int		 i;

	for (max = 0; max < 64; max++) {
		json_init(&j, max);
		json_array(&j, NULL);
		for (i = 0; i < 5; i++)
			json_str(&j, NULL, "\x01");
		json_end(&j);
		/* [ 5 * "\u0001" 4 * , ] LF */
		ck_assert_int_eq(json_done(&j, &len) != NULL,
		    max >= 1 + 5 * 8 + 4 + 1 + 1);
		json_free(&j);
	}
}
END_TEST

static void
misuse(int which, struct json *j)
{
	int	i;

	switch (which) {
	case 0:			/* no key in an object */
		json_object(j, NULL);
		json_uint(j, NULL, 1);
		json_end(j);
		break;
	case 1:			/* a key in an array */
		json_array(j, NULL);
		json_uint(j, "k", 1);
		json_end(j);
		break;
	case 2:			/* left open */
		json_array(j, NULL);
		break;
	case 3:			/* closed too often */
		json_array(j, NULL);
		json_end(j);
		json_end(j);
		break;
	case 4:			/* two documents */
		json_uint(j, NULL, 1);
		json_uint(j, NULL, 2);
		break;
	case 5:			/* too deep */
		for (i = 0; i <= JSON_DEPTH_MAX; i++)
			json_array(j, NULL);
		for (i = 0; i <= JSON_DEPTH_MAX; i++)
			json_end(j);
		break;
	default:		/* nothing at all */
		break;
	}
}

START_TEST(test_misuse)
{
	struct json	j;
	size_t		len;

	json_init(&j, DOC_MAX);
	misuse(_i, &j);
	ck_assert_ptr_null(json_done(&j, &len));
	json_free(&j);
}
END_TEST

START_TEST(test_grows)
{
	struct json	j;
	size_t		len, i;

	json_init(&j, 1 << 20);
	json_array(&j, NULL);
	for (i = 0; i < 10000; i++)
		json_str(&j, NULL, "0123456789");
	json_end(&j);
	ck_assert_ptr_nonnull(json_done(&j, &len));
	ck_assert_uint_eq(len, 10000 * 13 - 1 + 3);
	json_free(&j);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("json");
	TCase	*tc = tcase_create("json");

	tcase_add_loop_test(tc, test_string, 0, (int)nitems(strings));
	tcase_add_loop_test(tc, test_every_byte_pair, 0x8000, 0x8100);
	tcase_add_loop_test(tc, test_every_byte_pair, 0xc000, 0x10000);
	tcase_add_test(tc, test_document);
	tcase_add_test(tc, test_limit);
	tcase_add_loop_test(tc, test_misuse, 0, 7);
	tcase_add_test(tc, test_grows);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
