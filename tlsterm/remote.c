#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "common/l4.h"
#include "common/sign.h"
#include "remote.h"

/* What libcrypto asks of the kinds of keys that have a fixed size. */
static const struct remote_kind {
	enum remote_type type;
	const char	*name;		/* of the group, as libcrypto has it */
	const char	*alias;
	size_t		 publen;
	int		 bits, security;
	size_t		 sigmax;
} remote_kinds[] = {
	{ REMOTE_EC, "prime256v1", "P-256", 65, 256, 128, 72 },
	{ REMOTE_EC, "secp384r1", "P-384", 97, 384, 192, 104 },
	{ REMOTE_ED25519, "ED25519", "ED25519", 32, 253, 128, 64 },
	{ REMOTE_RSA, "RSA", "RSA", 0, 0, 0, 0 },
};

struct remote {
	atomic_uint	 refs;
	enum remote_type type;
	const struct remote_kind *kind;	/* NULL until imported */
	struct keychan	*chan;		/* NULL: public only, to compare */
	uint32_t	 id;
	unsigned char	 pub[97];
	BIGNUM		*n, *e;
};

static struct remote *
remote_new(enum remote_type type)
{
	struct remote	*k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	k->refs = 1;
	k->type = type;
	return k;
}

static void *
remote_new_ec(void *prov)
{
	(void)prov;
	return remote_new(REMOTE_EC);
}

static void *
remote_new_ed25519(void *prov)
{
	(void)prov;
	return remote_new(REMOTE_ED25519);
}

static void *
remote_new_rsa(void *prov)
{
	(void)prov;
	return remote_new(REMOTE_RSA);
}

void
remote_free(void *arg)
{
	struct remote	*k = arg;

	if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	BN_free(k->n);
	BN_free(k->e);
	free(k);
}

static int
remote_has(const void *arg, int selection)
{
	const struct remote	*k = arg;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY && k->chan == NULL)
		return 0;
	return k->kind != NULL ||
	    (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0;
}

static int
remote_match(const void *arg1, const void *arg2, int selection)
{
	const struct remote	*a = arg1, *b = arg2;

	if (a->kind == NULL || a->kind != b->kind)
		return 0;
	if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
		return 1;
	if (a->type == REMOTE_RSA)
		return BN_cmp(a->n, b->n) == 0 && BN_cmp(a->e, b->e) == 0;
	return memcmp(a->pub, b->pub, a->kind->publen) == 0;
}

static const struct remote_kind *
remote_kind_find(enum remote_type type, const char *name)
{
	size_t	i;

	for (i = 0; i < nitems(remote_kinds); i++)
		if (remote_kinds[i].type == type && (name == NULL ||
		    strcasecmp(remote_kinds[i].name, name) == 0 ||
		    strcasecmp(remote_kinds[i].alias, name) == 0))
			return &remote_kinds[i];
	return NULL;
}

static int
remote_import_rsa(struct remote *k, const OSSL_PARAM params[])
{
	const OSSL_PARAM	*n, *e;

	n = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_N);
	e = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E);
	if (n == NULL || e == NULL || !OSSL_PARAM_get_BN(n, &k->n) ||
	    !OSSL_PARAM_get_BN(e, &k->e) || BN_num_bytes(k->n) > SIGN_SIG_MAX)
		return 0;
	k->kind = remote_kind_find(REMOTE_RSA, NULL);
	return 1;
}

static int
remote_import_point(struct remote *k, const OSSL_PARAM params[])
{
	const struct remote_kind *kind;
	const OSSL_PARAM	*p;
	const char		*group = NULL;
	void			*pub = k->pub;
	size_t			 len = 0;

	p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	if (k->type == REMOTE_EC &&
	    (p == NULL || !OSSL_PARAM_get_utf8_string_ptr(p, &group)))
		return 0;
	kind = remote_kind_find(k->type, group);
	p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	if (kind == NULL || p == NULL ||
	    !OSSL_PARAM_get_octet_string(p, &pub, sizeof(k->pub), &len) ||
	    len != kind->publen)
		return 0;
	k->kind = kind;
	return 1;
}

/*
 * Called through keyprov_key() with our two parameters, and by libcrypto with
 * a certificate's public key to compare the two.
 */
static int
remote_import(void *arg, int selection, const OSSL_PARAM params[])
{
	struct remote		*k = arg;
	const OSSL_PARAM	*p;

	(void)selection;
	/* A private key has no business here. */
	if (OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY) != NULL ||
	    OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_D) != NULL)
		return 0;
	if (k->kind != NULL || !(k->type == REMOTE_RSA ?
	    remote_import_rsa(k, params) : remote_import_point(k, params)))
		return 0;
	if ((p = OSSL_PARAM_locate_const(params, REMOTE_PARAM_ID)) == NULL)
		return 1;
	if (!OSSL_PARAM_get_uint32(p, &k->id))
		return 0;
	p = OSSL_PARAM_locate_const(params, REMOTE_PARAM_CHAN);
	return p != NULL &&
	    OSSL_PARAM_get_octet_ptr(p, (const void **)&k->chan, NULL);
}

