#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "proxy/buf.h"
#include "proxy/record.h"
#include "proxy/session.h"
#include "tests/unit/suite.h"

/* A session on its way: what is written is what is read, or nothing is. */
static void
sample(struct record *c)
{
	memset(c, 0, sizeof(*c));
	c->id = UINT64_C(0x1122334455667788);
	c->accepted = 5;
	c->active = UINT64_MAX;
	c->member = 7;
	addr_set(&c->peer, ADDR_V4, (const uint8_t *)"\300\0\2\7", 4000);
	addr_set(&c->local, ADDR_V6, (const uint8_t *)
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 443);
	c->keepalive = 60000;
	c->proto = PROTO_TLS;
	c->flags = SESSION_LOG | SESSION_KEEPALIVE;
	c->leg[CLIENT].flags = LEG_RDHUP | LEG_EOF | LEG_DONE | LEG_NODELAY;
	c->leg[CLIENT].moved = 99;
	c->leg[UPSTREAM].moved = 100000;
	c->leg[UPSTREAM].stuck_at = 1234;
	c->leg[UPSTREAM].flags = LEG_BULK | LEG_WAS_BULK;
	c->leg[UPSTREAM].held = HELD_PIPE;
	c->leg[UPSTREAM].len = 100000;
	strcpy(c->listen, "[2001:db8::1]:443");
	strcpy(c->reason, "route:3");
	strcpy(c->sni, "a.example");
	strcpy(c->alpn, "h2,http/1.1");
}

static size_t
encode(const struct record *c, uint8_t buf[RECORD_MAX])
{
	struct wr	w;

	wr_init(&w, buf, RECORD_MAX);
	record_write(&w, c);
	ck_assert(!w.bad);
	return w.len;
}

/* From memory of exactly that size, for the sanitizer to see. */
static bool
decode(const uint8_t *buf, size_t len, struct record *c)
{
	uint8_t		*p = malloc(len + 1);
	struct rd	 r;
	bool		 good;

	memcpy(p + 1, buf, len);
	rd_init(&r, p + 1, len);
	memset(c, 0, sizeof(*c));
	good = record_read(&r, c);
	free(p);
	return good;
}

START_TEST(test_there_and_back)
{
	uint8_t		buf[RECORD_MAX];
	struct record	a, b;
	size_t		len;

	sample(&a);
	len = encode(&a, buf);
	ck_assert(decode(buf, len, &b));
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
	ck_assert_uint_eq(record_nfds(&b), 4);
}
END_TEST

START_TEST(test_longest)
{
	uint8_t		buf[RECORD_MAX];
	struct record	a, b;

	sample(&a);
	a.peer = a.local;
	memset(a.listen, 'l', sizeof(a.listen) - 1);
	memset(a.reason, 'r', sizeof(a.reason) - 1);
	memset(a.sni, 's', sizeof(a.sni) - 1);
	memset(a.alpn, 'a', sizeof(a.alpn) - 1);
	ck_assert(decode(buf, encode(&a, buf), &b));
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
}
END_TEST

START_TEST(test_every_prefix)
{
	uint8_t		buf[RECORD_MAX];
	struct record	a, b;
	size_t		len, k;

	sample(&a);
	len = encode(&a, buf);
	for (k = 0; k < len; k++)
		ck_assert_msg(!decode(buf, k, &b), "%zu of %zu", k, len);
	buf[len] = 0;
	ck_assert(!decode(buf, len + 1, &b));
	buf[0]++;
	ck_assert(!decode(buf, len, &b));
}
END_TEST

static void bad_proto(struct record *c) { c->proto = PROTO__MAX; }
static void bad_flags(struct record *c) { c->flags |= SESSION_READY; }
static void bad_member(struct record *c) { c->flags |= SESSION_ON_MEMBER; }
static void bad_leg(struct record *c) { c->leg[0].flags |= LEG_PIPED; }
static void bad_held(struct record *c) { c->leg[1].held = HELD__MAX; }
static void bad_empty(struct record *c) { c->leg[1].len = 0; }
static void bad_none(struct record *c) { c->leg[0].len = 1; }
static void bad_more(struct record *c) { c->leg[1].len = 100001; }
static void bad_end(struct record *c) { c->leg[0].flags = LEG_DONE; }
static void
bad_buf(struct record *c)
{
	c->leg[1].held = HELD_BUF;
	c->leg[1].len = BUF_MAX + 1;
}
static void
bad_pipe(struct record *c)
{
	c->leg[1].moved = UINT64_MAX;
	c->leg[1].len = UINT32_MAX;
}
static void
bad_ends(struct record *c)
{
	c->leg[1].held = HELD_NONE;
	c->leg[1].len = 0;
	c->leg[1].flags = LEG_EOF | LEG_DONE;
}
static void
bad_passed_on(struct record *c)
{
	c->leg[0] = c->leg[1];
	c->leg[0].flags = LEG_EOF | LEG_DONE;
}

static void	(*const spoil[])(struct record *) = {
	bad_proto, bad_flags, bad_member, bad_leg, bad_held, bad_empty,
	bad_none, bad_more, bad_end, bad_buf, bad_pipe, bad_ends,
	bad_passed_on,
};

START_TEST(test_contradictions)
{
	uint8_t		buf[RECORD_MAX];
	struct record	a, b;

	sample(&a);
	spoil[_i](&a);
	ck_assert(!decode(buf, encode(&a, buf), &b));
}
END_TEST

/* A PROXY header waits as well, and is no payload. */
START_TEST(test_more_held_than_read_upwards)
{
	uint8_t		buf[RECORD_MAX];
	struct record	a, b;

	sample(&a);
	a.leg[CLIENT] = (struct record_leg){ .moved = 10, .held = HELD_BUF,
		.len = 38 };
	ck_assert(decode(buf, encode(&a, buf), &b));
	ck_assert_uint_eq(record_nfds(&b), 6);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("record");
	TCase	*tc = tcase_create("record");

	tcase_add_test(tc, test_there_and_back);
	tcase_add_test(tc, test_longest);
	tcase_add_test(tc, test_every_prefix);
	tcase_add_loop_test(tc, test_contradictions, 0, nitems(spoil));
	tcase_add_test(tc, test_more_held_than_read_upwards);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
