#include <check.h>

#include "common/hello.h"
#include "common/l4.h"
#include "hello_make.h"
#include "monotone.h"
#include "tests/unit/suite.h"

#define L63	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define NAME255	L63 "." L63 "." L63 "." L63

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *h)
{
	return hello_parse(p, len, h, need);
}

/* The verdict on exactly these bytes. */
static enum verdict
parse_exact(const uint8_t *p, size_t len, struct hello *h, size_t *need)
{
	return prefix_verdict(parse_fn, p, len, need, h);
}

static enum verdict
parse_msg(const struct hello_msg *m, size_t cut, struct hello *h)
{
	size_t		 len, need;
	uint8_t		*wire = hello_make_records(m, cut, 0x0301, &len);
	enum verdict	 v = parse_exact(wire, len, h, &need);

	free(wire);
	return v;
}

/* Follows what is asked for to the verdict, as a worker does; returns the
 * number of looks, 0 where one asked for too much. */
static unsigned int
follow_need(const uint8_t *p, size_t len, struct hello *h, enum verdict *v)
{
	size_t		have = 0, need;
	unsigned int	n = 0;

	for (;; have = need) {
		n++;
		need = 0;
		*v = parse_exact(p, have, h, &need);
		if (*v != VERDICT_NEED_MORE)
			return n;
		if (need <= have || need > len)
			return 0;
		if (parse_exact(p, need - 1, h, &(size_t){ 0 }) !=
		    VERDICT_NEED_MORE)
			return 0;
	}
}

static const struct {
	const char		*what;
	const char		*sni;	/* what comes out */
	struct hello_spec	 spec;
} goods[] = {
	{ "plain", "", { 0 } },
	{ "no extensions", "", { .bare = true } },
	{ "name", "vpn.zhul.in", { .sni = "vpn.zhul.in" } },
	{ "TLS 1.0", "a.b", { .sni = "a.b", .version = 0x0301 } },
	{ "record 3.3", "a.b", { .sni = "a.b", .recversion = 0x0303 } },
	{ "name and ALPN", "x", { .sni = "x", .alpn = { "h2", "http/1.1" } } },
	{ "post-quantum", "pq.example",
	    { .sni = "pq.example", .keyshare = 1216, .grease = true } },
	{ "two key shares, padded", "pq.example",
	    { .sni = "pq.example", .keyshare = 3000, .pad = 1000 } },
	{ "500 empty extensions", "many.example",
	    { .sni = "many.example", .empty = 500 } },
	{ "16 KiB of padding", "big.example",
	    { .sni = "big.example", .pad = 16384 } },
	{ "just under 32 KiB", "big.example",
	    { .sni = "big.example", .pad = 32768 - 200 } },
	{ "the longest name", NAME255, { .sni = NAME255 } },
	{ "empty extension block", "", { .extralen = 0, .extra = "" } },
};

static const size_t cuts[] = { 0, 1, 2, 3, 4, 5, 7, 100, 1200, 16384 };

/* CH2, CH15, CH17, CH19: however it is cut, it is the same hello. */
START_TEST(test_good)
{
	struct hello_spec	 spec = goods[_i].spec;
	struct hello		 h;
	enum verdict		 v;
	uint8_t			*wire;
	size_t			 i, len;

	for (i = 0; i < nitems(cuts); i++) {
		spec.cut = cuts[i];
		wire = hello_make(&spec, &len);
		ck_assert_ptr_nonnull(wire);
		memset(&h, 0xff, sizeof(h));
		ck_assert_msg(follow_need(wire, len, &h, &v) > 0, "%s, %zu",
		    goods[_i].what, cuts[i]);
		ck_assert_msg(v == VERDICT_MATCH, "%s, %zu: %d",
		    goods[_i].what, cuts[i], v);
		ck_assert_str_eq(h.sni, goods[_i].sni);
		free(wire);
	}
}
END_TEST

