#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "common/l4.h"
#include "page.h"

#define DECISIONS_MAX	100

static void
number_cell(struct html_table *t, const json_t *o, const char *key)
{
	char	num[MEMBER_NUM_LEN];

	html_cell(t, "%s", member_num(o, key, num));
}

static double
largest(const json_t *all, const char *key)
{
	const json_t	*o;
	double		 max = 0;
	size_t		 i;

	json_array_foreach(all, i, o)
		if (member_real(o, key) > max)
			max = member_real(o, key);
	return max;
}

/* A number with three digits at least where it is small. */
static void
bar_cell(struct html_table *t, const json_t *o, const char *key, double max,
    const char *fmt)
{
	const json_t	*v = json_object_get(o, key);
	char		 text[32] = "-";

	if (json_is_number(v))
		snprintf(text, sizeof(text), strcmp(fmt, "real") == 0 ?
		    "%.1f" : "%.0f", json_number_value(v));
	html_bar(t, text, max > 0 ? json_number_value(v) / max : 0);
}

static void
health_cell(struct html_table *t, const json_t *target)
{
	char		health[HEALTH_LEN];
	json_int_t	all = member_int(target, "backends");
	json_int_t	up = member_int(target, "up");

	format_health(target, health);
	if (all == 0)
		html_cell(t, "%s", health);
	else if (member_int(target, "unknown") == all)
		html_state(t, "idle", health);
	else
		html_state(t, up == all ? "good" : up == 0 ? "bad" : "busy",
		    health);
}

void
page_targets(FILE *f, const json_t *status)
{
	static const struct column	 col[] = {
		{ "Target", "" }, { "Kind", "opt" }, { "Live", "n" },
		{ "Total", "n" }, { "Failed", "n opt" },
		{ "New a second", "n bars" }, { "Health", "" },
	};
	const json_t		*all = member_array(status, "targets"), *o;
	struct html_table	 t;
	double			 max = largest(all, "rate");
	size_t			 i;

	html_table(&t, f, "targets", "Targets", col, nitems(col));
	json_array_foreach(all, i, o) {
		html_cell(&t, "%s", member_str(o, "name"));
		html_cell(&t, "%s", member_str(o, "kind"));
		number_cell(&t, o, "live");
		number_cell(&t, o, "total");
		number_cell(&t, o, "failed");
		bar_cell(&t, o, "rate", max, "real");
		health_cell(&t, o);
	}
	html_table_end(&t, "No site and no upstream is configured.");
}

static const char *
backend_mood(const char *state)
{
	if (strcmp(state, "up") == 0)
		return "good";
	return strcmp(state, "down") == 0 ? "bad" : "idle";
}

void
page_backends(FILE *f, const json_t *upstreams)
{
	static const struct column	 col[] = {
		{ "Upstream", "" }, { "Address", "" }, { "State", "" },
		{ "Live", "n opt" }, { "Total", "n opt" }, { "Failed", "n" },
	};
	const json_t		*u, *b;
	struct html_table	 t;
	size_t			 i, k;

	html_table(&t, f, "upstreams", "Upstream addresses", col, nitems(col));
	json_array_foreach(member_array(upstreams, "upstreams"), i, u)
		json_array_foreach(member_array(u, "backends"), k, b) {
			html_cell(&t, "%s", member_str(u, "name"));
			html_cell(&t, "%s", member_str(b, "address"));
			html_state(&t, backend_mood(member_str(b, "state")),
			    member_str(b, "state"));
			number_cell(&t, b, "live");
			number_cell(&t, b, "total");
			number_cell(&t, b, "failed");
		}
	html_table_end(&t, "No upstream is configured.");
}

static void
decision_row(struct html_table *t, const json_t *o, double max,
    const char *what, const char *to)
{
	html_cell(t, "%s", what);
	html_cell(t, "%s", to);
	bar_cell(t, o, "hits", max, "int");
}

/* As many of them as there is room for. */
static void
names_text(const json_t *all, char *dst, size_t size)
{
	const json_t	*v;
	size_t		 i, len = 0, need;

	dst[0] = '\0';
	json_array_foreach(all, i, v) {
		need = json_string_length(v) + 1;
		if (len + need + sizeof(" ...") > size) {
			strlcat(dst, " ...", size);
			return;
		}
		len = strlcat(dst, i == 0 ? "" : " ", size);
		len = strlcat(dst, json_is_string(v) ? json_string_value(v) :
		    "-", size);
	}
}

