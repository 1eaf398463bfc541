#include <check.h>
#include <string.h>

#include <openssl/err.h>

#include "common/l4.h"
#include "keys/pem.h"
#include "keys/signer.h"
#include "pair_make.h"
#include "tests/unit/suite.h"

/* What people have in the files that they name as those of a key. */
enum form {
	FORM_PLAIN,		/* PKCS 8 */
	FORM_TRADITIONAL,	/* "EC PRIVATE KEY" */
	FORM_PARAMETERS,	/* as openssl ecparam -genkey writes it */
	FORM_CHAIN_FIRST,	/* one file for both */
	FORM_CHAIN_LAST,
	FORM_TEXT_FIRST,
	FORM_LOCKED,
	FORM_NO_KEY,
	FORM_DAMAGED,
	FORM__MAX
};

static int
key_file(EVP_PKEY *key, enum form form)
{
	X509	*x = pair_cert(key, "cn", "DNS:a.example", -60, 3600);
	BIO	*bio = BIO_new(BIO_s_mem());

	if (form == FORM_CHAIN_FIRST || form == FORM_NO_KEY)
		PEM_write_bio_X509(bio, x);
	if (form == FORM_PARAMETERS && EVP_PKEY_is_a(key, "EC"))
		PEM_write_bio_Parameters(bio, key);
	if (form == FORM_TEXT_FIRST)
		BIO_puts(bio, "Bag Attributes\n    friendlyName: a\n");
	if (form == FORM_DAMAGED)
		BIO_puts(bio, "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqG\n"
		    "-----END PRIVATE KEY-----\n");
	else if (form == FORM_LOCKED)
		PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(),
		    (const unsigned char *)"secret", 6, NULL, NULL);
	else if ((form != FORM_TRADITIONAL && form != FORM_PARAMETERS) ||
	    EVP_PKEY_is_a(key, "ED25519")) {
		if (form != FORM_NO_KEY)
			PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL,
			    NULL);
	} else
		PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0,
		    NULL, NULL);
	if (form == FORM_CHAIN_LAST)
		PEM_write_bio_X509(bio, x);
	X509_free(x);
	return pair_bio_file(bio);
}

/* What is read is the whole key, not its public half. */
static void
check_read(struct pem_reader *r, EVP_PKEY *key, enum form form)
{
	struct signer_key	 k = { .pkey = NULL };
	EVP_PKEY		*got;
	const char		*why = NULL;
	int			 fd = key_file(key, form);

	got = pem_read_key(r, fd, &why);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	close(fd);
	if (form < FORM_LOCKED) {
		ck_assert_msg(got != NULL, "form %d: %s", form, why);
		ck_assert_int_eq(EVP_PKEY_eq(got, key), 1);
		ck_assert_ptr_null(signer_key_init(&k, got));
		ck_assert_int_eq(signer_try(&k), SIGN_OK);
		signer_key_clear(&k);
		return;
	}
	ck_assert_ptr_null(got);
	ck_assert_str_eq(why, form == FORM_LOCKED ? "is encrypted, and nobody "
	    "is there to be asked for the passphrase" :
	    "holds no private key in PEM");
}

/* One reader for all of them: none is affected by those before it. */
START_TEST(test_one_reader)
{
	struct pem_reader	 r = { NULL, NULL, 0 };
	EVP_PKEY		*key[PAIR__MAX];
	int			 i, form, round;

	for (i = 0; i < PAIR__MAX; i++)
		key[i] = pair_key((enum pair_type)i);
	for (round = 0; round < 2; round++)
		for (form = 0; form < FORM__MAX; form++)
			for (i = 0; i < PAIR__MAX; i++)
				check_read(&r, key[i], (enum form)form);
	pem_reader_clear(&r);
	check_read(&r, key[0], FORM_PLAIN);
	pem_reader_clear(&r);
	for (i = 0; i < PAIR__MAX; i++)
		EVP_PKEY_free(key[i]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pem");
	TCase	*tc = tcase_create("key");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_one_reader);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
