#ifndef L4_NAMES_H
#define L4_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Host names and the patterns they are matched with: exact, or "*.example.com"
 * for one label more.  All are in lower case already; "" is a name like others.
 */
bool	name_matches(const char *pattern, const char *name);

/*
 * From names to lists of numbers, over any number of patterns in the time of
 * two look-ups.  A space keeps patterns apart that mean different things.  The
 * hash is keyed: clients choose the names that are looked for.
 */
struct name_index;

struct name_list {
	const uint32_t	*v;	/* ascending if added so; may repeat */
	size_t		 n;
};

/* Fatal without memory, like all here. */
struct name_index *name_index_new(void);
void	name_index_free(struct name_index *);
/* The pattern must outlive the index. */
void	name_index_add(struct name_index *, unsigned int space,
	    const char *pattern, uint32_t value);
/* After the last name_index_add(), before the first find. */
void	name_index_seal(struct name_index *);

/* What was added for the name itself, and for the wildcard it falls under. */
struct name_list name_index_exact(const struct name_index *,
	    unsigned int space, const char *name);
struct name_list name_index_wildcard(const struct name_index *,
	    unsigned int space, const char *name);

#endif
