#ifndef L4_ACME_WIRE_H
#define L4_ACME_WIRE_H

#include "challenge.h"
#include "wire.h"

/*
 * What master and acme say to each other, in the fields of wire.h.
 */
#define ACME_NAMES_MAX	100	/* of one certificate: what CAs allow */
#define ACME_URL_MAX	1023
#define ACME_TEXT_MAX	400	/* of an error, with its end */
#define ACME_CHAIN_MAX	131072	/* bytes of a chain, over all messages */
#define ACME_PIECE_MAX	8192	/* of it in one message */
#define ACME_TIME_MAX	UINT64_C(253402300799)	/* the last of year 9999 */

enum acme_kind {
	ACME_ORDER,		/* a certificate for the names */
	ACME_ASK,		/* when is the chain to be renewed (RFC 9773)? */
	ACME_REVOKE,		/* the chain's first certificate */
	ACME_KIND__MAX
};

/*
 * IPC_ACME_JOB: u8 kind, u8 count, u8 enum challenge_kind ..., str directory,
 * u16 count, str name ...
 */
struct acme_job {
	enum acme_kind	 kind;
	uint8_t		 challenge[CHALLENGE__MAX];	/* best first */
	uint8_t		 nchallenge;
	char		 directory[ACME_URL_MAX + 1];
	const char	*name[ACME_NAMES_MAX];
	uint16_t	 nnames;
};
void	acme_job_write(struct wr *, const struct acme_job *);
/* Names are copied, one allocation each, kept on failure too: the caller's to
 * free.  False where a field is wrong. */
bool	acme_job_read(struct rd *, struct acme_job *);

/* IPC_ACME_OFFER: u8 kind, str name, str token, str proof. */
void	acme_offer_write(struct wr *, const struct challenge *);
/* False also where token or proof have not the form that RFC 8555 8 gives
 * them: they go to programs of the administrator's, and to whoever asks. */
bool	acme_offer_read(struct rd *, struct challenge *);

enum acme_outcome {
	ACME_OK,
	ACME_FAILED,		/* anything that may be tried again */
	ACME_REFUSED,		/* a challenge was answered, and not accepted */
	ACME_LIMITED,		/* the CA wants to be left alone: retry */
	ACME_OUTCOME__MAX
};

/*
 * IPC_ACME_DONE: u8 outcome, u8 challenge kind, u32 retry, u64 from, u64 to,
 * str text.
 */
struct acme_done {
	enum acme_outcome outcome;
	enum challenge_kind challenge;	/* that was used last; may be none */
	uint32_t	 retry;		/* s; 0 = the CA does not say */
	uint64_t	 from, to;	/* ACME_ASK: window to renew in, s since
					   1970; 0 = none is suggested */
	char		 text[ACME_TEXT_MAX];	/* what failed; "" */
};
#define ACME_DONE_MIN	(1 + 1 + 4 + 8 + 8 + 2)
#define ACME_DONE_MAX	(ACME_DONE_MIN + ACME_TEXT_MAX)
void	acme_done_write(struct wr *, const struct acme_done *);
/* Bytes of text that are not printable ASCII become '?'. */
bool	acme_done_read(struct rd *, struct acme_done *);

#endif
