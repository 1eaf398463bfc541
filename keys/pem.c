#include <sys/stat.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pem.h"

struct text {
	char	*buf;
	size_t	 len;
};

static void
text_free(struct text *t)
{
	if (t->buf != NULL)
		explicit_bzero(t->buf, t->len);
	free(t->buf);
}

/* The whole file; NULL, or what is wrong. */
static const char *
text_read(struct text *t, int fd)
{
	struct stat	st;
	size_t		have = 0;
	ssize_t		n;

	if (fstat(fd, &st) == -1 || st.st_size <= 0)
		return "is empty";
	if (st.st_size > PEM_FILE_MAX)
		return "is larger than 1 MiB";
	if ((t->buf = calloc(1, (size_t)st.st_size)) == NULL)
		return "does not fit into memory";
	t->len = (size_t)st.st_size;
	while (have < t->len) {
		n = pread(fd, t->buf + have, t->len - have, (off_t)have);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return "cannot be read";
		have += (size_t)n;
	}
	return NULL;
}

/* Nobody is there to be asked. */
static int
no_passphrase(char *buf, int size, int rwflag, void *asked)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(int *)asked = 1;
	return -1;
}

static bool
reader_open(struct pem_reader *r)
{
	if (r->decoder == NULL)
		r->decoder = OSSL_DECODER_CTX_new_for_pkey(&r->pkey, "PEM",
		    NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	return r->decoder != NULL && OSSL_DECODER_CTX_set_pem_password_cb(
	    r->decoder, no_passphrase, &r->asked) == 1;
}

/* Where the key comes first in the file; NULL where that is not so. */
static EVP_PKEY *
read_first(struct pem_reader *r, BIO *bio)
{
	r->pkey = NULL;
	if (reader_open(r) && OSSL_DECODER_from_bio(r->decoder, bio) == 1)
		return r->pkey;
	EVP_PKEY_free(r->pkey);
	return NULL;
}

void
pem_reader_clear(struct pem_reader *r)
{
	OSSL_DECODER_CTX_free(r->decoder);
	r->decoder = NULL;
}

EVP_PKEY *
pem_read_key(struct pem_reader *r, int fd, const char **why)
{
	struct text	 t = { NULL, 0 };
	EVP_PKEY	*pkey = NULL;
	BIO		*bio = NULL;

	r->asked = 0;
	if ((*why = text_read(&t, fd)) != NULL)
		goto out;
	if ((bio = BIO_new_mem_buf(t.buf, (int)t.len)) != NULL &&
	    (pkey = read_first(r, bio)) == NULL && BIO_reset(bio) == 1)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase,
		    &r->asked);
	if (pkey == NULL)
		*why = r->asked ? "is encrypted, and nobody is there to be asked "
		    "for the passphrase" : "holds no private key in PEM";
	ERR_clear_error();
out:
	BIO_free(bio);
	text_free(&t);
	return pkey;
}

static bool
only_end_of_file(void)
{
	unsigned long	e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) *
pem_read_chain(int fd, const char **why)
{
	struct text	 t = { NULL, 0 };
	STACK_OF(X509)	*chain = sk_X509_new_null();
	X509		*x;
	BIO		*bio = NULL;
	int		 asked = 0;

	if ((*why = text_read(&t, fd)) != NULL)
		goto out;
	*why = "does not fit into memory";
	if (chain == NULL || (bio = BIO_new_mem_buf(t.buf, (int)t.len)) == NULL)
		goto out;
	ERR_clear_error();
	while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, &asked)) !=
	    NULL)
		if (sk_X509_push(chain, x) == 0) {
			X509_free(x);
			goto out;
		}
	*why = NULL;
	if (!only_end_of_file())
		*why = "holds a certificate that is damaged";
	else if (sk_X509_num(chain) == 0)
		*why = "holds no certificate in PEM";
out:
	ERR_clear_error();
	BIO_free(bio);
	text_free(&t);
	if (*why != NULL) {
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	return chain;
}

int
pem_write(int fd, BIO *bio)
{
	char	*p;
	long	 len = BIO_get_mem_data(bio, &p);
	off_t	 at = 0;
	ssize_t	 n;

	while (at < len) {
		n = pwrite(fd, p + at, (size_t)(len - at), at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
	}
	return 0;
}
