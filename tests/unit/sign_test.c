#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "common/ipc.h"
#include "common/l4.h"
#include "common/sign.h"
#include "keys/cert.h"
#include "keys/pem.h"
#include "keys/signer.h"
#include "pair_make.h"
#include "tests/unit/suite.h"

#define YEAR	(365L * 86400)

static struct pem_reader	reader;

/* What a server signs, as bytes of exactly the size: ASan sees an overread. */
struct tbs {
	uint8_t	*p;
	size_t	 len;
};

static struct tbs
tbs13(size_t hashlen)
{
	static const char	ctx[] = "TLS 1.3, server CertificateVerify";
	struct tbs		t;

	t.len = 64 + sizeof(ctx) + hashlen;
	ck_assert_ptr_nonnull(t.p = malloc(t.len));
	memset(t.p, ' ', 64);
	memcpy(t.p + 64, ctx, sizeof(ctx));
	memset(t.p + 64 + sizeof(ctx), 0xab, hashlen);
	return t;
}

static struct tbs
tbs12(unsigned int group, size_t pointlen)
{
	struct tbs	t;

	t.len = 64 + 4 + pointlen;
	ck_assert_ptr_nonnull(t.p = malloc(t.len));
	memset(t.p, 0xcd, t.len);
	t.p[64] = 3;
	t.p[65] = (uint8_t)(group >> 8);
	t.p[66] = (uint8_t)group;
	t.p[67] = (uint8_t)pointlen;
	t.p[68] = 4;
	return t;
}

static const struct {
	unsigned int	group;
	size_t		len;
} points[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 } };

/* Every byte outside the hash counts, and every length. */
START_TEST(test_shape_13)
{
	static const size_t	hashlen[] = { 32, 48 };
	struct tbs		t = tbs13(hashlen[_i]);
	size_t			i, head = t.len - hashlen[_i];

	ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_TLS13);
	for (i = 0; i < head; i++) {
		t.p[i] ^= 1;
		ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_NONE);
		t.p[i] ^= 1;
	}
	memcpy(t.p + 64 + 9, "client", 6);
	ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_NONE);
	free(t.p);
}
END_TEST

START_TEST(test_shape_13_length)
{
	struct tbs	t = tbs13(100);
	uint8_t		*cut;
	size_t		 n;

	for (n = 0; n <= t.len; n++) {
		ck_assert_ptr_nonnull(cut = malloc(n + (n == 0)));
		memcpy(cut, t.p, n);
		ck_assert_int_eq(sign_shape(cut, n),
		    n == t.len - 68 || n == t.len - 52 ? SIGN_SHAPE_TLS13 :
		    SIGN_SHAPE_NONE);
		free(cut);
	}
	free(t.p);
}
END_TEST

START_TEST(test_shape_12)
{
	struct tbs	t = tbs12(points[_i].group, points[_i].len);
	size_t		i;
	uint8_t		*cut;

	ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_TLS12);
	for (i = 64; i < 68; i++) {
		t.p[i] ^= 0x40;
		ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_NONE);
		t.p[i] ^= 0x40;
	}
	for (i = 0; i < t.len; i++) {
		ck_assert_ptr_nonnull(cut = malloc(i + (i == 0)));
		memcpy(cut, t.p, i);
		ck_assert_int_eq(sign_shape(cut, i), SIGN_SHAPE_NONE);
		free(cut);
	}
	t.p[68] = 2;			/* a compressed point */
	ck_assert_int_eq(sign_shape(t.p, t.len),
	    points[_i].group < 29 ? SIGN_SHAPE_NONE : SIGN_SHAPE_TLS12);
	free(t.p);
}
END_TEST

START_TEST(test_shape_12_longer)
{
	struct tbs	t = tbs12(points[_i].group, points[_i].len + 1);

	t.p[67] = (uint8_t)points[_i].len;
	ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_NONE);
	t.p[67]++;
	ck_assert_int_eq(sign_shape(t.p, t.len), SIGN_SHAPE_NONE);
	free(t.p);
}
END_TEST

