#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "cert.h"
#include "pem.h"
#include "signer.h"

/* A date as people read it, "Nov 22 03:00:00 2026 GMT". */
static void
format_date(char dst[32], const ASN1_TIME *t)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	int	 n = 0;

	if (bio != NULL && ASN1_TIME_print(bio, t) == 1)
		n = BIO_read(bio, dst, 31);
	dst[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static bool
check_dates(X509 *leaf, char why[CERT_WHY_MAX])
{
	const ASN1_TIME	*from = X509_get0_notBefore(leaf);
	const ASN1_TIME	*to = X509_get0_notAfter(leaf);
	char		 date[32];

	if (X509_cmp_current_time(from) >= 0) {
		format_date(date, from);
		snprintf(why, CERT_WHY_MAX,
		    "the certificate is not valid before %s", date);
		return false;
	}
	if (X509_cmp_current_time(to) <= 0) {
		format_date(date, to);
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

void
cert_check_leaf(X509 *leaf, const struct cert_names *names,
    char why[CERT_WHY_MAX])
{
	size_t	i;

	why[0] = '\0';
	if (!check_dates(leaf, why))
		return;
	for (i = 0; i < names->n; i++)
		if (!covers(leaf, names->v[i])) {
			snprintf(why, CERT_WHY_MAX,
			    "the certificate is not for %s", names->v[i]);
			return;
		}
}

static void
check_loaded(STACK_OF(X509) *chain, EVP_PKEY *pkey,
    const struct cert_names *names, char why[CERT_WHY_MAX])
{
	X509			*leaf = sk_X509_value(chain, 0);
	struct signer_key	 k = { NULL, 0, 0 };
	const char		*wrong;

	if ((wrong = signer_key_init(&k, pkey)) != NULL)
		snprintf(why, CERT_WHY_MAX, "%s", wrong);
	else if (X509_check_private_key(leaf, pkey) != 1)
		snprintf(why, CERT_WHY_MAX, "the key does not belong to the "
		    "first certificate of the chain");
	else if (signer_try(&k) != SIGN_OK)
		snprintf(why, CERT_WHY_MAX, "the key does not sign");
	else
		cert_check_leaf(leaf, names, why);
	ERR_clear_error();
}

void
cert_check_pair(int chainfd, int keyfd, const struct cert_names *names,
    char why[CERT_WHY_MAX])
{
	STACK_OF(X509)	*chain = NULL;
	EVP_PKEY	*pkey = NULL;
	const char	*wrong;

	why[0] = '\0';
	if ((chain = pem_read_chain(chainfd, &wrong)) == NULL)
		snprintf(why, CERT_WHY_MAX, "the certificate file %s", wrong);
	else if ((pkey = pem_read_key(keyfd, &wrong)) == NULL)
		snprintf(why, CERT_WHY_MAX, "the key file %s", wrong);
	else
		check_loaded(chain, pkey, names, why);
	EVP_PKEY_free(pkey);
	sk_X509_pop_free(chain, X509_free);
}
