#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "render.h"
#include "table.h"

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

void
render_metrics(const json_t *doc)
{
	doc_metrics_text(stdout, doc, DOC_OPENMETRICS);
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
