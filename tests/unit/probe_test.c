#include <check.h>

#include "common/l4.h"
#include "common/probe.h"
#include "monotone.h"
#include "tests/unit/suite.h"

static enum verdict
probe_fn(const uint8_t *p, size_t len, size_t *need, void *proto)
{
	return probe(*(enum proto *)proto, p, len, need);
}

#define N(s)	s, sizeof(s) - 1
#define X10	"xxxxxxxxxx"
#define X50	X10 X10 X10 X10 X10
#define X250	X50 X50 X50 X50 X50

/* at: the length at which a MATCH is known; every other protocol says no. */
static const struct {
	const char	*bytes;
	size_t		 len;
	enum proto	 proto;
	size_t		 at;
} matches[] = {
	{ N("\x16\3\1\2\0\1"), PROTO_TLS, 3 },
	{ N("\x16\3\3\0\1\1"), PROTO_TLS, 3 },
	{ N("GET / HTTP/1.1\r\n"), PROTO_HTTP, 5 },
	{ N("POST /x HTTP/1.0\r\n"), PROTO_HTTP, 6 },
	{ N("PROPFIND /dav HTTP/1.1\r\n"), PROTO_HTTP, 10 },
	{ N("GET http://a/ HTTP/1.1\r\nHost"), PROTO_HTTP, 24 },
	{ N("OPTIONS * HTTP/1.1\r\n"), PROTO_HTTP, 20 },
	{ N("CONNECT a:443 HTTP/1.1\r\n"), PROTO_HTTP, 24 },
	{ N("BREW /pot HTTP/1.1\r\n"), PROTO_HTTP, 20 },
	{ N("get / HTTP/1.1\n"), PROTO_HTTP, 15 },
	{ N("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), PROTO_HTTP, 16 },
	{ N("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), PROTO_SSH, 4 },
	{ N("SSH-1.99-x\r\n"), PROTO_SSH, 4 },
	{ N("\0\x0e\x38\1\2\3\4\5\6\7\x08\0\0\0\0\0"), PROTO_OPENVPN, 3 },
	{ N("\0\x36\x38\1\2\3"), PROTO_OPENVPN, 3 },
	{ N("\1\x64\x50\1\2\3\4\5"), PROTO_OPENVPN, 3 },
	{ N("\4\x37\x50\1\2\3\4\5"), PROTO_OPENVPN, 3 },
	{ N("\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0"), PROTO_RDP, 6 },
	{ N("\3\0\0\x0b\6\xe0\0\0\0\0\0"), PROTO_RDP, 6 },
	{ N("\5\1\0"), PROTO_SOCKS5, 3 },
	{ N("\5\3\0\1\2\5"), PROTO_SOCKS5, 5 },
	{ N("\5\2\0\x80"), PROTO_SOCKS5, 4 },
	{ N("<stream:stream xmlns='jabber:client'"), PROTO_XMPP, 15 },
	{ N("<stream:stream\nto='a'"), PROTO_XMPP, 15 },
	{ N("<?xml version='1.0'?><stream:stream to='a'>"), PROTO_XMPP, 36 },
	{ N("<?xml version='1.0' ?>\r\n <stream:stream "), PROTO_XMPP, 40 },
	{ N("\0\0\0\x08\4\xd2\x16\x2f"), PROTO_POSTGRES, 8 },
	{ N("\0\0\0\x08\4\xd2\x16\x30"), PROTO_POSTGRES, 8 },
	{ N("\0\0\0\x10\4\xd2\x16\x2e\0\0\0\1\0\0\0\2"), PROTO_POSTGRES, 8 },
	{ N("\0\0\0\x29\0\3\0\0user\0x\0"), PROTO_POSTGRES, 8 },
	{ N("\0\0\0\x29\0\3\0\2user\0x\0"), PROTO_POSTGRES, 8 },
};

/* A protocol knows its own at once, and nobody else takes it for theirs. */
START_TEST(test_match)
{
	enum proto	 proto;
	enum verdict	 v;
	const char	*err;
	size_t		 first;

	for (proto = PROTO_TLS; proto < PROTO__MAX; proto++) {
		err = monotone_check(probe_fn,
		    (const uint8_t *)matches[_i].bytes, matches[_i].len,
		    &proto, &v, &first);
		ck_assert_msg(err == NULL, "%d as %s: %s", _i,
		    proto_name(proto), err);
		ck_assert_msg(v == (proto == matches[_i].proto ?
		    VERDICT_MATCH : VERDICT_NO_MATCH), "%d as %s: %d", _i,
		    proto_name(proto), v);
		if (proto == matches[_i].proto)
			ck_assert_msg(first == matches[_i].at, "%d: at %zu",
			    _i, first);
	}
}
END_TEST

/* at: the length at which this is known. */
static const struct {
	enum proto	 proto;
	const char	*bytes;
	size_t		 len;
	enum verdict	 want;
	size_t		 at;
} others[] = {
	{ PROTO_TLS, N("GET /"), VERDICT_NO_MATCH, 1 },
	{ PROTO_TLS, N("\x15\3\1"), VERDICT_NO_MATCH, 1 },
	{ PROTO_TLS, N("\x16\3\0\0"), VERDICT_MALFORMED, 3 },
	{ PROTO_TLS, N("\x16\3\4\0"), VERDICT_MALFORMED, 3 },
	{ PROTO_TLS, N("\x16\0\0\0"), VERDICT_MALFORMED, 3 },
	{ PROTO_TLS, N("\x80\x2e\1\0"), VERDICT_MALFORMED, 3 },
	{ PROTO_TLS, N("\x80\x2e\7\0"), VERDICT_NO_MATCH, 3 },
	{ PROTO_TLS, N("\x16"), VERDICT_NEED_MORE, 1 },
	{ PROTO_HTTP, N(" GET / HTTP/1.1\r\n"), VERDICT_NO_MATCH, 1 },
	{ PROTO_HTTP, N("\r\nGET / HTTP/1.1\r\n"), VERDICT_NO_MATCH, 1 },
	{ PROTO_HTTP, N("GET\r\n"), VERDICT_NO_MATCH, 4 },
	{ PROTO_HTTP, N("GET key\r\n"), VERDICT_NO_MATCH, 9 },
	{ PROTO_HTTP, N("GET\t/ HTTP/1.1\r\n"), VERDICT_NO_MATCH, 4 },
	{ PROTO_HTTP, N("GET http://a/\0 HTTP/1.1\r\n"), VERDICT_NO_MATCH,
	    14 },
	{ PROTO_HTTP, N("GET http://a/ HTTP/1.1\rX"), VERDICT_NO_MATCH, 24 },
	{ PROTO_HTTP, N("GET http://a/ HTTP/1.x\r\n"), VERDICT_NO_MATCH, 24 },
	{ PROTO_HTTP, N("GET http://a/ HTTP/2.0\r\n"), VERDICT_NO_MATCH, 24 },
	{ PROTO_HTTP, N("OPTIONS sip:a SIP/2.0\r\n"), VERDICT_NO_MATCH, 23 },
	{ PROTO_HTTP, N("DESCRIBE rtsp://a RTSP/1.0\r\n"),
	    VERDICT_NO_MATCH, 28 },
	{ PROTO_HTTP, N("EHLO example.org\r\n"), VERDICT_NO_MATCH, 18 },
	{ PROTO_HTTP, N("A123456789A123456789A123456789A12 /"),
	    VERDICT_NO_MATCH, 33 },
	{ PROTO_HTTP, N("A123456789A123456789A123456789A1 "),
	    VERDICT_NEED_MORE, 33 },
	{ PROTO_HTTP, N("GET htt"), VERDICT_NEED_MORE, 7 },
	{ PROTO_HTTP, N("SSH-2.0 / HTTP/1.1\r\n"), VERDICT_NO_MATCH, 4 },
	{ PROTO_HTTP, N("SSH / HTTP/1.1\r\n"), VERDICT_MATCH, 16 },
	{ PROTO_SSH, N("SSH"), VERDICT_NEED_MORE, 3 },
	{ PROTO_SSH, N("SSX"), VERDICT_NO_MATCH, 3 },
	{ PROTO_OPENVPN, N("\0\x0d\x38\0"), VERDICT_NO_MATCH, 3 },
	{ PROTO_OPENVPN, N("\0\x0e\x39\0"), VERDICT_NO_MATCH, 3 },
	{ PROTO_OPENVPN, N("\5\0\x38\0"), VERDICT_NO_MATCH, 1 },
	{ PROTO_RDP, N("\3\0\0\x0a\6\xe0"), VERDICT_NO_MATCH, 6 },
	{ PROTO_RDP, N("\3\0\0\x0a\5\xe0"), VERDICT_NO_MATCH, 6 },
	{ PROTO_RDP, N("\3\0\0\x0b\7\xe0"), VERDICT_NO_MATCH, 6 },
	{ PROTO_RDP, N("\3\0\0\x0b\5\xe0"), VERDICT_NO_MATCH, 6 },
	{ PROTO_RDP, N("\3\0\0\x0b\6\xd0"), VERDICT_NO_MATCH, 6 },
	{ PROTO_RDP, N("\3\1\0\x0b\6\xe0"), VERDICT_NO_MATCH, 2 },
	{ PROTO_SOCKS5, N("\4\1\0\x50"), VERDICT_NO_MATCH, 1 },
	{ PROTO_SOCKS5, N("\5\0\0"), VERDICT_NO_MATCH, 2 },
	{ PROTO_SOCKS5, N("\5\2\0\x0a"), VERDICT_NO_MATCH, 4 },
	{ PROTO_SOCKS5, N("\5\2\0"), VERDICT_NEED_MORE, 3 },
	{ PROTO_XMPP, N("<html>"), VERDICT_NO_MATCH, 2 },
	{ PROTO_XMPP, N("<stream:streams "), VERDICT_NO_MATCH, 15 },
	{ PROTO_XMPP, N("<stream:stream>"), VERDICT_NO_MATCH, 15 },
	{ PROTO_XMPP, N("<?xml version='1.0'?><soap>"), VERDICT_NO_MATCH,
	    24 },
	{ PROTO_XMPP, N("<?xml ?>"), VERDICT_NEED_MORE, 8 },
	{ PROTO_XMPP, N("<?xml " X250), VERDICT_NO_MATCH, 256 },
	{ PROTO_XMPP, N("<?xml " X50 X50 X50 X50 X10 X10 X10 X10 "xxxxx ?> "),
	    VERDICT_NEED_MORE, 0 },
	{ PROTO_XMPP, N("<?xml " X50 X50 X50 X50 X10 X10 X10 X10 "xxxxx ?>  "),
	    VERDICT_NO_MATCH, 256 },
	{ PROTO_POSTGRES, N("\0\0\0\x09\4\xd2\x16\x2f"), VERDICT_NO_MATCH, 8 },
	{ PROTO_POSTGRES, N("\0\0\0\x08\0\3\0\0"), VERDICT_NO_MATCH, 8 },
	{ PROTO_POSTGRES, N("\0\0\x27\x11\0\3\0\0"), VERDICT_NO_MATCH, 8 },
	{ PROTO_POSTGRES, N("\0\0\0\x29\0\2\0\0"), VERDICT_NO_MATCH, 8 },
	{ PROTO_POSTGRES, N("\0\0\0\x0f\4\xd2\x16\x2e"), VERDICT_NO_MATCH, 8 },
	{ PROTO_POSTGRES, N("\0\1"), VERDICT_NO_MATCH, 2 },
	{ PROTO_UNKNOWN, N("x"), VERDICT_NO_MATCH, 0 },
	{ PROTO__MAX, N("x"), VERDICT_NO_MATCH, 0 },
};

START_TEST(test_other)
{
	enum proto	 proto = others[_i].proto;
	enum verdict	 v;
	const char	*err;
	size_t		 first;

	err = monotone_check(probe_fn, (const uint8_t *)others[_i].bytes,
	    others[_i].len, &proto, &v, &first);
	ck_assert_msg(err == NULL, "%d: %s", _i, err);
	ck_assert_msg(v == others[_i].want, "%d: %d", _i, v);
	if (v != VERDICT_NEED_MORE)
		ck_assert_msg(first == others[_i].at, "%d: at %zu", _i, first);
}
END_TEST

/* Every single byte is some protocol's beginning, or none's, never both. */
START_TEST(test_every_byte)
{
	enum proto	proto;
	uint8_t		c = (uint8_t)_i;
	size_t		need;

	for (proto = PROTO_TLS; proto < PROTO__MAX; proto++)
		ck_assert_int_ne(prefix_verdict(probe_fn, &c, 1, &need,
		    &proto), VERDICT_MATCH);
}
END_TEST

/* A line that never ends is no request. */
START_TEST(test_long_line)
{
	enum proto	proto = PROTO_HTTP;
	uint8_t		line[8192];
	size_t		need;

	memset(line, 'x', sizeof(line));
	memcpy(line, "GET http://", 11);
	ck_assert_int_eq(prefix_verdict(probe_fn, line, sizeof(line) - 1,
	    &need, &proto), VERDICT_NEED_MORE);
	ck_assert_int_eq(prefix_verdict(probe_fn, line, sizeof(line), &need,
	    &proto), VERDICT_NO_MATCH);
}
END_TEST

START_TEST(test_names)
{
	enum proto	proto;

	ck_assert_ptr_null(proto_name(PROTO_UNKNOWN));
	ck_assert_ptr_null(proto_name(PROTO__MAX));
	for (proto = PROTO_TLS; proto < PROTO__MAX; proto++)
		ck_assert_int_eq(proto_by_name(proto_name(proto)), proto);
	ck_assert_int_eq(proto_by_name("tls"), PROTO_TLS);
	ck_assert_int_eq(proto_by_name("TLS"), PROTO_UNKNOWN);
	ck_assert_int_eq(proto_by_name(""), PROTO_UNKNOWN);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("probe");
	TCase	*tc = tcase_create("probe");

	tcase_add_loop_test(tc, test_match, 0, (int)nitems(matches));
	tcase_add_loop_test(tc, test_other, 0, (int)nitems(others));
	tcase_add_loop_test(tc, test_every_byte, 0, 256);
	tcase_add_test(tc, test_long_line);
	tcase_add_test(tc, test_names);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
