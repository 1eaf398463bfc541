#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "common/certinfo.h"
#include "common/ipc.h"
#include "common/l4.h"
#include "common/proto.h"
#include "common/sandbox.h"
#include "common/sign.h"
#include "common/stats.h"
#include "common/wire.h"
#include "pair_make.h"
#include "tests/unit/suite.h"

/*
 * The keys binary, started as master does it: its messages, its answers, and
 * signatures with the sandbox in force.
 */

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED	1	/* then it has no seccomp filter */
#else
#define SANITIZED	0
#endif

static const char	conf_text[] =
    "listen = ( \"127.0.0.1:8443\" );\n"
    "sites = { a = { names = [ \"a.example\" ];\n"
    "  redirect = \"https://b.example{uri}\"; }; };\n";

struct run {
	pid_t		 pid;
	int		 chan;
	uint8_t		 buf[IPC_HEADER + IPC_DATA_MAX];
	struct ipc_msg	 m;
	struct stats	 stats;
};

/* Beside this program, as built: .../tests/unit/, .../libexec/l4mux/. */
static void
keys_path(char path[PATH_MAX])
{
	char	self[PATH_MAX];
	ssize_t	n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	ck_assert_int_lt(snprintf(path, PATH_MAX, "%s/../../libexec/l4mux/keys",
	    dirname(self)), PATH_MAX);
}

static void
say(struct run *r, uint16_t type, const void *data, size_t len, int fd1,
    int fd2)
{
	struct ipc_msg	m = { .type = type, .data = data, .len = len };

	if (fd1 != -1)
		m.fd[m.nfds++] = fd1;
	if (fd2 != -1)
		m.fd[m.nfds++] = fd2;
	ck_assert_int_eq(ipc_send(r->chan, &m), IPC_OK);
}

static void
say_conf(struct run *r)
{
	uint8_t		buf[64];
	struct wr	w;
	int		fd;

	fd = pair_file(conf_text, sizeof(conf_text) - 1);
	wr_init(&w, buf, sizeof(buf));
	wr_u32(&w, 1);
	wr_str(&w, "test.conf");
	say(r, IPC_CONF, buf, w.len, fd, -1);
	close(fd);
	ck_assert_int_ne(fd = stats_create(0), -1);
	ck_assert_int_eq(stats_map(&r->stats, fd, 0, 1), 0);
	say(r, IPC_STATS, "\0\0\0\0", 4, fd, -1);
	close(fd);
}

static void
run_start(struct run *r)
{
	char	path[PATH_MAX];
	int	fd[2];

	keys_path(path);
	ck_assert_int_eq(ipc_pair(fd), 0);
	ck_assert_int_ne(r->pid = fork(), -1);
	if (r->pid == 0) {
		if (fd[1] == FD_CHANNEL)
			fcntl(fd[1], F_SETFD, 0);
		else
			dup2(fd[1], FD_CHANNEL);
		close_range(FD_CHANNEL + 1, UINT_MAX, 0);
		execl(path, "keys", "0", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	r->chan = fd[0];
	say_conf(r);
}

/* Privileged no: the test is not installed, and may not be root. */
static void
run_go(struct run *r)
{
	say(r, IPC_START, "\0\0", 2, -1, -1);
}

static void
run_hear(struct run *r, uint16_t type)
{
	ck_assert_int_eq(ipc_recv_wait(r->chan, r->buf, sizeof(r->buf), &r->m),
	    IPC_OK);
	ck_assert_uint_eq(r->m.type, type);
}

static void
run_hear_text(struct run *r, uint16_t type, const char *want)
{
	char		text[512];
	struct rd	rd;

	run_hear(r, type);
	rd_init(&rd, r->m.data, r->m.len);
	rd_str(&rd, text, sizeof(text));
	ck_assert(rd_done(&rd));
	ck_assert_str_eq(text, want);
}

/* What a one-shot run found; a certificate of a.example is described. */
static void
run_hear_done(struct run *r, const char *want)
{
	struct cert_info	info;
	char			wrong[CERT_WHY_MAX], key[CERT_KEY_NAMELEN];
	struct rd		rd;

	run_hear(r, IPC_DONE);
	rd_init(&rd, r->m.data, r->m.len);
	ck_assert(cert_info_read(&rd, wrong, &info));
	ck_assert_str_eq(wrong, want);
	ck_assert_str_eq(cert_key_name(&info, key), "ECDSA P-256");
	ck_assert_str_eq(info.names, "a.example");
	ck_assert_uint_eq(info.nnames, 1);
	ck_assert(info.self_signed);
	ck_assert_str_eq(info.issuer, "a.example");
	ck_assert_int_eq(cert_days_left(&info, info.from), 365);
}

static void
run_end(struct run *r, int want)
{
	int	status;

	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), want);
	close(r->chan);
	stats_unmap(&r->stats);
}

