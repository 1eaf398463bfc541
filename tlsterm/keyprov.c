#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "common/l4.h"
#include "common/sign.h"
#include "keyprov.h"
#include "remote.h"

#define PROV_NAME	"l4mux-keys"
#define PROV_PROPERTY	"provider=" PROV_NAME

struct keyprov {
	OSSL_LIB_CTX	*lib;
	OSSL_PROVIDER	*prov;
};

/* A signature that is prepared. */
struct signing {
	struct remote	*key;
	int		 md;		/* bits of the hash; 0 = none */
	bool		 pss;
	bool		 bad;		/* asked for something unknown */
};

static int
md_bits(const char *name)
{
	static const struct {
		const char	*name;
		int		 bits;
	} mds[] = {
		{ "SHA256", 256 }, { "SHA2-256", 256 }, { "SHA-256", 256 },
		{ "SHA384", 384 }, { "SHA2-384", 384 }, { "SHA-384", 384 },
		{ "SHA512", 512 }, { "SHA2-512", 512 }, { "SHA-512", 512 },
	};
	size_t	i;

	for (i = 0; i < nitems(mds); i++)
		if (strcasecmp(mds[i].name, name) == 0)
			return mds[i].bits;
	return -1;
}

static void *
signing_new(void *prov, const char *propq)
{
	(void)prov;
	(void)propq;
	return calloc(1, sizeof(struct signing));
}

static void
signing_free(void *arg)
{
	struct signing	*s = arg;

	if (s == NULL)
		return;
	remote_free(s->key);
	free(s);
}

static bool
param_is(const OSSL_PARAM *p, const char *word, int number)
{
	int	v;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return strcmp(p->data, word) == 0;
	return OSSL_PARAM_get_int(p, &v) && v == number;
}

/* PSS as TLS has it: the salt as long as the hash, MGF1 with the same hash. */
static int
signing_set(void *arg, const OSSL_PARAM params[])
{
	struct signing		*s = arg;
	const OSSL_PARAM	*p;

	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL) {
		s->pss = param_is(p, OSSL_PKEY_RSA_PAD_MODE_PSS,
		    RSA_PKCS1_PSS_PADDING);
		s->bad |= !s->pss && !param_is(p,
		    OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING);
	}
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p != NULL)
		s->bad |= !param_is(p, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST,
		    RSA_PSS_SALTLEN_DIGEST) && !param_is(p, "", s->md / 8);
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
	if (p != NULL)
		s->bad |= p->data_type != OSSL_PARAM_UTF8_STRING ||
		    md_bits(p->data) != s->md;
	return !s->bad;
}

static const OSSL_PARAM *
signing_settable(void *arg, void *prov)
{
	static const OSSL_PARAM	params[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)arg;
	(void)prov;
	return params;
}

/*
 * libssl calls this for each digest it thinks of, just to see whether it is
 * there: cheap, silent, and nothing is asked of keys.
 */
static int
signing_init(void *arg, const char *md, void *key, const OSSL_PARAM params[])
{
	struct signing	*s = arg;
	struct remote	*k = key;

	if (k == NULL || !remote_can_sign(k))
		return 0;
	s->md = md == NULL || *md == '\0' ? 0 : md_bits(md);
	s->pss = s->bad = false;
	if (s->md == -1 || (s->md == 0) != (remote_type(k) == REMOTE_ED25519))
		return 0;
	remote_free(s->key);
	s->key = remote_ref(k);
	return params == NULL || signing_set(s, params);
}

static uint16_t
signing_scheme(const struct signing *s)
{
	static const struct {
		enum remote_type type;
		bool		 pss;
		int		 md;
		enum sign_scheme scheme;
	} schemes[] = {
		{ REMOTE_EC, false, 256, SIGN_ECDSA_SHA256 },
		{ REMOTE_EC, false, 384, SIGN_ECDSA_SHA384 },
		{ REMOTE_EC, false, 512, SIGN_ECDSA_SHA512 },
		{ REMOTE_RSA, true, 256, SIGN_RSA_PSS_SHA256 },
		{ REMOTE_RSA, true, 384, SIGN_RSA_PSS_SHA384 },
		{ REMOTE_RSA, true, 512, SIGN_RSA_PSS_SHA512 },
		{ REMOTE_RSA, false, 256, SIGN_RSA_PKCS1_SHA256 },
		{ REMOTE_RSA, false, 384, SIGN_RSA_PKCS1_SHA384 },
		{ REMOTE_RSA, false, 512, SIGN_RSA_PKCS1_SHA512 },
		{ REMOTE_ED25519, false, 0, SIGN_ED25519 },
	};
	size_t	i;

	for (i = 0; i < nitems(schemes); i++)
		if (schemes[i].type == remote_type(s->key) &&
		    schemes[i].pss == s->pss && schemes[i].md == s->md)
			return (uint16_t)schemes[i].scheme;
	return 0;
}

