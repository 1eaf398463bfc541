#ifndef L4_COMPRESS_H
#define L4_COMPRESS_H

#include "common/ev.h"
#include "site.h"

/*
 * Encodes what is in the cache as well as can be, one form after the other, a
 * piece at a time, and rests three times as long as each piece took: whoever
 * has a request does not notice.
 */
struct compressor;

/* Serves the cache of the sites from now on.  ev NULL: compress_step() is
 * called by hand.  Fatal without memory. */
struct compressor *compressor_new(const struct sites *, struct ev *);
/* What waits to be encoded stays as it is. */
void	compressor_free(struct compressor *);

/* One piece; false where nothing is to be done. */
bool	compress_step(struct compressor *);

#endif
