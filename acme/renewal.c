#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "acme.h"

#define SERIAL_MAX	64

static X509 *
read_leaf(int fd)
{
	size_t	 len = 0;
	char	*text = acme_read(fd, ACME_CHAIN_MAX, &len);
	BIO	*bio = text == NULL ? NULL : BIO_new_mem_buf(text, (int)len);
	X509	*x = NULL;

	if (bio != NULL)
		x = PEM_read_bio_X509(bio, NULL, NULL, (void *)"");
	BIO_free(bio);
	free(text);
	ERR_clear_error();
	return x;
}

/* The bytes of an INTEGER in DER, a leading zero included. */
static size_t
serial_bytes(const ASN1_INTEGER *n, unsigned char dst[SERIAL_MAX])
{
	unsigned char	 der[SERIAL_MAX + 8], *p = der;
	const unsigned char *v;
	long		 len;
	int		 tag, class, total;

	total = i2d_ASN1_INTEGER(n, NULL);
	if (total <= 0 || (size_t)total > sizeof(der) ||
	    i2d_ASN1_INTEGER(n, &p) != total)
		return 0;
	v = der;
	if ((ASN1_get_object(&v, &len, &tag, &class, total) & 0x80) != 0 ||
	    len <= 0 || len > SERIAL_MAX)
		return 0;
	memcpy(dst, v, (size_t)len);
	return (size_t)len;
}

bool
renewal_id(int chain_fd, char *dst, size_t size)
{
	X509			*x = read_leaf(chain_fd);
	const ASN1_OCTET_STRING	*aki;
	unsigned char		 serial[SERIAL_MAX];
	size_t			 n, len;
	bool			 ok = false;

	aki = x == NULL ? NULL : X509_get0_authority_key_id(x);
	if (aki != NULL &&
	    (n = serial_bytes(X509_get0_serialNumber(x), serial)) > 0 &&
	    JWS_B64((size_t)ASN1_STRING_length(aki)) + JWS_B64(n) <= size) {
		jws_b64(dst, ASN1_STRING_get0_data(aki),
		    (size_t)ASN1_STRING_length(aki));
		len = strlen(dst);
		dst[len] = '.';
		jws_b64(dst + len + 1, serial, n);
		ok = true;
	}
	X509_free(x);
	return ok;
}

int64_t
renewal_time(const char *s)
{
	struct tm	 tm;
	const char	*p;
	int		 h, m;
	char		 sign;
	int64_t		 t;

	memset(&tm, 0, sizeof(tm));
	if ((p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return -1;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	t = (int64_t)timegm(&tm);
	if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
		return t;
	if (strlen(p) != 6 || sscanf(p, "%c%2d:%2d", &sign, &h, &m) != 3 ||
	    (sign != '+' && sign != '-') || h > 23 || m > 59)
		return -1;
	return sign == '+' ? t - (h * 60 + m) * 60 : t + (h * 60 + m) * 60;
}

/* RFC 9773 4.2: a window that makes no sense is none. */
static void
take_window(struct acme *a, const json_t *v)
{
	const json_t	*w = json_object_get(v, "suggestedWindow");
	int64_t		 from = renewal_time(ca_string(w, "start")),
			 to = renewal_time(ca_string(w, "end"));

	if (from <= 0 || to <= from)
		return;
	a->done.from = (uint64_t)from;
	a->done.to = (uint64_t)to;
}

bool
renewal_ask(struct acme *a)
{
	const char		*base = ca_string(a->directory, "renewalInfo");
	char			 id[256], url[ACME_URL_MAX + 1];
	struct http_answer	 ans;
	json_t			*v;

	if (base[0] == '\0' || !renewal_id(a->chain_fd, id, sizeof(id)))
		return true;
	if ((size_t)snprintf(url, sizeof(url), "%s%s%s", base,
	    base[strlen(base) - 1] == '/' ? "" : "/", id) >= sizeof(url))
		return acme_fail(a, "renewalInfo: its URL is too long");
	if (!http_request(a->http, url, NULL, false, &ans))
		return acme_fail(a, "%.200s: %.150s", url,
		    http_error(a->http));
	if (ans.status != 200)
		return acme_fail(a, "%.200s: status %ld", url, ans.status);
	v = json_loadb(ans.body, ans.len, JSON_REJECT_DUPLICATES, NULL);
	if (v == NULL)
		return acme_fail(a, "%.200s: the answer is no JSON", url);
	a->done.retry = ans.retry;
	take_window(a, v);
	json_decref(v);
	return true;
}

bool
renewal_revoke(struct acme *a)
{
	const char		*url = ca_url(a, "revokeCert");
	X509			*x = read_leaf(a->chain_fd);
	unsigned char		*der = NULL;
	char			*b64, *payload;
	struct http_answer	 ans;
	int			 n = x == NULL ? -1 : i2d_X509(x, &der);
	bool			 ok;

	X509_free(x);
	if (url == NULL || n <= 0 ||
	    (b64 = malloc(JWS_B64((size_t)n))) == NULL) {
		OPENSSL_free(der);
		return acme_fail(a, "there is no certificate to revoke");
	}
	jws_b64(b64, der, (size_t)n);
	OPENSSL_free(der);
	payload = ca_text(json_pack("{s:s}", "certificate", b64));
	free(b64);
	ok = ca_post(a, url, payload, false, &ans);
	free(payload);
	return ok;
}
