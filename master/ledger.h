#ifndef L4_LEDGER_H
#define L4_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/acme_wire.h"
#include "common/certinfo.h"

/*
 * What is remembered of a certificate that a CA gives us, over restarts, and
 * what follows from it.  Pure: no file, no clock; times are seconds since 1970.
 */
#define LEDGER_FAILURES	5	/* in an hour, then no more */
#define LEDGER_HOUR	3600
#define LEDGER_TEXT_MAX	2048	/* of the file */
#define LEDGER_MONTH	(30 * INT64_C(86400))

struct ledger {
	int64_t	issued;		/* the last that was installed; 0 = none */
	int64_t	valid_from, valid_to;	/* that one */
	int64_t	failing;	/* since when; 0 = the last attempt was good */
	uint32_t failures;	/* in a row */
	int64_t	failed[LEDGER_FAILURES];	/* the last of them, newest
						   first; 0 = none */
	int64_t	next;		/* not before; 0 = whenever it is due */
	uint32_t spread;	/* random, 0 to 999: of the jitter */
	enum challenge_kind challenge;	/* to be tried first; may be none */
	uint32_t directory;	/* 0, or 1: the fall-back */
	int64_t	from, to;	/* window that the CA suggests (RFC 9773) */
	int64_t	ask;		/* when to ask again; 0 = now */
	bool	rehearse;	/* in the staging directory, until it works */
	bool	untold;		/* acme.on_renew has not returned 0 since */
	bool	wanted;		/* somebody asked for it: due now */
	char	error[ACME_TEXT_MAX];	/* of the last attempt; "" */
};

/* The file, and back; false for a text that is none, *l is then as new. */
size_t	ledger_format(const struct ledger *, char dst[LEDGER_TEXT_MAX]);
bool	ledger_parse(struct ledger *, const char *text);

/*
 * When the next attempt is due: limits and pauses included.  there: a
 * certificate for these names is in force; renew_at: the part of its life that
 * is left when it is time for another.
 */
int64_t	ledger_due(const struct ledger *, bool there, double renew_at);
/* Whatever lies further ahead than it can: the clock was set back since, and
 * nobody waits for what it said then. */
void	ledger_mend(struct ledger *, int64_t now);
/* Why somebody who asks now has to wait; NULL: nothing keeps it. */
const char *ledger_refuses(const struct ledger *, int64_t now);

/*
 * An attempt is over.  random has any 32 bits.  After a kind of challenge that
 * was refused the next of those configured is tried.
 */
struct ledger_ways {
	uint8_t	 kind[CHALLENGE__MAX];
	size_t	 nkinds;
	bool	 fallback, staging;	/* there are such directories */
};
void	ledger_success(struct ledger *, const struct acme_done *,
	    const struct cert_info *, int64_t now, uint32_t random);
void	ledger_failure(struct ledger *, const struct acme_done *,
	    const struct ledger_ways *, int64_t now, uint32_t random);
/* The staging directory gave one: the other may be tried again, now. */
void	ledger_rehearsed(struct ledger *, const struct acme_done *);
/* The CA was asked when to renew. */
void	ledger_asked(struct ledger *, const struct acme_done *, int64_t now,
	    uint32_t random);

#endif
