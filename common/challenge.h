#ifndef L4_CHALLENGE_H
#define L4_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hello.h"

/*
 * The challenges of a certificate authority that are open now (RFC 8555 8.3,
 * RFC 8737): a page that master alone writes and workers and tlsterms read.
 * Nothing in it is a secret: whoever asks for a token is told its proof.
 */
#define CHALLENGES_MAX		128	/* open at a time */
#define CHALLENGE_TOKEN_MAX	128
#define CHALLENGE_PROOF_MAX	192

#define CHALLENGE_PATH	"/.well-known/acme-challenge/"
#define CHALLENGE_ALPN	"acme-tls/1"

enum challenge_kind {
	CHALLENGE_NONE,
	CHALLENGE_HTTP,			/* http-01 */
	CHALLENGE_TLS,			/* tls-alpn-01 */
	CHALLENGE_DNS,			/* dns-01: never in the page */
	CHALLENGE__MAX
};
/* "http-01"; NULL for none. */
const char *challenge_kind_name(enum challenge_kind);

struct challenge {
	enum challenge_kind kind;
	char	name[HELLO_NAME_MAX + 1];	/* host name or IP literal */
	char	token[CHALLENGE_TOKEN_MAX + 1];
	char	proof[CHALLENGE_PROOF_MAX + 1];	/* key authorization; for DNS
						   the value of the record */
};

struct challenges;			/* the page */

/*
 * Master's side.  Makes it, writable here and nowhere else; -1 with errno set.
 * The descriptor is what children get.
 */
int	challenges_create(struct challenges **);
/* False when there is no room, or a field is not what it may be. */
bool	challenges_add(struct challenges *, const struct challenge *);
void	challenges_clear(struct challenges *);

/* A child's side: NULL with errno set. */
const struct challenges *challenges_map(int fd);

/* Is any open?  NULL: none ever is. */
bool	challenges_any(const struct challenges *);
/* The open one with that token; false where there is none. */
bool	challenges_by_token(const struct challenges *, const char *token,
	    struct challenge *);
/* The open one for that SNI (RFC 8738 6: of an address, its reverse name). */
bool	challenges_by_sni(const struct challenges *, const char *sni,
	    struct challenge *);

/* The SNI by which a name is asked for; dst has HELLO_NAME_MAX + 1 bytes. */
void	challenge_sni(const char *name, char *dst);

/*
 * The token that the first line of an HTTP request asks for, of
 * CHALLENGE_TOKEN_MAX + 1 bytes.  MATCH; NO_MATCH where it asks for anything
 * else; NEED_MORE with *need.  Pure.
 */
enum verdict challenge_token(const uint8_t *p, size_t len, char *token,
	    size_t *need);
/* Is it a token (RFC 8555 8.1: base64url)? */
bool	challenge_token_valid(const char *, size_t len);

#endif
