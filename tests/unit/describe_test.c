#include <check.h>
#include <string.h>

#include "common/l4.h"
#include "keys/cert.h"
#include "pair_make.h"
#include "tests/unit/suite.h"

#define DAY	86400L

static const struct {
	enum pair_type	 type;
	enum cert_key	 key;
	unsigned int	 bits;
} kinds[] = {
	{ PAIR_P256, CERT_KEY_EC, 256 }, { PAIR_P384, CERT_KEY_EC, 384 },
	{ PAIR_RSA, CERT_KEY_RSA, 2048 },
	{ PAIR_ED25519, CERT_KEY_ED25519, 256 },
};

/* What cert_describe() says of these, in this order; frees them. */
static struct cert_info
described(X509 *a, X509 *b, X509 *c)
{
	STACK_OF(X509)		*chain = sk_X509_new_null();
	struct cert_info	 info;

	sk_X509_push(chain, a);
	if (b != NULL)
		sk_X509_push(chain, b);
	if (c != NULL)
		sk_X509_push(chain, c);
	cert_describe(chain, &info);
	sk_X509_pop_free(chain, X509_free);
	return info;
}

START_TEST(test_kind)
{
	EVP_PKEY		*key = pair_key(kinds[_i].type);
	struct cert_info	 info = described(pair_cert(key, "a", NULL,
				    -60, DAY), NULL, NULL);

	ck_assert_uint_eq(info.key, kinds[_i].key);
	ck_assert_uint_eq(info.bits, kinds[_i].bits);
	ck_assert(info.self_signed);
	ck_assert_int_eq(info.to - info.from, DAY + 60);
	ck_assert_str_eq(info.issuer, "a");
	ck_assert_uint_eq(info.nnames, 0);
	ck_assert_str_eq(info.names, "");
	EVP_PKEY_free(key);
}
END_TEST

static const struct {
	const char	*san, *names;
	unsigned int	 n;
} sans[] = {
	{ "DNS:a.example", "a.example", 1 },
	{ "DNS:b.example,DNS:*.b.example", "b.example *.b.example", 2 },
	{ "IP:192.0.2.7,IP:2001:db8::1", "192.0.2.7 2001:db8::1", 2 },
	/* what no client looks at is no name */
	{ "email:a@b.example,URI:http://c.example/,DNS:d.example",
	    "d.example", 1 },
	/* a blank would make two of it */
	{ "DNS:a b.example", "a?b.example", 1 },
};

START_TEST(test_names)
{
	EVP_PKEY		*key = pair_key(PAIR_P256);
	struct cert_info	 info = described(pair_cert(key, "a",
				    sans[_i].san, -60, DAY), NULL, NULL);

	ck_assert_str_eq(info.names, sans[_i].names);
	ck_assert_uint_eq(info.nnames, sans[_i].n);
	EVP_PKEY_free(key);
}
END_TEST

/* Only whole names, and how many there are. */
START_TEST(test_names_too_many)
{
	EVP_PKEY		*key = pair_key(PAIR_P256);
	char			 san[4096] = "";
	struct cert_info	 info;
	size_t			 i, len = 0;

	for (i = 0; i < 100; i++)
		len += (size_t)snprintf(san + len, sizeof(san) - len,
		    "%sDNS:name-%03zu.example", i == 0 ? "" : ",", i);
	info = described(pair_cert(key, "a", san, -60, DAY), NULL, NULL);
	ck_assert_uint_eq(info.nnames, 100);
	len = strlen(info.names);
	ck_assert_uint_lt(len, sizeof(info.names));
	/* 17 bytes a name with its blank */
	ck_assert_uint_eq((len + 1) % 17, 0);
	ck_assert_uint_eq((len + 1) / 17, sizeof(info.names) / 17);
	EVP_PKEY_free(key);
}
END_TEST

/* By the key of `by`, which is called cn. */
static X509 *
issued(EVP_PKEY *key, const char *subject, EVP_PKEY *by, const char *cn,
    long to)
{
	X509		*x = pair_cert(key, subject, NULL, -60, to);
	X509_NAME	*name = X509_NAME_new();

	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0), 1);
	ck_assert_int_eq(X509_set_issuer_name(x, name), 1);
	ck_assert_int_gt(X509_sign(x, by, EVP_sha256()), 0);
	X509_NAME_free(name);
	return x;
}

START_TEST(test_chain)
{
	EVP_PKEY		*leaf = pair_key(PAIR_P256);
	EVP_PKEY		*middle = pair_key(PAIR_P256);
	EVP_PKEY		*root = pair_key(PAIR_P256);
	struct cert_info	 i;

	i = described(issued(leaf, "leaf", middle, "mid", 9 * DAY),
	    issued(middle, "mid", root, "root", 99 * DAY),
	    pair_cert(root, "root", NULL, -60, DAY));
	ck_assert_str_eq(i.note, "");
	ck_assert(!i.self_signed);
	ck_assert_str_eq(i.issuer, "mid");

	i = described(issued(leaf, "leaf", middle, "mid", 9 * DAY),
	    pair_cert(root, "root", NULL, -60, DAY),
	    issued(middle, "mid", root, "root", 99 * DAY));
	ck_assert_str_eq(i.note, "certificate 2 of the file did not issue the "
	    "one before it");

	i = described(issued(leaf, "leaf", middle, "mid", 9 * DAY),
	    issued(middle, "mid", root, "root", 8 * DAY), NULL);
	ck_assert_msg(strncmp(i.note, "certificate 2 of the file is the first "
	    "to expire, on ", 53) == 0, "%s", i.note);
	EVP_PKEY_free(leaf);
	EVP_PKEY_free(middle);
	EVP_PKEY_free(root);
}
END_TEST

START_TEST(test_issuer)
{
	EVP_PKEY		*key = pair_key(PAIR_P256);
	X509			*x = pair_cert(key, "x", NULL, -60, DAY);
	X509_NAME		*name = X509_NAME_new();
	char			 org[200];
	struct cert_info	 info;

	/* 64 bytes are what the standard allows; it need not be one. */
	memset(org, 'o', sizeof(org));
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)"\xc3\xa4", -1, -1, 0), 1);
	ck_assert_int_eq(X509_NAME_add_entry_by_NID(name, NID_organizationName,
	    V_ASN1_UTF8STRING, (const unsigned char *)org, 200, -1, 0), 1);
	ck_assert_int_eq(X509_set_issuer_name(x, name), 1);
	info = described(x, NULL, NULL);
	ck_assert_uint_eq(strlen(info.issuer), sizeof(info.issuer) - 1);
	ck_assert_int_eq(strncmp(info.issuer, "\xc3\xa4, ooo", 7), 0);
	X509_NAME_free(name);
	EVP_PKEY_free(key);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("describe");
	TCase	*tc = tcase_create("describe");

	tcase_add_loop_test(tc, test_kind, 0, (int)nitems(kinds));
	tcase_add_loop_test(tc, test_names, 0, (int)nitems(sans));
	tcase_add_test(tc, test_names_too_many);
	tcase_add_test(tc, test_chain);
	tcase_add_test(tc, test_issuer);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
