#include <string.h>

#include <check.h>

#include "common/conn.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

static const struct conf	conf = {
	.nlistener = 2, .nsite = 3, .nupstream = 2, .nroute = 4,
};

static struct conn_row
row_make(void)
{
	struct conn_row	row;

	memset(&row, 0, sizeof(row));
	row.state = CONN_RELAY;
	row.in = 5;
	row.out = UINT64_MAX;
	row.info.id = UINT64_C(1) << 63 | 7;
	row.info.accepted = 12345;
	row.info.peer.family = ADDR_V6;
	row.info.peer.port = 4000;
	row.info.local.family = ADDR_V4;
	row.info.target.kind = TARGET_UPSTREAM;
	row.info.target.index = 1;
	row.info.reason = REASON_ROUTE;
	row.info.rule = 3;
	row.info.listener = 1;
	row.info.proto = PROTO_TLS;
	strcpy(row.info.sni, "a.example");
	strcpy(row.info.alpn, "h2,http/1.1");
	return row;
}

static size_t
row_write(const struct conn_row *row, uint8_t buf[CONN_ROW_MAX])
{
	struct wr	w;

	wr_init(&w, buf, CONN_ROW_MAX);
	conn_row_write(&w, row);
	ck_assert(!w.bad);
	return w.len;
}

static bool
row_read(const uint8_t *buf, size_t len, struct conn_row *row)
{
	struct rd	r;

	memset(row, 0, sizeof(*row));
	rd_init(&r, buf, len);
	return conn_row_read(&r, &conf, row) && rd_done(&r);
}

static bool
survives(const struct conn_row *row)
{
	uint8_t		buf[CONN_ROW_MAX];
	struct conn_row	got;

	return row_read(buf, row_write(row, buf), &got);
}

START_TEST(test_row_comes_back)
{
	struct conn_row	row = row_make(), got;
	uint8_t		buf[CONN_ROW_MAX];
	size_t		len = row_write(&row, buf), k;

	ck_assert(row_read(buf, len, &got));
	ck_assert_int_eq(memcmp(&row.info.id, &got.info.id, 8), 0);
	ck_assert_uint_eq(got.in, row.in);
	ck_assert_uint_eq(got.out, row.out);
	ck_assert_int_eq(got.state, row.state);
	ck_assert_str_eq(got.info.sni, row.info.sni);
	ck_assert_str_eq(got.info.alpn, row.info.alpn);
	ck_assert_str_eq(got.listen, "");
	for (k = 0; k < len; k++)
		ck_assert(!row_read(buf, k, &got));
}
END_TEST

START_TEST(test_longest_row_fits)
{
	struct conn_row	row = row_make();

	row.info.local.family = ADDR_V6;
	memset(row.info.sni, 'a', sizeof(row.info.sni) - 1);
	memset(row.info.alpn, 'b', sizeof(row.info.alpn) - 1);
	memset(row.listen, 'c', sizeof(row.listen) - 1);
	memset(row.why, 'd', sizeof(row.why) - 1);
	ck_assert(survives(&row));
}
END_TEST

/* What a captured process could say of connections it does not have. */
START_TEST(test_wrong_rows)
{
	struct conn_row	row = row_make();

	row.info.target.index = 2;
	ck_assert(!survives(&row));
	row = row_make();
	row.info.target.kind = TARGET_CLOSE;
	ck_assert(!survives(&row));
	row = row_make();
	row.info.rule = 4;
	ck_assert(!survives(&row));
	row = row_make();
	row.info.listener = 2;
	ck_assert(!survives(&row));
	row = row_make();
	row.state = CONN_STATE__MAX;
	ck_assert(!survives(&row));
}
END_TEST

/* One without a target yet, and one whose rule is another configuration's. */
START_TEST(test_rows_that_say_less)
{
	struct conn_row	row = row_make();

	row.state = CONN_UNDECIDED;
	row.info.target.kind = TARGET_CLOSE;
	ck_assert(survives(&row));
	row = row_make();
	row.info.rule = 99;
	strcpy(row.why, "route:100");
	ck_assert(survives(&row));
	row.info.target.index = 2;
	ck_assert(!survives(&row));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("conn");
	TCase	*tc = tcase_create("conn");

	tcase_add_test(tc, test_row_comes_back);
	tcase_add_test(tc, test_longest_row_fits);
	tcase_add_test(tc, test_wrong_rows);
	tcase_add_test(tc, test_rows_that_say_less);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
