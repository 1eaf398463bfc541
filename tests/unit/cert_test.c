#include <check.h>
#include <string.h>

#include <openssl/err.h>

#include "common/l4.h"
#include "keys/cert.h"
#include "keys/pem.h"
#include "pair_make.h"
#include "tests/unit/suite.h"

#define YEAR	(365L * 86400)

static struct pem_reader	reader;

static const char	*self_names[] = {
	"a.example", "*.b.example", "under_score.example", "192.0.2.7",
	"2001:db8::1",
};

START_TEST(test_self_sign)
{
	struct cert_names	 names = { self_names, nitems(self_names) };
	BIO			*chain = BIO_new(BIO_s_mem());
	BIO			*key = BIO_new(BIO_s_mem());
	STACK_OF(X509)		*sk;
	X509			*x;
	struct cert_info	 info;
	const char		*wrong;
	char			 why[CERT_WHY_MAX];
	int			 cfd, kfd;

	ck_assert_int_eq(cert_self_sign(&names, chain, key), 0);
	cfd = memfd_create("chain", 0);
	kfd = memfd_create("key", 0);
	ck_assert_int_eq(pem_write(cfd, chain), 0);
	ck_assert_int_eq(pem_write(kfd, key), 0);
	cert_check_pair(&reader, cfd, kfd, &names, &info, why);
	ck_assert_str_eq(why, "");

	ck_assert_ptr_nonnull(sk = pem_read_chain(cfd, &wrong));
	ck_assert_int_eq(sk_X509_num(sk), 1);
	x = sk_X509_value(sk, 0);
	ck_assert_int_eq(X509_verify(x, X509_get0_pubkey(x)), 1);
	ck_assert_int_eq(X509_check_ca(x), 0);
	ck_assert_int_eq(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 1);
	ck_assert_int_eq(X509_check_purpose(x, X509_PURPOSE_SSL_CLIENT, 0), 0);
	ck_assert_int_eq(X509_check_host(x, "x.b.example", 0, 0, NULL), 1);
	ck_assert_int_eq(X509_check_host(x, "b.example", 0, 0, NULL), 0);
	ck_assert_int_eq(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
	/* of the same key, an hour ago to a year from now */
	ck_assert_int_lt(X509_cmp_timeframe(NULL, X509_get0_notBefore(x),
	    X509_get0_notAfter(x)), 1);
	sk_X509_pop_free(sk, X509_free);
	BIO_free(chain);
	BIO_free(key);
	close(cfd);
	close(kfd);
}
END_TEST

/* A name that fits no common name, and none at all. */
START_TEST(test_self_sign_long)
{
	char			 name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example";
	const char		*one[] = { name };
	struct cert_names	 names = { one, _i == 0 ? 1 : 0 };
	BIO			*chain = BIO_new(BIO_s_mem());
	BIO			*key = BIO_new(BIO_s_mem());
	char			 why[CERT_WHY_MAX];
	X509			*x;

	ck_assert_int_eq(cert_self_sign(&names, chain, key), 0);
	x = PEM_read_bio_X509(chain, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(x);
	cert_check_leaf(x, &names, why);
	ck_assert_str_eq(why, "");
	X509_free(x);
	BIO_free(chain);
	BIO_free(key);
}
END_TEST

/* The names, as names or addresses, and no more; its key signed it. */
START_TEST(test_request)
{
	const char		*v[] = { "a.example", "*.b.example", "192.0.2.7",
				    "2001:db8::7" };
	struct cert_names	 names = { v, nitems(v) };
	BIO			*csr = BIO_new(BIO_s_mem());
	BIO			*key = BIO_new(BIO_s_mem());
	STACK_OF(X509_EXTENSION) *ext;
	GENERAL_NAMES		*all;
	EVP_PKEY		*pkey;
	X509_REQ		*r;

	ck_assert_int_eq(cert_request(&names, csr, key), 0);
	ck_assert_ptr_nonnull(r = d2i_X509_REQ_bio(csr, NULL));
	pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	ck_assert_int_eq(X509_REQ_verify(r, pkey), 1);
	ck_assert_int_eq(X509_NAME_entry_count(X509_REQ_get_subject_name(r)),
	    0);
	ext = X509_REQ_get_extensions(r);
	ck_assert_int_eq(sk_X509_EXTENSION_num(ext), 1);
	all = X509V3_get_d2i(ext, NID_subject_alt_name, NULL, NULL);
	ck_assert_int_eq(sk_GENERAL_NAME_num(all), 4);
	ck_assert_int_eq(sk_GENERAL_NAME_value(all, 1)->type, GEN_DNS);
	ck_assert_int_eq(sk_GENERAL_NAME_value(all, 2)->type, GEN_IPADD);
	GENERAL_NAMES_free(all);
	sk_X509_EXTENSION_pop_free(ext, X509_EXTENSION_free);
	X509_REQ_free(r);
	EVP_PKEY_free(pkey);
	BIO_free(csr);
	BIO_free(key);
}
END_TEST

START_TEST(test_request_for_nobody)
{
	struct cert_names	 names = { NULL, 0 };
	BIO			*csr = BIO_new(BIO_s_mem());
	BIO			*key = BIO_new(BIO_s_mem());

	ck_assert_int_eq(cert_request(&names, csr, key), -1);
	ck_assert_int_eq(BIO_pending(key), 0);
	BIO_free(csr);
	BIO_free(key);
}
END_TEST

static const struct {
	const char	*name, *san;
	long		 from, to;
	const char	*want;		/* begins so */
} leaves[] = {
	{ "a.example", "DNS:a.example", -60, YEAR, "" },
	{ "a.example", "DNS:A.Example", -60, YEAR, "" },
	{ "a.b.example", "DNS:x.example,DNS:*.b.example", -60, YEAR, "" },
	{ "*.b.example", "DNS:*.b.example", -60, YEAR, "" },
	{ "*.b.example", "DNS:a.b.example", -60, YEAR,
	    "the certificate is not for *.b.example" },
	{ "a.a.b.example", "DNS:*.b.example", -60, YEAR,
	    "the certificate is not for a.a.b.example" },
	{ "b.example", "DNS:*.b.example", -60, YEAR,
	    "the certificate is not for b.example" },
	{ "abc.b.example", "DNS:a*.b.example", -60, YEAR,
	    "the certificate is not for abc.b.example" },
	{ "cn.example", NULL, -60, YEAR,
	    "the certificate is not for cn.example" },
	{ "192.0.2.1", "IP:192.0.2.1", -60, YEAR, "" },
	{ "192.0.2.1", "DNS:192.0.2.1", -60, YEAR,
	    "the certificate is not for 192.0.2.1" },
	{ "a.example", "DNS:a.example", 3600, YEAR,
	    "the certificate is not valid before " },
	{ "a.example", "DNS:a.example", -YEAR, -60,
	    "the certificate has expired on " },
};

START_TEST(test_check_leaf)
{
	EVP_PKEY		*key = pair_key(PAIR_P256);
	X509			*x = pair_cert(key, "cn.example",
				    leaves[_i].san, leaves[_i].from,
				    leaves[_i].to);
	const char		*one[] = { leaves[_i].name };
	struct cert_names	 names = { one, 1 };
	char			 why[CERT_WHY_MAX];

	cert_check_leaf(x, &names, why);
	if (leaves[_i].want[0] == '\0')
		ck_assert_str_eq(why, "");
	else
		ck_assert_msg(strncmp(why, leaves[_i].want,
		    strlen(leaves[_i].want)) == 0, "%s", why);
	X509_free(x);
	EVP_PKEY_free(key);
}
END_TEST

/* A name that ends early in C is not the name (HOSTILE TL10). */
START_TEST(test_check_nul)
{
	static const char	 evil[] = "a.example\0.evil.example";
	EVP_PKEY		*key = pair_key(PAIR_P256);
	X509			*x = pair_cert(key, "x", NULL, -60, YEAR);
	GENERAL_NAMES		*all = GENERAL_NAMES_new();
	GENERAL_NAME		*g = GENERAL_NAME_new();
	ASN1_IA5STRING		*s = ASN1_IA5STRING_new();
	const char		*one[] = { "a.example" };
	struct cert_names	 names = { one, 1 };
	char			 why[CERT_WHY_MAX];

	ASN1_STRING_set(s, evil, sizeof(evil) - 1);
	GENERAL_NAME_set0_value(g, GEN_DNS, s);
	sk_GENERAL_NAME_push(all, g);
	ck_assert_int_eq(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0),
	    1);
	cert_check_leaf(x, &names, why);
	ck_assert_str_eq(why, "a name in the certificate has a NUL in it");
	GENERAL_NAMES_free(all);
	X509_free(x);
	EVP_PKEY_free(key);
}
END_TEST

static void
check_files(int cfd, int kfd, const char *want)
{
	const char		*one[] = { "a.example" };
	struct cert_names	 names = { one, 1 };
	struct cert_info	 info;
	char			 why[CERT_WHY_MAX];

	cert_check_pair(&reader, cfd, kfd, &names, &info, why);
	ck_assert_str_eq(why, want);
	/* the error queue is the next one's */
	ck_assert_uint_eq(ERR_peek_error(), 0);
	close(cfd);
	close(kfd);
}

START_TEST(test_check_pair)
{
	EVP_PKEY	*key = pair_key(_i), *other = pair_key(_i);
	X509		*x = pair_cert(key, "cn", "DNS:a.example", -60, YEAR);
	int		 fd;

	check_files(pair_cert_file(x), pair_key_file(key), "");
	check_files(pair_cert_file(x), pair_key_file(other),
	    "the key does not belong to the first certificate of the chain");
	check_files(pair_file("", 0), pair_key_file(key),
	    "the certificate file is empty");
	check_files(pair_key_file(key), pair_key_file(key),
	    "the certificate file holds no certificate in PEM");
	check_files(pair_cert_file(x), pair_cert_file(x),
	    "the key file holds no private key in PEM");
	check_files(pair_cert_file(x), pair_file("", 0),
	    "the key file is empty");
	fd = pair_cert_file(x);
	ck_assert_int_eq(ftruncate(fd, lseek(fd, 0, SEEK_END) - 40), 0);
	check_files(fd, pair_key_file(key),
	    "the certificate file holds a certificate that is damaged");
	fd = pair_cert_file(x);
	ck_assert_int_eq(ftruncate(fd, PEM_FILE_MAX + 1), 0);
	check_files(fd, pair_key_file(key),
	    "the certificate file is larger than 1 MiB");
	X509_free(x);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(test_check_encrypted)
{
	EVP_PKEY	*key = pair_key(PAIR_P256);
	X509		*x = pair_cert(key, "cn", "DNS:a.example", -60, YEAR);
	BIO		*bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(),
	    (const unsigned char *)"secret", 6, NULL, NULL), 1);
	check_files(pair_cert_file(x), pair_bio_file(bio),
	    "the key file is encrypted, and nobody is there to be asked for "
	    "the passphrase");
	X509_free(x);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(test_check_unsupported)
{
	EVP_PKEY	*key = EVP_RSA_gen(1024);
	X509		*x = pair_cert(key, "cn", "DNS:a.example", -60, YEAR);

	check_files(pair_cert_file(x), pair_key_file(key),
	    "an RSA key must have 2048 to 8192 bits");
	X509_free(x);
	EVP_PKEY_free(key);
}
END_TEST

/* A chain of two, and text between them; the file position does not count. */
START_TEST(test_read_chain)
{
	EVP_PKEY	*key = pair_key(PAIR_P256);
	X509		*x = pair_cert(key, "cn", "DNS:a.example", -60, YEAR);
	BIO		*bio = BIO_new(BIO_s_mem());
	STACK_OF(X509)	*sk;
	const char	*why;
	int		 fd, i;

	PEM_write_bio_X509(bio, x);
	BIO_puts(bio, "issuer:\n");
	PEM_write_bio_X509(bio, x);
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	fd = pair_bio_file(bio);
	for (i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(sk = pem_read_chain(fd, &why));
		ck_assert_int_eq(sk_X509_num(sk), 2);
		sk_X509_pop_free(sk, X509_free);
	}
	close(fd);
	X509_free(x);
	EVP_PKEY_free(key);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cert");
	TCase	*tc = tcase_create("cert");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_self_sign);
	tcase_add_test(tc, test_request);
	tcase_add_test(tc, test_request_for_nobody);
	tcase_add_loop_test(tc, test_self_sign_long, 0, 2);
	tcase_add_loop_test(tc, test_check_leaf, 0, (int)nitems(leaves));
	tcase_add_test(tc, test_check_nul);
	tcase_add_loop_test(tc, test_check_pair, 0, PAIR__MAX);
	tcase_add_test(tc, test_check_encrypted);
	tcase_add_test(tc, test_check_unsupported);
	tcase_add_test(tc, test_read_chain);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
