#ifndef L4_PEM_H
#define L4_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/*
 * PEM files, from descriptors that others may share: the file position is
 * neither used nor moved.  On failure NULL, and *why says what is wrong.
 */
#define PEM_FILE_MAX	(1024L * 1024)	/* bytes */

/* The first private key; nothing of the file is left in memory. */
EVP_PKEY *pem_read_key(int fd, const char **why);
/* All certificates, in their order; at least one. */
STACK_OF(X509) *pem_read_chain(int fd, const char **why);

/* Writes what the memory BIO holds; 0, or -1 with errno set. */
int	pem_write(int fd, BIO *);

#endif
