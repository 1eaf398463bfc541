#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/l4.h"
#include "httpdate.h"
#include "listing.h"

static const char	page_head[] =
"<!DOCTYPE html>\n"
"<html lang=\"en\">\n"
"<meta charset=\"utf-8\">\n"
"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
"<meta name=\"color-scheme\" content=\"light dark\">\n"
"<style>\n"
":root{--fg:#1c1e21;--bg:#fff;--dim:#5d646d;--line:#e2e5e9;--link:#0b57d0}\n"
"@media(prefers-color-scheme:dark){:root{--fg:#e3e5e8;--bg:#16181d;"
"--dim:#9aa2ad;--line:#2c3038;--link:#8ab4f8}}\n"
"body{font:1rem/1.5 system-ui,sans-serif;color:var(--fg);"
"background:var(--bg);max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
"h1{font-size:1.4rem;overflow-wrap:anywhere}\n"
"a{color:var(--link);text-decoration:none}"
"a:hover,a:focus-visible{text-decoration:underline}\n"
"p{color:var(--dim)}\n"
"table{width:100%;border-collapse:collapse;"
"font-variant-numeric:tabular-nums}\n"
"th{text-align:left;font-weight:600;white-space:nowrap}\n"
"th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line)}\n"
"td:first-child{overflow-wrap:anywhere}\n"
"th:nth-child(2),td:nth-child(2){text-align:right;white-space:nowrap}\n"
"td:nth-child(3){white-space:nowrap;color:var(--dim)}\n"
"tbody tr:hover{background:color-mix(in srgb,var(--link) 8%,transparent)}\n"
"@media(max-width:35rem){th:nth-child(3),td:nth-child(3){display:none}}\n"
"</style>\n";

static const struct {
	const char	*word, *title;
} columns[LIST__MAX] = {
	[LIST_NAME] = { "name", "Name" },
	[LIST_SIZE] = { "size", "Size" },
	[LIST_TIME] = { "time", "Changed" },
};

/* What is being written. */
struct text {
	char	*p;
	size_t	 len, size;
	bool	 bad;		/* no memory */
};

static void
put(struct text *t, const char *p, size_t n)
{
	size_t	 size = t->size;
	char	*grown;

	while (!t->bad && size - t->len < n)
		size = size == 0 ? 16384 : 2 * size;
	if (!t->bad && size != t->size) {
		grown = realloc(t->p, size);
		t->bad = grown == NULL;
		if (!t->bad) {
			t->p = grown;
			t->size = size;
		}
	}
	if (t->bad)
		return;
	memcpy(t->p + t->len, p, n);
	t->len += n;
}

static void
put_text(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static void __attribute__((format(printf, 2, 3)))
put_format(struct text *t, const char *fmt, ...)
{
	char	buf[256];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put_text(t, buf);
}

/* As text of HTML, also inside of quotes. */
static void
put_escaped(struct text *t, const char *s, size_t n)
{
	static const struct {
		char		 c;
		const char	*as;
	} special[] = {
		{ '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
		{ '"', "&quot;" }, { '\'', "&#39;" },
	};
	size_t	i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < nitems(special); k++)
			if (s[i] == special[k].c)
				break;
		if (k < nitems(special))
			put_text(t, special[k].as);
		else
			put(t, &s[i], 1);
	}
}

/* As a segment of a URL: what RFC 3986 2.3 leaves as it is, the rest escaped,
 * which is also safe inside of quotes. */
static void
put_segment(struct text *t, const char *s)
{
	static const char	plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *s != '\0'; s++) {
		if (strchr(plain, *s) != NULL)
			put(t, s, 1);
		else
			put_format(t, "%%%02X", (unsigned char)*s);
	}
}

static void
put_size(struct text *t, uint64_t n)
{
	static const char	units[] = "KMGTPE";
	double			v = (double)n;
	int			u = -1;

	if (n < 1024) {
		put_format(t, "%llu B", (unsigned long long)n);
		return;
	}
	for (; v >= 1024 && u < 5; u++)
		v /= 1024;
	put_format(t, v < 10 ? "%.1f %ciB" : "%.0f %ciB", v, units[u]);
}

static void
put_row(struct text *t, const struct list_item *i)
{
	char	iso[HTTPDATE_ISO_LEN + 1];

	/* "./": what looks like a scheme is none. */
	put_text(t, "<tr><td><a href=\"./");
	put_segment(t, i->name);
	put_text(t, i->dir ? "/\">" : "\">");
	put_escaped(t, i->name, strlen(i->name));
	put_text(t, i->dir ? "/</a><td>" : "</a><td>");
	if (i->dir)
		put_text(t, "<span aria-label=\"folder\">\u2014</span>");
	else
		put_size(t, i->size);
	httpdate_iso(iso, i->mtime);
	put_format(t, "<td><time datetime=\"%s\">%.10s %.5s</time>\n", iso,
	    iso, iso + 11);
}

/* Each folder on the way is a link, relative, so that it holds wherever the
 * site is mounted by a proxy before us. */