static void
say_job(struct run *r, uint16_t type, const char *name, int chain, int key)
{
	uint8_t		buf[512];
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	wr_u16(&w, 1);
	wr_str(&w, name);
	say(r, type, buf, w.len, chain, key);
}

/* Many, as master sends them: all at once, answered in order. */
START_TEST(test_one_shot)
{
	enum { MANY = 40 };
	static struct run	r;
	int			chain[MANY], key[MANY], i;

	for (i = 0; i < MANY; i++) {
		chain[i] = memfd_create("chain", MFD_CLOEXEC);
		key[i] = memfd_create("key", MFD_CLOEXEC);
	}
	run_start(&r);
	for (i = 0; i < MANY; i++)
		say_job(&r, IPC_SELF_SIGN, "a.example", chain[i], key[i]);
	run_go(&r);
	for (i = 0; i < MANY; i++)
		run_hear_done(&r, "");
	run_end(&r, 0);

	run_start(&r);
	say_job(&r, IPC_CHECK_PAIR, "a.example", chain[0], key[0]);
	say_job(&r, IPC_CHECK_PAIR, "a.example", chain[0], key[1]);
	say_job(&r, IPC_CHECK_PAIR, "a.example", -1, -1);
	say_job(&r, IPC_CHECK_PAIR, "b.example", chain[2], key[2]);
	say_job(&r, IPC_CHECK_PAIR, "a.example", -1, -1);
	say_job(&r, IPC_CHECK_PAIR, "c.example", -1, -1);
	run_go(&r);
	run_hear_done(&r, "");
	for (i = 0; i < 2; i++)
		run_hear_done(&r, "the key does not belong to the first "
		    "certificate of the chain");
	run_hear_done(&r, "the certificate is not for b.example");
	run_hear_done(&r, "");
	run_hear_done(&r, "the certificate is not for c.example");
	run_end(&r, 0);
	for (i = 0; i < MANY; i++) {
		close(chain[i]);
		close(key[i]);
	}
}
END_TEST

static void
say_key(struct run *r, uint32_t id, int fd)
{
	uint8_t		buf[4];
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	wr_u32(&w, id);
	say(r, IPC_KEY, buf, w.len, fd, -1);
	close(fd);
}

static void
ask(int chan, uint32_t key, uint16_t scheme)
{
	uint8_t			tbs[130], buf[256];
	struct sign_request	q = { .id = key, .key = key, .scheme = scheme,
		.tbs = tbs, .len = sizeof(tbs) };
	struct ipc_msg		m = { .type = IPC_SIGN, .data = buf };
	struct wr		w;

	memset(tbs, ' ', sizeof(tbs));
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	wr_init(&w, buf, sizeof(buf));
	wr_u8(&w, 1);
	sign_request_write(&w, &q);
	m.len = w.len;
	ck_assert_int_eq(ipc_send(chan, &m), IPC_OK);
}

static void
hear_signature(int chan, uint32_t id)
{
	static uint8_t		buf[IPC_HEADER + IPC_DATA_MAX];
	struct sign_answer	a;
	struct ipc_msg		m;
	struct rd		rd;

	ck_assert_int_eq(ipc_recv_wait(chan, buf, sizeof(buf), &m), IPC_OK);
	rd_init(&rd, m.data, m.len);
	ck_assert_uint_eq(rd_u8(&rd), 1);
	ck_assert(sign_answer_read(&rd, &a));
	ck_assert_uint_eq(a.id, id);
	ck_assert_int_eq(a.status, SIGN_OK);
}

