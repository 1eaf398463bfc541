#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_text.h"
#include "log.h"

/* "; sites*256 = {" after the brace that ends the part before; 0: no cut. */
static size_t
cut_write(struct conf_text *t, size_t group, size_t part, FILE *f)
{
	const char	*name = t->buf + group;
	size_t		 len = strspn(name, CONF_NAME_CHARS);
	char		 cut[CONF_CUT_NAME_MAX + 32];
	uint32_t	 base = (uint32_t)len;

	if (len == 0 || len > CONF_CUT_NAME_MAX)
		return 0;
	snprintf(cut, sizeof(cut), "%.*s*%zu", (int)len, name, part);
	conf_names_add(&t->cut, conf_strdup(t->arena, cut), &base);
	fprintf(f, "}; %s = { ", cut);
	return 1;
}

/* The text up to the end, with a cut before every CONF_CUTth name of a group;
 * how many those were. */
static size_t
cut_all(struct conf_text *t, FILE *f)
{
	size_t	i, k = 0, from = 0, n = 0;

	for (i = 0; i < t->nname; i++) {
		k = i > 0 && t->name[i].group == t->name[i - 1].group ? k + 1 :
		    0;
		if (k == 0 || k % CONF_CUT != 0)
			continue;
		fwrite(t->buf + from, 1, t->name[i].at - from, f);
		from = t->name[i].at;
		n += cut_write(t, t->name[i].group, k, f);
	}
	fwrite(t->buf + from, 1, t->len - from, f);
	return n;
}

char *
conf_text_cut(struct conf_text *t)
{
	char	*buf = NULL;
	size_t	 len, n;
	FILE	*f;

	if (t->nname <= CONF_CUT)
		return NULL;
	if ((f = open_memstream(&buf, &len)) == NULL)
		fatal("open_memstream");
	n = cut_all(t, f);
	if (fclose(f) != 0)
		fatal("open_memstream");
	if (n > 0)
		return buf;
	free(buf);
	return NULL;
}

size_t
conf_cut_base(const struct conf_text *t, const char *name)
{
	uint32_t	base;

	return conf_names_find(&t->cut, name, &base) ? base : 0;
}