static void
put_crumbs(struct text *t, const char *rel)
{
	const char	*s, *end;
	size_t		 depth = rel[0] != '\0', i;

	for (s = rel; *s != '\0'; s++)
		depth += *s == '/';
	put_text(t, "<nav aria-label=\"Path\"><h1><a href=\"./");
	for (i = 0; i < depth; i++)
		put_text(t, "../");
	put_text(t, "\">/</a>");
	for (s = rel; *s != '\0'; s = *end == '\0' ? end : end + 1) {
		end = strchrnul(s, '/');
		put_text(t, "<a href=\"./");
		for (i = 1; i < depth; i++)
			put_text(t, "../");
		depth--;
		put_text(t, *end == '\0' ? "\" aria-current=\"page\">" :
		    "\">");
		put_escaped(t, s, (size_t)(end - s));
		put_text(t, "/</a>");
	}
	put_text(t, "</h1></nav>\n");
}

/* The other order of a column is behind its title. */
static void
put_columns(struct text *t, const struct list_order *o)
{
	size_t	i;
	bool	mine;

	for (i = 0; i < LIST__MAX; i++) {
		mine = i == (size_t)o->key;
		put_text(t, "<th scope=\"col\"");
		if (mine)
			put_format(t, " aria-sort=\"%s\"", o->desc ?
			    "descending" : "ascending");
		put_format(t, "><a href=\"?sort=%s&amp;order=%s\">%s</a>%s",
		    columns[i].word, mine && !o->desc ? "desc" : "asc",
		    columns[i].title, !mine ? "" : o->desc ?
		    " <span aria-hidden=\"true\">\u2193</span>" :
		    " <span aria-hidden=\"true\">\u2191</span>");
	}
}

static void
put_counts(struct text *t, const struct listing *l)
{
	size_t	i, dirs = 0, files;

	for (i = 0; i < l->n; i++)
		dirs += l->v[i].dir;
	files = l->n - dirs;
	put_format(t, "<p>%zu folder%s, %zu file%s%s</p>\n", dirs,
	    dirs == 1 ? "" : "s", files, files == 1 ? "" : "s",
	    l->more ? "; there are more, which this list leaves out" : "");
}

char *
list_page(const struct listing *l, size_t *len)
{
	struct text	t = { NULL, 0, 0, false };
	size_t		i;

	put(&t, page_head, sizeof(page_head) - 1);
	put_text(&t, "<title>/");
	put_escaped(&t, l->rel, strlen(l->rel));
	put_text(&t, "</title>\n");
	put_crumbs(&t, l->rel);
	put_text(&t, "<main>\n");
	put_counts(&t, l);
	put_text(&t, "<table>\n<thead><tr>");
	put_columns(&t, &l->order);
	put_text(&t, "\n<tbody>\n");
	if (l->rel[0] != '\0')
		put_text(&t, "<tr><td><a href=\"../\">Parent folder</a>"
		    "<td><td>\n");
	for (i = 0; i < l->n; i++)
		put_row(&t, &l->v[i]);
	put_text(&t, "</table>\n</main>\n</html>\n");
	if (t.bad) {
		free(t.p);
		return NULL;
	}
	*len = t.len;
	return t.p;
}

void
list_order_parse(struct list_order *o, struct str query)
{
	struct str	 item;
	const char	*amp;
	size_t		 i;

	*o = (struct list_order){ LIST_NAME, false };
	while (query.n > 0) {
		amp = memchr(query.p, '&', query.n);
		item = query;
		if (amp != NULL)
			item.n = (size_t)(amp - query.p);
		query.n -= item.n + (amp != NULL);
		query.p += item.n + (amp != NULL);
		if (str_eq(item, STR("order=desc")))
			o->desc = true;
		for (i = 0; item.n > 5 && i < LIST__MAX; i++)
			if (memcmp(item.p, "sort=", 5) == 0 &&
			    str_eq((struct str){ item.p + 5, item.n - 5 },
			    (struct str){ columns[i].word,
			    strlen(columns[i].word) }))
				o->key = (enum list_key)i;
	}
}

static int
item_compare(const void *a, const void *b, void *arg)
{
	const struct list_order	*o = arg;
	const struct list_item	*x = a, *y = b;
	int			 cmp = 0;

	if (x->dir != y->dir)
		return x->dir ? -1 : 1;
	if (o->key == LIST_SIZE && !x->dir)
		cmp = (x->size > y->size) - (x->size < y->size);
	else if (o->key == LIST_TIME)
		cmp = (x->mtime > y->mtime) - (x->mtime < y->mtime);
	if (cmp == 0)
		cmp = strcasecmp(x->name, y->name);
	if (cmp == 0)
		cmp = strcmp(x->name, y->name);
	return o->desc ? -cmp : cmp;
}

void
list_sort(struct listing *l)
{
	if (l->n > 0)
		qsort_r(l->v, l->n, sizeof(*l->v), item_compare, &l->order);
}
