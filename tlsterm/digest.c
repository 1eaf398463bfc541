#include <stdio.h>

#include <openssl/evp.h>

#include "common/log.h"
#include "digest.h"

/* The library's own, behind a name of ours. */
static EVP_MD_CTX *
context(struct digest *d)
{
	return (EVP_MD_CTX *)(void *)d;
}

struct digest *
digest_new(void)
{
	EVP_MD_CTX	*c = EVP_MD_CTX_new();

	if (c == NULL || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(c);
		return NULL;
	}
	return (struct digest *)(void *)c;
}

void
digest_add(struct digest *d, const void *p, size_t n)
{
	if (EVP_DigestUpdate(context(d), p, n) != 1)
		fatalx("digest");
}

void
digest_end(struct digest *d, char hex[DIGEST_LEN + 1])
{
	unsigned char	md[EVP_MAX_MD_SIZE];
	size_t		i;

	if (EVP_DigestFinal_ex(context(d), md, NULL) != 1)
		fatalx("digest");
	for (i = 0; i < DIGEST_LEN / 2; i++)
		snprintf(hex + 2 * i, 3, "%02x", md[i]);
	digest_free(d);
}

void
digest_free(struct digest *d)
{
	EVP_MD_CTX_free(context(d));
}
