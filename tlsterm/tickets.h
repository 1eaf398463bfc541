#ifndef L4_TICKETS_H
#define L4_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/*
 * Session tickets (RFC 5077 4) with keys that master makes, keeps in memory,
 * renews and gives to every tlsterm process, so that a session resumes in any
 * of them.  The newest key seals; the older ones still open.
 *
 * Payload of IPC_TICKETS: TICKETS_KEYS keys, newest first, each a name of 16
 * bytes, an HMAC-SHA256 key of 32 and an AES-256 key of 32.
 */
#define TICKETS_KEYS	2
#define TICKETS_NAME	16
#define TICKETS_SECRET	32
#define TICKETS_KEY_LEN	(TICKETS_NAME + 2 * TICKETS_SECRET)
#define TICKETS_LEN	(TICKETS_KEYS * TICKETS_KEY_LEN)

struct tickets {
	bool		 set;		/* master sent keys */
	uint8_t		 key[TICKETS_KEYS][TICKETS_KEY_LEN];
	EVP_CIPHER	*cipher;	/* fetched once */
};

/* Fatal when the library has no AES. */
void	tickets_init(struct tickets *);
void	tickets_set(struct tickets *, const uint8_t data[TICKETS_LEN]);
/* The tickets must outlive the context.  Without keys of master the library
 * makes its own, which no other process knows. */
void	tickets_use(struct tickets *, SSL_CTX *);

#endif
