#ifndef L4_CONF_NAMES_H
#define L4_CONF_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of names, each with a number.  The names are not copied: they outlive
 * the set.  All zero is an empty set.  Fatal without memory.
 */
struct conf_names {
	struct conf_name	*slot;
	size_t			 cap;	/* 0 or a power of two */
	size_t			 n;
};

/* False when it is there already, with the number it has in *value. */
bool	conf_names_add(struct conf_names *, const char *name, uint32_t *value);
bool	conf_names_find(const struct conf_names *, const char *name,
	    uint32_t *value);
void	conf_names_free(struct conf_names *);

#endif
