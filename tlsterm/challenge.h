#ifndef L4_TLSTERM_CHALLENGE_H
#define L4_TLSTERM_CHALLENGE_H

#include "common/challenge.h"
#include "site.h"
#include "tickets.h"

/*
 * What answers a CA that looks whether a name is ours: a site of its own, that
 * has nothing but the proofs of the page (RFC 8555 8.3), and shows, to those
 * who speak its protocol, a certificate made on the spot (RFC 8737).  Its key
 * is made here, for this process, and is worth nothing: docs/decisions/010.
 */
/* NULL with *err the reason.  The page and conf outlive it. */
struct site *challenge_site(const struct conf *, const struct challenges *,
	    struct tickets *, const char **err);
/* Answers: site_respond() for that site. */
void	challenge_respond(const struct site *, const struct request *,
	    struct response *);

#endif
