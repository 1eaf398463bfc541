#ifndef L4_ACCEPT_H
#define L4_ACCEPT_H

#include <stdbool.h>

#include "common/conf.h"
#include "str.h"

/*
 * What encodings a client takes (RFC 9110 12.5.3), put into the order of its
 * q-values and, where those are equal, of the site.  Pure.
 */
struct accept {
	enum encoding	v[ENC__MAX];	/* best first; none that the client
					   likes less than no encoding */
	unsigned int	q[ENC__MAX];	/* of each, 1 to 1000 */
	size_t		n;
	bool		plain;		/* without any is acceptable too */
};

/* field.p NULL: there was none, and nothing is to be encoded.  Elements that
 * are broken are as if they were not there. */
void	accept_parse(struct accept *, struct str field,
	    const enum encoding *prefer, size_t n);

/* "gzip" */
const char *encoding_name(enum encoding);
/* ".gz": how the file beside a file ends that has it encoded. */
const char *encoding_suffix(enum encoding);

#endif