/* CH1, CH14: every prefix waits, and the whole is taken at its last byte. */
START_TEST(test_prefixes)
{
	struct hello_spec	 spec = goods[_i].spec;
	struct hello		 h;
	enum verdict		 v;
	const char		*err;
	uint8_t			*wire;
	size_t			 i, len, first;

	for (i = 0; i < nitems(cuts); i++) {
		spec.cut = cuts[i];
		wire = hello_make(&spec, &len);
		ck_assert_ptr_nonnull(wire);
		if (len <= (cuts[i] == 0 ? 4500 : 1500)) {
			err = monotone_check(parse_fn, wire, len, &h, &v,
			    &first);
			ck_assert_msg(err == NULL, "%s, %zu: %s",
			    goods[_i].what, cuts[i], err);
			ck_assert_int_eq(v, VERDICT_MATCH);
			ck_assert_uint_eq(first, len);
		}
		free(wire);
	}
}
END_TEST

/* CH15: two records, cut anywhere. */
START_TEST(test_two_records)
{
	struct hello_spec	 spec = { .sni = "two.example", .grease = true };
	struct hello		 h;
	struct hello_msg	*m = malloc(sizeof(*m));
	size_t			 cut;

	ck_assert_ptr_nonnull(m);
	hello_make_msg(m, &spec);
	for (cut = (m->len + 1) / 2; cut < m->len; cut++) {
		ck_assert_int_eq(parse_msg(m, cut, &h), VERDICT_MATCH);
		ck_assert_str_eq(h.sni, "two.example");
	}
	free(m);
}
END_TEST

/* Few wake-ups: one look per piece of header, then one for the whole. */
START_TEST(test_few_looks)
{
	struct hello_spec	 spec = { .sni = "a.example", .pad = 20000 };
	struct hello		 h;
	enum verdict		 v;
	uint8_t			*wire;
	size_t			 len;

	wire = hello_make(&spec, &len);
	ck_assert_uint_eq(follow_need(wire, len, &h, &v), 6);
	free(wire);
	spec.cut = 1;
	wire = hello_make(&spec, &len);
	ck_assert_uint_le(follow_need(wire, len, &h, &v), 80);
	free(wire);
}
END_TEST

/* What follows the hello is not looked at. */
START_TEST(test_bytes_behind)
{
	struct hello_spec	 spec = { .sni = "a.example" };
	struct hello		 h;
	uint8_t			*wire, *more;
	size_t			 len, need, i;

	wire = hello_make(&spec, &len);
	more = malloc(len + 4);
	ck_assert(wire != NULL && more != NULL);
	memcpy(more, wire, len);
	memcpy(more + len, "\x15\0\0\0", 4);
	for (i = 1; i <= 4; i++)
		ck_assert_int_eq(parse_exact(more, len + i, &h, &need),
		    VERDICT_MATCH);
	/* Nor in the record that the hello ends in. */
	more[4] += 4;
	ck_assert_int_eq(parse_exact(more, len + 4, &h, &need), VERDICT_MATCH);
	ck_assert_int_eq(parse_exact(more, len, &h, &need), VERDICT_MATCH);
	free(wire);
	free(more);
}
END_TEST

/* CH2: no length may be another one. */
START_TEST(test_every_length)
{
	static const struct hello_spec	spec = {
		.sni = "len.example", .alpn = { "h2", "http/1.1" },
		.keyshare = 32,
	};
	struct hello_msg	*m = malloc(sizeof(*m));
	struct hello		 h;
	uint32_t		 was, max, to[5];
	size_t			 off, i, j, k;
	enum verdict		 v;

	ck_assert_ptr_nonnull(m);
	hello_make_msg(m, &spec);
	for (i = 0; i < m->nlens; i++) {
		off = m->lens[i].off;
		max = (1u << 8 * m->lens[i].width) - 1;
		for (was = 0, k = 0; k < m->lens[i].width; k++)
			was = was << 8 | m->b[off + k];
		to[0] = 0; to[1] = 1; to[2] = was - 1; to[3] = was + 1;
		to[4] = max;
		for (j = 0; j < nitems(to); j++) {
			if (to[j] == was || to[j] > max)
				continue;
			for (k = m->lens[i].width; k-- > 0; to[j] >>= 8)
				m->b[off + k] = (uint8_t)to[j];
			v = parse_msg(m, 0, &h);
			/* The message's own: longer is not all there yet. */
			ck_assert_msg(v == (off == HELLO_AT_LEN && j >= 3 ?
			    VERDICT_NEED_MORE : VERDICT_MALFORMED),
			    "length at %zu, case %zu: %d", off, j, v);
			hello_make_msg(m, &spec);
		}
	}
	free(m);
}
END_TEST