static void
decision_names(struct html_table *t, const json_t *routes, double max)
{
	const json_t	*o;
	char		 text[160];
	size_t		 i;

	json_array_foreach(member_array(routes, "names"), i, o) {
		if (t->rows >= DECISIONS_MAX)
			return;
		names_text(member_array(o, "names"), text, sizeof(text));
		decision_row(t, o, max, text, member_str(o, "site"));
	}
}

/* Rules, names and fallbacks, in the order in which they are tried. */
void
page_decisions(FILE *f, const json_t *routes)
{
	static const struct column	 col[] = {
		{ "Connection", "text" }, { "To", "" },
		{ "Connections", "n bars" },
	};
	const json_t		*all = member_array(routes, "routes"), *o;
	json_t			*rest = json_object_get(routes, "fallback");
	struct html_table	 t;
	const char		*key;
	double			 max = largest(all, "hits"), names;
	size_t			 i;

	names = largest(member_array(routes, "names"), "hits");
	max = names > max ? names : max;
	json_object_foreach(rest, key, o)
		max = member_real(o, "hits") > max ? member_real(o, "hits") :
		    max;
	html_table(&t, f, "decisions", "Why connections went there", col,
	    nitems(col));
	json_array_foreach(all, i, o)
		if (i < DECISIONS_MAX)
			decision_row(&t, o, max, member_str(o, "text"),
			    member_str(o, "to"));
	decision_names(&t, routes, max);
	json_object_foreach(rest, key, o) {
		html_cell(&t, "fallback: %s", key);
		html_cell(&t, "%s", member_str(o, "to"));
		bar_cell(&t, o, "hits", max, "int");
	}
	html_table_end(&t, "-");
}

static const char *
process_mood(const char *state)
{
	if (strcmp(state, "running") == 0)
		return "good";
	return strcmp(state, "waiting") == 0 ? "bad" : "busy";
}

/* What keeps it in, as one word each. */
static void
sandbox_cell(struct html_table *t, const json_t *p)
{
	const json_t	*all = member_array(p, "mechanisms");
	char		 text[160];

	names_text(all, text, sizeof(text));
	html_cell(t, "%s", text[0] == '\0' ? "-" : text);
}

static void
process_row(struct html_table *t, const json_t *p)
{
	char	name[PROCESS_NAME_LEN], text[AGE_LEN];

	html_cell(t, "%s", format_process(p, name));
	number_cell(t, p, "pid");
	number_cell(t, p, "generation");
	html_state(t, process_mood(member_str(p, "state")),
	    member_str(p, "state"));
	html_cell(t, "%s", format_age(member_real(p, "uptime_s"), text));
	number_cell(t, p, "restarts");
	number_cell(t, p, "live");
	number_cell(t, p, "total");
	html_cell(t, "%s", format_age((double)member_int(p, "cpu_ms") / 1000,
	    text));
	html_cell(t, "%s", format_kib(member_int(p, "rss_kib"), text));
	sandbox_cell(t, p);
}

void
page_processes(FILE *f, const json_t *status)
{
	static const struct column	 col[] = {
		{ "Process", "" }, { "Pid", "n opt" },
		{ "Generation", "n opt" }, { "State", "" }, { "Up", "n opt" },
		{ "Died", "n opt" }, { "Live", "n" }, { "Total", "n opt" },
		{ "CPU", "n" }, { "Memory", "n" },
		{ "Sandbox in force", "text small opt" },
	};
	const json_t		*p;
	struct html_table	 t;
	size_t			 i;

	html_table(&t, f, "processes", "Processes", col, nitems(col));
	json_array_foreach(member_array(status, "processes"), i, p)
		if (strcmp(member_str(p, "state"), "gone") != 0)
			process_row(&t, p);
	html_table_end(&t, "-");
}

