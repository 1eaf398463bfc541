#ifndef L4_ACME_H
#define L4_ACME_H

#include <jansson.h>
#include <openssl/evp.h>

#include "common/acme_wire.h"
#include "common/child.h"
#include "http.h"
#include "jws.h"

/*
 * The process that talks to a certificate authority (RFC 8555): started for
 * one piece of work, which it does from top to bottom, and ended by it.  It
 * has the account key and no other, and reads and writes nothing but what
 * master gave it.
 */
struct acme {
	struct child	 child;

	/* from master */
	struct acme_job	 job;
	bool		 has_job;
	int		 account_fd, csr_fd, chain_fd, eab_fd;
	bool		 went;		/* IPC_ACME_GO came ... */
	bool		 go;		/* ... and this is what it said */

	struct http	*http;
	EVP_PKEY	*key;		/* of the account */
	char		 jwk[JWS_JWK_MAX];
	char		 thumbprint[JWS_PRINT_MAX];
	char		 account[ACME_URL_MAX + 1];	/* "" = not known yet */
	char		 nonce[HTTP_NONCE_MAX + 1];
	json_t		*directory;

	struct acme_done done;		/* what is reported */
};

/* The first reason counts.  Returns false, for `return acme_fail(...)`. */
bool	acme_fail(struct acme *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* talk.c: to master. */
extern const struct ipc_rule acme_rules[];
extern const size_t acme_nrules;
/* Whatever has come; ends the process where master wants that. */
void	acme_heed(void *);
/* A challenge: false when master says that it cannot be answered. */
bool	acme_offer(struct acme *, const struct challenge *);
void	acme_send_chain(struct acme *, const char *pem, size_t len);
void	acme_report(struct acme *) __attribute__((noreturn));
/* The bytes of a small file; NULL: larger than max, or unreadable.  The
 * caller's to free. */
char	*acme_read(int fd, size_t max, size_t *len);

/* ca.c: requests. */
/* The directory, RFC 8555 7.1.1. */
bool	ca_open(struct acme *);
/* The URL of a resource; NULL and the failure noted where there is none. */
const char *ca_url(struct acme *, const char *resource);
/*
 * A signed request, RFC 8555 6.2, again as often as a nonce was not good; with
 * the account's URL, or its key where `new_account`.  payload "" is
 * POST-as-GET.  False, the failure noted, for anything but a status of 2xx;
 * *ans is set also then where an answer came (status is not 0).
 */
bool	ca_post(struct acme *, const char *url, const char *payload,
	    bool new_account, struct http_answer *ans);
/* The same; the answer is an object, the caller's to decref. */
json_t	*ca_post_json(struct acme *, const char *url, const char *payload,
	    struct http_answer *ans);
/* Takes the value: its text, without blanks; the caller's to free. */
char	*ca_text(json_t *);
/* A member that is a string; "" where there is none. */
const char *ca_string(const json_t *, const char *key);
/* "unauthorized: the text", of a problem document (RFC 7807); noted as the
 * failure with `what` before it. */
void	ca_problem(struct acme *, const char *what, const json_t *);

/* account.c */
bool	account_key(struct acme *);	/* read, or made and written */
bool	account_open(struct acme *);	/* at the CA */

/* order.c: all of it, down to the chain. */
bool	order_run(struct acme *);
/* Until the object at url has another status than `pending` and `also`, within
 * PATIENCE; the object, or NULL with the failure noted. */
#define PATIENCE_SECONDS	300
json_t	*order_poll(struct acme *, const char *url, const char *pending,
	    const char *also);

/* authz.c: makes one authorization valid. */
bool	authz_run(struct acme *, const char *url);

/* renewal.c */
/* RFC 9773 4.1; false where the chain has no such id. */
bool	renewal_id(int chain_fd, char *dst, size_t size);
bool	renewal_ask(struct acme *);
bool	renewal_revoke(struct acme *);
/* RFC 3339 to seconds since 1970; -1 for what is none.  Pure. */
int64_t	renewal_time(const char *);

/* sandbox.c */
extern const struct sb_policy acme_policy;

#endif
