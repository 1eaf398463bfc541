#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "render.h"
#include "table.h"

const char *
member_str(const json_t *o, const char *key)
{
	const char	*s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

json_int_t
member_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

double
member_real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

const json_t *
member_array(const json_t *o, const char *key)
{
	/* Functions of jansson take NULL for an array of no elements. */
	const json_t	*a = json_object_get(o, key);

	return json_is_array(a) ? a : NULL;
}

const char *
member_num(const json_t *o, const char *key, char dst[MEMBER_NUM_LEN])
{
	const json_t	*v = json_object_get(o, key);

	if (json_is_integer(v))
		snprintf(dst, MEMBER_NUM_LEN, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
	else
		snprintf(dst, MEMBER_NUM_LEN, "-");
	return dst;
}

char *
join_strings(const json_t *array, const char *sep)
{
	const json_t	*v;
	char		*buf = NULL;
	size_t		 i, size = 0;
	FILE		*f;

	if ((f = open_memstream(&buf, &size)) == NULL)
		err(1, NULL);
	json_array_foreach(array, i, v)
		fprintf(f, "%s%s", i == 0 ? "" : sep,
		    json_is_string(v) ? json_string_value(v) : "-");
	if (fclose(f) == EOF)
		err(1, NULL);
	return buf;
}

const char *
format_age(double s, char dst[AGE_LEN])
{
	static const struct {
		unsigned int	 secs;
		const char	*big;
		unsigned int	 part;
		const char	*small;
	} unit[] = {
		{ 86400, "d", 3600, "h" }, { 3600, "h", 60, "m" },
		{ 60, "m", 1, "s" },
	};
	unsigned long	t = s < 0 || s > 1e12 ? 0 : (unsigned long)s;
	size_t		i;

	for (i = 0; i < nitems(unit); i++)
		if (t >= unit[i].secs) {
			snprintf(dst, AGE_LEN, "%lu%s %lu%s",
			    t / unit[i].secs, unit[i].big,
			    t % unit[i].secs / unit[i].part, unit[i].small);
			return dst;
		}
	if (s < 10)
		snprintf(dst, AGE_LEN, "%.2fs", s);
	else
		snprintf(dst, AGE_LEN, "%lus", t);
	return dst;
}

const char *
format_kib(json_int_t kib, char dst[SIZE_LEN])
{
	if (kib < 1024)
		snprintf(dst, SIZE_LEN, "%lluK", (unsigned long long)kib);
	else if (kib < 1024 * 1024)
		snprintf(dst, SIZE_LEN, "%.1fM", (double)kib / 1024);
	else
		snprintf(dst, SIZE_LEN, "%.2fG", (double)kib / 1024 / 1024);
	return dst;
}

const char *
format_bytes(json_int_t bytes, char dst[SIZE_LEN])
{
	if (bytes >= 1024 * 1024)
		return format_kib(bytes / 1024, dst);
	if (bytes >= 1024)
		snprintf(dst, SIZE_LEN, "%.1fK", (double)bytes / 1024);
	else
		snprintf(dst, SIZE_LEN, "%llu", (unsigned long long)bytes);
	return dst;
}

static void
render_hits(struct table *t, const json_t *o)
{
	char	num[MEMBER_NUM_LEN];

	table_add(t, "%s", member_num(o, "hits", num));
}

static void
render_names(struct table *t, const json_t *names)
{
	const json_t	*n;
	char		*text;
	size_t		 i;

	json_array_foreach(names, i, n) {
		text = join_strings(member_array(n, "names"), " ");
		table_add(t, "name");
		table_add(t, "%s", text);
		table_add(t, "%s", member_str(n, "site"));
		render_hits(t, n);
		free(text);
	}
}

void
render_routes(const json_t *doc)
{
	static const char *const head[] = { "RULE", "CONNECTION", "TO",
	    ">HITS" };
	static const char *const fallback[] = { "unknown", "silent",
	    "malformed", "oversized" };
	const json_t	*r, *f = json_object_get(doc, "fallback");
	struct table	 t;
	char		 num[MEMBER_NUM_LEN];
	size_t		 i;

	table_init(&t, head, nitems(head));
	json_array_foreach(member_array(doc, "routes"), i, r) {
		table_add(&t, "%s", member_num(r, "rule", num));
		table_add(&t, "%s", member_str(r, "text"));
		table_add(&t, "%s", member_str(r, "to"));
		render_hits(&t, r);
	}
	render_names(&t, member_array(doc, "names"));
	for (i = 0; i < nitems(fallback); i++) {
		r = json_object_get(f, fallback[i]);
		table_add(&t, "fallback");
		table_add(&t, "%s", fallback[i]);
		table_add(&t, "%s", member_str(r, "to"));
		render_hits(&t, r);
	}
	table_print(&t);
}

static void
render_counts(struct table *t, const json_t *o)
{
	char	live[MEMBER_NUM_LEN], total[MEMBER_NUM_LEN],
		failed[MEMBER_NUM_LEN];

	table_add(t, "%s", member_num(o, "live", live));
	table_add(t, "%s", member_num(o, "total", total));
	table_add(t, "%s", member_num(o, "failed", failed));
}

void
render_upstreams(const json_t *doc)
{
	static const char *const head[] = { "UPSTREAM", "ADDRESS", "STATE",
	    ">LIVE", ">TOTAL", ">FAILED", "PROXY", "BALANCE" };
	const json_t	*u, *b;
	struct table	 t;
	size_t		 i, k;

	table_init(&t, head, nitems(head));
	json_array_foreach(member_array(doc, "upstreams"), i, u)
		json_array_foreach(member_array(u, "backends"), k, b) {
			table_add(&t, "%s", k == 0 ? member_str(u, "name") :
			    "");
			table_add(&t, "%s", member_str(b, "address"));
			table_add(&t, "%s", member_str(b, "state"));
			render_counts(&t, b);
			table_add(&t, "%s", member_str(u, "send_proxy"));
			table_add(&t, "%s", member_str(u, "balance"));
		}
	table_print(&t);
}

static void
render_verdict(const json_t *doc)
{
	const char	*to = member_str(doc, "to");
	const char	*why = member_str(doc, "reason");

	if (strcmp(member_str(doc, "verdict"), "wait") == 0) {
		printf("not decided: the rules wait for %" JSON_INTEGER_FORMAT
		    " bytes\n", member_int(doc, "need"));
		return;
	}
	print_escaped(to, strlen(to));
	printf("  (");
	print_escaped(why, strlen(why));
	if (member_int(doc, "line") > 0)
		printf(", line %" JSON_INTEGER_FORMAT,
		    member_int(doc, "line"));
	printf(")\n");
}

void
render_explain(const json_t *doc)
{
	static const char *const head[] = { "RULE", "CONNECTION", "TO",
	    "RESULT" };
	const json_t	*r;
	struct table	 t;
	const char	*no;
	char		 num[MEMBER_NUM_LEN];
	size_t		 i;

	render_verdict(doc);
	table_init(&t, head, nitems(head));
	json_array_foreach(member_array(doc, "rules"), i, r) {
		no = member_str(r, "no");
		table_add(&t, "%s", member_num(r, "rule", num));
		table_add(&t, "%s", member_str(r, "text"));
		table_add(&t, "%s", member_str(r, "to"));
		table_add(&t, "%s%s", *no == '\0' ? "takes it" : "no: ", no);
	}
	if (t.ncells > 0)
		putchar('\n');
	table_print(&t);
	if (member_int(doc, "rules_left_out") > 0)
		printf("and %" JSON_INTEGER_FORMAT " rules more\n",
		    member_int(doc, "rules_left_out"));
}

/* The outcome of reload and upgrade. */
void
render_generation(const json_t *doc)
{
	printf("generation %" JSON_INTEGER_FORMAT " has taken over\n",
	    member_int(doc, "generation"));
}

/* Done; there is nothing to say. */
void
render_nothing(const json_t *doc)
{
	(void)doc;
}

void
render_stop(const json_t *doc)
{
	printf("stopping, pid %" JSON_INTEGER_FORMAT "\n",
	    member_int(doc, "pid"));
}
