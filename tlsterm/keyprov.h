#ifndef L4_KEYPROV_H
#define L4_KEYPROV_H

#include <stdint.h>

#include <openssl/evp.h>

#include "keychan.h"

/*
 * An OpenSSL 3 provider whose private keys are a number: key management and
 * signature only, what is to be signed goes to the keys process.  It lives in
 * a library context of its own, so that nothing else in the process chooses it;
 * the SSL_CTX stays in the default one, and libcrypto finds its way from the
 * key (see keychan.h for how it is used).
 */
struct keyprov;

/* NULL when the library refuses; see the error queue. */
struct keyprov *keyprov_new(void);
/* After the keys made with it are freed. */
void	keyprov_free(struct keyprov *);

/*
 * A private key to the public key `pub` (EC P-256 or P-384, RSA, Ed25519) that
 * keys knows as `id` and that is asked for on the channel, which must outlive
 * it.  EVP_PKEY_free() it.  NULL for another kind of key.
 */
EVP_PKEY *keyprov_key(struct keyprov *, struct keychan *, const EVP_PKEY *pub,
	    uint32_t id);

#endif
