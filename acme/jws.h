#ifndef L4_JWS_H
#define L4_JWS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

/*
 * Signed JSON as ACME has it (RFC 8555 6.2): ES256 with a P-256 key, the
 * flattened form of RFC 7515 7.2.2.  Pure but for the random part of a
 * signature.
 */
#define JWS_HASH_LEN	32			/* SHA-256 */
#define JWS_B64(n)	(((n) * 4 + 2) / 3 + 1)	/* with the end */
#define JWS_JWK_MAX	160
#define JWS_PRINT_MAX	JWS_B64(JWS_HASH_LEN)

/* base64url without padding (RFC 7515 2); dst has JWS_B64(len) bytes. */
void	jws_b64(char *dst, const void *src, size_t len);
/* Backwards, at most `size` bytes; the length, or -1 for what is none. */
long	jws_unb64(unsigned char *dst, size_t size, const char *src);

/* SHA-256 of text, in base64url. */
bool	jws_hash(char dst[JWS_PRINT_MAX], const char *text);
/* The public key as RFC 7638 3.3 orders its members. */
bool	jws_jwk(const EVP_PKEY *, char dst[JWS_JWK_MAX]);
/* Its thumbprint, RFC 7638. */
bool	jws_thumbprint(const EVP_PKEY *, char dst[JWS_PRINT_MAX]);

/* The whole object as text, the caller's to free; NULL when it cannot be
 * made. */
char	*jws_sign(EVP_PKEY *, const char *header, const char *payload);
/* The same with HS256, for an external account (RFC 8555 7.3.4). */
char	*jws_hmac(const unsigned char *key, size_t keylen, const char *header,
	    const char *payload);

#endif