void
page_generations(FILE *f, const json_t *status)
{
	static const struct column	 col[] = {
		{ "Generation", "" }, { "State", "" }, { "Since", "n" },
		{ "Processes", "n" },
	};
	const json_t		*g;
	struct html_table	 t;
	char			 age[AGE_LEN];
	size_t			 i;

	html_table(&t, f, "generations", "Generations", col, nitems(col));
	json_array_foreach(member_array(status, "generations"), i, g) {
		number_cell(&t, g, "id");
		html_state(&t, process_mood(member_str(g, "state")),
		    member_str(g, "state"));
		html_cell(&t, "%s", format_age(member_real(g, "age_s"), age));
		number_cell(&t, g, "processes");
	}
	html_table_end(&t, "-");
}

/* "2026-12-24, 29 days"; 0 days is the last of them. */
static void
expiry_cell(struct html_table *t, const json_t *c)
{
	json_int_t	days = member_int(c, "days_left");
	time_t		end = (time_t)member_int(c, "not_after");
	char		text[64];
	struct tm	tm;

	if (gmtime_r(&end, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	snprintf(text, sizeof(text), "%d-%02d-%02d, %" JSON_INTEGER_FORMAT
	    " days", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, days);
	html_state(t, days < 0 ? "bad" :
	    json_array_size(member_array(c, "warnings")) > 0 ? "busy" : "good",
	    text);
}

void
page_certificates(FILE *f, const json_t *certificates)
{
	static const struct column	 col[] = {
		{ "Of", "" }, { "Key", "opt" }, { "Issuer", "text" },
		{ "Expires", "" },
	};
	const json_t		*c;
	struct html_table	 t;
	size_t			 i;

	html_table(&t, f, "certificates", "Certificates", col, nitems(col));
	json_array_foreach(member_array(certificates, "certificates"), i, c) {
		html_cell(&t, "%s", member_str(c, "holder"));
		html_cell(&t, "%s", member_str(c, "key_type"));
		html_cell(&t, "%s", json_is_true(json_object_get(c,
		    "self_signed")) ? "self-signed" : member_str(c, "issuer"));
		expiry_cell(&t, c);
	}
	html_table_end(&t, "No TLS ends here.");
}

static void
session_row(struct html_table *t, const json_t *s)
{
	const char	*sni = member_str(s, "sni");
	char		 age[AGE_LEN], size[SIZE_LEN];

	html_cell(t, "%s", member_str(s, "client"));
	html_cell(t, "%s", member_str(s, "target"));
	html_cell(t, "%s", *sni == '\0' ? "-" : sni);
	html_cell(t, "%s", format_age(member_real(s, "age_s"), age));
	html_cell(t, "%s", format_bytes(member_int(s, "in"), size));
	html_cell(t, "%s", format_bytes(member_int(s, "out"), size));
	html_cell(t, "%s", member_str(s, "state"));
	html_cell(t, "%s", member_str(s, "id"));
}

static json_int_t
live_sessions(const json_t *status)
{
	const json_t	*p;
	json_int_t	 n = 0;
	size_t		 i;

	json_array_foreach(member_array(status, "processes"), i, p)
		if (strcmp(member_str(p, "role"), "metrics") != 0)
			n += member_int(p, "live");
	return n;
}

void
page_sessions(FILE *f, const json_t *sessions, const json_t *status)
{
	static const struct column	 col[] = {
		{ "Client", "text" }, { "Target", "" },
		{ "Name asked for", "text opt" }, { "Age", "n" },
		{ "In", "n" }, { "Out", "n" }, { "State", "opt" },
		{ "Id", "n opt" },
	};
	const json_t		*all = member_array(sessions, "sessions"), *s;
	json_int_t		 live = live_sessions(status);
	struct html_table	 t;
	size_t			 i;

	html_table(&t, f, "sessions", "Live sessions", col, nitems(col));
	json_array_foreach(all, i, s)
		session_row(&t, s);
	html_table_end(&t, "None at the moment.");
	if ((json_int_t)json_array_size(all) < live)
		fprintf(f, "<p id=\"more\" class=\"note\">%zu of %"
		    JSON_INTEGER_FORMAT " are shown; <code>l4muxctl "
		    "sessions</code> lists all.</p>\n", json_array_size(all),
		    live);
	else
		fputs("<p id=\"more\" class=\"note\"></p>\n", f);
}
