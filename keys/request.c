#include <openssl/ec.h>
#include <openssl/pem.h>

#include "cert.h"

/* A list of extensions with the names alone; NULL without memory. */
static STACK_OF(X509_EXTENSION) *
extensions(const struct cert_names *names)
{
	GENERAL_NAMES			*all = cert_general_names(names);
	STACK_OF(X509_EXTENSION)	*list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION			*e = NULL;

	if (all != NULL)
		e = X509V3_EXT_i2d(NID_subject_alt_name, 0, all);
	GENERAL_NAMES_free(all);
	if (list != NULL && e != NULL && sk_X509_EXTENSION_push(list, e) > 0)
		return list;
	X509_EXTENSION_free(e);
	sk_X509_EXTENSION_free(list);
	return NULL;
}

static int
fill(X509_REQ *r, EVP_PKEY *key, const struct cert_names *names)
{
	STACK_OF(X509_EXTENSION)	*list = extensions(names);
	int				 ok;

	ok = list != NULL && names->n > 0 &&
	    X509_REQ_set_version(r, X509_REQ_VERSION_1) == 1 &&
	    X509_REQ_set_pubkey(r, key) == 1 &&
	    X509_REQ_add_extensions(r, list) == 1 &&
	    X509_REQ_sign(r, key, EVP_sha256()) > 0;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ok;
}

int
cert_request(const struct cert_names *names, BIO *csr, BIO *key)
{
	EVP_PKEY	*pkey = EVP_EC_gen("P-256");
	X509_REQ	*r = X509_REQ_new();
	int		 ok;

	ok = pkey != NULL && r != NULL && fill(r, pkey, names) &&
	    i2d_X509_REQ_bio(csr, r) == 1 &&
	    PEM_write_bio_PrivateKey(key, pkey, NULL, NULL, 0, NULL, NULL) ==
	    1;
	X509_REQ_free(r);
	EVP_PKEY_free(pkey);
	return ok ? 0 : -1;
}
