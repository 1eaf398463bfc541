#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "page.h"

static void
put_char(FILE *f, char c)
{
	switch (c) {
	case '&':
		fputs("&amp;", f);
		break;
	case '<':
		fputs("&lt;", f);
		break;
	case '>':
		fputs("&gt;", f);
		break;
	case '"':
		fputs("&quot;", f);
		break;
	case '\'':
		fputs("&#39;", f);
		break;
	default:
		putc(c, f);
	}
}

void
html_text(FILE *f, const char *s)
{
	char	safe[8], *p;

	for (; *s != '\0'; s++) {
		log_escape(safe, sizeof(safe), s, 1);
		for (p = safe; *p != '\0'; p++)
			put_char(f, *p);
	}
}

void
html_section(FILE *f, const char *id, const char *title)
{
	fprintf(f, "<section id=\"%s\" aria-labelledby=\"h-%s\">\n"
	    "<h2 id=\"h-%s\">%s</h2>\n", id, id, id, title);
}

void
html_table(struct html_table *t, FILE *f, const char *id, const char *title,
    const struct column *col, size_t ncols)
{
	size_t	i;

	*t = (struct html_table){ .f = f, .col = col, .ncols = ncols };
	html_section(f, id, title);
	fprintf(f, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
	    "aria-labelledby=\"h-%s\">\n<table>\n<thead><tr>", id);
	for (i = 0; i < ncols; i++)
		fprintf(f, "<th scope=\"col\" class=\"%s\">%s</th>",
		    col[i].class, col[i].head);
	fputs("</tr></thead>\n<tbody>\n", f);
}

static void
cell_open(struct html_table *t)
{
	if (t->at == 0)
		fprintf(t->f, "<tr><th scope=\"row\" class=\"%s\">",
		    t->col[0].class);
	else
		fprintf(t->f, "<td class=\"%s\">", t->col[t->at].class);
}

static void
cell_close(struct html_table *t)
{
	fputs(t->at == 0 ? "</th>" : "</td>", t->f);
	if (++t->at < t->ncols)
		return;
	fputs("</tr>\n", t->f);
	t->at = 0;
	t->rows++;
}

void
html_cell(struct html_table *t, const char *fmt, ...)
{
	va_list	 ap;
	char	*s = NULL;

	cell_open(t);
	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) == -1)
		fatal("vasprintf");
	va_end(ap);
	html_text(t->f, s);
	free(s);
	cell_close(t);
}

void
html_state(struct html_table *t, const char *how, const char *text)
{
	cell_open(t);
	fprintf(t->f, "<span class=\"state %s\">", how);
	html_text(t->f, text);
	fputs("</span>", t->f);
	cell_close(t);
}

void
html_bar(struct html_table *t, const char *text, double share)
{
	cell_open(t);
	html_text(t->f, text);
	fprintf(t->f, "<svg class=\"bar\" viewBox=\"0 0 100 8\" "
	    "preserveAspectRatio=\"none\" aria-hidden=\"true\">"
	    "<rect width=\"%.1f\" height=\"8\"/></svg>",
	    share < 0 ? 0 : share > 1 ? 100 : share * 100);
	cell_close(t);
}

void
html_table_end(struct html_table *t, const char *note)
{
	if (t->rows == 0)
		fprintf(t->f, "<tr><td class=\"none\" colspan=\"%zu\">%s</td>"
		    "</tr>\n", t->ncols, note);
	fputs("</tbody>\n</table>\n</div>\n</section>\n", t->f);
}
