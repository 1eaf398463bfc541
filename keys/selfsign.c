#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "cert.h"

#define NOT_BEFORE	(-3600)		/* for clients whose clock is slow */
#define NOT_AFTER	(365L * 86400)
#define CN_MAX		64		/* RFC 5280, ub-common-name */
#define SERIAL_LEN	16		/* bytes; RFC 5280 4.1.2.2: up to 20 */

static int
set_serial(X509 *x)
{
	unsigned char	 buf[SERIAL_LEN];
	BIGNUM		*n = NULL;
	int		 ok;

	ok = RAND_bytes(buf, sizeof(buf)) == 1;
	buf[0] = (buf[0] & 0x7f) | 0x40;	/* positive, and never 0 */
	ok = ok && (n = BN_bin2bn(buf, sizeof(buf), NULL)) != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

static int
set_dates(X509 *x)
{
	time_t	now = time(NULL);

	return X509_time_adj_ex(X509_getm_notBefore(x), 0, NOT_BEFORE, &now) !=
	    NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(x), 0, NOT_AFTER, &now) != NULL;
}

/* Only for people: clients read the alternative names. */
static int
set_subject(X509 *x, const struct cert_names *names)
{
	X509_NAME	*subject = X509_get_subject_name(x);
	const char	*cn = "l4mux";

	if (names->n > 0 && strlen(names->v[0]) <= CN_MAX)
		cn = names->v[0];
	return X509_NAME_add_entry_by_NID(subject, NID_commonName,
	    MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, subject) == 1;
}

/* As data, not through the text syntax of extensions, where "," means much. */
static GENERAL_NAME *
make_name(const char *name)
{
	ASN1_OCTET_STRING	*s = a2i_IPADDRESS(name);
	GENERAL_NAME		*g = GENERAL_NAME_new();
	int			 type = s == NULL ? GEN_DNS : GEN_IPADD;

	if (s == NULL && (s = ASN1_IA5STRING_new()) != NULL &&
	    ASN1_STRING_set(s, name, -1) != 1) {
		ASN1_STRING_free(s);
		s = NULL;
	}
	if (g == NULL || s == NULL) {
		ASN1_STRING_free(s);
		GENERAL_NAME_free(g);
		return NULL;
	}
	GENERAL_NAME_set0_value(g, type, s);
	return g;
}

GENERAL_NAMES *
cert_general_names(const struct cert_names *names)
{
	GENERAL_NAMES	*all = GENERAL_NAMES_new();
	GENERAL_NAME	*g;
	int		 ok = all != NULL;
	size_t		 i;

	for (i = 0; ok && i < names->n; i++) {
		g = make_name(names->v[i]);
		ok = g != NULL && sk_GENERAL_NAME_push(all, g) > 0;
		if (!ok)
			GENERAL_NAME_free(g);
	}
	if (ok)
		return all;
	GENERAL_NAMES_free(all);
	return NULL;
}

static int
add_names(X509 *x, const struct cert_names *names)
{
	GENERAL_NAMES	*all = cert_general_names(names);
	int		 ok;

	ok = all != NULL &&
	    X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0) == 1;
	GENERAL_NAMES_free(all);
	return ok;
}

static int
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION	*e;
	int		 ok;

	e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static int
fill(X509 *x, EVP_PKEY *key, const struct cert_names *names)
{
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	    set_dates(x) && set_subject(x, names) &&
	    X509_set_pubkey(x, key) == 1 &&
	    add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(x, NID_ext_key_usage, "serverAuth") &&
	    add_names(x, names) && X509_sign(x, key, EVP_sha256()) > 0;
}

int
cert_self_sign(const struct cert_names *names, BIO *chain, BIO *key)
{
	EVP_PKEY	*pkey = EVP_EC_gen("P-256");
	X509		*x = X509_new();
	int		 ok;

	ok = pkey != NULL && x != NULL && fill(x, pkey, names) &&
	    PEM_write_bio_X509(chain, x) == 1 &&
	    PEM_write_bio_PrivateKey(key, pkey, NULL, NULL, 0, NULL, NULL) ==
	    1;
	X509_free(x);
	EVP_PKEY_free(pkey);
	return ok ? 0 : -1;
}
