#ifndef L4_LISTING_H
#define L4_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "str.h"

/*
 * A directory as a page of HTML.  Pure, but for memory.
 */
struct list_item {
	const char	*name;		/* UTF-8, without control characters */
	uint64_t	 size;
	time_t		 mtime;
	bool		 dir;
};

enum list_key { LIST_NAME, LIST_SIZE, LIST_TIME, LIST__MAX };

struct list_order {
	enum list_key	key;
	bool		desc;
};

struct listing {
	const char		*rel;	/* below the docroot; "" = that */
	struct list_order	 order;
	struct list_item	*v;
	size_t			 n;
	bool			 more;	/* there are others, left out */
};

/* "sort=size&order=desc"; what it does not understand it leaves out. */
void	list_order_parse(struct list_order *, struct str query);
/* Folders first; equal ones by name. */
void	list_sort(struct listing *);
/* The page, to be freed, of *len bytes; NULL without memory. */
char	*list_page(const struct listing *, size_t *len);

#endif
