#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/control.h"
#include "common/l4.h"
#include "hello_make.h"
#include "tests/unit/suite.h"

static const struct {
	const char	*line;
	int		 n;
	const char	*word[4];
} lines[] = {
	{ "status", 1, { "status" } },
	{ "  a   b ", 2, { "a", "b" } },
	{ "a b%20c d%25", 3, { "a", "b c", "d%" } },
	{ "%ff%0A", 1, { "\xff\n" } },
	{ "", -1, { NULL } },
	{ "   ", -1, { NULL } },
	{ "a\tb", -1, { NULL } },
	{ "a\x7f", -1, { NULL } },
	{ "a\x80", -1, { NULL } },
	{ "a%", -1, { NULL } },
	{ "a%4", -1, { NULL } },
	{ "a%4g", -1, { NULL } },
	{ "a%00b", -1, { NULL } },
};

START_TEST(test_split)
{
	char	*word[CONTROL_WORDS_MAX], *line;
	int	 n, i;

	ck_assert_ptr_nonnull(line = strdup(lines[_i].line));
	n = control_split(line, word);
	ck_assert_int_eq(n, lines[_i].n);
	for (i = 0; i < n; i++)
		ck_assert_str_eq(word[i], lines[_i].word[i]);
	free(line);
}
END_TEST

START_TEST(test_split_count)
{
	char	*word[CONTROL_WORDS_MAX], line[CONTROL_LINE_MAX];
	int	 i;

	line[0] = '\0';
	for (i = 0; i < CONTROL_WORDS_MAX; i++)
		ck_assert(control_append(line, sizeof(line), "w"));
	ck_assert_int_eq(control_split(line, word), CONTROL_WORDS_MAX);
	line[0] = '\0';
	for (i = 0; i <= CONTROL_WORDS_MAX; i++)
		ck_assert(control_append(line, sizeof(line), "w"));
	ck_assert_int_eq(control_split(line, word), -1);
}
END_TEST

/* What is appended is what is split, for every byte. */
START_TEST(test_append)
{
	char	*word[CONTROL_WORDS_MAX], line[64] = "cmd", in[3];

	in[0] = (char)_i;
	in[1] = 'x';
	in[2] = '\0';
	ck_assert(control_append(line, sizeof(line), in));
	ck_assert_int_eq(control_split(line, word), 2);
	ck_assert_str_eq(word[1], in);
}
END_TEST

START_TEST(test_append_full)
{
	char	*buf;
	size_t	 size;

	for (size = 1; size < 12; size++) {
		ck_assert_ptr_nonnull(buf = calloc(1, size));
		/* Two bytes, the second as %HH, and a byte to spare. */
		ck_assert_int_eq(control_append(buf, size, "a "), size >= 5);
		ck_assert_uint_lt(strnlen(buf, size), size);
		free(buf);
	}
}
END_TEST

static struct conf_listener	listeners[] = {
	{ .name = ":443" }, { .name = "127.0.0.1:80" },
};
static const struct conf	conf_two = {
	.listener = listeners, .nlistener = nitems(listeners),
};

static bool
facts_of(const char *text, struct facts *f)
{
	char	*word[CONTROL_WORDS_MAX], line[CONTROL_LINE_MAX], err[256];
	int	 n;

	snprintf(line, sizeof(line), "explain %s", text);
	ck_assert_int_ge(n = control_split(line, word), 1);
	return control_facts_read(&conf_two, word + 1, n - 1, f, err,
	    sizeof(err));
}