/* One byte of a good message changed. */
static const struct {
	const char	*what;
	size_t		 at;
	uint8_t		 to;
} edits[] = {
	{ "ServerHello", 0, 2 },
	{ "HelloRequest", 0, 0 },
	{ "client version 2.3", HELLO_AT_VERSION, 2 },
	{ "client version 3.0", HELLO_AT_VERSION + 1, 0 },
	{ "client version 3.4", HELLO_AT_VERSION + 1, 4 },
	{ "extensions too short", HELLO_AT_EXTS + 1, 3 },
};

START_TEST(test_edit)
{
	struct hello_spec	 spec = { .sni = "edit.example" };
	struct hello_msg	*m = malloc(sizeof(*m));
	struct hello		 h;
	size_t			 i;

	ck_assert_ptr_nonnull(m);
	hello_make_msg(m, &spec);
	ck_assert_int_eq(parse_msg(m, 0, &h), VERDICT_MATCH);
	m->b[edits[_i].at] = edits[_i].to;
	for (i = 0; i < nitems(cuts); i++)
		ck_assert_msg(parse_msg(m, cuts[i], &h) == VERDICT_MALFORMED,
		    "%s, %zu", edits[_i].what, cuts[i]);
	free(m);
}
END_TEST

/* CH4, CH5: one vector with another number of bytes, all else as it was. */
static const struct {
	const char	*what;
	size_t		 at, width;
	uint32_t	 was, to;
	enum verdict	 want;
} vectors[] = {
	{ "no session id", HELLO_AT_SID, 1, 32, 0, VERDICT_MATCH },
	{ "session id of 33", HELLO_AT_SID, 1, 32, 33, VERDICT_MALFORMED },
	{ "session id of 255", HELLO_AT_SID, 1, 32, 255, VERDICT_MALFORMED },
	{ "no cipher suites", HELLO_AT_CIPHERS, 2, 6, 0, VERDICT_MALFORMED },
	{ "one cipher suite", HELLO_AT_CIPHERS, 2, 6, 2, VERDICT_MATCH },
	{ "odd cipher suites", HELLO_AT_CIPHERS, 2, 6, 7, VERDICT_MALFORMED },
	{ "many cipher suites", HELLO_AT_CIPHERS, 2, 6, 65534,
	    VERDICT_MATCH },
	{ "no compression", HELLO_AT_COMPR, 1, 1, 0, VERDICT_MALFORMED },
	{ "many compressions", HELLO_AT_COMPR, 1, 1, 255, VERDICT_MATCH },
};

/* Bytes at the end of a vector go, or are added; the message knows. */
static void
resize_vector(struct hello_msg *m, size_t at, size_t width, uint32_t was,
    uint32_t to)
{
	uint8_t	*body = m->b + at + width;
	size_t	 end = m->len + to - was;

	memmove(body + to, body + was, m->len - (at + width + was));
	if (to > was)
		memset(body + was, 0, to - was);
	m->len = at;
	hm_int(m, to, width);
	m->len = HELLO_AT_LEN;
	hm_int(m, (uint32_t)end - 4, 3);
	m->len = end;
}

START_TEST(test_vector)
{
	struct hello_spec	 spec = { .sni = "vector.example" };
	struct hello_msg	*m = malloc(sizeof(*m));
	struct hello		 h;

	ck_assert_ptr_nonnull(m);
	hello_make_msg(m, &spec);
	resize_vector(m, vectors[_i].at, vectors[_i].width, vectors[_i].was,
	    vectors[_i].to);
	ck_assert_msg(parse_msg(m, 0, &h) == vectors[_i].want, "%s",
	    vectors[_i].what);
	ck_assert_msg(parse_msg(m, 100, &h) == vectors[_i].want, "%s",
	    vectors[_i].what);
	free(m);
}
END_TEST

/* CH6, CH24: extensions behind those of a hello with the name "a.b" and the
 * protocol "h2", or of one without. */
