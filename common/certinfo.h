#ifndef L4_CERTINFO_H
#define L4_CERTINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

/*
 * What a one-shot run of keys finds in a certificate, for people: master does
 * no cryptography and reads no certificate.  Text is printable ASCII.
 */
enum cert_key {
	CERT_KEY_NONE,		/* nothing is known: not looked at yet */
	CERT_KEY_RSA,
	CERT_KEY_EC,
	CERT_KEY_ED25519,
	CERT_KEY__MAX
};

#define CERT_ISSUER_MAX	96
#define CERT_NAMES_MAX	512
#define CERT_NOTE_MAX	160
#define CERT_WHY_MAX	512	/* a sentence, with its end */

struct cert_info {
	enum cert_key	 key;
	uint16_t	 bits;		/* of the key: 256, 2048 */
	bool		 self_signed;
	int64_t		 from, to;	/* valid between; s since 1970 */
	char		 issuer[CERT_ISSUER_MAX];
	uint16_t	 nnames;	/* alternative names; names has the
					   first of them, a space between */
	char		 names[CERT_NAMES_MAX];
	char		 note[CERT_NOTE_MAX];	/* a warning, or "" */
};

/* The payload of IPC_DONE: what is wrong, "" = nothing, then the rest. */
#define CERT_INFO_WIRE_MAX						\
	(2 + CERT_WHY_MAX + 1 + 2 + 1 + 8 + 8 + 2 + CERT_ISSUER_MAX +	\
	 2 + 2 + CERT_NAMES_MAX + 2 + CERT_NOTE_MAX)
#define CERT_INFO_WIRE_MIN	(2 + 1 + 2 + 1 + 8 + 8 + 2 + 2 + 2 + 2)
void	cert_info_write(struct wr *, const char *wrong,
	    const struct cert_info *);
/* False for a message that is none.  Other bytes than ASCII become '?'. */
bool	cert_info_read(struct rd *, char wrong[CERT_WHY_MAX],
	    struct cert_info *);

/* "ECDSA P-256", "RSA 2048", "Ed25519", "" where it is not known. */
#define CERT_KEY_NAMELEN 24
const char *cert_key_name(const struct cert_info *,
	    char dst[CERT_KEY_NAMELEN]);

/*
 * How long it is still good.  From CERT_SOON_DAYS on it is warned of.  Early
 * is one that was good when it was loaded, on a clock that was set back.
 */
#define CERT_SOON_DAYS	30
enum cert_age { CERT_GOOD, CERT_SOON, CERT_EXPIRED, CERT_EARLY };
enum cert_age cert_age(const struct cert_info *, int64_t now);
/* Whole days; -1 on the first day after it has expired. */
int64_t	cert_days_left(const struct cert_info *, int64_t now);
/* When that changes next: seconds from now, at least 1, at most `most`. */
int64_t	cert_next_change(const struct cert_info *, int64_t now,
	    int64_t most);

#endif
