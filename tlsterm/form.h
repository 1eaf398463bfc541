#ifndef L4_FORM_H
#define L4_FORM_H

#include "accept.h"
#include "cache.h"
#include "response.h"

/*
 * Encodings of what is in the cache.  The first who asks has it encoded at
 * once, quickly, or as it is where that would take long; for those who follow
 * it is done again, as well as can be, in pieces between other work.
 */
#define FORM_MIN	512	/* bytes: below, it is not worth it */
#define FORM_NOW_MAX	(256 * 1024)	/* encoded while the client waits */
#define FORM_MAX	(64 * 1024 * 1024)	/* encoded at all */

/* The form to answer with; NULL where the client would take none that there
 * is. */
struct form *form_choose(struct cache *, struct entry *,
	    const struct accept *);

/* The answer with it into res, if it was made before. */
bool	form_answer(const struct form *, struct response *);
/* Keeps the answer that res is. */
void	form_keep_answer(struct cache *, struct form *,
	    const struct response *);

#endif