static const struct {
	const char	*what;
	bool		 full;
	enum verdict	 want;
	size_t		 len;
	const char	*bytes;
} extras[] = {
	{ "same name twice", true, VERDICT_MALFORMED, 12,
	    "\0\0\0\x08\0\x06\0\0\3a.b" },
	{ "another name", true, VERDICT_MALFORMED, 12,
	    "\0\0\0\x08\0\x06\0\0\3c.d" },
	{ "ALPN twice", true, VERDICT_MALFORMED, 9,
	    "\0\x10\0\5\0\3\2h2" },
	{ "unknown twice", true, VERDICT_MATCH, 8,
	    "\x77\x77\0\0\x77\x77\0\0" },
	{ "one name", false, VERDICT_MATCH, 12,
	    "\0\0\0\x08\0\x06\0\0\3a.b" },
	{ "server_name of nothing", false, VERDICT_MALFORMED, 4,
	    "\0\0\0\0" },
	{ "no names in the list", false, VERDICT_MALFORMED, 6,
	    "\0\0\0\2\0\0" },
	{ "empty name", false, VERDICT_MALFORMED, 9,
	    "\0\0\0\5\0\3\0\0\0" },
	{ "type 1", false, VERDICT_MALFORMED, 12,
	    "\0\0\0\x08\0\x06\1\0\3a.b" },
	{ "two names in the list", false, VERDICT_MALFORMED, 18,
	    "\0\0\0\x0e\0\x0c\0\0\3a.b\0\0\3c.d" },
	{ "list shorter than extension", false, VERDICT_MALFORMED, 13,
	    "\0\0\0\x09\0\x06\0\0\3a.bx" },
	{ "name longer than list", false, VERDICT_MALFORMED, 12,
	    "\0\0\0\x08\0\x06\0\0\4a.b" },
	{ "one protocol", false, VERDICT_MATCH, 9,
	    "\0\x10\0\5\0\3\2h2" },
	{ "ALPN of nothing", false, VERDICT_MALFORMED, 4,
	    "\0\x10\0\0" },
	{ "no protocols", false, VERDICT_MALFORMED, 6,
	    "\0\x10\0\2\0\0" },
	{ "empty protocol", false, VERDICT_MALFORMED, 7,
	    "\0\x10\0\3\0\1\0" },
	{ "empty protocol behind one", false, VERDICT_MALFORMED, 10,
	    "\0\x10\0\6\0\4\2h2\0" },
	{ "protocol past the list", false, VERDICT_MALFORMED, 9,
	    "\0\x10\0\5\0\3\3h2" },
	{ "list shorter than ALPN", false, VERDICT_MALFORMED, 10,
	    "\0\x10\0\6\0\3\2h2x" },
	{ "half a type", false, VERDICT_MALFORMED, 1, "\x77" },
	{ "half a length", false, VERDICT_MALFORMED, 3, "\x77\x77\0" },
	{ "extension past the end", false, VERDICT_MALFORMED, 5,
	    "\x77\x77\0\2x" },
	{ "broken ECH", false, VERDICT_MATCH, 6, "\xfe\x0d\0\2\xff\xff" },
};

START_TEST(test_extra)
{
	struct hello_spec	 spec = {
		.extra = extras[_i].bytes, .extralen = extras[_i].len
	};
	struct hello_msg	*m = malloc(sizeof(*m));
	struct hello		 h;
	size_t			 i;

	ck_assert_ptr_nonnull(m);
	if (extras[_i].full) {
		spec.sni = "a.b";
		spec.alpn[0] = "h2";
	}
	hello_make_msg(m, &spec);
	for (i = 0; i < nitems(cuts); i++)
		ck_assert_msg(parse_msg(m, cuts[i], &h) == extras[_i].want,
		    "%s, %zu", extras[_i].what, cuts[i]);
	free(m);
}
END_TEST

START_TEST(test_trailing)
{
	struct hello_spec	 spec = { .sni = "a.b" };
	struct hello_msg	*m = malloc(sizeof(*m));
	struct hello		 h;
	int			 bare;

	ck_assert_ptr_nonnull(m);
	for (bare = 0; bare < 2; bare++) {
		spec.bare = bare;
		hello_make_msg(m, &spec);
		hm_int(m, 0, 1);
		m->b[HELLO_AT_LEN + 2]++;
		ck_assert_int_eq(parse_msg(m, 0, &h), VERDICT_MALFORMED);
	}
	free(m);
}
END_TEST

