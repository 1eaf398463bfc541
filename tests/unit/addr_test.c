#include <netinet/in.h>

#include <check.h>
#include <string.h>

#include "common/addr.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

/* text: what addr_format_ip() makes of it; NULL: refused. */
static const struct {
	const char	*in, *text;
	int		 family;
} ips[] = {
	{ "192.0.2.1", "192.0.2.1", ADDR_V4 },
	{ "0.0.0.0", "0.0.0.0", ADDR_V4 },
	{ "255.255.255.255", "255.255.255.255", ADDR_V4 },
	{ "2001:DB8:0::1", "2001:db8::1", ADDR_V6 },
	{ "::", "::", ADDR_V6 },
	{ "::1", "::1", ADDR_V6 },
	{ "::192.0.2.1", "::192.0.2.1", ADDR_V6 },
	{ "::ffff:192.0.2.1", "192.0.2.1", ADDR_V4 },
	{ "::ffff:c000:201", "192.0.2.1", ADDR_V4 },
	{ "0:0:0:0:0:ffff:0:0", "0.0.0.0", ADDR_V4 },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_V6 },
	{ "", NULL, 0 },
	{ " 1.2.3.4", NULL, 0 },
	{ "1.2.3.4 ", NULL, 0 },
	{ "1.2.3", NULL, 0 },
	{ "1.2.3.4.", NULL, 0 },
	{ "1.2.3.4.5", NULL, 0 },
	{ "1.2.3.256", NULL, 0 },
	{ "01.2.3.4", NULL, 0 },
	{ "0x1.2.3.4", NULL, 0 },
	{ "16909060", NULL, 0 },
	{ "1.2.3.4:80", NULL, 0 },
	{ "[::1]", NULL, 0 },
	{ "fe80::1%lo", NULL, 0 },
	{ "1::2::3", NULL, 0 },
	{ ":::", NULL, 0 },
	{ "12345::", NULL, 0 },
	{ "example.org", NULL, 0 },
};

START_TEST(test_ip)
{
	struct addr	a;
	char		text[ADDR_STRLEN];

	if (ips[_i].text == NULL) {
		ck_assert_msg(!addr_parse_ip(&a, ips[_i].in), "%s",
		    ips[_i].in);
		return;
	}
	memset(&a, 0xff, sizeof(a));
	ck_assert_msg(addr_parse_ip(&a, ips[_i].in), "%s", ips[_i].in);
	ck_assert_int_eq(a.family, ips[_i].family);
	ck_assert_uint_eq(a.port, 0);
	ck_assert_str_eq(addr_format_ip(&a, text), ips[_i].text);
}
END_TEST