/* In the sandbox: many signatures, with keys of each kind. */
static void
sign_all(int chan)
{
	static const uint16_t	schemes[PAIR__MAX] = {
		0x0403, 0x0503, 0x0804, 0x0807
	};
	uint32_t		i, k;

	for (i = 0; i < 50; i++)
		for (k = 0; k < PAIR__MAX; k++) {
			ask(chan, k, schemes[k]);
			hear_signature(chan, k);
		}
}

/* Ended by master: told to (0), by its death (1). */
START_TEST(test_serve)
{
	static struct run	r;
	uint32_t		have, k;
	struct rd		rd;
	EVP_PKEY		*key;
	int			fd[2];

	ck_assert_int_eq(ipc_pair(fd), 0);
	run_start(&r);
	for (k = PAIR__MAX; k-- > 0; EVP_PKEY_free(key)) {
		key = pair_key((enum pair_type)k);
		say_key(&r, k, pair_key_file(key));
	}
	say(&r, IPC_KEYS, NULL, 0, fd[1], -1);
	run_go(&r);
	run_hear(&r, IPC_READY);
	rd_init(&rd, r.m.data, r.m.len);
	have = rd_u32(&rd);
	ck_assert(have & SB_HAS_NO_NEW_PRIVS);
	ck_assert(SANITIZED || have & SB_HAS_SECCOMP);
	sign_all(fd[0]);
	ck_assert_uint_eq(r.stats.count[STAT_SIGNED], 50 * PAIR__MAX);
	if (_i == 0)
		say(&r, IPC_DRAIN, NULL, 0, -1, -1);
	else
		shutdown(r.chan, SHUT_RDWR);
	ask(fd[0], PAIR_P256, 0x0403);		/* a handshake of the last */
	hear_signature(fd[0], PAIR_P256);
	run_end(&r, 0);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(test_bad_key)
{
	static struct run	r;
	EVP_PKEY		*p521 = EVP_EC_gen("P-521");

	run_start(&r);
	if (_i == 0)
		say_key(&r, 3, pair_file("nonsense", 8));
	else
		say_key(&r, 3, pair_key_file(p521));
	run_hear_text(&r, IPC_FAILED, _i == 0 ?
	    "key 3: the file holds no private key in PEM" :
	    "key 3: the key is none of RSA, ECDSA P-256 or P-384, Ed25519");
	run_end(&r, 1);
	EVP_PKEY_free(p521);
}
END_TEST

/* What master would never send ends it. */
START_TEST(test_wrong_message)
{
	static struct run	r;
	int			fd = pair_file("x", 1);

	run_start(&r);
	if (_i == 0)
		say(&r, IPC_KEY, "\0\0\0\0\0", 5, fd, -1);
	else if (_i == 1)
		say(&r, IPC_KEYS, NULL, 0, fd, -1);
	else if (_i == 2)		/* which files? */
		say_job(&r, IPC_CHECK_PAIR, "a.example", -1, -1);
	else if (_i == 3)
		say_job(&r, IPC_CHECK_PAIR, "a.example", fd, -1);
	else if (_i == 4) {
		say_job(&r, IPC_SELF_SIGN, "a.example", fd, fd);
		say_job(&r, IPC_CHECK_PAIR, "a.example", -1, -1);
	}
	else
		say(&r, IPC_SELF_SIGN, "\1\0\5\0ab", 6, fd, fd);
	run_end(&r, 1);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("keys_start");
	TCase	*tc = tcase_create("binary");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_one_shot);
	tcase_add_loop_test(tc, test_serve, 0, 2);
	tcase_add_loop_test(tc, test_bad_key, 0, 2);
	tcase_add_loop_test(tc, test_wrong_message, 0, 6);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
