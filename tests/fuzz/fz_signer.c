#include <string.h>

#include <openssl/rsa.h>

#include "common/l4.h"
#include "fuzz.h"
#include "keys/signer.h"

/*
 * Any bytes, after a key and a scheme: they are signed only if a TLS server
 * would sign them to prove itself, and the signature is one of exactly them.
 * Then the same bytes as a packet of requests.
 */

static EVP_PKEY *
key_make(unsigned int i)
{
	switch (i) {
	case 0:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	case 1:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	case 2:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	default:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	}
}

static struct signer_key *
key_get(unsigned int i)
{
	static struct signer_key	keys[4];
	EVP_PKEY			*pkey;

	i %= nitems(keys);
	if (keys[i].pkey == NULL) {
		must((pkey = key_make(i)) != NULL, "a key is made");
		must(signer_key_init(&keys[i], pkey) == NULL, "a key is good");
		must(signer_try(&keys[i]) == SIGN_OK, "a key can sign");
	}
	return &keys[i];
}

/* RFC 8446 4.4.3, said in another way than sign.c does. */
static bool
is_certificate_verify(const uint8_t *p, size_t len)
{
	static const char	text[] = "                                "
	    "                                "
	    "TLS 1.3, server CertificateVerify";

	return (len == sizeof(text) + 32 || len == sizeof(text) + 48) &&
	    memcmp(p, text, sizeof(text)) == 0;
}

/* RFC 8422 5.4: two randoms, then a named curve and a point. */
static bool
is_key_exchange(const uint8_t *p, size_t len)
{
	return len > 68 && p[64] == 3 && p[65] == 0 && p[66] >= 23 &&
	    p[66] <= 30 && (size_t)p[67] + 68 == len;
}

/* The high byte names the hash, but of the schemes of TLS 1.3 the low one. */
static const char *
digest_of(uint16_t scheme)
{
	unsigned int	n = scheme >> 8 == 8 ? scheme & 0xff : scheme >> 8;

	return n == 4 ? "SHA256" : n == 5 ? "SHA384" : n == 6 ? "SHA512" : NULL;
}

static void
check_signature(struct signer_key *k, const struct sign_request *q,
    const uint8_t *sig, size_t len)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	EVP_PKEY_CTX	*p;

	must(m != NULL && EVP_DigestVerifyInit_ex(m, &p, digest_of(q->scheme),
	    NULL, NULL, k->pkey, NULL) == 1, "a verification begins");
	if (q->scheme >> 8 == 8 && q->scheme != SIGN_ED25519)
		must(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) >
		    0, "PSS is known");
	must(EVP_DigestVerify(m, sig, len, q->tbs, q->len) == 1,
	    "a signature is of what was asked");
	EVP_MD_CTX_free(m);
}

static void
check_sign(struct signer_key *k, const struct sign_request *q)
{
	uint8_t		 sig[SIGN_SIG_MAX];
	size_t		 len = 0;
	enum sign_shape	 shape = sign_shape(q->tbs, q->len);

	switch (signer_sign(k, q, sig, &len)) {
	case SIGN_OK:
		must(shape == SIGN_SHAPE_TLS13 ?
		    is_certificate_verify(q->tbs, q->len) :
		    is_key_exchange(q->tbs, q->len), "only TLS is signed");
		must(q->len <= SIGN_TBS_MAX && len > 0 && len <= k->sigmax,
		    "lengths are bounded");
		check_signature(k, q, sig, len);
		break;
	case SIGN_REFUSED:
		break;
	default:
		must(0, "a key can do what it may do");
	}
}

static void
check_packet(const uint8_t *p, size_t len)
{
	struct sign_request	q;
	struct rd		r;
	struct wr		w;
	uint8_t			buf[4096];
	const uint8_t		*from;

	rd_init(&r, p, len);
	for (from = r.p; sign_request_read(&r, &q); from = r.p) {
		must(q.tbs >= from && q.tbs + q.len <= p + len,
		    "what is to be signed is of the packet");
		wr_init(&w, buf, sizeof(buf));
		sign_request_write(&w, &q);
		must(!w.bad && w.len == (size_t)(r.p - from) &&
		    memcmp(buf, from, w.len) == 0, "a request is as it was");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct sign_request	q = { .tbs = p + 3 };

	if (len < 3 || len > 1024)
		return 0;
	q.scheme = (uint16_t)(p[1] << 8 | p[2]);
	q.len = len - 3;
	check_sign(key_get(p[0]), &q);
	check_packet(p, len);
	return 0;
}