START_TEST(test_format)
{
	struct addr	a = { 0 };
	char		text[ADDR_STRLEN];

	ck_assert_str_eq(addr_format(&a, text), "-");
	ck_assert_str_eq(addr_format_ip(&a, text), "-");
	ck_assert(addr_parse_ip(&a, "192.0.2.1"));
	ck_assert_str_eq(addr_format(&a, text), "192.0.2.1:0");
	a.port = 65535;
	ck_assert_str_eq(addr_format(&a, text), "192.0.2.1:65535");
	ck_assert(addr_parse_ip(&a, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
	a.port = 65535;
	ck_assert_str_eq(addr_format(&a, text),
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535");
}
END_TEST

static const struct { const char *ip; socklen_t len; int af; } socks[] = {
	{ "192.0.2.1", sizeof(struct sockaddr_in), AF_INET },
	{ "2001:db8::1", sizeof(struct sockaddr_in6), AF_INET6 },
	{ "::ffff:192.0.2.1", sizeof(struct sockaddr_in), AF_INET },
};

START_TEST(test_sockaddr)
{
	struct sockaddr_storage	ss;
	struct addr		a, b;

	ck_assert(addr_parse_ip(&a, socks[_i].ip));
	a.port = 443;
	ck_assert_uint_eq(addr_to_sockaddr(&a, &ss), socks[_i].len);
	ck_assert_int_eq(ss.ss_family, socks[_i].af);
	memset(&b, 0xff, sizeof(b));
	addr_from_sockaddr(&b, &ss);
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

START_TEST(test_sockaddr_edges)
{
	struct sockaddr_storage	 ss = { 0 };
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)&ss;
	struct addr		 a;
	char			 text[ADDR_STRLEN];

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(443);
	memcpy(&sin6->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\1", 16);
	addr_from_sockaddr(&a, &ss);
	ck_assert_str_eq(addr_format(&a, text), "192.0.2.1:443");
	ss.ss_family = AF_UNIX;
	addr_from_sockaddr(&a, &ss);
	ck_assert_int_eq(a.family, ADDR_NONE);
	ck_assert_uint_eq(a.port, 0);
	ck_assert_uint_eq(addr_to_sockaddr(&a, &ss), 0);
}
END_TEST

START_TEST(test_equal)
{
	struct addr	a, b;

	ck_assert(addr_parse_ip(&a, "192.0.2.1"));
	ck_assert(addr_parse_ip(&b, "::ffff:192.0.2.1"));
	b.port = 9;
	ck_assert(addr_equal_ip(&a, &b));
	ck_assert(addr_parse_ip(&b, "192.0.2.2"));
	ck_assert(!addr_equal_ip(&a, &b));
	ck_assert(addr_parse_ip(&b, "c000:201::"));
	ck_assert(!addr_equal_ip(&a, &b));
}
END_TEST

static const struct { const char *ip; bool is; } loops[] = {
	{ "127.0.0.1", true }, { "127.255.255.255", true }, { "::1", true },
	{ "::ffff:127.0.0.2", true }, { "128.0.0.1", false },
	{ "126.255.255.255", false }, { "::", false }, { "::2", false },
	{ "::1:0:0:1", false }, { "7f00::1", false },
};

START_TEST(test_loopback)
{
	struct addr	a;

	ck_assert(addr_parse_ip(&a, loops[_i].ip));
	ck_assert_msg(addr_is_loopback(&a) == loops[_i].is, "%s",
	    loops[_i].ip);
}
END_TEST

START_TEST(test_no_address)
{
	struct addr	none = { 0 };
	struct cidr	c = { 0 };

	ck_assert(!addr_is_loopback(&none));
	ck_assert(!cidr_contains(&c, &none));
	ck_assert(cidr_parse(&c, "0.0.0.0/0"));
	ck_assert(!cidr_contains(&c, &none));
}
END_TEST

/* in and out: one address that it has, one that it has not; NULL net: error */
static const struct {
	const char	*net, *in, *out;
} cidrs[] = {
	{ "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
	{ "192.0.2.0/25", "192.0.2.127", "192.0.2.128" },
	{ "192.0.2.1", "192.0.2.1", "192.0.2.0" },
	{ "192.0.2.1/32", "192.0.2.1", "192.0.2.3" },
	{ "192.0.2.2/31", "192.0.2.3", "192.0.2.1" },
	{ "128.0.0.0/1", "255.0.0.0", "127.255.255.255" },
	{ "0.0.0.0/0", "255.255.255.255", "::" },
	{ "::/0", "ffff::", "1.2.3.4" },
	{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
	{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "::1", "::1", "::2" },
	{ "2001:db8::1/128", "2001:db8::1", "2001:db8::" },
	{ "::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0" },
	{ "::ffff:0:0/96", "1.2.3.4", "::1" },
	{ "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2" },
};

START_TEST(test_cidr)
{
	struct cidr	c;
	struct addr	a;

	ck_assert_msg(cidr_parse(&c, cidrs[_i].net), "%s", cidrs[_i].net);
	ck_assert(addr_parse_ip(&a, cidrs[_i].in));
	ck_assert_msg(cidr_contains(&c, &a), "%s has not %s", cidrs[_i].net,
	    cidrs[_i].in);
	ck_assert(addr_parse_ip(&a, cidrs[_i].out));
	ck_assert_msg(!cidr_contains(&c, &a), "%s has %s", cidrs[_i].net,
	    cidrs[_i].out);
}
END_TEST

static const char *bad_cidrs[] = {
	"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
	"10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/ 8",
	"10.0.0.0/8/8", "10.0.0.0/4294967304", "10.0.0.1/8", "10.0.0/8",
	"192.0.2.1/31", "2001:db8::/129", "2001:db8::1/64", "::1/127",
	"::ffff:10.0.0.1/104", "::ffff:0:0/95", "::ffff:10.0.0.0/8",
	"fe80::%lo/64", "[::1]", "10.0.0.0/255.0.0.0", "example.org/8",
	"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
	"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:/8",
};

START_TEST(test_bad_cidr)
{
	struct cidr	c;

	ck_assert_msg(!cidr_parse(&c, bad_cidrs[_i]), "%s", bad_cidrs[_i]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("addr");
	TCase	*tc = tcase_create("addr");

	tcase_add_loop_test(tc, test_ip, 0, (int)nitems(ips));
	tcase_add_test(tc, test_format);
	tcase_add_loop_test(tc, test_sockaddr, 0, (int)nitems(socks));
	tcase_add_test(tc, test_sockaddr_edges);
	tcase_add_test(tc, test_equal);
	tcase_add_loop_test(tc, test_loopback, 0, (int)nitems(loops));
	tcase_add_test(tc, test_no_address);
	tcase_add_loop_test(tc, test_cidr, 0, (int)nitems(cidrs));
	tcase_add_loop_test(tc, test_bad_cidr, 0, (int)nitems(bad_cidrs));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
