#include "hello_make.h"
#include "route_facts.h"
#include "tests/unit/suite.h"

static struct facts
learn(const void *p, size_t len, bool final)
{
	struct facts	 f = facts_none();
	uint8_t		*exact = malloc(len == 0 ? 1 : len);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, p, len);
	facts_learn(&f, exact, len, final);
	free(exact);
	return f;
}

START_TEST(test_learn_tls)
{
	struct hello_spec	 spec = { .sni = "A.Example", .alpn = { "h2" },
		.cut = _i == 0 ? 0 : 40 };
	struct facts		 f;
	size_t			 len, i;
	uint8_t			*p = hello_make(&spec, &len);

	for (i = 0; i < len; i++) {
		f = learn(p, i, false);
		ck_assert_int_eq(f.hello, FACT_PENDING);
		ck_assert(!f.malformed);
		ck_assert_uint_gt(f.need, i);
		ck_assert_uint_le(f.need, len);
		f = learn(p, i, true);
		ck_assert_int_eq(f.hello, FACT_NONE);
		ck_assert_int_eq(f.http, FACT_NONE);
		ck_assert_int_eq(f.malformed, i > 0);
		ck_assert_uint_eq(f.need, 0);
		ck_assert_uint_eq(f.proto_pending, 0);
	}
	f = learn(p, len, false);
	ck_assert_int_eq(f.hello, FACT_KNOWN);
	ck_assert_int_eq(f.http, FACT_NONE);
	ck_assert_uint_eq(f.proto_yes, BIT(PROTO_TLS));
	ck_assert_uint_eq(f.need, 0);
	ck_assert_str_eq(f.tls.sni, "a.example");
	f = learn(p, len, true);
	ck_assert_int_eq(f.hello, FACT_KNOWN);
	ck_assert(!f.malformed);
	free(p);
}
END_TEST

START_TEST(test_learn_http)
{
	static const char	req[] = "GET / HTTP/1.1\r\n"
	    "Host: a.example:80\r\n\r\n";
	size_t			len = sizeof(req) - 1, i;
	struct facts		f;

	for (i = 1; i < len; i++) {
		f = learn(req, i, false);
		ck_assert_int_eq(f.http, FACT_PENDING);
		ck_assert_uint_gt(f.need, i);
		f = learn(req, i, true);
		ck_assert_int_eq(f.http, FACT_NONE);
		ck_assert(!f.malformed);
	}
	f = learn(req, len, false);
	ck_assert_int_eq(f.http, FACT_KNOWN);
	ck_assert_int_eq(f.hello, FACT_NONE);
	ck_assert_uint_eq(f.proto_yes, BIT(PROTO_HTTP));
	ck_assert_str_eq(f.host, "a.example");
}
END_TEST

START_TEST(test_learn_other)
{
	struct facts	f;

	f = learn("SSH-2.0-x\r\n", 11, false);
	ck_assert_uint_eq(f.proto_yes, BIT(PROTO_SSH));
	ck_assert_uint_eq(f.proto_pending, 0);
	ck_assert_int_eq(f.hello, FACT_NONE);
	ck_assert_int_eq(f.http, FACT_NONE);
	/* SSLv2, SSLv3 */
	f = learn("\200\056\1\3\1", 5, false);
	ck_assert(f.malformed);
	f = learn("\026\3\0\0\377", 5, false);
	ck_assert(f.malformed);
	f = learn("", 0, false);
	ck_assert_int_eq(f.hello, FACT_PENDING);
	ck_assert_int_eq(f.http, FACT_PENDING);
	ck_assert_uint_eq(f.need, 1);
	/* learning again forgets */
	facts_learn(&f, (const uint8_t *)"SSH-2.0-x\r\n", 11, false);
	ck_assert_int_eq(f.hello, FACT_NONE);
	ck_assert_uint_eq(f.need, 0);
	ck_assert(!f.malformed);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("facts");
	TCase	*tc = tcase_create("facts");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_learn_tls, 0, 2);
	tcase_add_test(tc, test_learn_http);
	tcase_add_test(tc, test_learn_other);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
