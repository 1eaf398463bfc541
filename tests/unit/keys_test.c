#include <sys/wait.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <openssl/err.h>

#include "common/child.h"
#include "common/ipc.h"
#include "common/l4.h"
#include "common/proto.h"
#include "common/sign.h"
#include "keys/signer.h"
#include "keys_world.h"
#include "tests/unit/suite.h"

/*
 * The handshakes of tlsterm with keys in another process, or a test in its
 * place.
 */
#define CONNS	20

static const struct {
	enum pair_type	 type;
	int		 version;
	const char	*sigalgs;	/* NULL: whatever they agree on */
	enum outcome	 want;
} handshakes[] = {
	{ PAIR_P256, TLS1_2_VERSION, NULL, GOOD },
	{ PAIR_P256, TLS1_3_VERSION, NULL, GOOD },
	{ PAIR_P384, TLS1_2_VERSION, NULL, GOOD },
	{ PAIR_P384, TLS1_3_VERSION, NULL, GOOD },
	{ PAIR_RSA, TLS1_2_VERSION, NULL, GOOD },
	{ PAIR_RSA, TLS1_3_VERSION, NULL, GOOD },
	{ PAIR_ED25519, TLS1_2_VERSION, NULL, GOOD },
	{ PAIR_ED25519, TLS1_3_VERSION, NULL, GOOD },
	{ PAIR_P256, TLS1_2_VERSION, "ECDSA+SHA512:ECDSA+SHA256", GOOD },
	{ PAIR_P256, TLS1_2_VERSION, "ECDSA+SHA384:ECDSA+SHA256", GOOD },
	{ PAIR_RSA, TLS1_2_VERSION, "RSA+SHA256", GOOD },
	{ PAIR_RSA, TLS1_2_VERSION, "RSA+SHA384:RSA+SHA256", GOOD },
	{ PAIR_RSA, TLS1_2_VERSION, "RSA+SHA512:RSA+SHA256", GOOD },
	{ PAIR_RSA, TLS1_3_VERSION, "RSA-PSS+SHA384:RSA+SHA256", GOOD },
	{ PAIR_RSA, TLS1_3_VERSION, "RSA-PSS+SHA512:RSA+SHA256", GOOD },
	{ PAIR_RSA, TLS1_3_VERSION, "RSA+SHA256", BAD },
	{ PAIR_P256, TLS1_3_VERSION, "ECDSA+SHA384", BAD },
};

START_TEST(test_handshake)
{
	struct world	w;
	struct conn	c;

	world_open(&w, handshakes[_i].type, handshakes[_i].version);
	if (handshakes[_i].sigalgs != NULL)
		ck_assert_int_eq(SSL_CTX_set1_sigalgs_list(w.client,
		    handshakes[_i].sigalgs), 1);
	world_start_keys(&w, 0);
	conns_open(&w, &c, 1);
	world_run(&w);
	conns_close(&c, 1, handshakes[_i].want);
	/* More than once where keys was slow to start. */
	ck_assert_int_eq(w.stats.count[STAT_SIGNED] > 0,
	    handshakes[_i].want == GOOD);
	world_close(&w);
}
END_TEST

/* A key that belongs to another certificate is noticed. */
START_TEST(test_mismatch)
{
	struct world	 w;
	EVP_PKEY	*other = pair_key(_i), *p521 = EVP_EC_gen("P-521");
	EVP_PKEY	*key;

	world_open(&w, _i, TLS1_3_VERSION);
	key = keyprov_key(w.prov, w.chan, other, 7);
	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(X509_check_private_key(w.cert, key), 0);
	ck_assert_ptr_null(keyprov_key(w.prov, w.chan, p521, 7));
	ERR_clear_error();
	EVP_PKEY_free(p521);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	world_close(&w);
}
END_TEST

/* The next packet of requests, at the place of keys. */
static int
take_requests(struct world *w, struct sign_request *q, uint8_t *buf)
{
	struct ipc_msg	m;
	struct rd	r;
	int		i, n;

	ck_assert_int_eq(ipc_recv(w->keys_end, buf, CHILD_BUFSIZE, &m),
	    IPC_OK);
	ck_assert_uint_eq(m.type, IPC_SIGN);
	rd_init(&r, m.data, m.len);
	n = rd_u8(&r);
	ck_assert_int_le(n, SIGN_BATCH);
	for (i = 0; i < n; i++)
		ck_assert(sign_request_read(&r, &q[i]));
	ck_assert(rd_done(&r));
	return n;
}

