#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "table.h"

#define TABLE_GAP	2	/* spaces between columns */

void
table_init(struct table *t, const char *const *head, size_t ncols)
{
	memset(t, 0, sizeof(*t));
	t->head = head;
	t->ncols = ncols;
}

/* An escaped copy. */
static char *
escaped(const char *s, size_t len)
{
	char	*p;

	if ((p = calloc(len + 1, 4)) == NULL)
		err(1, NULL);
	log_escape(p, (len + 1) * 4, s, len);
	return p;
}

void
table_add(struct table *t, const char *fmt, ...)
{
	va_list	 ap;
	char	*s;
	int	 len;

	if (t->ncells == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->cell = reallocarray(t->cell, t->cap, sizeof(*t->cell));
		if (t->cell == NULL)
			err(1, NULL);
	}
	va_start(ap, fmt);
	if ((len = vasprintf(&s, fmt, ap)) == -1)
		err(1, NULL);
	va_end(ap);
	t->cell[t->ncells++] = escaped(s, (size_t)len);
	free(s);
}

static const char *
table_head(const struct table *t, size_t col)
{
	return t->head[col] + (t->head[col][0] == '>');
}

static size_t
table_width(const struct table *t, size_t col)
{
	size_t	i, w = strlen(table_head(t, col));

	for (i = col; i < t->ncells; i += t->ncols)
		if (strlen(t->cell[i]) > w)
			w = strlen(t->cell[i]);
	return w;
}

static void
table_cell(const struct table *t, size_t col, int width, const char *s)
{
	if (t->head[col][0] == '>')
		printf("%*s", width, s);
	else if (col + 1 == t->ncols)
		printf("%s", s);
	else
		printf("%-*s", width, s);
	printf("%*s", col + 1 == t->ncols ? 0 : TABLE_GAP, "");
}

void
table_print(struct table *t)
{
	size_t	 i, col;
	int	*width;

	if (t->ncells == 0)
		goto out;
	if ((width = calloc(t->ncols, sizeof(*width))) == NULL)
		err(1, NULL);
	for (col = 0; col < t->ncols; col++) {
		width[col] = (int)table_width(t, col);
		table_cell(t, col, width[col], table_head(t, col));
	}
	putchar('\n');
	for (i = 0; i < t->ncells; i++) {
		col = i % t->ncols;
		table_cell(t, col, width[col], t->cell[i]);
		if (col + 1 == t->ncols)
			putchar('\n');
		free(t->cell[i]);
	}
	free(width);
out:
	free(t->cell);
	t->cell = NULL;
	t->ncells = t->cap = 0;
}

void
fescaped(FILE *f, const char *s)
{
	char	*p = escaped(s, strlen(s));

	fputs(p, f);
	free(p);
}

void
print_escaped(const char *s, size_t len)
{
	char	*p = escaped(s, len);

	fputs(p, stdout);
	free(p);
}
