#include <string.h>

#include <bsd/string.h>

#include "log_rate.h"

static struct log_group *
find_group(struct log_rate *r, const char *name)
{
	struct log_group	*g;
	unsigned int		 i;

	for (i = 0; i < r->n; i++)
		if (strncmp(r->group[i].name, name, LOG_GROUP_LEN - 1) == 0)
			return &r->group[i];
	if (r->n == LOG_GROUPS)
		return &r->group[LOG_GROUPS - 1];
	g = &r->group[r->n++];
	memset(g, 0, sizeof(*g));
	strlcpy(g->name, r->n == LOG_GROUPS ? "other" : name,
	    sizeof(g->name));
	return g;
}

bool
log_rate_take(struct log_rate *r, const char *group)
{
	struct log_group	*g;

	if (r->max == 0)
		return true;
	g = find_group(r, group);
	if (g->lines++ < r->max)
		return true;
	g->left++;
	return false;
}

void
log_rate_begin(struct log_rate *r, uint64_t second)
{
	r->second = second;
	r->n = 0;
}
