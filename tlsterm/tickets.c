#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/log.h"
#include "tickets.h"

/* Where the parts of a key are. */
static const uint8_t *
key_hmac(const uint8_t *key)
{
	return key + TICKETS_NAME;
}

static const uint8_t *
key_aes(const uint8_t *key)
{
	return key + TICKETS_NAME + TICKETS_SECRET;
}

static bool
mac_init(EVP_MAC_CTX *mac, const uint8_t *key)
{
	char		digest[] = "SHA256";
	OSSL_PARAM	params[2];

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	    digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	return EVP_MAC_init(mac, key_hmac(key), TICKETS_SECRET, params) == 1;
}

/* Called by the library: 1 done, -1 failed. */
static int
ticket_seal(struct tickets *t, uint8_t *name, uint8_t *iv,
    EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac)
{
	const uint8_t	*key = t->key[0];

	memcpy(name, key, TICKETS_NAME);
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(t->cipher)) != 1 ||
	    EVP_EncryptInit_ex2(ctx, t->cipher, key_aes(key), iv, NULL) != 1 ||
	    !mac_init(mac, key))
		return -1;
	return 1;
}

/*
 * 1 opened, 2 opened and to be renewed, 0 not ours: a full handshake.  Clients
 * of TLS 1.3 use a ticket once (RFC 8446 C.4): without a new one every second
 * handshake would be a full one.
 */
static int
ticket_open(struct tickets *t, const SSL *ssl, const uint8_t *name,
    const uint8_t *iv, EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac)
{
	size_t	i;

	for (i = 0; i < TICKETS_KEYS; i++)
		if (memcmp(name, t->key[i], TICKETS_NAME) == 0)
			break;
	if (i == TICKETS_KEYS)
		return 0;
	if (EVP_DecryptInit_ex2(ctx, t->cipher, key_aes(t->key[i]), iv,
	    NULL) != 1 || !mac_init(mac, t->key[i]))
		return -1;
	return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

static int
ticket_key(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *ctx,
    EVP_MAC_CTX *mac, int sealing)
{
	struct tickets	*t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (sealing)
		return ticket_seal(t, name, iv, ctx, mac);
	return ticket_open(t, ssl, name, iv, ctx, mac);
}

void
tickets_init(struct tickets *t)
{
	if ((t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)) == NULL)
		fatalx("OpenSSL has no AES-256-CBC");
}

void
tickets_set(struct tickets *t, const uint8_t data[TICKETS_LEN])
{
	memcpy(t->key, data, TICKETS_LEN);
	t->set = true;
}

void
tickets_use(struct tickets *t, SSL_CTX *ctx)
{
	if (!t->set)
		return;
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
}