START_TEST(test_facts_defaults)
{
	struct facts	f;

	ck_assert(facts_of("", &f));
	ck_assert_uint_eq(f.proto_yes, 1u << PROTO_TLS);
	ck_assert_int_eq(f.hello, FACT_KNOWN);
	ck_assert_int_eq(f.http, FACT_NONE);
	ck_assert_str_eq(f.tls.sni, "");
	ck_assert_int_eq(f.peer.family, ADDR_NONE);

	ck_assert(facts_of("host=A.Example.", &f));
	ck_assert_uint_eq(f.proto_yes, 1u << PROTO_HTTP);
	ck_assert_int_eq(f.http, FACT_KNOWN);
	ck_assert_str_eq(f.host, "a.example");

	ck_assert(facts_of("malformed=1", &f));
	ck_assert_uint_eq(f.proto_yes, 0);
	ck_assert_int_eq(f.hello, FACT_NONE);
	ck_assert(f.malformed);
}
END_TEST

START_TEST(test_facts_words)
{
	struct facts	f;

	ck_assert(facts_of("sni=A.EXAMPLE alpn=h2 alpn=a%20b "
	    "listen=127.0.0.1:80 from=192.0.2.1 to=2001:db8::1", &f));
	ck_assert_str_eq(f.tls.sni, "a.example");
	ck_assert(hello_offers(&f.tls, "h2"));
	ck_assert(hello_offers(&f.tls, "a b"));
	ck_assert(!hello_offers(&f.tls, "a"));
	ck_assert_uint_eq(f.listener, 1);
	ck_assert_int_eq(f.peer.family, ADDR_V4);
	ck_assert_int_eq(f.local.family, ADDR_V6);
	ck_assert(facts_of("sni=192.0.2.1", &f));
	ck_assert_str_eq(f.tls.sni, "");
}
END_TEST

static const char *const wrong_words[] = {
	"x", "=", "=x", "snix=a", "sni", "sni=a..b", "alpn=", "host=",
	"host=a/b", "from=", "from=192.0.2.1:80", "to=x", "listen=:80",
	"proto=", "proto=unknown", "wait=x", "need=", "need=x", "need=1x",
	"need=9999999999", "malformed=", "malformed=2", "hello=", "http=x",
};

START_TEST(test_facts_wrong)
{
	struct facts	f;

	ck_assert_msg(!facts_of(wrong_words[_i], &f), "%s", wrong_words[_i]);
}
END_TEST

/* What facts_learn() finds in a prefix is what comes out at the other end. */
static void
check_prefix(const uint8_t *p, size_t len, bool final)
{
	struct facts	 f, g;
	char		*word[CONTROL_WORDS_MAX], err[256];
	char		 line[CONTROL_LINE_MAX] = "explain";
	int		 n;

	memset(&f, 0, sizeof(f));
	facts_learn(&f, p, len, final);
	ck_assert(control_facts_write(&f, line, sizeof(line)));
	ck_assert_int_ge(n = control_split(line, word), 1);
	ck_assert_msg(control_facts_read(&conf_two, word + 1, n - 1, &g, err,
	    sizeof(err)), "%s", err);
	ck_assert_int_eq(f.malformed, g.malformed);
	ck_assert_int_eq(f.hello, g.hello);
	ck_assert_int_eq(f.http, g.http);
	ck_assert_uint_eq(f.need, g.need);
	ck_assert_uint_eq(f.proto_pending, g.proto_pending);
	ck_assert_uint_eq(f.proto_yes, g.proto_yes);
	if (f.hello == FACT_KNOWN) {
		ck_assert_str_eq(f.tls.sni, g.tls.sni);
		ck_assert_uint_eq(f.tls.alpnlen, g.tls.alpnlen);
		ck_assert_mem_eq(f.tls.alpn, g.tls.alpn, f.tls.alpnlen);
	}
	if (f.http == FACT_KNOWN)
		ck_assert_str_eq(f.host, g.host);
}

START_TEST(test_facts_of_hello)
{
	const struct hello_spec	 spec = { .sni = "a.example",
		.alpn = { "h2", "http/1.1", "a b%" }, .grease = true };
	uint8_t			*p;
	size_t			 len, k;

	p = hello_make(&spec, &len);
	for (k = 0; k <= len; k++) {
		check_prefix(p, k, false);
		check_prefix(p, k, true);
	}
	free(p);
}
END_TEST

