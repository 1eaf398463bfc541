#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/l4.h"
#include "common/sign.h"
#include "keys/signer.h"
#include "pair_make.h"
#include "tests/unit/suite.h"

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
try_scheme(struct signer_key *k, EVP_PKEY *key, size_t i,
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

int
main(void)
{
	Suite	*s = suite_create("sign");
	TCase	*tc = tcase_create("sign");

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
	return suite_run(s);
}
