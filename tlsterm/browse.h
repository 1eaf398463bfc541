#ifndef L4_BROWSE_H
#define L4_BROWSE_H

#include "docroot.h"

/* The list of the open directory, as an entry of the cache that holds for the
 * rest of the second.  At most BROWSE_MAX names are in it.  NULL without
 * memory. */
#define BROWSE_MAX	10000
struct entry *browse_entry(const struct sites *, const struct origin *,
	    const struct request *, const struct file *);

#endif
