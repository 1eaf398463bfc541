#include <stdlib.h>
#include <string.h>

#include "conf_names.h"
#include "log.h"

struct conf_name {
	const char	*name;		/* NULL = free */
	uint32_t	 value;
};

/*
 * FNV-1a.  Not keyed: the names are the administrator's own, no client can
 * choose them.
 */
static uint64_t
names_hash(const char *s)
{
	uint64_t	h = 0xcbf29ce484222325u;

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	return h ^ h >> 32;
}

/* Where the name is, or where it would go. */
static struct conf_name *
names_slot(const struct conf_names *t, const char *name)
{
	size_t	i = names_hash(name) & (t->cap - 1);

	while (t->slot[i].name != NULL && strcmp(t->slot[i].name, name) != 0)
		i = (i + 1) & (t->cap - 1);
	return &t->slot[i];
}

static void
names_grow(struct conf_names *t)
{
	struct conf_names	 old = *t;
	size_t			 i;

	t->cap = old.cap == 0 ? 64 : old.cap * 2;
	if ((t->slot = calloc(t->cap, sizeof(*t->slot))) == NULL)
		fatal("calloc");
	for (i = 0; i < old.cap; i++)
		if (old.slot[i].name != NULL)
			*names_slot(t, old.slot[i].name) = old.slot[i];
	free(old.slot);
}

bool
conf_names_add(struct conf_names *t, const char *name, uint32_t *value)
{
	struct conf_name	*slot;

	if (t->n >= t->cap / 2)
		names_grow(t);
	slot = names_slot(t, name);
	if (slot->name != NULL) {
		*value = slot->value;
		return false;
	}
	slot->name = name;
	slot->value = *value;
	t->n++;
	return true;
}

bool
conf_names_find(const struct conf_names *t, const char *name, uint32_t *value)
{
	const struct conf_name	*slot;

	if (t->cap == 0)
		return false;
	slot = names_slot(t, name);
	if (slot->name == NULL)
		return false;
	*value = slot->value;
	return true;
}

void
conf_names_free(struct conf_names *t)
{
	free(t->slot);
	memset(t, 0, sizeof(*t));
}