static int
signing_sign(void *arg, unsigned char *sig, size_t *siglen, size_t sigsize,
    const unsigned char *tbs, size_t len)
{
	const struct signing	*s = arg;
	uint16_t		 scheme;

	if (s->key == NULL || s->bad || (scheme = signing_scheme(s)) == 0)
		return 0;
	if (sig == NULL) {
		*siglen = remote_sigmax(s->key);
		return 1;
	}
	*siglen = remote_sign(s->key, scheme, tbs, len, sig, sigsize);
	return *siglen > 0;
}

static const OSSL_DISPATCH signing_functions[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, REMOTE_FN(signing_new) },
	{ OSSL_FUNC_SIGNATURE_FREECTX, REMOTE_FN(signing_free) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, REMOTE_FN(signing_init) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, REMOTE_FN(signing_sign) },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, REMOTE_FN(signing_set) },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS,
	    REMOTE_FN(signing_settable) },
	{ 0, NULL }
};

/* Names as the default provider has them: libcrypto compares them. */
static const OSSL_ALGORITHM keymgmt_algorithms[] = {
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROV_PROPERTY, remote_ec,
	    NULL },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROV_PROPERTY,
	    remote_rsa, NULL },
	{ "ED25519:1.3.101.112", PROV_PROPERTY, remote_ed25519, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM signature_algorithms[] = {
	{ "ECDSA", PROV_PROPERTY, signing_functions, NULL },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROV_PROPERTY,
	    signing_functions, NULL },
	{ "ED25519:1.3.101.112", PROV_PROPERTY, signing_functions, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM *
prov_query(void *prov, int operation, int *no_cache)
{
	(void)prov;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keymgmt_algorithms :
	    operation == OSSL_OP_SIGNATURE ? signature_algorithms : NULL;
}

static int
prov_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provctx)
{
	static const OSSL_DISPATCH	functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, REMOTE_FN(prov_query) },
		{ 0, NULL }
	};

	(void)in;
	*out = functions;
	*provctx = (void *)(uintptr_t)core;	/* unused, but not NULL */
	return 1;
}

struct keyprov *
keyprov_new(void)
{
	struct keyprov	*kp;

	if ((kp = calloc(1, sizeof(*kp))) == NULL)
		return NULL;
	if ((kp->lib = OSSL_LIB_CTX_new()) == NULL ||
	    !OSSL_PROVIDER_add_builtin(kp->lib, PROV_NAME, prov_init) ||
	    (kp->prov = OSSL_PROVIDER_load(kp->lib, PROV_NAME)) == NULL) {
		keyprov_free(kp);
		return NULL;
	}
	return kp;
}

void
keyprov_free(struct keyprov *kp)
{
	if (kp == NULL)
		return;
	if (kp->prov != NULL)
		OSSL_PROVIDER_unload(kp->prov);
	OSSL_LIB_CTX_free(kp->lib);
	free(kp);
}

EVP_PKEY *
keyprov_key(struct keyprov *kp, struct keychan *chan, const EVP_PKEY *pub,
    uint32_t id)
{
	OSSL_PARAM	 own[3], *params = NULL, *all = NULL;
	const char	*type = EVP_PKEY_get0_type_name(pub);
	EVP_PKEY_CTX	*ctx = NULL;
	EVP_PKEY	*key = NULL;

	own[0] = OSSL_PARAM_construct_uint32(REMOTE_PARAM_ID, &id);
	own[1] = OSSL_PARAM_construct_octet_ptr(REMOTE_PARAM_CHAN,
	    (void **)&chan, sizeof(chan));
	own[2] = OSSL_PARAM_construct_end();
	if (type == NULL ||
	    EVP_PKEY_todata(pub, EVP_PKEY_PUBLIC_KEY, &params) != 1 ||
	    (all = OSSL_PARAM_merge(params, own)) == NULL ||
	    (ctx = EVP_PKEY_CTX_new_from_name(kp->lib, type, PROV_PROPERTY)) ==
	    NULL || EVP_PKEY_fromdata_init(ctx) != 1)
		goto out;
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) != 1)
		key = NULL;
out:
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(all);
	OSSL_PARAM_free(params);
	return key;
}