/* CH20, CH22 and the first bytes in general. */
static const struct {
	const char	*what;
	enum verdict	 want;
	size_t		 len;
	const char	*bytes;
	size_t		 need;
} starts[] = {
	{ "nothing", VERDICT_NEED_MORE, 0, "", 1 },
	{ "one byte", VERDICT_NEED_MORE, 1, "\x16", 3 },
	{ "version", VERDICT_NEED_MORE, 3, "\x16\3\1", 5 },
	{ "record header", VERDICT_NEED_MORE, 5, "\x16\3\1\1\0", 9 },
	{ "record of 1", VERDICT_NEED_MORE, 5, "\x16\3\1\0\1", 11 },
	{ "record of 4", VERDICT_NEED_MORE, 5, "\x16\3\1\0\4", 9 },
	{ "1 in a record of 1", VERDICT_NEED_MORE, 6, "\x16\3\1\0\1\1", 11 },
	{ "the rest in the second", VERDICT_NEED_MORE, 11,
	    "\x16\3\1\0\1\1\x16\3\1\1\0", 14 },
	{ "message header", VERDICT_NEED_MORE, 9,
	    "\x16\3\1\1\0\1\0\0\xfc", 9 + 0xfc },
	{ "message longer than record", VERDICT_NEED_MORE, 9,
	    "\x16\3\1\0\4\1\0\1\0", 9 + 0x100 + 5 },
	{ "16 MiB", VERDICT_NEED_MORE, 9, "\x16\3\1\x40\0\1\xff\xff\xff",
	    4 + 0xffffff + 1025 * 5 },
	{ "HTTP", VERDICT_NO_MATCH, 1, "G", 0 },
	{ "SSH", VERDICT_NO_MATCH, 1, "S", 0 },
	{ "SOCKS", VERDICT_NO_MATCH, 1, "\5", 0 },
	{ "TDS", VERDICT_NO_MATCH, 1, "\x12", 0 },
	{ "alert first", VERDICT_NO_MATCH, 1, "\x15", 0 },
	{ "data first", VERDICT_NO_MATCH, 1, "\x17", 0 },
	{ "SSLv2", VERDICT_MALFORMED, 5, "\x80\x2e\1\0\2", 0 },
	{ "SSLv2 with TLS inside", VERDICT_MALFORMED, 5, "\x80\x67\1\3\1", 0 },
	{ "record type 0x80", VERDICT_MALFORMED, 5, "\x80\3\1\0\4", 0 },
	{ "record type 0x80, 3.3", VERDICT_MALFORMED, 5, "\x80\3\3\0\4", 0 },
	{ "0x80, something else", VERDICT_NO_MATCH, 3, "\x80\x2e\2", 0 },
	{ "SSLv3", VERDICT_MALFORMED, 3, "\x16\3\0", 0 },
	{ "record 0.0", VERDICT_MALFORMED, 3, "\x16\0\0", 0 },
	{ "record 3.4", VERDICT_MALFORMED, 3, "\x16\3\4", 0 },
	{ "record 22.3", VERDICT_MALFORMED, 3, "\x16\x16\3", 0 },
	{ "DTLS", VERDICT_MALFORMED, 3, "\x16\xfe\xfd", 0 },
	{ "record of 0", VERDICT_MALFORMED, 5, "\x16\3\1\0\0", 0 },
	{ "record of 16385", VERDICT_MALFORMED, 5, "\x16\3\1\x40\1", 0 },
	{ "second of 0", VERDICT_MALFORMED, 11,
	    "\x16\3\1\0\1\1\x16\3\1\0\0", 0 },
	{ "alert inside", VERDICT_MALFORMED, 11,
	    "\x16\3\1\0\1\1\x15\3\1\0\2", 0 },
	{ "second is SSLv3", VERDICT_MALFORMED, 11,
	    "\x16\3\1\0\1\1\x16\3\0\0\1", 0 },
	{ "empty hello", VERDICT_MALFORMED, 9, "\x16\3\1\0\4\1\0\0\0", 0 },
};

START_TEST(test_start)
{
	struct hello	 h;
	const uint8_t	*p = (const uint8_t *)starts[_i].bytes;
	const char	*err;
	size_t		 need = 0, first;
	enum verdict	 v;

	v = parse_exact(p, starts[_i].len, &h, &need);
	ck_assert_msg(v == starts[_i].want, "%s: %d", starts[_i].what, v);
	if (v == VERDICT_NEED_MORE)
		ck_assert_msg(need == starts[_i].need, "%s: needs %zu",
		    starts[_i].what, need);
	err = monotone_check(parse_fn, p, starts[_i].len, &h, &v, &first);
	ck_assert_msg(err == NULL, "%s: %s", starts[_i].what, err);
}
END_TEST

