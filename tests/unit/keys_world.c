#include <sys/prctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <openssl/err.h>

#include "common/ipc.h"
#include "common/l4.h"
#include "keys/keys.h"
#include "keys_world.h"

#define YEAR	(365L * 86400)

void
world_contexts(struct world *w, int version, uint32_t id)
{
	EVP_PKEY	*key;

	w->server = SSL_CTX_new(TLS_server_method());
	w->client = SSL_CTX_new(TLS_client_method());
	ck_assert_int_eq(SSL_CTX_set_min_proto_version(w->server, version), 1);
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(w->server, version), 1);
	SSL_CTX_set_options(w->server, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_cipher_list(w->server, "ECDHE+AESGCM:ECDHE+CHACHA20");
	key = keyprov_key(w->prov, w->chan, X509_get0_pubkey(w->cert), id);
	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(SSL_CTX_use_certificate(w->server, w->cert), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(w->server, key), 1);
	ck_assert_int_eq(SSL_CTX_check_private_key(w->server), 1);
	EVP_PKEY_free(key);
	/* The client verifies chain and signature. */
	ck_assert_int_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(w->client),
	    w->cert), 1);
	SSL_CTX_set_verify(w->client, SSL_VERIFY_PEER, NULL);
}

void
world_open(struct world *w, enum pair_type type, int version)
{
	int	fd[2];

	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	ck_assert_int_eq(ipc_pair(fd), 0);
	w->tls_end = fd[0];
	w->chan = keychan_new(w->ev, w->tls_end);
	w->keys_end = fd[1];
	ck_assert_int_eq(ipc_pair(fd), 0);
	w->master = fd[0];
	w->keys_master = fd[1];
	w->prov = keyprov_new();
	ck_assert_ptr_nonnull(w->prov);
	w->real = pair_key(type);
	w->cert = pair_cert(w->real, "test", "DNS:a.example", -60, YEAR);
	world_contexts(w, version, 7);
	ev_each_turn(w->ev, keychan_flush, w->chan);
	fd[0] = stats_create(0);
	ck_assert_int_eq(stats_map(&w->stats, fd[0], 0, 1), 0);
	close(fd[0]);
}

/* Out of the way of those with a fixed number. */
static int
move_up(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 64);
}

/* A keys process without its start-up: the code between channel and key. */
static void
keys_run(struct world *w, int ready)
{
	static struct keys	k;
	struct ipc_msg		m = { .data = (const uint8_t *)"\7\0\0\0",
		.len = 4, .nfds = 1 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(w->tls_end);
	w->keys_end = move_up(w->keys_end);
	ready = move_up(ready);
	k.child.ev = ev_new();
	k.child.buf = malloc(CHILD_BUFSIZE);
	k.child.stats = w->stats;
	m.fd[0] = pair_key_file(w->real);
	if (keys_on_key(&k, &m) == -1)
		_exit(1);
	keys_add_channel(&k, w->keys_end);
	keys_serve(&k);
	/* From here on no assertion: check's file has this number. */
	dup2(w->keys_master, FD_CHANNEL);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	ev_run(k.child.ev);
	_exit(0);
}

void
world_start_keys(struct world *w, int i)
{
	int	ready[2];
	char	byte;

	ck_assert_int_eq(pipe(ready), 0);
	if ((w->pid[i] = fork()) == 0)
		keys_run(w, ready[1]);
	ck_assert_int_gt(w->pid[i], 0);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

void
world_kill_keys(struct world *w, int i)
{
	if (w->pid[i] == 0)
		return;
	kill(w->pid[i], SIGKILL);
	ck_assert_int_eq(waitpid(w->pid[i], NULL, 0), w->pid[i]);
	w->pid[i] = 0;
}

void
world_close(struct world *w)
{
	world_kill_keys(w, 0);
	world_kill_keys(w, 1);
	ck_assert_uint_eq(keychan_waiting(w->chan), 0);
	SSL_CTX_free(w->server);
	SSL_CTX_free(w->client);
	keychan_free(w->chan);
	keyprov_free(w->prov);
	X509_free(w->cert);
	EVP_PKEY_free(w->real);
	stats_unmap(&w->stats);
	if (w->keys_end != -1)
		close(w->keys_end);
	close(w->master);
	close(w->keys_master);
	ev_free(w->ev);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

/* 1 done, 0 to be called again, -1 failed, 2 waits for keys. */
static int
step(SSL *ssl, int r)
{
	if (r == 1)
		return 1;
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_WANT_ASYNC:
		return 2;
	default:
		ERR_clear_error();
		return -1;
	}
}

void
conn_run(struct conn *c)
{
	int	i, server, client = 0;

	for (i = 0; i < 10 && c->outcome == UNDECIDED; i++) {
		if (client != 1)
			client = step(c->client, SSL_do_handshake(c->client));
		server = step(c->server,
		    keychan_handshake(&c->wait, c->server));
		if (server == 2)
			return;
		if (server == -1 || client == -1)
			c->outcome = BAD;
		else if (server == 1 && client == 1)
			c->outcome = GOOD;
	}
	ck_assert_int_ne(c->outcome, UNDECIDED);
	if (--c->world->waiting == 0)
		ev_stop(c->world->ev);
}

static void
conn_resume(struct keywait *w)
{
	conn_run(container_of(w, struct conn, wait));
}

static void
conn_open(struct world *w, struct conn *c)
{
	BIO	*a, *b;

	memset(c, 0, sizeof(*c));
	c->world = w;
	c->wait.chan = w->chan;
	c->wait.resume = conn_resume;
	ck_assert_int_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	c->server = SSL_new(w->server);
	c->client = SSL_new(w->client);
	SSL_set_bio(c->server, a, a);
	SSL_set_bio(c->client, b, b);
	SSL_set_accept_state(c->server);
	SSL_set_connect_state(c->client);
	w->waiting++;
}

void
conn_close(struct conn *c)
{
	keychan_end(&c->wait, c->server);
	ck_assert_ptr_null(c->wait.sig);
	SSL_free(c->server);
	SSL_free(c->client);
}

void
conns_open(struct world *w, struct conn *c, int n)
{
	int	i;

	for (i = 0; i < n; i++) {
		conn_open(w, &c[i]);
		conn_run(&c[i]);
	}
}

void
conns_close(struct conn *c, int n, enum outcome want)
{
	int	i;

	for (i = 0; i < n; i++) {
		ck_assert_int_eq(c[i].outcome, want);
		conn_close(&c[i]);
	}
}

void
world_run(struct world *w)
{
	if (w->waiting > 0)
		ev_run(w->ev);
}
