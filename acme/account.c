#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "acme.h"

#define KEY_FILE_MAX	4096
#define EAB_FILE_MAX	1024

/* Into a file that is empty; master has it written out before it is used. */
static bool
write_key(struct acme *a)
{
	BIO	*bio = BIO_new(BIO_s_mem());	/* wiped when freed */
	char	*p;
	long	 n;
	bool	 ok;

	ok = bio != NULL && PEM_write_bio_PrivateKey(bio, a->key, NULL, NULL,
	    0, NULL, NULL) == 1 && (n = BIO_get_mem_data(bio, &p)) > 0 &&
	    pwrite(a->account_fd, p, (size_t)n, 0) == n;
	BIO_free(bio);
	return ok || acme_fail(a, "the new account key cannot be written");
}

static bool
make_key(struct acme *a)
{
	if ((a->key = EVP_EC_gen("P-256")) == NULL)
		return acme_fail(a, "no account key could be made");
	return write_key(a);
}

static bool
parse_key(struct acme *a, char *text, size_t len)
{
	BIO	*bio = BIO_new_mem_buf(text, (int)len);

	if (bio != NULL)
		a->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
	BIO_free(bio);
	ERR_clear_error();
	if (a->key == NULL || !EVP_PKEY_is_a(a->key, "EC"))
		return acme_fail(a, "the account key is damaged: it must be "
		    "an ECDSA P-256 key in PEM");
	return true;
}

bool
account_key(struct acme *a)
{
	size_t	 len = 0;
	char	*text;
	bool	 ok;

	if ((text = acme_read(a->account_fd, KEY_FILE_MAX, &len)) == NULL)
		return acme_fail(a, "the account key cannot be read");
	ok = len == 0 ? make_key(a) : parse_key(a, text, len);
	explicit_bzero(text, len);
	free(text);
	if (ok && (!jws_jwk(a->key, a->jwk) ||
	    !jws_thumbprint(a->key, a->thumbprint)))
		return acme_fail(a, "the account key is not on P-256");
	return ok;
}

/* RFC 8555 7.3.4; NULL with the failure noted. */
static json_t *
external(struct acme *a, const char *url)
{
	const struct conf	*conf = a->child.conf;
	unsigned char		 key[EAB_FILE_MAX];
	char			*text, *header, *jws = NULL;
	size_t			 len = 0;
	long			 n = -1;
	json_t			*v = NULL;

	if ((text = acme_read(a->eab_fd, EAB_FILE_MAX, &len)) != NULL) {
		text[strcspn(text, " \t\r\n")] = '\0';
		n = jws_unb64(key, sizeof(key), text);
		explicit_bzero(text, len);
	}
	free(text);
	if (n <= 0) {
		acme_fail(a, "acme.eab_key_file: not a key in base64url");
		return NULL;
	}
	header = ca_text(json_pack("{s:s, s:s, s:s}", "alg", "HS256", "kid",
	    conf->acme.eab_kid, "url", url));
	jws = jws_hmac(key, (size_t)n, header, a->jwk);
	explicit_bzero(key, sizeof(key));
	free(header);
	if (jws == NULL || (v = json_loads(jws, 0, NULL)) == NULL)
		acme_fail(a, "the external account cannot be signed for");
	free(jws);
	return v;
}

static char *
new_account(struct acme *a, const char *url)
{
	const struct conf	*conf = a->child.conf;
	char			 mail[512];
	json_t			*v = json_pack("{s:b}",
				    "termsOfServiceAgreed", 1), *e;

	if (conf->acme.email[0] != '\0') {
		snprintf(mail, sizeof(mail), "mailto:%.500s",
		    conf->acme.email);
		json_object_set_new(v, "contact", json_pack("[s]", mail));
	}
	if (conf->acme.eab_kid != NULL) {
		if ((e = external(a, url)) == NULL) {
			json_decref(v);
			return NULL;
		}
		json_object_set_new(v, "externalAccountBinding", e);
	}
	return ca_text(v);
}

/* The CA answers with the account that has this key, if there is one. */
bool
account_open(struct acme *a)
{
	struct http_answer	 ans;
	const char		*url;
	char			*payload;
	bool			 ok;

	if ((url = ca_url(a, "newAccount")) == NULL ||
	    (payload = new_account(a, url)) == NULL)
		return false;
	ok = ca_post(a, url, payload, true, &ans);
	free(payload);
	if (!ok)
		return false;
	if (!http_is_ours(a->http, ans.location))
		return acme_fail(a, "%.200s: the account has no URL", url);
	memcpy(a->account, ans.location, sizeof(a->account));
	return true;
}