/* A record inside the hello that has no place there.  It is said when so many
 * bytes are there as the hello needs at least, and stays. */
START_TEST(test_record_inside)
{
	static const char	*bad[] = {
		"\x15\3\1\0\2", "\x14\3\3\0\1", "\x17\3\3\0\1",
		"\x16\3\0\0\1", "\x16\3\4\0\1", "\x16\0\0\0\1",
		"\x16\3\1\0\0", "\x16\3\1\x40\1",
	};
	struct hello_spec	 spec = { .sni = "a.example", .pad = 80,
				    .cut = 50 };
	struct hello		 h;
	enum verdict		 v;
	const char		*err;
	uint8_t			*wire;
	size_t			 len, first, rec;

	wire = hello_make(&spec, &len);
	ck_assert_ptr_nonnull(wire);
	ck_assert_uint_gt(len, 3 * 55);
	for (rec = 1; rec <= 2; rec++) {
		memcpy(wire + rec * 55, bad[_i], 5);
		err = monotone_check(parse_fn, wire, len, &h, &v, &first);
		ck_assert_msg(err == NULL, "%d: %s", _i, err);
		ck_assert_int_eq(v, VERDICT_MALFORMED);
		memcpy(wire + rec * 55, "\x16\3\1\0\x32", 5);
	}
	free(wire);
}
END_TEST

START_TEST(test_alpn)
{
	struct hello_spec	 spec = {
		.alpn = { "acme-tls/1", "h2", "http/1.1" }
	};
	struct hello		 h;
	uint8_t			*wire;
	size_t			 len, need;

	wire = hello_make(&spec, &len);
	ck_assert_int_eq(parse_exact(wire, len, &h, &need), VERDICT_MATCH);
	free(wire);
	ck_assert_uint_eq(h.alpnlen, 11 + 3 + 9);
	ck_assert(!h.alpn_cut);
	ck_assert(hello_offers(&h, "h2"));
	ck_assert(hello_offers(&h, "http/1.1"));
	ck_assert(hello_offers(&h, "acme-tls/1"));
	ck_assert(!hello_offers(&h, "http/1"));
	ck_assert(!hello_offers(&h, "http/1.10"));
	ck_assert(!hello_offers(&h, "H2"));
	ck_assert(!hello_offers(&h, ""));
}
END_TEST

START_TEST(test_alpn_cut)
{
	char			 big[2][201];
	struct hello_spec	 spec = { .alpn = { big[0], big[1], "h2" } };
	struct hello		 h;
	uint8_t			*wire;
	size_t			 len, need;

	memset(big, 'x', sizeof(big));
	big[0][200] = big[1][200] = '\0';
	wire = hello_make(&spec, &len);
	ck_assert_int_eq(parse_exact(wire, len, &h, &need), VERDICT_MATCH);
	free(wire);
	ck_assert(h.alpn_cut);
	ck_assert_uint_eq(h.alpnlen, 201);
	ck_assert(hello_offers(&h, big[0]));
	ck_assert(!hello_offers(&h, "h2"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("hello");
	TCase	*tc = tcase_create("hello");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_good, 0, (int)nitems(goods));
	tcase_add_loop_test(tc, test_prefixes, 0, (int)nitems(goods));
	tcase_add_test(tc, test_two_records);
	tcase_add_test(tc, test_few_looks);
	tcase_add_test(tc, test_bytes_behind);
	tcase_add_test(tc, test_every_length);
	tcase_add_loop_test(tc, test_edit, 0, (int)nitems(edits));
	tcase_add_loop_test(tc, test_vector, 0, (int)nitems(vectors));
	tcase_add_loop_test(tc, test_extra, 0, (int)nitems(extras));
	tcase_add_test(tc, test_trailing);
	tcase_add_loop_test(tc, test_start, 0, (int)nitems(starts));
	tcase_add_loop_test(tc, test_record_inside, 0, 8);
	tcase_add_test(tc, test_alpn);
	tcase_add_test(tc, test_alpn_cut);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
