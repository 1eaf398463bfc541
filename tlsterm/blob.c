#include <stdlib.h>

#include "blob.h"

struct blob *
blob_new(struct budget *budget, size_t size)
{
	struct blob	*b;
	size_t		 all = sizeof(*b) + size;

	if (all < size || budget->used > budget->max ||
	    all > budget->max - budget->used || (b = malloc(all)) == NULL)
		return NULL;
	budget->used += all;
	b->budget = budget;
	b->users = 1;
	b->len = 0;
	b->size = size;
	return b;
}

struct blob *
blob_hold(struct blob *b)
{
	b->users++;
	return b;
}

void
blob_drop(struct blob *b)
{
	if (b == NULL || --b->users > 0)
		return;
	b->budget->used -= sizeof(*b) + b->size;
	free(b);
}

struct blob *
blob_fit(struct blob *b)
{
	struct blob	*smaller = realloc(b, sizeof(*b) + b->len);

	if (smaller == NULL)
		return b;
	smaller->budget->used -= smaller->size - smaller->len;
	smaller->size = smaller->len;
	return smaller;
}
