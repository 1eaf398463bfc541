/* The key of minitls in a process of its own (MINI_KEYS in the environment):
 * the least that costs. A digest goes there, a signature comes back, and the
 * server does nothing else meanwhile, which is cheapest as long as it has one
 * connection at a time. */
#ifndef MINI_KEYS_H
#define MINI_KEYS_H
#define OPENSSL_SUPPRESS_DEPRECATED
#include "give.h"
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static int keys_fd;

static int
keys_ask(int type, const unsigned char *md, int n, unsigned char *sig,
    unsigned *nsig, const BIGNUM *k, const BIGNUM *r, EC_KEY *ec)
{
	ssize_t got;

	(void)type, (void)k, (void)r;
	if (send(keys_fd, md, (size_t)n, MSG_NOSIGNAL) != n)
		return 0;
	got = recv(keys_fd, sig, (size_t)ECDSA_size(ec), 0);
	*nsig = got > 0 ? (unsigned)got : 0;
	return got > 0;
}
static EC_KEY *
keys_read(const char *name)
{
	FILE *f = fopen(name, "r");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	EC_KEY *ec = key ? EVP_PKEY_get1_EC_KEY(key) : NULL;

	if (f)
		fclose(f);
	EVP_PKEY_free(key);
	if (!ec)
		die(name);
	return ec;
}
/* What main() is when it was started again; else it comes back. */
static void
keys_main(char **argv)
{
	EC_KEY *ec;
	unsigned char md[64], sig[256];
	unsigned nsig;
	ssize_t n;

	if (strcmp(argv[0], "signer"))
		return;
	ec = keys_read(argv[1]);
	while ((n = recv(3, md, sizeof md, 0)) > 0 &&
	    ECDSA_sign(0, md, (int)n, sig, &nsig, ec) == 1 &&
	    send(3, sig, nsig, MSG_NOSIGNAL) == (ssize_t)nsig)
		;
	exit(0);
}
/* Once per server process: its own signer, its own end of the line. */
static int
keys_apart(SSL_CTX *cx, char *name)
{
	EC_KEY *ec = keys_read(name), *ours = EC_KEY_new();
	EC_KEY_METHOD *m = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	EVP_PKEY *pub = EVP_PKEY_new();
	int sv[2];

	if (!ours || !m || !pub ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return 0;
	if (fork() == 0)
		again(sv[1], sv[1], "signer", name, NULL);
	close(sv[1]);
	keys_fd = sv[0];
	EC_KEY_METHOD_set_sign(m, keys_ask, NULL, NULL);
	if (EC_KEY_set_group(ours, EC_KEY_get0_group(ec)) != 1 ||
	    EC_KEY_set_public_key(ours, EC_KEY_get0_public_key(ec)) != 1 ||
	    EC_KEY_set_method(ours, m) != 1 ||
	    EVP_PKEY_assign_EC_KEY(pub, ours) != 1)
		return 0;
	EC_KEY_free(ec);
	return SSL_CTX_use_PrivateKey(cx, pub) == 1;
}
#endif
