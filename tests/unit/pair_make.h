#ifndef L4_TEST_PAIR_MAKE_H
#define L4_TEST_PAIR_MAKE_H

#include <sys/mman.h>

#include <string.h>
#include <unistd.h>

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

/*
 * Keys and certificates for tests.
 */
enum pair_type { PAIR_P256, PAIR_P384, PAIR_RSA, PAIR_ED25519, PAIR__MAX };

static inline EVP_PKEY *
pair_key(enum pair_type type)
{
	EVP_PKEY	*k = NULL;

	switch (type) {
	case PAIR_P256:
		k = EVP_EC_gen("P-256");
		break;
	case PAIR_P384:
		k = EVP_EC_gen("P-384");
		break;
	case PAIR_RSA:
		k = EVP_RSA_gen(2048);
		break;
	default:
		k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
	ck_assert_ptr_nonnull(k);
	return k;
}

/* Signed by itself.  san as in openssl-x509v3_config(5), NULL for none; the
 * dates in seconds from now. */
static inline X509 *
pair_cert(EVP_PKEY *key, const char *cn, const char *san, long from, long to)
{
	X509		*x = X509_new();
	X509_NAME	*name = X509_get_subject_name(x);
	X509_EXTENSION	*e;

	ck_assert_ptr_nonnull(x);
	ck_assert_int_eq(X509_set_version(x, X509_VERSION_3), 1);
	ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(x), from));
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(x), to));
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0), 1);
	ck_assert_int_eq(X509_set_issuer_name(x, name), 1);
	ck_assert_int_eq(X509_set_pubkey(x, key), 1);
	if (san != NULL) {
		e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
		ck_assert_ptr_nonnull(e);
		ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
		X509_EXTENSION_free(e);
	}
	ck_assert_int_gt(X509_sign(x, key, EVP_PKEY_is_a(key, "ED25519") ?
	    NULL : EVP_sha256()), 0);
	return x;
}

/* A file with these bytes. */
static inline int
pair_file(const void *p, size_t len)
{
	int	fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	return fd;
}

static inline int
pair_bio_file(BIO *bio)
{
	char	*p;
	long	 len = BIO_get_mem_data(bio, &p);
	int	 fd = pair_file(p, (size_t)len);

	BIO_free(bio);
	return fd;
}

static inline int
pair_key_file(EVP_PKEY *key)
{
	BIO	*bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL), 1);
	return pair_bio_file(bio);
}

static inline int
pair_cert_file(X509 *x)
{
	BIO	*bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_X509(bio, x), 1);
	return pair_bio_file(bio);
}

#endif
