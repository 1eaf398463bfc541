#include <sys/socket.h>

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "cert.h"

void
cert_format_date(char dst[CERT_DATE_LEN], const ASN1_TIME *t)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	int	 n = 0;

	if (bio != NULL && ASN1_TIME_print(bio, t) == 1)
		n = BIO_read(bio, dst, CERT_DATE_LEN - 1);
	dst[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static int64_t
seconds(const ASN1_TIME *t)
{
	struct tm	tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void
describe_key(const EVP_PKEY *key, struct cert_info *c)
{
	c->bits = (uint16_t)EVP_PKEY_get_bits(key);
	if (EVP_PKEY_is_a(key, "RSA"))
		c->key = CERT_KEY_RSA;
	else if (EVP_PKEY_is_a(key, "EC"))
		c->key = CERT_KEY_EC;
	else if (EVP_PKEY_is_a(key, "ED25519"))
		c->key = CERT_KEY_ED25519;
}

/* Appends the last part of that kind, as far as it fits. */
static void
describe_part(const X509_NAME *name, int nid, char *dst, size_t size)
{
	const X509_NAME_ENTRY	*e;
	unsigned char		*utf8 = NULL;
	size_t			 used = strlen(dst);
	int			 i, at = -1, len = -1;

	while ((i = X509_NAME_get_index_by_NID(name, nid, at)) >= 0)
		at = i;
	if (at == -1 || (e = X509_NAME_get_entry(name, at)) == NULL)
		return;
	len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
	if (len > 0)
		snprintf(dst + used, size - used, "%s%.*s",
		    used > 0 ? ", " : "", len, (const char *)utf8);
	OPENSSL_free(utf8);
}

/* Of the common name and the organisation, what there is. */
static void
describe_issuer(X509 *leaf, struct cert_info *c)
{
	const X509_NAME	*name = X509_get_issuer_name(leaf);

	describe_part(name, NID_commonName, c->issuer, sizeof(c->issuer));
	describe_part(name, NID_organizationName, c->issuer,
	    sizeof(c->issuer));
}

/* A name as text without blanks; "" for kinds that no client looks at. */
static void
name_text(const GENERAL_NAME *g, char dst[CERT_NAMES_MAX])
{
	int			 type, len;
	const ASN1_STRING	*s = GENERAL_NAME_get0_value(g, &type);
	char			*p;

	dst[0] = '\0';
	if (type != GEN_DNS && type != GEN_IPADD)
		return;
	len = ASN1_STRING_length(s);
	if (type == GEN_DNS)
		snprintf(dst, CERT_NAMES_MAX, "%.*s", len,
		    (const char *)ASN1_STRING_get0_data(s));
	else if (len == 4 || len == 16)
		inet_ntop(len == 4 ? AF_INET : AF_INET6,
		    ASN1_STRING_get0_data(s), dst, CERT_NAMES_MAX);
	for (p = dst; *p != '\0'; p++)
		if (*p == ' ')
			*p = '?';
}

static void
describe_names(X509 *leaf, struct cert_info *c)
{
	GENERAL_NAMES	*all;
	char		 one[CERT_NAMES_MAX];
	size_t		 len, used = 0;
	bool		 full = false;
	int		 i;

	all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		name_text(sk_GENERAL_NAME_value(all, i), one);
		if ((len = strlen(one)) == 0 || c->nnames == UINT16_MAX)
			continue;
		c->nnames++;
		full = full || used + (used > 0) + len >= sizeof(c->names);
		if (full)
			continue;
		if (used > 0)
			c->names[used++] = ' ';
		memcpy(c->names + used, one, len + 1);
		used += len;
	}
	GENERAL_NAMES_free(all);
}

/* What some clients accept, and an operator wants to know. */
static void
describe_chain(STACK_OF(X509) *chain, struct cert_info *c)
{
	const ASN1_TIME	*end = X509_get0_notAfter(sk_X509_value(chain, 0));
	X509		*x;
	char		 date[CERT_DATE_LEN];
	int		 i;

	for (i = 1; i < sk_X509_num(chain) && c->note[0] == '\0'; i++) {
		x = sk_X509_value(chain, i);
		if (X509_check_issued(x, sk_X509_value(chain, i - 1)) !=
		    X509_V_OK)
			snprintf(c->note, sizeof(c->note), "certificate %d of "
			    "the file did not issue the one before it", i + 1);
		else if (X509_self_signed(x, 0) != 1 &&
		    ASN1_TIME_compare(X509_get0_notAfter(x), end) < 0) {
			cert_format_date(date, X509_get0_notAfter(x));
			snprintf(c->note, sizeof(c->note), "certificate %d of "
			    "the file is the first to expire, on %s", i + 1,
			    date);
		}
	}
}

void
cert_describe(STACK_OF(X509) *chain, struct cert_info *c)
{
	X509	*leaf = sk_X509_value(chain, 0);

	memset(c, 0, sizeof(*c));
	describe_key(X509_get0_pubkey(leaf), c);
	c->self_signed = X509_self_signed(leaf, 0) == 1;
	c->from = seconds(X509_get0_notBefore(leaf));
	c->to = seconds(X509_get0_notAfter(leaf));
	describe_issuer(leaf, c);
	describe_names(leaf, c);
	describe_chain(chain, c);
}