START_TEST(test_facts_of_others)
{
	static const char *const	text[] = {
		"", "SSH-2.0-x\r\n", "\x80\x40\x01\x03\x01", "\xff\xff\xff\xff",
		"GET / HTTP/1.1\r\nHost: A.example:80\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
	};
	const uint8_t	*p = (const uint8_t *)text[_i];
	size_t		 k;

	for (k = 0; k <= strlen(text[_i]); k++) {
		check_prefix(p, k, false);
		check_prefix(p, k, true);
	}
}
END_TEST

static const char	*names[] = { "a.example", "*.b.example", "" };
static const char	*h2[] = { "h2" };
static uint32_t		 both[] = { 0, 1 };
static struct cidr	 nets[] = {
	{ { ADDR_V4, { 10 }, 0 }, 8 },
	{ { ADDR_V6, { 0x20, 1, 0xd, 0xb8, [15] = 1 }, 0 }, 128 },
	{ { ADDR_V4, { 192, 0, 2, 1 }, 0 }, 32 },
};

START_TEST(test_route_text)
{
	struct conf_match	unless = { .alpn = { h2, 1 },
		.protocols = 1u << PROTO_TLS };
	struct conf_route	route[] = {
		{ .match = { .sni = { names, 3 } } },
		{ .match = { .sni = { names, 1 }, .from = nets, .nfrom = 3,
		    .listen = both, .nlisten = 2 }, .unless = &unless },
		{ .match = { .sni = { NULL, 0 } } },
		{ .unless = &unless },
		{ .match = { .protocols = 1u << PROTO_SSH | 1u << PROTO_HTTP,
		    .host = { names, 1 } } },
	};
	static const char *const want[] = {
		"sni a.example *.b.example \"\"",
		("sni a.example, from 10.0.0.0/8 2001:db8::1 192.0.2.1, "
		    "listen :443 127.0.0.1:80, not (alpn h2, protocol tls)"),
		"any",
		"not (alpn h2, protocol tls)",
		"host a.example, protocol http ssh",
	};
	struct conf	conf = conf_two;
	char		text[CONTROL_TEXT_MAX];
	uint32_t	i;

	conf.route = route;
	conf.nroute = nitems(route);
	for (i = 0; i < nitems(route); i++)
		ck_assert_str_eq(control_route_text(&conf, i, text), want[i]);
}
END_TEST

START_TEST(test_route_text_cut)
{
	const char		*v[200];
	struct conf_route	 route = { .match = { .sni = { v, 200 } } };
	struct conf		 conf = conf_two;
	char			*text;
	size_t			 i, len;

	for (i = 0; i < nitems(v); i++)
		v[i] = "name.example";
	conf.route = &route;
	conf.nroute = 1;
	ck_assert_ptr_nonnull(text = malloc(CONTROL_TEXT_MAX));
	control_route_text(&conf, 0, text);
	len = strlen(text);
	ck_assert_uint_lt(len, CONTROL_TEXT_MAX);
	ck_assert_str_eq(text + len - 3, "...");
	free(text);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("control");
	TCase	*tc = tcase_create("control");

	tcase_add_loop_test(tc, test_split, 0, (int)nitems(lines));
	tcase_add_test(tc, test_split_count);
	tcase_add_loop_test(tc, test_append, 1, 256);
	tcase_add_test(tc, test_append_full);
	tcase_add_test(tc, test_facts_defaults);
	tcase_add_test(tc, test_facts_words);
	tcase_add_loop_test(tc, test_facts_wrong, 0,
	    (int)nitems(wrong_words));
	tcase_add_test(tc, test_facts_of_hello);
	tcase_add_loop_test(tc, test_facts_of_others, 0, 8);
	tcase_add_test(tc, test_route_text);
	tcase_add_test(tc, test_route_text_cut);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
