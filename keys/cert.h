#ifndef L4_CERT_H
#define L4_CERT_H

#include <stddef.h>

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/certinfo.h"

struct pem_reader;

/*
 * The one-shot work: certificates made and checked before a generation starts.
 * Names are those of a site: host names, "*.x", or IP literals.
 */
struct cert_names {
	const char	**v;
	size_t		  n;
};

/*
 * A P-256 key and a certificate of its own for these names, valid for a year,
 * as PEM into two BIOs.  0, or -1; see the error queue.
 */
int	cert_self_sign(const struct cert_names *, BIO *chain, BIO *key);

/*
 * A P-256 key, in PEM, and a request for a certificate of it, in DER: no
 * subject, these alternative names, nothing else (RFC 8555 7.4).  0, or -1.
 */
int	cert_request(const struct cert_names *, BIO *csr, BIO *key);
/* The names as a certificate has them; NULL without memory. */
GENERAL_NAMES *cert_general_names(const struct cert_names *);

/*
 * Would clients that ask for these names, now, accept this pair as far as the
 * chain in the file goes?  why = "" for yes, else one sentence.  Who issued the
 * certificate is not looked at.  The info is complete for what was accepted.
 */
void	cert_check_pair(struct pem_reader *, int chainfd, int keyfd,
	    const struct cert_names *, struct cert_info *,
	    char why[CERT_WHY_MAX]);
/*
 * What of that does not depend on the names: `leaf` is NULL where there
 * is none.
 */
struct cert_checked {
	X509		*leaf;
	struct cert_info info;
	char		 wrong[CERT_WHY_MAX];
};
void	cert_check_files(struct pem_reader *, int chainfd, int keyfd,
	    struct cert_checked *);
void	cert_checked_clear(struct cert_checked *);
/* The rest: the same as cert_check_pair(). */
void	cert_check_names(const struct cert_checked *, const struct cert_names *,
	    struct cert_info *, char why[CERT_WHY_MAX]);
/* The part of it that is about the leaf alone. */
void	cert_check_leaf(X509 *, const struct cert_names *,
	    char why[CERT_WHY_MAX]);

/* describe.c: for people.  At least one certificate. */
void	cert_describe(STACK_OF(X509) *, struct cert_info *);
/* A date as they read it, "Nov 22 03:00:00 2026 GMT". */
#define CERT_DATE_LEN	32
void	cert_format_date(char dst[CERT_DATE_LEN], const ASN1_TIME *);

#endif