static void
give_answer(struct world *w, const struct sign_request *q)
{
	struct signer_key	k = { .pkey = NULL };
	uint8_t			buf[SIGNED_PACKET_MAX], sig[SIGN_SIG_MAX];
	struct sign_answer	a = { .id = q->id, .sig = sig };
	struct ipc_msg		m = { .type = IPC_SIGNED, .data = buf };
	struct wr		wr;

	ck_assert_ptr_null(signer_key_init(&k, w->real));
	ck_assert_int_eq(EVP_PKEY_up_ref(w->real), 1);
	a.status = signer_sign(&k, q, sig, &a.len);
	signer_key_clear(&k);
	wr_init(&wr, buf, sizeof(buf));
	wr_u8(&wr, 1);
	sign_answer_write(&wr, &a);
	m.len = wr.len;
	ck_assert_int_eq(ipc_send(w->keys_end, &m), IPC_OK);
}

static bool
nothing_asked(struct world *w, uint8_t *buf)
{
	struct ipc_msg	m;

	return ipc_recv(w->keys_end, buf, CHILD_BUFSIZE, &m) == IPC_AGAIN;
}

/* Twenty requests of one turn: three packets.  Answers in any order. */
START_TEST(test_batch)
{
	static uint8_t		buf[3][CHILD_BUFSIZE];
	struct world		w;
	struct conn		c[CONNS];
	struct sign_request	q[3 * SIGN_BATCH];
	int			i, n = 0;

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	conns_open(&w, c, CONNS);
	ck_assert_uint_eq(keychan_waiting(w.chan), CONNS);
	ck_assert(nothing_asked(&w, buf[0]));
	keychan_flush(w.chan);
	for (i = 0; i < 3; i++)
		n += take_requests(&w, &q[n], buf[i]);
	ck_assert_int_eq(n, CONNS);
	ck_assert(nothing_asked(&w, buf[0]));
	while (n > 0)
		give_answer(&w, &q[--n]);
	world_run(&w);
	conns_close(c, CONNS, GOOD);
	world_close(&w);
}
END_TEST

/* What a channel that is to be answered later shall do in the loop. */
struct later {
	struct ev_io	 io;
	struct world	*world;
	int		 packets, answer_at;
};

static void
later_event(struct ev_io *io, uint32_t events)
{
	static uint8_t		 buf[CHILD_BUFSIZE];
	struct later		*l = container_of(io, struct later, io);
	struct sign_request	 q[SIGN_BATCH];

	(void)events;
	ck_assert_int_eq(take_requests(l->world, q, buf), 1);
	if (++l->packets != l->answer_at)
		return;
	give_answer(l->world, q);
	give_answer(l->world, q);	/* the second is nobody's */
}

/*
 * The packet that a keys process died with is sent again, once; answers that
 * nobody waits for do no harm; without any the handshake fails.
 */
START_TEST(test_lost_packet)
{
	struct world	w;
	struct later	l = { .io.cb = later_event, .world = &w,
		.answer_at = _i };
	struct conn	c[2];

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	l.io.fd = w.keys_end;
	ck_assert_int_eq(ev_add(w.ev, &l.io, EPOLLIN), 0);
	conns_open(&w, c, 1);
	world_run(&w);
	conns_close(c, 1, _i <= 2 ? GOOD : BAD);
	ck_assert_int_eq(l.packets, _i <= 2 ? _i : 2);
	l.packets = 0;
	l.answer_at = 1;
	conns_open(&w, c, 1);
	world_run(&w);
	conns_close(c, 1, GOOD);
	world_close(&w);
}
END_TEST

