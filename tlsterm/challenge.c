#include <arpa/inet.h>

#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "challenge.h"
#include "tls.h"

#define VALID_SECONDS	(7 * 86400L)
#define HASH_LEN	32		/* SHA-256 */

/* DER: OCTET STRING of a hash. */
#define PROOF_LEN	(2 + HASH_LEN)

struct responder {
	struct site		 site;
	struct conf_site	 conf;
	EVP_PKEY		*key;
	uint64_t		 requests;
};

void
challenge_respond(const struct site *s, const struct request *req,
    struct response *res)
{
	static const struct str	prefix = { CHALLENGE_PATH,
		sizeof(CHALLENGE_PATH) - 1 };
	struct challenge	c;
	char			token[CHALLENGE_TOKEN_MAX + 1], *text;
	size_t			n;

	if (req->path.n <= prefix.n ||
	    req->path.n - prefix.n > CHALLENGE_TOKEN_MAX ||
	    memcmp(req->path.p, prefix.p, prefix.n) != 0) {
		response_error(res, 404);
		return;
	}
	n = req->path.n - prefix.n;
	memcpy(token, req->path.p + prefix.n, n);
	token[n] = '\0';
	if (!challenges_by_token(s->challenges, token, &c)) {
		response_error(res, 404);
		return;
	}
	response_begin(res, 200);
	response_field(res, STR("Content-Type"),
	    STR("application/octet-stream"));
	n = strlen(c.proof);
	if ((text = response_room(res, n)) != NULL) {
		memcpy(text, c.proof, n);
		response_text(res, text, n);
	}
	/* What comes next on this connection is not for us. */
	res->close = true;
}

/* Exactly what the CA asked for, and no other protocol. */
static int
select_alpn(SSL *ssl, const uint8_t **out, uint8_t *outlen,
    const uint8_t *in, unsigned int inlen, void *arg)
{
	const size_t	n = sizeof(CHALLENGE_ALPN) - 1;

	(void)ssl;
	(void)arg;
	if (inlen != 1 + n || in[0] != n ||
	    memcmp(in + 1, CHALLENGE_ALPN, n) != 0)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = in + 1;
	*outlen = (uint8_t)n;
	return SSL_TLSEXT_ERR_OK;
}

static int
add_name(X509 *x, const char *name)
{
	ASN1_OCTET_STRING	*s = a2i_IPADDRESS(name);
	GENERAL_NAMES		*all = GENERAL_NAMES_new();
	GENERAL_NAME		*g = GENERAL_NAME_new();
	int			 type = s == NULL ? GEN_DNS : GEN_IPADD, ok;

	if (s == NULL)
		s = ASN1_IA5STRING_new();
	ok = all != NULL && g != NULL && s != NULL &&
	    (type == GEN_IPADD || ASN1_STRING_set(s, name, -1) == 1);
	if (ok) {
		GENERAL_NAME_set0_value(g, type, s);
		ok = sk_GENERAL_NAME_push(all, g) > 0;
	}
	if (ok)
		ok = X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0);
	else
		GENERAL_NAME_free(g);
	GENERAL_NAMES_free(all);
	return ok == 1;
}

/* acmeIdentifier, RFC 8737 3: critical, a hash of the key authorization. */
static int
add_proof(X509 *x, const char *proof)
{
	unsigned char		 der[PROOF_LEN] = { V_ASN1_OCTET_STRING,
				    HASH_LEN };
	ASN1_OBJECT		*oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	ASN1_OCTET_STRING	*s = ASN1_OCTET_STRING_new();
	X509_EXTENSION		*e = NULL;
	int			 ok;

	ok = oid != NULL && s != NULL && EVP_Digest(proof, strlen(proof),
	    der + 2, NULL, EVP_sha256(), NULL) == 1 &&
	    ASN1_OCTET_STRING_set(s, der, sizeof(der)) == 1 &&
	    (e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, s)) != NULL &&
	    X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(s);
	ASN1_OBJECT_free(oid);
	return ok;
}

static int
fill(X509 *x, EVP_PKEY *key, const struct challenge *c)
{
	X509_NAME	*name = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), VALID_SECONDS) != NULL &&
	    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)"l4mux challenge", -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, name) == 1 &&
	    X509_set_pubkey(x, key) == 1 && add_name(x, c->name) &&
	    add_proof(x, c->proof) && X509_sign(x, key, EVP_sha256()) > 0;
}

/* For the name that was asked for; 0 ends the handshake. */
static int
make_certificate(SSL *ssl, void *arg)
{
	struct responder	*r = arg;
	const char		*sni;
	struct challenge	 c;
	char			 name[HELLO_NAME_MAX + 1];
	X509			*x;
	int			 ok;

	sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (sni == NULL || !hostname_normalize(name, sni, strlen(sni)) ||
	    !challenges_by_sni(r->site.challenges, name, &c))
		return 0;
	if (r->key == NULL && (r->key = EVP_EC_gen("P-256")) == NULL)
		return 0;
	x = X509_new();
	ok = x != NULL && fill(x, r->key, &c) &&
	    SSL_use_certificate(ssl, x) == 1 &&
	    SSL_use_PrivateKey(ssl, r->key) == 1;
	X509_free(x);
	ERR_clear_error();
	return ok;
}

struct site *
challenge_site(const struct conf *conf, const struct challenges *page,
    struct tickets *tickets, const char **err)
{
	struct responder	*r;
	SSL_CTX			*ctx;

	*err = "out of memory";
	if ((r = calloc(1, sizeof(*r))) == NULL ||
	    (ctx = tls_context(conf, "\xff" "challenge", tickets, err)) ==
	    NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
	SSL_CTX_set_cert_cb(ctx, make_certificate, r);
	r->conf.name = "acme";
	r->conf.http = SITE_HTTP_SERVE;
	r->site.conf = &r->conf;
	r->site.root = -1;
	r->site.ctx = ctx;
	r->site.challenges = page;
	r->site.requests = &r->requests;
	return &r->site;
}
