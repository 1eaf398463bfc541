#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "render.h"
#include "table.h"

static const char *
or_dash(const char *s)
{
	return *s == '\0' ? "-" : s;
}

static void
sessions_row(struct table *t, const json_t *s)
{
	char	age[AGE_LEN], size[SIZE_LEN];

	table_add(t, "%s", member_str(s, "id"));
	table_add(t, "%s", format_age(member_real(s, "age_s"), age));
	table_add(t, "%s", member_str(s, "client"));
	table_add(t, "%s", member_str(s, "target"));
	table_add(t, "%s", or_dash(member_str(s, "sni")));
	table_add(t, "%s", format_bytes(member_int(s, "in"), size));
	table_add(t, "%s", format_bytes(member_int(s, "out"), size));
	table_add(t, "%s", member_str(s, "state"));
}

/* The list may be incomplete; that is no failure, but must be seen. */
static void
sessions_gaps(const json_t *doc)
{
	const json_t	*silent = member_array(doc, "silent");
	char		*names;

	if (json_array_size(silent) > 0) {
		names = join_strings(silent, ", ");
		fflush(stdout);
		fprintf(stderr, "l4muxctl: no answer from ");
		fescaped(stderr, names);
		fputc('\n', stderr);
		free(names);
	}
	if (member_int(doc, "left_out") > 0)
		warnx("%" JSON_INTEGER_FORMAT " connections more are not "
		    "listed", member_int(doc, "left_out"));
}

void
render_sessions(const json_t *doc)
{
	static const char *const head[] = { "ID", ">AGE", "CLIENT", "TARGET",
	    "SNI", ">IN", ">OUT", "STATE" };
	const json_t	*s;
	struct table	 t;
	size_t		 i;

	table_init(&t, head, nitems(head));
	json_array_foreach(member_array(doc, "sessions"), i, s)
		sessions_row(&t, s);
	table_print(&t);
	sessions_gaps(doc);
}
