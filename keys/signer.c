#include <string.h>

#include <openssl/rsa.h>

#include "common/l4.h"
#include "signer.h"

enum kind { KIND_P256 = 1, KIND_P384 = 2, KIND_RSA = 4, KIND_ED25519 = 8 };
#define KIND_EC		(KIND_P256 | KIND_P384)

/* TLS 1.3 binds the hash to the curve, TLS 1.2 does not. */
static const struct scheme {
	enum sign_scheme scheme;
	unsigned int	 tls12, tls13;	/* kinds of keys */
	const char	*md;
	int		 pss;
} schemes[] = {
	{ SIGN_ECDSA_SHA256, KIND_EC, KIND_P256, "SHA256", 0 },
	{ SIGN_ECDSA_SHA384, KIND_EC, KIND_P384, "SHA384", 0 },
	{ SIGN_ECDSA_SHA512, KIND_EC, 0, "SHA512", 0 },
	{ SIGN_RSA_PSS_SHA256, KIND_RSA, KIND_RSA, "SHA256", 1 },
	{ SIGN_RSA_PSS_SHA384, KIND_RSA, KIND_RSA, "SHA384", 1 },
	{ SIGN_RSA_PSS_SHA512, KIND_RSA, KIND_RSA, "SHA512", 1 },
	{ SIGN_RSA_PKCS1_SHA256, KIND_RSA, 0, "SHA256", 0 },
	{ SIGN_RSA_PKCS1_SHA384, KIND_RSA, 0, "SHA384", 0 },
	{ SIGN_RSA_PKCS1_SHA512, KIND_RSA, 0, "SHA512", 0 },
	{ SIGN_ED25519, KIND_ED25519, KIND_ED25519, NULL, 0 },
};

static unsigned int
ec_kind(const EVP_PKEY *pkey)
{
	char	group[32];

	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return 0;
	if (strcmp(group, "prime256v1") == 0)
		return KIND_P256;
	return strcmp(group, "secp384r1") == 0 ? KIND_P384 : 0;
}

const char *
signer_key_init(struct signer_key *k, EVP_PKEY *pkey)
{
	int	size = EVP_PKEY_get_size(pkey);

	memset(k, 0, sizeof(*k));
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		if (EVP_PKEY_get_bits(pkey) < 2048 || size > SIGN_SIG_MAX)
			return "an RSA key must have 2048 to 8192 bits";
		k->kind = KIND_RSA;
	} else if (EVP_PKEY_is_a(pkey, "ED25519"))
		k->kind = KIND_ED25519;
	else if (EVP_PKEY_is_a(pkey, "EC"))
		k->kind = ec_kind(pkey);
	if (k->kind == 0 || size <= 0 || size > SIGN_SIG_MAX)
		return "the key is none of RSA, ECDSA P-256 or P-384, Ed25519";
	k->sigmax = (size_t)size;
	k->pkey = pkey;
	return NULL;
}

/* What was prepared; the key stays. */
static void
signer_unready(struct signer_key *k)
{
	EVP_MD_CTX_free(k->hash);
	EVP_PKEY_CTX_free(k->sign);
	k->hash = NULL;
	k->sign = NULL;
	k->ready = 0;
}

void
signer_key_clear(struct signer_key *k)
{
	signer_unready(k);
	EVP_PKEY_free(k->pkey);
	k->pkey = NULL;
}

static const struct scheme *
scheme_find(unsigned int scheme, enum sign_shape shape, unsigned int kind)
{
	unsigned int	kinds;
	size_t		i;

	for (i = 0; i < nitems(schemes); i++) {
		if (schemes[i].scheme != scheme)
			continue;
		kinds = shape == SIGN_SHAPE_TLS13 ? schemes[i].tls13 :
		    shape == SIGN_SHAPE_TLS12 ? schemes[i].tls12 : 0;
		return kinds & kind ? &schemes[i] : NULL;
	}
	return NULL;
}

static bool
set_padding(EVP_PKEY_CTX *p, const struct scheme *s)
{
	return !s->pss ||
	    (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) > 0);
}

/*
 * Both contexts can be used again and again, and to look up what they hold is a
 * third of an ECDSA signature: they stay until another scheme is asked for.
 */
static bool
signer_ready(struct signer_key *k, const struct scheme *s)
{
	EVP_MD	*md;
	bool	 ok;

	if (k->ready == s->scheme)
		return true;
	signer_unready(k);
	md = EVP_MD_fetch(NULL, s->md, NULL);
	k->hash = EVP_MD_CTX_new();
	k->sign = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	ok = md != NULL && k->hash != NULL && k->sign != NULL &&
	    EVP_DigestInit_ex2(k->hash, md, NULL) == 1 &&
	    EVP_PKEY_sign_init(k->sign) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(k->sign, md) > 0 &&
	    set_padding(k->sign, s);
	EVP_MD_free(md);
	if (ok)
		k->ready = s->scheme;
	return ok;
}

static bool
sign_hash(struct signer_key *k, const struct scheme *s,
    const struct sign_request *q, uint8_t *sig, size_t *siglen)
{
	uint8_t		md[EVP_MAX_MD_SIZE];
	unsigned int	mdlen;

	return signer_ready(k, s) &&
	    EVP_DigestInit_ex2(k->hash, NULL, NULL) == 1 &&
	    EVP_DigestUpdate(k->hash, q->tbs, q->len) == 1 &&
	    EVP_DigestFinal_ex(k->hash, md, &mdlen) == 1 &&
	    EVP_PKEY_sign(k->sign, sig, siglen, md, mdlen) == 1;
}

/* Ed25519 hashes by itself, and its context is good for one signature. */
static bool
sign_whole(const struct signer_key *k, const struct sign_request *q,
    uint8_t *sig, size_t *siglen)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	bool		 ok;

	ok = m != NULL && EVP_DigestSignInit_ex(m, NULL, NULL, NULL, NULL,
	    k->pkey, NULL) == 1 &&
	    EVP_DigestSign(m, sig, siglen, q->tbs, q->len) == 1;
	EVP_MD_CTX_free(m);
	return ok;
}

enum sign_status
signer_sign(struct signer_key *k, const struct sign_request *q, uint8_t *sig,
    size_t *siglen)
{
	const struct scheme	*s;
	bool			 ok;

	s = scheme_find(q->scheme, sign_shape(q->tbs, q->len), k->kind);
	if (s == NULL)
		return SIGN_REFUSED;
	*siglen = k->sigmax;
	ok = s->md == NULL ? sign_whole(k, q, sig, siglen) :
	    sign_hash(k, s, q, sig, siglen);
	if (ok && *siglen > 0)
		return SIGN_OK;
	signer_unready(k);
	return SIGN_FAILED;
}

enum sign_status
signer_try(struct signer_key *k)
{
	uint8_t			tbs[SIGN_TBS13_MIN];
	uint8_t			sig[SIGN_SIG_MAX];
	struct sign_request	q = { .tbs = tbs, .len = sizeof(tbs) };
	enum sign_status	status = SIGN_REFUSED;
	size_t			i, siglen;

	sign_fill_tls13(tbs);
	for (i = 0; i < nitems(schemes); i++)
		if (schemes[i].tls13 & k->kind) {
			q.scheme = (uint16_t)schemes[i].scheme;
			status = signer_sign(k, &q, sig, &siglen);
			break;
		}
	signer_unready(k);
	return status;
}
