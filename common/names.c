#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "names.h"
#include "siphash.h"

/* One pattern of one space; its values are lists[first .. first + n). */
struct entry {
	const char	*key;		/* of a wildcard: without "*." */
	uint32_t	 space;		/* twice the space, + 1: wildcards */
	uint32_t	 first, n;
};

struct addition {
	uint32_t	 entry;
	uint32_t	 value;
};

struct name_index {
	uint8_t		 key[SIPHASH_KEY];
	struct entry	*entry;
	size_t		 nentries, entrycap;
	uint32_t	*slot;		/* open addressing; entry + 1, 0 free */
	size_t		 nslots;	/* a power of two, or 0 */
	struct addition	*added;		/* until sealed */
	size_t		 nadded, addedcap;
	uint32_t	*lists;
};

static bool
is_wildcard(const char *pattern)
{
	return pattern[0] == '*' && pattern[1] == '.';
}

/* "example.com" of "www.example.com"; NULL where there is no label before. */
static const char *
parent_of(const char *name)
{
	const char	*dot = strchr(name, '.');

	return dot == NULL || dot == name ? NULL : dot + 1;
}

bool
name_matches(const char *pattern, const char *name)
{
	const char	*parent;

	if (!is_wildcard(pattern))
		return strcmp(pattern, name) == 0;
	parent = parent_of(name);
	return parent != NULL && strcmp(pattern + 2, parent) == 0;
}

struct name_index *
name_index_new(void)
{
	struct name_index	*ix;

	if ((ix = calloc(1, sizeof(*ix))) == NULL)
		fatal("calloc");
	siphash_new_key(ix->key);
	return ix;
}

void
name_index_free(struct name_index *ix)
{
	if (ix == NULL)
		return;
	free(ix->entry);
	free(ix->slot);
	free(ix->added);
	free(ix->lists);
	free(ix);
}

/* Where the key is in the slots, or should be. */
static uint32_t *
find_slot(const struct name_index *ix, uint32_t space, const char *key)
{
	const struct entry	*e;
	size_t			 i;

	i = siphash(ix->key, key, strlen(key)) + space;
	for (;; i++) {
		i &= ix->nslots - 1;
		if (ix->slot[i] == 0)
			return &ix->slot[i];
		e = &ix->entry[ix->slot[i] - 1];
		if (e->space == space && strcmp(e->key, key) == 0)
			return &ix->slot[i];
	}
}

/* Room for one more of `size` bytes; *cap doubles. */
static void *
grow(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap == 0 ? 64 : *cap * 2;
	if ((p = reallocarray(p, *cap, size)) == NULL)
		fatal("reallocarray");
	return p;
}

/* Keeps at least half of the slots free. */
static void
grow_slots(struct name_index *ix)
{
	size_t	i;

	if (ix->nentries * 2 < ix->nslots)
		return;
	ix->nslots = ix->nslots == 0 ? 128 : ix->nslots * 2;
	free(ix->slot);
	if ((ix->slot = calloc(ix->nslots, sizeof(*ix->slot))) == NULL)
		fatal("calloc");
	for (i = 0; i < ix->nentries; i++)
		*find_slot(ix, ix->entry[i].space, ix->entry[i].key) =
		    (uint32_t)i + 1;
}

static uint32_t
find_or_make(struct name_index *ix, uint32_t space, const char *key)
{
	uint32_t	*slot;
	struct entry	*e;

	grow_slots(ix);
	slot = find_slot(ix, space, key);
	if (*slot == 0) {
		ix->entry = grow(ix->entry, ix->nentries, &ix->entrycap,
		    sizeof(*ix->entry));
		e = &ix->entry[ix->nentries++];
		e->key = key;
		e->space = space;
		e->first = e->n = 0;
		*slot = (uint32_t)ix->nentries;
	}
	return *slot - 1;
}

void
name_index_add(struct name_index *ix, unsigned int space, const char *pattern,
    uint32_t value)
{
	struct addition	*a;
	bool		 wild = is_wildcard(pattern);

	ix->added = grow(ix->added, ix->nadded, &ix->addedcap,
	    sizeof(*ix->added));
	a = &ix->added[ix->nadded++];
	a->entry = find_or_make(ix, space * 2 + wild,
	    wild ? pattern + 2 : pattern);
	a->value = value;
	ix->entry[a->entry].n++;
}

void
name_index_seal(struct name_index *ix)
{
	const struct addition	*a;
	struct entry		*e;
	uint32_t		 total = 0;
	size_t			 i;

	for (i = 0; i < ix->nentries; i++) {
		ix->entry[i].first = total;
		total += ix->entry[i].n;
		ix->entry[i].n = 0;
	}
	ix->lists = reallocarray(NULL, (size_t)total + 1, sizeof(*ix->lists));
	if (ix->lists == NULL)
		fatal("reallocarray");
	for (i = 0; i < ix->nadded; i++) {
		a = &ix->added[i];
		e = &ix->entry[a->entry];
		ix->lists[e->first + e->n++] = a->value;
	}
	free(ix->added);
	ix->added = NULL;
}

static struct name_list
find(const struct name_index *ix, uint32_t space, const char *key)
{
	struct name_list	 none = { NULL, 0 };
	const struct entry	*e;
	uint32_t		 slot;

	if (ix->nslots == 0 || (slot = *find_slot(ix, space, key)) == 0)
		return none;
	e = &ix->entry[slot - 1];
	return (struct name_list){ ix->lists + e->first, e->n };
}

struct name_list
name_index_exact(const struct name_index *ix, unsigned int space,
    const char *name)
{
	return find(ix, space * 2, name);
}

struct name_list
name_index_wildcard(const struct name_index *ix, unsigned int space,
    const char *name)
{
	const char	*parent = parent_of(name);

	if (parent == NULL)
		return (struct name_list){ NULL, 0 };
	return find(ix, space * 2 + 1, parent);
}
