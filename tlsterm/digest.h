#ifndef L4_DIGEST_H
#define L4_DIGEST_H

#include <stddef.h>

/* What bytes are told apart by: the first 96 bits of SHA-256, in hex. */
#define DIGEST_LEN	24

struct digest;

/* NULL without memory. */
struct digest *digest_new(void);
void	digest_add(struct digest *, const void *p, size_t n);
/* Ends it: hex and a 0. */
void	digest_end(struct digest *, char hex[DIGEST_LEN + 1]);
void	digest_free(struct digest *);

#endif
