#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>

#include "jws.h"

#define COORD	32		/* bytes of a number of P-256 */

static const char	digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
jws_b64(char *dst, const void *src, size_t len)
{
	const unsigned char	*p = src;
	unsigned int		 acc = 0, bits = 0;

	for (; len > 0; len--) {
		acc = acc << 8 | *p++;
		for (bits += 8; bits >= 6; bits -= 6)
			*dst++ = digits[acc >> (bits - 6) & 63];
	}
	if (bits > 0)
		*dst++ = digits[acc << (6 - bits) & 63];
	*dst = '\0';
}

long
jws_unb64(unsigned char *dst, size_t size, const char *src)
{
	unsigned int	 acc = 0, bits = 0;
	const char	*d;
	size_t		 n = 0;

	for (; *src != '\0' && *src != '='; src++) {
		if ((d = strchr(digits, *src)) == NULL)
			return -1;
		acc = acc << 6 | (unsigned int)(d - digits);
		if ((bits += 6) < 8)
			continue;
		bits -= 8;
		if (n == size)
			return -1;
		dst[n++] = (unsigned char)(acc >> bits);
	}
	return bits < 6 ? (long)n : -1;
}

bool
jws_hash(char dst[JWS_PRINT_MAX], const char *text)
{
	unsigned char	hash[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) !=
	    1)
		return false;
	jws_b64(dst, hash, JWS_HASH_LEN);
	return true;
}

static bool
coordinate(const EVP_PKEY *key, const char *which, char dst[JWS_B64(COORD)])
{
	unsigned char	 raw[COORD];
	BIGNUM		*n = NULL;
	bool		 ok;

	ok = EVP_PKEY_get_bn_param(key, which, &n) == 1 &&
	    BN_bn2binpad(n, raw, COORD) == COORD;
	BN_free(n);
	if (ok)
		jws_b64(dst, raw, COORD);
	return ok;
}

bool
jws_jwk(const EVP_PKEY *key, char dst[JWS_JWK_MAX])
{
	char	x[JWS_B64(COORD)], y[JWS_B64(COORD)];

	if (!coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, x) ||
	    !coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, y))
		return false;
	snprintf(dst, JWS_JWK_MAX, "{\"crv\":\"P-256\",\"kty\":\"EC\","
	    "\"x\":\"%s\",\"y\":\"%s\"}", x, y);
	return true;
}

bool
jws_thumbprint(const EVP_PKEY *key, char dst[JWS_PRINT_MAX])
{
	char	jwk[JWS_JWK_MAX];

	return jws_jwk(key, jwk) && jws_hash(dst, jwk);
}

/* "header.payload", both in base64url: what is signed (RFC 7515 5.1). */
static char *
signing_input(const char *header, const char *payload)
{
	size_t	 h = strlen(header), p = strlen(payload);
	char	*text;

	if ((text = malloc(JWS_B64(h) + JWS_B64(p))) == NULL)
		return NULL;
	jws_b64(text, header, h);
	h = strlen(text);
	text[h] = '.';
	jws_b64(text + h + 1, payload, p);
	return text;
}

/* Takes the signing input. */
static char *
assemble(char *input, const unsigned char *sig, size_t siglen)
{
	char	 b64[JWS_B64(2 * COORD)], *dot = strchr(input, '.'), *out;

	jws_b64(b64, sig, siglen);
	*dot = '\0';
	if (asprintf(&out, "{\"protected\":\"%s\",\"payload\":\"%s\","
	    "\"signature\":\"%s\"}", input, dot + 1, b64) == -1)
		out = NULL;
	free(input);
	return out;
}

/* DER to the two numbers side by side, RFC 7518 3.4. */
static bool
flatten(const unsigned char *der, size_t len, unsigned char sig[2 * COORD])
{
	const unsigned char	*p = der;
	ECDSA_SIG		*s = d2i_ECDSA_SIG(NULL, &p, (long)len);
	bool			 ok;

	ok = s != NULL &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, COORD) == COORD &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + COORD, COORD) == COORD;
	ECDSA_SIG_free(s);
	return ok;
}

char *
jws_sign(EVP_PKEY *key, const char *header, const char *payload)
{
	unsigned char	 der[128], sig[2 * COORD];
	size_t		 len = sizeof(der);
	char		*input = signing_input(header, payload);
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	bool		 ok;

	ok = input != NULL && m != NULL &&
	    EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(m, der, &len, (unsigned char *)input,
	    strlen(input)) == 1 && flatten(der, len, sig);
	EVP_MD_CTX_free(m);
	if (ok)
		return assemble(input, sig, sizeof(sig));
	free(input);
	return NULL;
}

char *
jws_hmac(const unsigned char *key, size_t keylen, const char *header,
    const char *payload)
{
	unsigned char	 sig[EVP_MAX_MD_SIZE];
	unsigned int	 len;
	char		*input = signing_input(header, payload);

	if (input != NULL && HMAC(EVP_sha256(), key, (int)keylen,
	    (unsigned char *)input, strlen(input), sig, &len) != NULL &&
	    len == JWS_HASH_LEN)
		return assemble(input, sig, len);
	free(input);
	return NULL;
}
