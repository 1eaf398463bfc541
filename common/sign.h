#ifndef L4_SIGN_H
#define L4_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/*
 * What tlsterm and keys say to each other, in the fields of wire.h:
 *
 *	IPC_SIGN	u8 count, then per request
 *			u32 id, u32 key id, u16 scheme, blob to be signed
 *	IPC_SIGNED	u8 count, then per answer, in the same order
 *			u32 id, u8 status, blob signature (empty unless SIGN_OK)
 *
 * One packet is answered by one packet.  The channel of a tlsterm process is
 * shared by all keys processes: whoever reads a packet answers it.
 */
#define SIGN_BATCH	8	/* requests in one packet: few, so that several
				   keys processes get something to do */
#define SIGN_TBS_MAX	201	/* TLS 1.2 with a P-521 point: 64 + 4 + 133 */
#define SIGN_SIG_MAX	1024	/* RSA with 8192 bits */

#define SIGN_TBS13_MIN	130	/* TLS 1.3 with a hash of 32 bytes */

#define SIGN_REQUEST_HEAD	12	/* bytes around what is signed */
#define SIGN_ANSWER_HEAD	7
#define SIGN_PACKET_MIN	(1 + SIGN_REQUEST_HEAD)
#define SIGN_PACKET_MAX							\
	(1 + SIGN_BATCH * (SIGN_REQUEST_HEAD + SIGN_TBS_MAX))
#define SIGNED_PACKET_MAX						\
	(1 + SIGN_BATCH * (SIGN_ANSWER_HEAD + SIGN_SIG_MAX))

/* Code points of TLS (RFC 8446 4.2.3): the ones keys knows. */
enum sign_scheme {
	SIGN_RSA_PKCS1_SHA256	= 0x0401,	/* PKCS#1: TLS 1.2 only */
	SIGN_RSA_PKCS1_SHA384	= 0x0501,
	SIGN_RSA_PKCS1_SHA512	= 0x0601,
	SIGN_ECDSA_SHA256	= 0x0403,	/* P-256 in TLS 1.3 */
	SIGN_ECDSA_SHA384	= 0x0503,	/* P-384 in TLS 1.3 */
	SIGN_ECDSA_SHA512	= 0x0603,	/* TLS 1.2 only */
	SIGN_RSA_PSS_SHA256	= 0x0804,	/* rsa_pss_rsae_* */
	SIGN_RSA_PSS_SHA384	= 0x0805,
	SIGN_RSA_PSS_SHA512	= 0x0806,
	SIGN_ED25519		= 0x0807,
};

enum sign_status {
	SIGN_OK,
	SIGN_REFUSED,		/* not what a TLS server signs, or not with
				   this key */
	SIGN_NO_KEY,		/* no key has this id */
	SIGN_FAILED,		/* the library could not */
	SIGN__MAX
};

struct sign_request {
	uint32_t	 id;		/* the asker's; comes back */
	uint32_t	 key;
	uint16_t	 scheme;	/* enum sign_scheme, or whatever came */
	const uint8_t	*tbs;		/* of the packet */
	size_t		 len;
};

struct sign_answer {
	uint32_t	 id;
	enum sign_status status;
	const uint8_t	*sig;		/* of the packet */
	size_t		 len;
};

void	sign_request_write(struct wr *, const struct sign_request *);
void	sign_answer_write(struct wr *, const struct sign_answer *);

/* False where a field is missing; an answer also where its status is unknown,
 * or the signature is empty though SIGN_OK, or there though it is not. */
bool	sign_request_read(struct rd *, struct sign_request *);
bool	sign_answer_read(struct rd *, struct sign_answer *);

/*
 * What a TLS server signs to prove itself, and nothing else may have such a
 * shape.  Both sides look: keys because it does not believe tlsterm, tlsterm
 * because who asks for anything else is ended.
 */
enum sign_shape {
	SIGN_SHAPE_NONE,
	SIGN_SHAPE_TLS12,	/* ServerKeyExchange of ECDHE (RFC 8422 5.4) */
	SIGN_SHAPE_TLS13,	/* CertificateVerify (RFC 8446 4.4.3) */
};

/* Pure; no bytes have two shapes. */
enum sign_shape sign_shape(const uint8_t *tbs, size_t len);

/* Fills in the shortest TLS 1.3 shape, with spaces for the hash. */
void	sign_fill_tls13(uint8_t tbs[SIGN_TBS13_MIN]);

#endif
