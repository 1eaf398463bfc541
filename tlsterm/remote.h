#ifndef L4_REMOTE_H
#define L4_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/core_dispatch.h>

#include "keychan.h"

/*
 * A private key as tlsterm has it: a public key, a number, a channel.  The key
 * management half of the provider in keyprov.c.
 */
struct remote;

enum remote_type { REMOTE_EC, REMOTE_ED25519, REMOTE_RSA };

/* Parameters of our own, beside the public key, when a key is made. */
#define REMOTE_PARAM_ID		"l4mux-key-id"
#define REMOTE_PARAM_CHAN	"l4mux-keychan"

#define REMOTE_FN(f)	((void (*)(void))(f))

extern const OSSL_DISPATCH remote_ec[];
extern const OSSL_DISPATCH remote_ed25519[];
extern const OSSL_DISPATCH remote_rsa[];

/* Counted: each reference is given back with remote_free(). */
struct remote *remote_ref(struct remote *);
void	remote_free(void *);

enum remote_type remote_type(const struct remote *);
/* False for the copy of a public key, made to compare. */
bool	remote_can_sign(const struct remote *);
/* Of the longest signature. */
size_t	remote_sigmax(const struct remote *);
/* As keychan_sign(). */
size_t	remote_sign(const struct remote *, uint16_t scheme,
	    const uint8_t *tbs, size_t len, uint8_t *sig, size_t sigsize);

#endif
