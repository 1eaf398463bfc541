#ifndef L4_PEM_H
#define L4_PEM_H

#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/*
 * PEM files, from descriptors that others may share: the file position is
 * neither used nor moved.  On failure NULL, and *why says what is wrong.
 */
#define PEM_FILE_MAX	(1024L * 1024)	/* bytes */

/*
 * What keys are read with.  Begins as zeros and stays where it is.  OpenSSL 3.0
 * takes ten times as long to look its decoders up as to read a key with them:
 * who reads many has one for all.
 */
struct pem_reader {
	OSSL_DECODER_CTX *decoder;
	EVP_PKEY	*pkey;		/* that has just been read */
	int		 asked;		/* for a passphrase */
};

/* The first private key; nothing of the file is left in memory. */
EVP_PKEY *pem_read_key(struct pem_reader *, int fd, const char **why);
void	pem_reader_clear(struct pem_reader *);
/* All certificates, in their order; at least one. */
STACK_OF(X509) *pem_read_chain(int fd, const char **why);

/* Writes what the memory BIO holds; 0, or -1 with errno set. */
int	pem_write(int fd, BIO *);

#endif
