#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/l4.h"
#include "render.h"
#include "table.h"

static void
add_date(struct table *t, json_int_t when)
{
	time_t		at = (time_t)when;
	struct tm	tm;
	char		text[16];

	if (gmtime_r(&at, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%d", &tm) > 0)
		table_add(t, "%s", text);
	else
		table_add(t, "-");
}

/* All that came, and how many more there are. */
static void
add_names(struct table *t, const json_t *c)
{
	const json_t	*names = member_array(c, "names");
	json_int_t	 more;
	char		*text = join_strings(names, " ");

	more = member_int(c, "names_total") - (json_int_t)json_array_size(names);
	if (more > 0)
		table_add(t, "%s +%" JSON_INTEGER_FORMAT, text, more);
	else
		table_add(t, "%s", *text != '\0' ? text : "-");
	free(text);
}

/* "renew 2026-12-01", "being had", or nothing. */
static void
add_next(struct table *t, const json_t *c)
{
	time_t		at = (time_t)member_int(c, "next_at");
	const char	*what = member_str(c, "next");
	struct tm	tm;
	char		text[24] = "";

	if (strcmp(what, "-") == 0 || *what == '\0')
		table_add(t, "-");
	else if (at > 0 && gmtime_r(&at, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) > 0)
		table_add(t, "%s %s", what, text);
	else
		table_add(t, "%s", what);
}

static void
add_certificate(struct table *t, const json_t *c)
{
	const char	*source = member_str(c, "source");
	char		 num[MEMBER_NUM_LEN];

	table_add(t, "%s", member_str(c, "holder"));
	table_add(t, "%s", strcmp(source, "files") == 0 ?
	    member_str(c, "chain") : source);
	table_add(t, "%s", member_str(c, "key_type"));
	add_date(t, member_int(c, "not_after"));
	table_add(t, "%s", member_num(c, "days_left", num));
	table_add(t, "%s", json_is_true(json_object_get(c, "self_signed")) ?
	    "itself" : member_str(c, "issuer"));
	add_next(t, c);
	add_names(t, c);
}

static void
print_error(const json_t *c)
{
	const json_t	*e = json_object_get(c, "last_error");

	if (json_string_length(e) == 0)
		return;
	printf("%s: last error: ", member_str(c, "holder"));
	print_escaped(json_string_value(e), json_string_length(e));
	putchar('\n');
}

void
render_certificates(const json_t *doc)
{
	static const char *const head[] = { "FOR", "SOURCE", "KEY", "EXPIRES",
	    ">DAYS", "ISSUER", "NEXT", "NAMES" };
	const json_t	*c, *w, *all = member_array(doc, "certificates");
	struct table	 t;
	size_t		 i, k;

	table_init(&t, head, nitems(head));
	json_array_foreach(all, i, c)
		add_certificate(&t, c);
	table_print(&t);
	json_array_foreach(all, i, c)
		print_error(c);
	json_array_foreach(all, i, c)
		json_array_foreach(member_array(c, "warnings"), k, w)
			if (json_is_string(w)) {
				printf("warning: ");
				print_escaped(json_string_value(w),
				    json_string_length(w));
				putchar('\n');
			}
}
