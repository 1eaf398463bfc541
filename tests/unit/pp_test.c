#include <check.h>
#include <stdio.h>

#include "common/l4.h"
#include "common/pp.h"
#include "monotone.h"
#include "tests/unit/suite.h"

struct pp_result {
	struct addr	src, dst;
	size_t		hdrlen;
};

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *arg)
{
	struct pp_result	*r = arg;

	return pp_parse(p, len, &r->src, &r->dst, &r->hdrlen, need);
}

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define X10	"xxxxxxxxxx"
#define X90	X10 X10 X10 X10 X10 X10 X10 X10 X10
#define N(s)	s, sizeof(s) - 1

/* PP3 and its kind.  src and dst are what comes out of a MATCH. */
static const struct {
	const char	*head;
	size_t		 len;
	enum verdict	 want;
	const char	*src, *dst;
} heads[] = {
	{ N("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
	    VERDICT_MATCH, "192.0.2.1:56324", "198.51.100.2:443" },
	{ N("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
	    VERDICT_MATCH, "0.0.0.0:0", "255.255.255.255:65535" },
	{ N("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
	    VERDICT_MATCH, "[2001:db8::1]:1", "[::1]:2" },
	{ N("PROXY TCP6 2001:DB8::A ::1 1 2\r\n"),
	    VERDICT_MATCH, "[2001:db8::a]:1", "[::1]:2" },
	{ N("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n"),
	    VERDICT_MATCH, "192.0.2.1:1", "[2001:db8::1]:2" },
	{ N("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n"),
	    VERDICT_MATCH, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535" },
	{ N("PROXY UNKNOWN\r\n"), VERDICT_MATCH, "-", "-" },
	{ N("PROXY UNKNOWN 1.2.3.4 junk\t \1\r x\r\n"),
	    VERDICT_MATCH, "-", "-" },
	{ N("PROXY UNKNOWN " X90 "x\r\n"), VERDICT_MATCH, "-", "-" },

	{ N("PROXY UNKNOWN " X90 "xx\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY UNKNOWNX\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY UNKNOWN\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY UNKNOWN x\ny\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY \r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY \n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4    \r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 \r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 00\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 4294967297\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 +1\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 0x1\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\0\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 ::1 ::1 1 2\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 ::ffff:1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP6 [::1] ::1 1 2\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP6 1::2::3 ::1 1 2\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n"),
	    VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 " X90 "xxx\n\r\n"), VERDICT_MALFORMED, "", "" },
	{ N("PROXY TCP4 " X90 X10), VERDICT_MALFORMED, "", "" },

	{ N("PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n"), VERDICT_NO_MATCH, "", "" },
	{ N("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), VERDICT_NO_MATCH, "", "" },
	{ N("GET / HTTP/1.1\r\n"), VERDICT_NO_MATCH, "", "" },
	{ N("\x16\3\1"), VERDICT_NO_MATCH, "", "" },
	{ N("\r\n\r\n\0\r\nQUIX"), VERDICT_NO_MATCH, "", "" },
	{ N("\r\n\r\nGET"), VERDICT_NO_MATCH, "", "" },

	{ N(SIG "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\xd9\3\1\xbb"),
	    VERDICT_MATCH, "1.2.3.4:55555", "5.6.7.8:443" },
	{ N(SIG "\x21\x11\0\x10\1\2\3\4\5\6\7\x08\xd9\3\1\xbb\4\0\1x"),
	    VERDICT_MATCH, "1.2.3.4:55555", "5.6.7.8:443" },
	{ N(SIG "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
	    "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4\0\1\0\2"),
	    VERDICT_MATCH, "[2001:db8::1]:1", "1.2.3.4:2" },
	{ N(SIG "\x20\0\0\0"), VERDICT_MATCH, "-", "-" },
	{ N(SIG "\x20\x11\0\x0c\1\2\3\4\5\6\7\x08\xd9\3\1\xbb"),
	    VERDICT_MATCH, "-", "-" },
	{ N(SIG "\x20\x11\0\3abc"), VERDICT_MATCH, "-", "-" },
	{ N(SIG "\x21\0\0\0"), VERDICT_MATCH, "-", "-" },
	{ N(SIG "\x21\0\0\4abcd"), VERDICT_MATCH, "-", "-" },
	{ N(SIG "\x21\x41\0\2ab"), VERDICT_MATCH, "-", "-" },
	{ N(SIG "\x21\x31\0\xd8" X90 X90 X10 X10 X10 "xxxxxx"),
	    VERDICT_MATCH, "-", "-" },

	{ N(SIG "\x21\x12\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x12\0\x0c\1\2\3\4\5\6\7\x08\xd9\3\1\xbb"),
	    VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x22\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x32\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x42\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\2\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x10\0\x0c\1\2\3\4\5\6\7\x08\xd9\3\1\xbb"),
	    VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\1\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\xd9\3\1"),
	    VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x11\0\0"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x21\0\x23"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x31\0\xd7"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x11\x11\0\x0c"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x31\x11\0\x0c"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x22\x11\0\x0c"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x11\x10\1"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x20\0\xff\xff"), VERDICT_MALFORMED, "", "" },
	{ N(SIG "\x21\x11\x10\0"), VERDICT_NEED_MORE, "", "" },
};
#undef N

START_TEST(test_head)
{
	struct pp_result	 r;
	const char		*err;
	char			 text[ADDR_STRLEN];
	enum verdict		 v;
	size_t			 first;

	err = monotone_check(parse_fn, (const uint8_t *)heads[_i].head,
	    heads[_i].len, &r, &v, &first);
	ck_assert_msg(err == NULL, "%s: %s", heads[_i].head, err);
	ck_assert_msg(v == heads[_i].want, "%d: %s: %d", _i, heads[_i].head,
	    v);
	if (v != VERDICT_MATCH)
		return;
	ck_assert_uint_eq(first, heads[_i].len);
	ck_assert_uint_eq(r.hdrlen, heads[_i].len);
	ck_assert_str_eq(addr_format(&r.src, text), heads[_i].src);
	ck_assert_str_eq(addr_format(&r.dst, text), heads[_i].dst);
}
END_TEST

/* 107 bytes with their CR LF, and not one more. */
START_TEST(test_v1_longest)
{
	uint8_t			line[PP_V1_MAX + 1];
	struct pp_result	r;
	size_t			need;

	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + PP_V1_MAX - 2, "\r\n", 2);
	ck_assert_int_eq(prefix_verdict(parse_fn, line, PP_V1_MAX, &need, &r),
	    VERDICT_MATCH);
	ck_assert_uint_eq(r.hdrlen, PP_V1_MAX);
	memcpy(line + PP_V1_MAX - 2, "x\r\n", 3);
	ck_assert_int_eq(prefix_verdict(parse_fn, line, PP_V1_MAX - 1, &need,
	    &r), VERDICT_NEED_MORE);
	ck_assert_uint_eq(need, PP_V1_MAX);
	ck_assert_int_eq(prefix_verdict(parse_fn, line, PP_V1_MAX, &need, &r),
	    VERDICT_MALFORMED);
}
END_TEST

/* PP7, PP9: what follows is the payload, be it a header again. */
START_TEST(test_stacked)
{
	static const char	two[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
				    "PROXY TCP4 192.0.2.3 192.0.2.4 3 4\r\n";
	struct pp_result	r;
	char			text[ADDR_STRLEN];
	size_t			need;

	ck_assert_int_eq(prefix_verdict(parse_fn, (const uint8_t *)two,
	    sizeof(two) - 1, &need, &r), VERDICT_MATCH);
	ck_assert_uint_eq(r.hdrlen, (sizeof(two) - 1) / 2);
	ck_assert_str_eq(addr_format(&r.src, text), "192.0.2.1:1");
}
END_TEST

static struct addr
address(const char *ip, uint16_t port)
{
	struct addr	a = { 0 };

	if (ip != NULL)
		ck_assert(addr_parse_ip(&a, ip));
	a.port = ip != NULL ? port : 0;
	return a;
}

/* PP10: what is written, and that it reads back. */
static const struct {
	const char	*src, *dst;
	const char	*v1;
	size_t		 v2len;
	int		 v2family;
} writes[] = {
	{ "192.0.2.1", "192.0.2.2", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\n",
	    28, 0x11 },
	{ "2001:db8::1", "::1", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
	    52, 0x21 },
	{ "192.0.2.1", "::1", "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 65535\r\n",
	    52, 0x21 },
	{ "::1", "192.0.2.1", "PROXY TCP6 ::1 ::ffff:192.0.2.1 1 65535\r\n",
	    52, 0x21 },
	{ NULL, "192.0.2.1", "", 16, 0 },
	{ "192.0.2.1", NULL, "", 16, 0 },
	{ NULL, NULL, "", 16, 0 },
};

static void
check_back(const uint8_t *out, size_t len, const struct addr *src,
    const struct addr *dst)
{
	struct pp_result	r;
	size_t			need;

	ck_assert_int_eq(prefix_verdict(parse_fn, out, len, &need, &r),
	    VERDICT_MATCH);
	ck_assert_uint_eq(r.hdrlen, len);
	ck_assert(addr_equal_ip(&r.src, src) && addr_equal_ip(&r.dst, dst));
	ck_assert_uint_eq(r.src.port, src->port);
	ck_assert_uint_eq(r.dst.port, dst->port);
}

START_TEST(test_write)
{
	struct addr	src = address(writes[_i].src, 1);
	struct addr	dst = address(writes[_i].dst, 65535);
	bool		known = writes[_i].src != NULL && writes[_i].dst != NULL;
	struct addr	none = { 0 };
	uint8_t		out[PP_OUT_MAX];
	size_t		len;

	ck_assert_uint_eq(pp_write(PP_NONE, &src, &dst, NULL, out), 0);
	len = pp_write(PP_V1, &src, &dst, NULL, out);
	ck_assert_uint_eq(len, strlen(writes[_i].v1));
	ck_assert_mem_eq(out, writes[_i].v1, len);
	if (known)
		check_back(out, len, &src, &dst);

	memset(out, 0xff, sizeof(out));
	len = pp_write(PP_V2, &src, &dst, NULL, out);
	ck_assert_uint_eq(len, writes[_i].v2len);
	ck_assert_int_eq(out[12], known ? 0x21 : 0x20);
	ck_assert_int_eq(out[13], writes[_i].v2family);
	check_back(out, len, known ? &src : &none, known ? &dst : &none);
}
END_TEST

START_TEST(test_tlvs)
{
	static const char	want[] =
	    SIG "\x21\x11\0\x16\1\2\3\4\5\6\7\x08\0\1\0\2\2\0\2ab\1\0\2h2";
	struct addr		src = address("1.2.3.4", 1);
	struct addr		dst = address("5.6.7.8", 2);
	struct pp_tlvs		t = { "ab", "h2" };
	char			name[257];
	uint8_t			*out = malloc(PP_OUT_MAX);
	size_t			len;

	ck_assert_ptr_nonnull(out);
	len = pp_write(PP_V2, &src, &dst, &t, out);
	ck_assert_uint_eq(len, sizeof(want) - 1);
	ck_assert_mem_eq(out, want, len);

	/* The name goes first where both do not fit: BACKENDS L20. */
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	t.authority = t.alpn = name;
	src = address("2001:db8::1", 1);
	len = pp_write(PP_V2, &src, &dst, &t, out);
	ck_assert_uint_eq(len, 16 + 36 + 3 + 255);
	ck_assert_int_eq(out[16 + 36], 2);
	check_back(out, len, &src, &dst);

	/* What is too long, or empty, is left out. */
	name[255] = 'n';
	name[256] = '\0';
	t.alpn = "";
	len = pp_write(PP_V2, &src, &dst, &t, out);
	ck_assert_uint_eq(len, 16 + 36);
	free(out);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pp");
	TCase	*tc = tcase_create("pp");

	tcase_add_loop_test(tc, test_head, 0, (int)nitems(heads));
	tcase_add_test(tc, test_v1_longest);
	tcase_add_test(tc, test_stacked);
	tcase_add_loop_test(tc, test_write, 0, (int)nitems(writes));
	tcase_add_test(tc, test_tlvs);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
