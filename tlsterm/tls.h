#ifndef L4_TLS_H
#define L4_TLS_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/conf.h"
#include "keychan.h"
#include "keyprov.h"
#include "tickets.h"

/* A certificate as master sent it. */
struct cert {
	uint32_t	 site;
	uint32_t	 key;		/* id that keys knows */
	X509		*leaf;
	STACK_OF(X509)	*chain;		/* the others, in order */
};

/* Reads a PEM chain; 0, or -1 where there is no certificate in it. */
int	cert_read(struct cert *, int fd);
/* The same as another has, which may go before it. */
void	cert_share(struct cert *, const struct cert *);
void	cert_free(struct cert *);

/*
 * The context that connections of a site are made from: versions, ciphers,
 * groups, ALPN, tickets, no certificate yet.  NULL with *err the reason.
 */
SSL_CTX	*tls_context(const struct conf *, const char *site,
	    struct tickets *, const char **err);
/* Adds the certificate, its key being with keys.  0 or -1 with *err. */
int	tls_add_cert(SSL_CTX *, const struct cert *, struct keyprov *,
	    struct keychan *, const char **err);

/* The reason of the library's last error; empties its queue. */
const char *tls_error(void);

#endif