/* A connection may go while its signature is out, or has come. */
START_TEST(test_end_while_waiting)
{
	static uint8_t		buf[CHILD_BUFSIZE];
	struct world		w;
	struct conn		c[3];
	struct sign_request	q[SIGN_BATCH];

	world_open(&w, PAIR_RSA, _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
	conns_open(&w, c, 3);
	conn_close(&c[0]);		/* before it was sent */
	keychan_flush(w.chan);
	ck_assert_int_eq(take_requests(&w, q, buf), 2);
	conn_close(&c[1]);
	ck_assert_uint_eq(keychan_waiting(w.chan), 1);
	give_answer(&w, &q[0]);
	give_answer(&w, &q[1]);
	w.waiting = 1;
	world_run(&w);
	conns_close(&c[2], 1, GOOD);
	world_close(&w);
}
END_TEST

/* A handshake that is called though nothing has come goes on waiting. */
START_TEST(test_spurious)
{
	static uint8_t		buf[CHILD_BUFSIZE];
	struct world		w;
	struct conn		c;
	struct sign_request	q[SIGN_BATCH];

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	conns_open(&w, &c, 1);
	conn_run(&c);
	keychan_flush(w.chan);
	conn_run(&c);
	ck_assert_int_eq(c.outcome, UNDECIDED);
	ck_assert_int_eq(take_requests(&w, q, buf), 1);
	ck_assert(nothing_asked(&w, buf));
	give_answer(&w, q);
	world_run(&w);
	conns_close(&c, 1, GOOD);
	world_close(&w);
}
END_TEST

/* More than the channel takes at once: sent as it drains. */
START_TEST(test_full_channel)
{
	enum { MANY = 60 };
	static struct conn	c[MANY];
	struct world		w;
	int			small = 1;

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	ck_assert_int_eq(setsockopt(w.keys_end, SOL_SOCKET, SO_SNDBUF, &small,
	    sizeof(small)), 0);
	ck_assert_int_eq(setsockopt(w.tls_end, SOL_SOCKET, SO_SNDBUF,
	    &small, sizeof(small)), 0);
	conns_open(&w, c, MANY);
	keychan_flush(w.chan);
	world_start_keys(&w, 0);
	world_run(&w);
	conns_close(c, MANY, GOOD);
	world_close(&w);
}
END_TEST

START_TEST(test_channel_gone)
{
	struct world	w;
	struct conn	c[2];

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	conns_open(&w, c, 1);
	keychan_flush(w.chan);
	close(w.keys_end);
	w.keys_end = -1;
	world_run(&w);
	conns_close(c, 1, BAD);
	conns_open(&w, c, 1);		/* fails at once */
	conns_close(c, 1, BAD);
	world_close(&w);
}
END_TEST

/* A key that keys does not have: this handshake fails, others do not. */
START_TEST(test_no_key)
{
	struct world	w;
	struct conn	c;
	SSL_CTX		*good;
	SSL_CTX		*client;

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	world_start_keys(&w, 0);
	good = w.server;
	client = w.client;
	world_contexts(&w, TLS1_3_VERSION, 8);
	conns_open(&w, &c, 1);
	world_run(&w);
	conns_close(&c, 1, BAD);
	ck_assert_uint_eq(w.stats.count[STAT_SIGN_REFUSED], 1);
	SSL_CTX_free(w.server);
	SSL_CTX_free(w.client);
	w.server = good;
	w.client = client;
	conns_open(&w, &c, 1);
	world_run(&w);
	conns_close(&c, 1, GOOD);
	world_close(&w);
}
END_TEST

/* Ends all; have all succeeded? */
static bool
conns_succeeded(struct conn *c)
{
	bool	good = true;
	int	i;

	for (i = 0; i < CONNS; i++) {
		good = good && c[i].outcome == GOOD;
		conn_close(&c[i]);
	}
	return good;
}

/*
 * A handshake has one second, and one that was taken by a process that dies
 * loses a quarter of it: a machine that is busy with others gets five tries.
 */
static bool
kill_round(struct world *w, int which)
{
	struct conn	c[CONNS];
	bool		good = false;
	int		tries;

	for (tries = 0; !good && tries < 5; tries++) {
		conns_open(w, c, CONNS);
		keychan_flush(w->chan);
		world_kill_keys(w, which);
		world_run(w);
		good = conns_succeeded(c);
		world_start_keys(w, which);
	}
	return good;
}

/* Two keys processes on one channel; one is killed again and again. */
START_TEST(test_kill)
{
	struct world	w;
	int		i;

	world_open(&w, _i, TLS1_3_VERSION);
	world_start_keys(&w, 0);
	world_start_keys(&w, 1);
	for (i = 0; i < 6; i++)
		ck_assert(kill_round(&w, i % 2));
	world_close(&w);
}
END_TEST

/* One that is stopped holds nothing up for good. */
START_TEST(test_stopped)
{
	struct world	w;
	struct conn	c[CONNS];
	bool		good = false;
	int		status, tries;

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	world_start_keys(&w, 0);
	world_start_keys(&w, 1);
	kill(w.pid[0], SIGSTOP);
	ck_assert_int_eq(waitpid(w.pid[0], &status, WUNTRACED), w.pid[0]);
	for (tries = 0; !good && tries < 5; tries++) {
		conns_open(&w, c, CONNS);
		world_run(&w);
		good = conns_succeeded(c);
	}
	ck_assert(good);
	world_close(&w);
}
END_TEST

/*
 * P15: what is no packet of requests ends who sent it, by way of master; not
 * the keys process, nor the channel, which is the successor's.
 */
static const struct {
	const char	*what;
	uint16_t	 type;
	const char	*data;
	size_t		 len;
	bool		 fd;
} malformed[] = {
	{ "another type", IPC_SIGNED, "\1\1\0\0\0\7\0\0\0\3\4\0\0", 13, false },
	{ "empty", IPC_SIGN, "", 0, false },
	{ "count only", IPC_SIGN, "\1", 1, false },
	{ "none", IPC_SIGN, "\0\1\0\0\0\7\0\0\0\3\4\0\0", 13, false },
	{ "too many", IPC_SIGN, "\11\1\0\0\0\7\0\0\0\3\4\0\0", 13, false },
	{ "fewer than said", IPC_SIGN, "\2\1\0\0\0\7\0\0\0\3\4\0\0", 13,
	    false },
	{ "bytes left", IPC_SIGN, "\1\1\0\0\0\7\0\0\0\3\4\0\0z", 14, false },
	{ "blob beyond the end", IPC_SIGN,
	    "\1\1\0\0\0\7\0\0\0\3\4\377\377", 13, false },
	{ "no bytes", 0, "", 0, false },
	{ "a descriptor", IPC_SIGN, "\1\1\0\0\0\7\0\0\0\3\4\0\0", 13, true },
};

static bool
is_accused(struct world *w, uint8_t *buf)
{
	struct ipc_msg	m;

	if (ipc_recv(w->master, buf, CHILD_BUFSIZE, &m) != IPC_OK)
		return false;
	ck_assert_uint_eq(m.type, IPC_ACCUSE);
	ck_assert_mem_eq(m.data, "\0\0\0\0", 4);	/* the first channel */
	ck_assert_uint_eq(m.len, 4);
	return true;
}

/* The channel of the accused is its successor's. */
static void
goes_on(struct world *w)
{
	struct conn	c;

	conns_open(w, &c, 1);
	world_run(w);
	conns_close(&c, 1, GOOD);
}

START_TEST(test_malformed)
{
	static uint8_t	 buf[CHILD_BUFSIZE];
	struct ipc_msg	 m = { .type = malformed[_i].type,
		.data = (const uint8_t *)malformed[_i].data,
		.len = malformed[_i].len };
	struct world	 w;

	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	world_start_keys(&w, 0);
	if (malformed[_i].fd) {
		m.nfds = 1;
		m.fd[0] = STDERR_FILENO;
	}
	if (m.type == 0)
		ck_assert_int_eq(send(w.tls_end, "", 0, 0), 0);
	else
		ck_assert_int_eq(ipc_send(w.tls_end, &m), IPC_OK);
	ck_assert_int_eq(ipc_recv_wait(w.master, buf, sizeof(buf), &m),
	    IPC_OK);
	ck_assert_uint_eq(m.type, IPC_ACCUSE);
	ck_assert_uint_eq(m.len, 4);
	ck_assert_uint_eq(w.stats.count[STAT_IPC_BAD], 1);
	ck_assert_uint_eq(w.stats.count[STAT_SIGNED], 0);
	ck_assert_int_eq(waitpid(w.pid[0], NULL, WNOHANG), 0);
	goes_on(&w);
	world_close(&w);
}
END_TEST

/*
 * P15: a packet of one is answered by one, whatever is wrong with the request.
 * Who wants a signature under what is no part of a handshake is accused.
 */
static const struct {
	uint16_t	 scheme;
	size_t		 len;
	uint32_t	 key;
	enum sign_status want;
	bool		 accused;
} refusals[] = {
	{ 0x0403, 130, 7, SIGN_OK, false },
	{ 0x0403, 130, 8, SIGN_NO_KEY, false },
	{ 0x0804, 130, 7, SIGN_REFUSED, false },
	{ 0x0403, 129, 7, SIGN_REFUSED, true },
	{ 0x0403, 129, 8, SIGN_NO_KEY, true },
	{ 0x0403, 0, 7, SIGN_REFUSED, true },
	{ 0x0403, 1500, 7, SIGN_REFUSED, true },
};


START_TEST(test_refusals)
{
	static uint8_t		buf[CHILD_BUFSIZE];
	uint8_t			tbs[1500];
	struct sign_request	q = { .id = 0xfffffffe, .tbs = tbs,
		.key = refusals[_i].key, .scheme = refusals[_i].scheme,
		.len = refusals[_i].len };
	struct sign_answer	a;
	struct ipc_msg		m = { .type = IPC_SIGN, .data = buf };
	struct world		w;
	struct wr		wr;
	struct rd		r;

	memset(tbs, ' ', sizeof(tbs));
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	world_open(&w, PAIR_P256, TLS1_3_VERSION);
	world_start_keys(&w, 0);
	wr_init(&wr, buf, sizeof(buf));
	wr_u8(&wr, 1);
	sign_request_write(&wr, &q);
	m.len = wr.len;
	ck_assert_int_eq(ipc_send(w.tls_end, &m), IPC_OK);
	ck_assert_int_eq(ipc_recv_wait(w.tls_end, buf, sizeof(buf), &m),
	    IPC_OK);
	ck_assert_uint_eq(m.type, IPC_SIGNED);
	rd_init(&r, m.data, m.len);
	ck_assert_uint_eq(rd_u8(&r), 1);
	ck_assert(sign_answer_read(&r, &a));
	ck_assert(rd_done(&r));
	ck_assert_uint_eq(a.id, q.id);
	ck_assert_int_eq(a.status, refusals[_i].want);
	ck_assert_uint_eq(w.stats.count[STAT_SIGN_REFUSED],
	    refusals[_i].want != SIGN_OK);
	ck_assert_int_eq(is_accused(&w, buf), refusals[_i].accused);
	world_close(&w);
}
END_TEST

static TCase *
tcase_handshakes(void)
{
	TCase	*tc = tcase_create("handshakes");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, test_handshake, 0, (int)nitems(handshakes));
	tcase_add_loop_test(tc, test_mismatch, 0, PAIR__MAX);
	tcase_add_test(tc, test_batch);
	tcase_add_loop_test(tc, test_lost_packet, 1, 4);
	tcase_add_loop_test(tc, test_end_while_waiting, 0, 2);
	tcase_add_test(tc, test_spurious);
	tcase_add_test(tc, test_full_channel);
	tcase_add_test(tc, test_channel_gone);
	return tc;
}

static TCase *
tcase_processes(void)
{
	TCase	*tc = tcase_create("processes");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, test_no_key);
	tcase_add_loop_test(tc, test_kill, 0, PAIR__MAX);
	tcase_add_test(tc, test_stopped);
	tcase_add_loop_test(tc, test_malformed, 0, (int)nitems(malformed));
	tcase_add_loop_test(tc, test_refusals, 0, (int)nitems(refusals));
	return tc;
}

int
main(void)
{
	Suite	*s = suite_create("keys");

	suite_add_tcase(s, tcase_handshakes());
	suite_add_tcase(s, tcase_processes());
	return suite_run(s);
}
