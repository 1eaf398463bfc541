#ifndef L4_SIGNER_H
#define L4_SIGNER_H

#include <stdint.h>

#include <openssl/evp.h>

#include "common/sign.h"

/*
 * What a private key is used for, and nothing else: the signature by which a
 * TLS server proves itself (sign_shape()).
 */
struct signer_key {
	EVP_PKEY	*pkey;
	unsigned int	 kind;		/* the module's */
	size_t		 sigmax;	/* at most SIGN_SIG_MAX */
	/* Prepared by the first signature, for those that follow. */
	unsigned int	 ready;		/* for this scheme; 0 = none */
	EVP_MD_CTX	*hash;
	EVP_PKEY_CTX	*sign;
};

/*
 * Takes pkey over when it returns NULL; else says what is wrong with it, and
 * it stays the caller's.
 */
const char *signer_key_init(struct signer_key *, EVP_PKEY *pkey);
void	signer_key_clear(struct signer_key *);

/*
 * Hashes and signs, if the key signs such bytes in that scheme.  sig has room
 * for key->sigmax; *siglen is set on SIGN_OK.
 */
enum sign_status signer_sign(struct signer_key *,
	    const struct sign_request *, uint8_t *sig, size_t *siglen);

/* One signature for nothing: proves that the key can sign, and makes the
 * library load all it needs for that, which later it could not.  Leaves
 * nothing prepared: there may be thousands of keys that nobody asks for. */
enum sign_status signer_try(struct signer_key *);

#endif