/* Which keys may use which scheme in which version. */
#define B(type)	(1u << (type))
#define EC	(B(PAIR_P256) | B(PAIR_P384))

static const struct {
	unsigned int	scheme, tls12, tls13;
	const char	*md;
	bool		 pss;
} policy[] = {
	{ 0x0403, EC, B(PAIR_P256), "SHA256", false },
	{ 0x0503, EC, B(PAIR_P384), "SHA384", false },
	{ 0x0603, EC, 0, "SHA512", false },
	{ 0x0804, B(PAIR_RSA), B(PAIR_RSA), "SHA256", true },
	{ 0x0805, B(PAIR_RSA), B(PAIR_RSA), "SHA384", true },
	{ 0x0806, B(PAIR_RSA), B(PAIR_RSA), "SHA512", true },
	{ 0x0401, B(PAIR_RSA), 0, "SHA256", false },
	{ 0x0501, B(PAIR_RSA), 0, "SHA384", false },
	{ 0x0601, B(PAIR_RSA), 0, "SHA512", false },
	{ 0x0807, B(PAIR_ED25519), B(PAIR_ED25519), NULL, false },
	/* SHA-1, rsa_pss_pss_sha256, Ed448, nothing, anything */
	{ 0x0201, 0, 0, NULL, false },
	{ 0x0203, 0, 0, NULL, false },
	{ 0x0809, 0, 0, NULL, false },
	{ 0x0808, 0, 0, NULL, false },
	{ 0x0000, 0, 0, NULL, false },
	{ 0xffff, 0, 0, NULL, false },
};

static void
verify(EVP_PKEY *key, size_t i, const struct tbs *t, const uint8_t *sig,
    size_t len)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	EVP_PKEY_CTX	*p;

	ck_assert_int_eq(EVP_DigestVerifyInit_ex(m, &p, policy[i].md, NULL,
	    NULL, key, NULL), 1);
	if (policy[i].pss) {
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(p,
		    RSA_PKCS1_PSS_PADDING), 0);
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_pss_saltlen(p,
		    RSA_PSS_SALTLEN_DIGEST), 0);
	}
	ck_assert_int_eq(EVP_DigestVerify(m, sig, len, t->p, t->len), 1);
	EVP_MD_CTX_free(m);
}

static void
try_scheme(const struct signer_key *k, EVP_PKEY *key, size_t i,
    const struct tbs *t, bool allowed)
{
	struct sign_request	 q = { .scheme = (uint16_t)policy[i].scheme,
		.tbs = t->p, .len = t->len };
	uint8_t			*sig = malloc(k->sigmax);
	size_t			 len = 0;

	ck_assert_ptr_nonnull(sig);
	ck_assert_int_eq(signer_sign(k, &q, sig, &len),
	    allowed ? SIGN_OK : SIGN_REFUSED);
	if (allowed) {
		ck_assert_uint_le(len, k->sigmax);
		verify(key, i, t, sig, len);
	}
	free(sig);
}

START_TEST(test_schemes)
{
	EVP_PKEY		*key = pair_key(_i);
	struct signer_key	 k;
	struct tbs		 t13 = tbs13(48), t12 = tbs12(29, 32),
				 none = tbs13(47);
	size_t			 i;

	ck_assert_ptr_null(signer_key_init(&k, key));
	ck_assert_int_eq(signer_try(&k), SIGN_OK);
	for (i = 0; i < nitems(policy); i++) {
		try_scheme(&k, key, i, &t13, policy[i].tls13 & B(_i));
		try_scheme(&k, key, i, &t12, policy[i].tls12 & B(_i));
		try_scheme(&k, key, i, &none, false);
	}
	signer_key_clear(&k);
	free(t13.p);
	free(t12.p);
	free(none.p);
}
END_TEST