static int
remote_build(const struct remote *k, OSSL_PARAM_BLD *bld)
{
	if (k->type == REMOTE_RSA)
		return OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N,
		    k->n) &&
		    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, k->e);
	if (k->type == REMOTE_EC &&
	    !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
	    k->kind->name, 0))
		return 0;
	return OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    k->pub, k->kind->publen);
}

/*
 * The public part.  Asked for the private one it must fail: with a success
 * libcrypto would take the result to the default provider and sign there.
 */
static int
remote_export(void *arg, int selection, OSSL_CALLBACK *cb, void *cbarg)
{
	struct remote	*k = arg;
	OSSL_PARAM_BLD	*bld = NULL;
	OSSL_PARAM	*params = NULL;
	int		 ok = 0;

	if (k->kind == NULL || (k->chan != NULL &&
	    selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY))
		return 0;
	if ((bld = OSSL_PARAM_BLD_new()) != NULL && remote_build(k, bld) &&
	    (params = OSSL_PARAM_BLD_to_param(bld)) != NULL)
		ok = cb(params, cbarg);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return ok;
}

static const OSSL_PARAM *
remote_types(int selection)
{
	static const OSSL_PARAM	types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_uint32(REMOTE_PARAM_ID, NULL),
		OSSL_PARAM_octet_ptr(REMOTE_PARAM_CHAN, NULL, 0),
		OSSL_PARAM_END
	};

	(void)selection;
	return types;
}

size_t
remote_sigmax(const struct remote *k)
{
	return k->type == REMOTE_RSA ? (size_t)BN_num_bytes(k->n) :
	    k->kind->sigmax;
}

/* True also where it is not asked for. */
static bool
answer_int(OSSL_PARAM params[], const char *name, int v)
{
	OSSL_PARAM	*p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_int(p, v);
}

static bool
answer_str(OSSL_PARAM params[], const char *name, const char *v)
{
	OSSL_PARAM	*p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_utf8_string(p, v);
}

static int
remote_get_params(void *arg, OSSL_PARAM params[])
{
	const struct remote	*k = arg;
	int			 bits, security;

	if (k->kind == NULL)
		return 0;
	bits = k->kind->bits;
	security = k->kind->security;
	if (k->type == REMOTE_RSA) {
		bits = BN_num_bits(k->n);
		security = BN_security_bits(bits, -1);
	}
	if (!answer_int(params, OSSL_PKEY_PARAM_BITS, bits) ||
	    !answer_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, security) ||
	    !answer_int(params, OSSL_PKEY_PARAM_MAX_SIZE,
	    (int)remote_sigmax(k)))
		return 0;
	if (k->type == REMOTE_EC &&
	    !answer_str(params, OSSL_PKEY_PARAM_GROUP_NAME, k->kind->name))
		return 0;
	/* Ed25519 hashes by itself: "" is the only digest there may be. */
	return k->type == REMOTE_ED25519 ?
	    answer_str(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST, "") :
	    answer_str(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256");
}

static const OSSL_PARAM *
remote_gettable(void *prov)
{
	static const OSSL_PARAM	params[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)prov;
	return params;
}

/* An EC key signs with ECDSA; elsewhere key and signature have one name. */
static const char *
remote_operation_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

bool
remote_can_sign(const struct remote *k)
{
	return k->chan != NULL && k->kind != NULL;
}

struct remote *
remote_ref(struct remote *k)
{
	atomic_fetch_add(&k->refs, 1);
	return k;
}

enum remote_type
remote_type(const struct remote *k)
{
	return k->type;
}

size_t
remote_sign(const struct remote *k, uint16_t scheme, const uint8_t *tbs,
    size_t len, uint8_t *sig, size_t sigsize)
{
	return keychan_sign(k->chan, k->id, scheme, tbs, len, sig, sigsize);
}

#define REMOTE(new)							\
	{ OSSL_FUNC_KEYMGMT_NEW, REMOTE_FN(new) },			\
	{ OSSL_FUNC_KEYMGMT_FREE, REMOTE_FN(remote_free) },		\
	{ OSSL_FUNC_KEYMGMT_HAS, REMOTE_FN(remote_has) },		\
	{ OSSL_FUNC_KEYMGMT_MATCH, REMOTE_FN(remote_match) },		\
	{ OSSL_FUNC_KEYMGMT_IMPORT, REMOTE_FN(remote_import) },		\
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, REMOTE_FN(remote_types) },	\
	{ OSSL_FUNC_KEYMGMT_EXPORT, REMOTE_FN(remote_export) },		\
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, REMOTE_FN(remote_types) },	\
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, REMOTE_FN(remote_get_params) },	\
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, REMOTE_FN(remote_gettable) }

const OSSL_DISPATCH remote_ec[] = {
	REMOTE(remote_new_ec),
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME,
	    REMOTE_FN(remote_operation_ec) },
	{ 0, NULL }
};

const OSSL_DISPATCH remote_rsa[] = {
	REMOTE(remote_new_rsa),
	{ 0, NULL }
};

const OSSL_DISPATCH remote_ed25519[] = {
	REMOTE(remote_new_ed25519),
	{ 0, NULL }
};
