#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "render.h"
#include "table.h"

static void
print_member(const char *label, const char *value)
{
	printf("%s", label);
	print_escaped(value, strlen(value));
}

/* "l4mux 0.1.0  running  up 3m 12s  pid 17  generation 1" and one line more. */
static void
status_head(const json_t *doc)
{
	const json_t	*l;
	char		 age[AGE_LEN];
	size_t		 i;

	print_member("l4mux ", member_str(doc, "version"));
	print_member("  ", member_str(doc, "state"));
	printf("  up %s  pid %" JSON_INTEGER_FORMAT "  generation %"
	    JSON_INTEGER_FORMAT "\n",
	    format_age(member_real(doc, "uptime_s"), age),
	    member_int(doc, "pid"), member_int(doc, "generation"));
	print_member("config ", member_str(doc, "config"));
	print_member("  sandbox ", member_str(doc, "sandbox"));
	if (!json_is_true(json_object_get(doc, "privileged")))
		printf(", not root");
	printf("  listen");
	json_array_foreach(member_array(doc, "listeners"), i, l)
		print_member(" ", member_str(l, "name"));
	if (json_is_string(json_object_get(doc, "metrics")))
		print_member("  metrics ", member_str(doc, "metrics"));
	putchar('\n');
}

static void
status_warnings(const json_t *doc)
{
	const json_t	*w;
	size_t		 i;

	json_array_foreach(member_array(doc, "warnings"), i, w)
		if (json_is_string(w)) {
			print_member("warning: ", json_string_value(w));
			putchar('\n');
		}
}

/* Only worth a line while there is more than one. */
static void
status_generations(const json_t *doc)
{
	const json_t	*g, *all = member_array(doc, "generations");
	char		 age[AGE_LEN];
	size_t		 i;

	if (json_array_size(all) < 2)
		return;
	json_array_foreach(all, i, g) {
		printf("generation %" JSON_INTEGER_FORMAT,
		    member_int(g, "id"));
		print_member(": ", member_str(g, "state"));
		printf(", %s, %" JSON_INTEGER_FORMAT " processes\n",
		    format_age(member_real(g, "age_s"), age),
		    member_int(g, "processes"));
	}
}

static void
status_rate(struct table *t, const json_t *rate)
{
	if (json_is_number(rate))
		table_add(t, "%.1f", json_number_value(rate));
	else
		table_add(t, "-");
}

static void
status_targets(const json_t *doc)
{
	static const char *const head[] = { "TARGET", "KIND", ">LIVE",
	    ">TOTAL", ">FAILED", ">NEW/S", "HEALTH" };
	static const char *const count[] = { "live", "total", "failed" };
	const json_t	*o;
	struct table	 t;
	char		 num[MEMBER_NUM_LEN], health[HEALTH_LEN];
	size_t		 i, k;

	table_init(&t, head, nitems(head));
	json_array_foreach(member_array(doc, "targets"), i, o) {
		table_add(&t, "%s", member_str(o, "name"));
		table_add(&t, "%s", member_str(o, "kind"));
		for (k = 0; k < nitems(count); k++)
			table_add(&t, "%s", member_num(o, count[k], num));
		status_rate(&t, json_object_get(o, "rate"));
		table_add(&t, "%s", format_health(o, health));
	}
	if (t.ncells > 0)
		putchar('\n');
	table_print(&t);
}

static void
status_process(struct table *t, const json_t *p)
{
	char	name[PROCESS_NAME_LEN], num[MEMBER_NUM_LEN], age[AGE_LEN],
		mem[SIZE_LEN];

	table_add(t, "%s", format_process(p, name));
	table_add(t, "%s", member_num(p, "pid", num));
	table_add(t, "%s", member_num(p, "generation", num));
	table_add(t, "%s", member_str(p, "state"));
	table_add(t, "%s", format_age(member_real(p, "uptime_s"), age));
	table_add(t, "%s", member_num(p, "restarts", num));
	table_add(t, "%s", member_num(p, "live", num));
	table_add(t, "%s", member_num(p, "total", num));
	table_add(t, "%s", format_age((double)member_int(p, "cpu_ms") / 1000,
	    age));
	table_add(t, "%s", format_kib(member_int(p, "rss_kib"), mem));
}

static void
status_processes(const json_t *processes)
{
	static const char *const head[] = { "PROCESS", ">PID", ">GEN", "STATE",
	    ">UP", ">DIED", ">LIVE", ">TOTAL", ">CPU", ">MEM" };
	const json_t	*p;
	struct table	 t;
	size_t		 i;

	table_init(&t, head, nitems(head));
	json_array_foreach(processes, i, p)
		if (strcmp(member_str(p, "state"), "gone") != 0)
			status_process(&t, p);
	if (t.ncells > 0)
		putchar('\n');
	table_print(&t);
}

/* Has an earlier process of the same role the same mechanisms? */
static bool
sandbox_seen(const json_t *processes, size_t until, const json_t *p)
{
	const json_t	*q;
	size_t		 i;

	json_array_foreach(processes, i, q) {
		if (i == until)
			break;
		if (strcmp(member_str(p, "role"), member_str(q, "role")) == 0 &&
		    json_equal(json_object_get(p, "mechanisms"),
		    json_object_get(q, "mechanisms")))
			return true;
	}
	return false;
}

/* One line per role, more where its processes differ. */
static void
status_sandbox(const json_t *processes)
{
	static const char *const head[] = { "SANDBOX", "IN FORCE" };
	const json_t	*p;
	struct table	 t;
	char		*text;
	size_t		 i;

	table_init(&t, head, nitems(head));
	json_array_foreach(processes, i, p) {
		if (member_int(p, "pid") == 0 ||
		    sandbox_seen(processes, i, p))
			continue;
		text = join_strings(member_array(p, "mechanisms"), " ");
		table_add(&t, "%s", member_str(p, "role"));
		table_add(&t, "%s", *text == '\0' ? "-" : text);
		free(text);
	}
	if (t.ncells > 0)
		putchar('\n');
	table_print(&t);
}

void
render_status(const json_t *doc)
{
	const json_t	*processes = member_array(doc, "processes");

	status_head(doc);
	status_warnings(doc);
	status_generations(doc);
	status_targets(doc);
	status_processes(processes);
	status_sandbox(processes);
}