START_TEST(test_unsupported_keys)
{
	struct signer_key	 k;
	EVP_PKEY		*keys[4];
	size_t			 i;

	keys[0] = EVP_EC_gen("P-521");
	keys[1] = EVP_EC_gen("secp256k1");
	keys[2] = EVP_RSA_gen(1024);
	keys[3] = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	for (i = 0; i < nitems(keys); i++) {
		ck_assert_ptr_nonnull(keys[i]);
		ck_assert_ptr_nonnull(signer_key_init(&k, keys[i]));
		EVP_PKEY_free(keys[i]);
	}
}
END_TEST

/* The format: what is written is read, and no shorter. */
START_TEST(test_request_wire)
{
	uint8_t			 buf[64];
	struct sign_request	 q = { .id = 0x01020304, .key = 7,
		.scheme = 0x0403, .tbs = (const uint8_t *)"tbs", .len = 3 },
				 got;
	struct wr		 w;
	struct rd		 r;
	size_t			 n;

	wr_init(&w, buf, sizeof(buf));
	sign_request_write(&w, &q);
	ck_assert_uint_eq(w.len, SIGN_REQUEST_HEAD + 3);
	for (n = 0; n <= w.len; n++) {
		rd_init(&r, buf, n);
		ck_assert_int_eq(sign_request_read(&r, &got), n == w.len);
	}
	ck_assert(rd_done(&r));
	ck_assert_uint_eq(got.id, q.id);
	ck_assert_uint_eq(got.key, q.key);
	ck_assert_uint_eq(got.scheme, q.scheme);
	ck_assert_mem_eq(got.tbs, "tbs", 3);
}
END_TEST

START_TEST(test_answer_wire)
{
	static const struct {
		unsigned int	status;
		size_t		len;
		bool		good;
	} cases[] = {
		{ SIGN_OK, 5, true }, { SIGN_OK, 0, false },
		{ SIGN_REFUSED, 0, true }, { SIGN_REFUSED, 5, false },
		{ SIGN_NO_KEY, 0, true }, { SIGN_FAILED, 0, true },
		{ SIGN__MAX, 0, false }, { 255, 0, false },
	};
	uint8_t			 buf[64];
	struct sign_answer	 a = { .id = 9,
		.sig = (const uint8_t *)"abcde" }, got;
	struct wr		 w;
	struct rd		 r;
	size_t			 n;

	a.status = (enum sign_status)cases[_i].status;
	a.len = cases[_i].len;
	wr_init(&w, buf, sizeof(buf));
	sign_answer_write(&w, &a);
	for (n = 0; n <= w.len; n++) {
		rd_init(&r, buf, n);
		ck_assert_int_eq(sign_answer_read(&r, &got),
		    n == w.len && cases[_i].good);
	}
}
END_TEST

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
	Suite	*s = suite_create("sign");
	TCase	*tc = tcase_create("shape");
	TCase	*cert = tcase_create("cert");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_shape_13, 0, 2);
	tcase_add_test(tc, test_shape_13_length);
	tcase_add_loop_test(tc, test_shape_12, 0, (int)nitems(points));
	tcase_add_loop_test(tc, test_shape_12_longer, 0, (int)nitems(points));
	tcase_add_loop_test(tc, test_schemes, 0, PAIR__MAX);
	tcase_add_test(tc, test_unsupported_keys);
	tcase_add_test(tc, test_request_wire);
	tcase_add_loop_test(tc, test_answer_wire, 0, 8);
	suite_add_tcase(s, tc);
	tcase_set_timeout(cert, 60);
	tcase_add_test(cert, test_self_sign);
	tcase_add_test(cert, test_request);
	tcase_add_test(cert, test_request_for_nobody);
	tcase_add_loop_test(cert, test_self_sign_long, 0, 2);
	tcase_add_loop_test(cert, test_check_leaf, 0, (int)nitems(leaves));
	tcase_add_test(cert, test_check_nul);
	tcase_add_loop_test(cert, test_check_pair, 0, PAIR__MAX);
	tcase_add_test(cert, test_check_encrypted);
	tcase_add_test(cert, test_check_unsupported);
	tcase_add_test(cert, test_read_chain);
	suite_add_tcase(s, cert);
	return suite_run(s);
}
