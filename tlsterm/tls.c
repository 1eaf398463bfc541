#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/l4.h"
#include "common/log.h"
#include "tls.h"

#define PEM_MAX		(1024 * 1024)	/* of a chain */

/*
 * Forward secrecy and AEAD only, which is all that TLS 1.3 has.  AES-128 goes
 * first: it is the cheapest of them and as far out of reach as the curves that
 * the keys are agreed on.  A client without AES in hardware puts ChaCha20 first
 * and gets it.
 */
#define CIPHERS								\
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"	\
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"	\
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"	\
	"@SECLEVEL=2"
#define CIPHERS_13							\
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"		\
	"TLS_CHACHA20_POLY1305_SHA256"

/*
 * What we speak, best first, in the form of RFC 7301 3.1.  A client that
 * offers none of them is refused: it may be the victim of somebody who sends
 * it to the wrong port (ALPACA).
 */
static const uint8_t alpn[] = "\x02h2\x08http/1.1\x08http/1.0";

static int
select_alpn(SSL *ssl, const uint8_t **out, uint8_t *outlen,
    const uint8_t *in, unsigned int inlen, void *arg)
{
	uint8_t	*proto;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&proto, outlen, alpn, sizeof(alpn) - 1, in,
	    inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = proto;
	return SSL_TLSEXT_ERR_OK;
}

const char *
tls_error(void)
{
	unsigned long	 e = ERR_peek_last_error();
	const char	*reason = ERR_reason_error_string(e);

	ERR_clear_error();
	return reason != NULL ? reason : "out of memory";
}

static void
context_limits(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA);
	/* A read ahead would hold a buffer for every idle connection. */
	SSL_CTX_set_read_ahead(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
}

/*
 * A session's name for a cache, and there is none: it is seen by nobody, and
 * only has to be another each time.  The library would draw 32 random bytes,
 * which is 1 % of a handshake.
 */
static int
name_session(SSL *ssl, unsigned char *id, unsigned int *len)
{
	static uint64_t	n;

	(void)ssl;
	n++;
	memset(id, 0, *len);
	memcpy(id, &n, sizeof(n) < *len ? sizeof(n) : *len);
	return 1;
}

/* A ticket lives as long as the key that opens it, which is seen when it is
 * used, but not longer than RFC 8446 4.6.1 allows; one site's is not good for
 * another. */
static int
context_sessions(SSL_CTX *ctx, const struct conf *conf, const char *site,
    struct tickets *tickets)
{
	uint8_t		id[EVP_MAX_MD_SIZE];
	unsigned int	idlen;
	double		age = conf->tls.tickets * TICKETS_KEYS;

	if (age <= 0 || age > 604800)
		age = 604800;
	SSL_CTX_set_timeout(ctx, (long)age);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_generate_session_id(ctx, name_session);
	SSL_CTX_set_num_tickets(ctx, 1);
	tickets_use(tickets, ctx);
	return EVP_Digest(site, strlen(site), id, &idlen, EVP_sha256(),
	    NULL) == 1 && SSL_CTX_set_session_id_context(ctx, id, idlen) == 1;
}

static int
context_groups(SSL_CTX *ctx, const struct conf_strs *groups)
{
	char	list[1024];
	size_t	i, len = 0;

	if (groups->n == 0)
		return 1;
	for (i = 0; i < groups->n; i++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len,
		    "%s%s", i == 0 ? "" : ":", groups->v[i]);
		if (len >= sizeof(list))
			return 0;
	}
	return SSL_CTX_set1_groups_list(ctx, list);
}

SSL_CTX *
tls_context(const struct conf *conf, const char *site,
    struct tickets *tickets, const char **err)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_server_method());
	int	 min = strcmp(conf->tls.min, "1.3") == 0 ? TLS1_3_VERSION :
		    TLS1_2_VERSION;

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, min) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) != 1 ||
	    context_sessions(ctx, conf, site, tickets) != 1)
		goto fail;
	if (context_groups(ctx, &conf->tls.groups) != 1) {
		ERR_clear_error();
		*err = "tls.groups: OpenSSL does not know one of them";
		SSL_CTX_free(ctx);
		return NULL;
	}
	context_limits(ctx);
	return ctx;
fail:
	*err = tls_error();
	SSL_CTX_free(ctx);
	return NULL;
}

int
tls_add_cert(SSL_CTX *ctx, const struct cert *c, struct keyprov *prov,
    struct keychan *chan, const char **err)
{
	EVP_PKEY	*key;
	int		 rc = -1;

	key = keyprov_key(prov, chan, X509_get0_pubkey(c->leaf), c->key);
	if (key == NULL ||
	    SSL_CTX_use_certificate(ctx, c->leaf) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	    (sk_X509_num(c->chain) > 0 &&
	    SSL_CTX_set1_chain(ctx, c->chain) != 1))
		*err = tls_error();
	else
		rc = 0;
	EVP_PKEY_free(key);
	return rc;
}

static BIO *
read_pem(int fd)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	 buf[4096];
	ssize_t	 n;
	off_t	 off = 0;

	while (bio != NULL && off < PEM_MAX) {
		n = pread(fd, buf, sizeof(buf), off);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (BIO_write(bio, buf, (int)n) != (int)n)
			break;
		off += n;
	}
	return bio;
}

int
cert_read(struct cert *c, int fd)
{
	BIO	*bio = read_pem(fd);
	X509	*x;

	c->chain = sk_X509_new_null();
	if (bio == NULL || c->chain == NULL)
		fatalx("out of memory");
	c->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	while (c->leaf != NULL &&
	    (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(c->chain, x) == 0)
			fatalx("out of memory");
	BIO_free(bio);
	ERR_clear_error();
	return c->leaf != NULL ? 0 : -1;
}

void
cert_share(struct cert *c, const struct cert *o)
{
	c->leaf = o->leaf;
	if (X509_up_ref(c->leaf) != 1 ||
	    (c->chain = X509_chain_up_ref(o->chain)) == NULL)
		fatalx("out of memory");
}

void
cert_free(struct cert *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
}
