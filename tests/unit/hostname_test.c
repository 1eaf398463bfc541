#include <check.h>
#include <string.h>

#include "common/hello.h"
#include "common/l4.h"
#include "hello_make.h"
#include "tests/unit/suite.h"

#define L63	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define NAME255	L63 "." L63 "." L63 "." L63

/* CH8, CH9, CH11, CH12; want NULL is MALFORMED. */
#define N(s)	s, sizeof(s) - 1
static const struct {
	const char	*name;
	size_t		 len;
	const char	*want;
} names[] = {
	{ N("example.org"), "example.org" },
	{ N("EXAMPLE.Org"), "example.org" },
	{ N("example.org."), "example.org" },
	{ N("_acme.ex-ample.org"), "_acme.ex-ample.org" },
	{ N("localhost"), "localhost" },
	{ N("1.2.3.4.example"), "1.2.3.4.example" },
	{ N(L63 ".org"), L63 ".org" },
	{ N(NAME255), NAME255 },
	{ N("192.0.2.1"), "" },
	{ N("192.0.2.1."), "" },
	{ N("::1"), "" },
	{ N("[::1]"), "" },
	{ N("2001:DB8::1"), "" },
	{ N("::ffff:192.0.2.1"), "" },
	{ N(NAME255 "."), NULL },
	{ N(L63 "." L63 "." L63 "." L63 "x"), NULL },
	{ N(L63 "g.org"), NULL },
	{ N("."), NULL },
	{ N(".."), NULL },
	{ N("example.org.."), NULL },
	{ N(".example.org"), NULL },
	{ N("a..b"), NULL },
	{ N("good.example\0.evil"), NULL },
	{ N("good.example\0"), NULL },
	{ N("\0"), NULL },
	{ N("::1\0"), NULL },
	{ N("fe80::1%lo"), NULL },
	{ N("[::1"), NULL },
	{ N("[]"), NULL },
	{ N("["), NULL },
	{ N("example.org:443"), NULL },
	{ N("a b"), NULL },
	{ N(" a"), NULL },
	{ N("a/../../x"), NULL },
	{ N("..\\x"), NULL },
	{ N("a%2e"), NULL },
	{ N("a\nb"), NULL },
	{ N("a\x7f"), NULL },
	{ N("b\xc3\xbc" "cher.example"), NULL },
	{ N("*.example.org"), NULL },
	{ N("a@b"), NULL },
};
#undef N

START_TEST(test_name)
{
	struct hello_spec	 spec = {
		.sni = names[_i].name, .snilen = names[_i].len
	};
	struct hello		 h;
	uint8_t			*wire;
	size_t			 len, need;
	enum verdict		 v;

	wire = hello_make(&spec, &len);
	ck_assert_ptr_nonnull(wire);
	v = hello_parse(wire, len, &h, &need);
	free(wire);
	if (names[_i].want == NULL) {
		ck_assert_msg(v == VERDICT_MALFORMED, "\"%s\" %zu",
		    names[_i].name, names[_i].len);
		return;
	}
	ck_assert_msg(v == VERDICT_MATCH, "\"%s\"", names[_i].name);
	ck_assert_str_eq(h.sni, names[_i].want);
}
END_TEST

/* Each byte that is no letter, digit, dot, hyphen or underscore is refused. */
START_TEST(test_name_byte)
{
	char	dst[HELLO_NAME_MAX + 1], name[3] = { 'a', (char)_i, 'b' };
	bool	ok = _i != 0 && strchr("abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", _i) != NULL;

	ck_assert_int_eq(hostname_normalize(dst, name, 3), ok);
}
END_TEST

START_TEST(test_longest)
{
	char	dst[HELLO_NAME_MAX + 1];

	ck_assert(hostname_normalize(dst, NAME255, 255));
	ck_assert_str_eq(dst, NAME255);
	ck_assert(!hostname_normalize(dst, NAME255 ".", 256));
	ck_assert(!hostname_normalize(dst, "", 0));
}
END_TEST

START_TEST(test_is_ip)
{
	ck_assert(hostname_is_ip("192.0.2.1"));
	ck_assert(hostname_is_ip("::"));
	ck_assert(hostname_is_ip("[2001:db8::1]"));
	ck_assert(!hostname_is_ip(""));
	ck_assert(!hostname_is_ip("1.2.3"));
	ck_assert(!hostname_is_ip("1.2.3.4.5"));
	ck_assert(!hostname_is_ip("example.org"));
	ck_assert(!hostname_is_ip(NAME255));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("hostname");
	TCase	*tc = tcase_create("hostname");

	tcase_add_loop_test(tc, test_name, 0, (int)nitems(names));
	tcase_add_loop_test(tc, test_name_byte, 0, 256);
	tcase_add_test(tc, test_longest);
	tcase_add_test(tc, test_is_ip);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
