#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf_arena.h"
#include "log.h"

#define CHUNK_SIZE	((size_t)64 * 1024)

struct chunk {
	struct chunk	*next;
	size_t		 used, size;
	alignas(max_align_t) char data[];
};

struct conf_arena {
	struct chunk	*chunks;	/* the first is the one in use */
};

struct conf_arena *
conf_arena_new(void)
{
	struct conf_arena	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		fatal("calloc");
	return a;
}

void
conf_arena_free(struct conf_arena *a)
{
	struct chunk	*c, *next;

	if (a == NULL)
		return;
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

static struct chunk *
chunk_new(struct conf_arena *a, size_t size)
{
	struct chunk	*c;

	if (size < CHUNK_SIZE)
		size = CHUNK_SIZE;
	if ((c = calloc(1, sizeof(*c) + size)) == NULL)
		fatal("calloc");
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void *
conf_alloc(struct conf_arena *a, size_t n, size_t size)
{
	const size_t	 align = alignof(max_align_t);
	struct chunk	*c = a->chunks;
	size_t		 want;
	void		*p;

	if (n == 0)
		return NULL;
	if (size > (SIZE_MAX / 2 - align) / n)
		fatalx("configuration too large");
	want = (n * size + align - 1) / align * align;
	if (c == NULL || want > c->size - c->used)
		c = chunk_new(a, want);
	p = c->data + c->used;
	c->used += want;
	return p;
}

char *
conf_strndup(struct conf_arena *a, const char *s, size_t len)
{
	char	*p = conf_alloc(a, len + 1, 1);

	memcpy(p, s, len);
	return p;
}

char *
conf_strdup(struct conf_arena *a, const char *s)
{
	return conf_strndup(a, s, strlen(s));
}
