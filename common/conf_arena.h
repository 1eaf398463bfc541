#ifndef L4_CONF_ARENA_H
#define L4_CONF_ARENA_H

#include <stddef.h>

/*
 * The memory of one struct conf: taken piece by piece while it is read, given
 * back at once by conf_arena_free().  All of this is fatal without memory.
 */
struct conf_arena;

struct conf_arena *conf_arena_new(void);
void	conf_arena_free(struct conf_arena *);

/* n zeroed objects; NULL for none. */
void	*conf_alloc(struct conf_arena *, size_t n, size_t size);
char	*conf_strdup(struct conf_arena *, const char *);
char	*conf_strndup(struct conf_arena *, const char *, size_t len);

#endif
