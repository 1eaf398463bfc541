#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "cert.h"
#include "pem.h"
#include "signer.h"

static bool
check_dates(X509 *leaf, char why[CERT_WHY_MAX])
{
	const ASN1_TIME	*from = X509_get0_notBefore(leaf);
	const ASN1_TIME	*to = X509_get0_notAfter(leaf);
	char		 date[CERT_DATE_LEN];

	if (X509_cmp_current_time(from) >= 0) {
		cert_format_date(date, from);
		snprintf(why, CERT_WHY_MAX,
		    "the certificate is not valid before %s", date);
		return false;
	}
	if (X509_cmp_current_time(to) <= 0) {
		cert_format_date(date, to);
		snprintf(why, CERT_WHY_MAX,
		    "the certificate has expired on %s", date);
		return false;
	}
	return true;
}

/*
 * As browsers do it: alternative names only, a wildcard is one whole label
 * (RFC 6125 6.4.3).  A site's own "*.x" is covered by the same wildcard alone:
 * OpenSSL lets a '*' match a literal '*'.
 */
static bool
covers(X509 *leaf, const char *name)
{
	const unsigned int	flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	ASN1_OCTET_STRING	*ip = a2i_IPADDRESS(name);
	int			 r;

	r = ip != NULL ? X509_check_ip_asc(leaf, name, flags) :
	    X509_check_host(leaf, name, strlen(name), flags, NULL);
	ASN1_OCTET_STRING_free(ip);
	return r == 1;
}

/*
 * A name that ends early in C is one name to those who issue certificates and
 * another to some who check them.
 */
static bool
check_nul(X509 *leaf, char why[CERT_WHY_MAX])
{
	GENERAL_NAMES		*all;
	const GENERAL_NAME	*g;
	const ASN1_STRING	*s;
	bool			 good = true;
	int			 i, type;

	all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		g = sk_GENERAL_NAME_value(all, i);
		s = GENERAL_NAME_get0_value(g, &type);
		if ((type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI) &&
		    memchr(ASN1_STRING_get0_data(s), '\0',
		    (size_t)ASN1_STRING_length(s)) != NULL)
			good = false;
	}
	GENERAL_NAMES_free(all);
	if (!good)
		snprintf(why, CERT_WHY_MAX,
		    "a name in the certificate has a NUL in it");
	return good;
}

void
cert_check_leaf(X509 *leaf, const struct cert_names *names,
    char why[CERT_WHY_MAX])
{
	size_t	i;

	why[0] = '\0';
	if (!check_dates(leaf, why) || !check_nul(leaf, why))
		return;
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1) {
		snprintf(why, CERT_WHY_MAX, "the certificate is not one for "
		    "servers: its key usage says so");
		return;
	}
	for (i = 0; i < names->n; i++)
		if (!covers(leaf, names->v[i])) {
			snprintf(why, CERT_WHY_MAX,
			    "the certificate is not for %s", names->v[i]);
			return;
		}
}

void
cert_check_names(const struct cert_checked *c, const struct cert_names *names,
    struct cert_info *info, char why[CERT_WHY_MAX])
{
	*info = c->info;
	snprintf(why, CERT_WHY_MAX, "%s", c->wrong);
	if (c->leaf != NULL && c->wrong[0] == '\0')
		cert_check_leaf(c->leaf, names, why);
	ERR_clear_error();
}

/*
 * What no client of today takes, and no TLS library at its usual level: a
 * signature or key of less than 112 bits of security (SHA-1, RSA 1024).  That a
 * root at the end has signed itself is nothing that anybody checks.
 */
#define STRENGTH_MIN	112

static bool
check_strength(STACK_OF(X509) *chain, char why[CERT_WHY_MAX])
{
	X509	*x;
	int	 i, md, bits;

	for (i = 0; i < sk_X509_num(chain); i++) {
		x = sk_X509_value(chain, i);
		if (EVP_PKEY_get_security_bits(X509_get0_pubkey(x)) <
		    STRENGTH_MIN) {
			snprintf(why, CERT_WHY_MAX, "certificate %d of the "
			    "file has a weak key", i + 1);
			return false;
		}
		if (i > 0 && X509_self_signed(x, 0) == 1)
			continue;
		if (X509_get_signature_info(x, &md, NULL, &bits, NULL) != 1 ||
		    bits < STRENGTH_MIN) {
			snprintf(why, CERT_WHY_MAX, "certificate %d of the "
			    "file is signed with %s, which is weak", i + 1,
			    OBJ_nid2sn(md));
			return false;
		}
	}
	return true;
}

static void
check_loaded(STACK_OF(X509) *chain, EVP_PKEY *pkey, char why[CERT_WHY_MAX])
{
	X509			*leaf = sk_X509_value(chain, 0);
	struct signer_key	 k = { .pkey = NULL };
	const char		*wrong;

	if ((wrong = signer_key_init(&k, pkey)) != NULL)
		snprintf(why, CERT_WHY_MAX, "%s", wrong);
	else if (X509_check_private_key(leaf, pkey) != 1)
		snprintf(why, CERT_WHY_MAX, "the key does not belong to the "
		    "first certificate of the chain");
	else if (signer_try(&k) != SIGN_OK)
		snprintf(why, CERT_WHY_MAX, "the key does not sign");
	else
		check_strength(chain, why);
}

void
cert_checked_clear(struct cert_checked *c)
{
	X509_free(c->leaf);
	memset(c, 0, sizeof(*c));
}

void
cert_check_files(struct pem_reader *r, int chainfd, int keyfd,
    struct cert_checked *c)
{
	STACK_OF(X509)	*chain = NULL;
	EVP_PKEY	*pkey = NULL;
	const char	*wrong;

	cert_checked_clear(c);
	if ((chain = pem_read_chain(chainfd, &wrong)) == NULL)
		snprintf(c->wrong, CERT_WHY_MAX, "the certificate file %s",
		    wrong);
	else if ((pkey = pem_read_key(r, keyfd, &wrong)) == NULL)
		snprintf(c->wrong, CERT_WHY_MAX, "the key file %s", wrong);
	else {
		check_loaded(chain, pkey, c->wrong);
		cert_describe(chain, &c->info);
		c->leaf = sk_X509_shift(chain);
		ERR_clear_error();
	}
	EVP_PKEY_free(pkey);
	sk_X509_pop_free(chain, X509_free);
}

void
cert_check_pair(struct pem_reader *r, int chainfd, int keyfd,
    const struct cert_names *names, struct cert_info *info,
    char why[CERT_WHY_MAX])
{
	struct cert_checked	c = { .leaf = NULL };

	cert_check_files(r, chainfd, keyfd, &c);
	cert_check_names(&c, names, info, why);
	cert_checked_clear(&c);
}
