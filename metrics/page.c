#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "page.h"

/* An icon of one's own, or browsers ask for one. */
#define ICON								\
	"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' "	\
	"viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' "	\
	"fill='%231d6fb8'/%3E%3Cpath fill='none' stroke='%23fff' "	\
	"stroke-width='2' d='M3 8h4l3-4h3M7 8l3 4h3'/%3E%3C/svg%3E"

static void
page_head(FILE *f, const char *nonce)
{
	fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, "
	    "initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n"
	    "<title>l4mux</title>\n<link rel=\"icon\" href=\"%s\">\n"
	    "<noscript><meta http-equiv=\"refresh\" content=\"10\">"
	    "</noscript>\n<style nonce=\"%s\">\n%s</style>\n</head>\n<body>\n",
	    ICON, nonce, page_css);
}

static const char *
state_mood(const char *state)
{
	if (strcmp(state, "running") == 0)
		return "good";
	return strcmp(state, "degraded") == 0 ? "bad" : "busy";
}

static void
fact(FILE *f, const char *name, const char *value)
{
	fprintf(f, "<div><dt>%s</dt><dd>", name);
	html_text(f, value);
	fputs("</dd></div>\n", f);
}

static void
page_listeners(FILE *f, const json_t *status)
{
	const json_t	*l;
	size_t		 i;

	fputs("<div><dt>Listens on</dt><dd>", f);
	json_array_foreach(member_array(status, "listeners"), i, l) {
		fputs(i == 0 ? "" : " ", f);
		html_text(f, member_str(l, "name"));
	}
	fputs("</dd></div>\n", f);
}

static void
page_banner(FILE *f, const json_t *status)
{
	char	text[AGE_LEN], num[MEMBER_NUM_LEN];

	fprintf(f, "<header id=\"top\">\n<h1>l4mux <span class=\"state %s\">",
	    state_mood(member_str(status, "state")));
	html_text(f, member_str(status, "state"));
	fputs("</span></h1>\n<dl>\n", f);
	fact(f, "Version", member_str(status, "version"));
	fact(f, "Up", format_age(member_real(status, "uptime_s"), text));
	fact(f, "Generation", member_num(status, "generation", num));
	fact(f, "Pid", member_num(status, "pid", num));
	fact(f, "Sandbox", member_str(status, "sandbox"));
	page_listeners(f, status);
	fact(f, "Configuration", member_str(status, "config"));
	fputs("</dl>\n</header>\n", f);
}

static void
page_warnings(FILE *f, const json_t *status)
{
	const json_t	*all = member_array(status, "warnings"), *w;
	size_t		 i;

	if (json_array_size(all) == 0) {
		fputs("<ul id=\"warnings\" hidden></ul>\n", f);
		return;
	}
	fputs("<ul id=\"warnings\" aria-label=\"Warnings\">\n", f);
	json_array_foreach(all, i, w) {
		fputs("<li>", f);
		html_text(f, json_is_string(w) ? json_string_value(w) : "-");
		fputs("</li>\n", f);
	}
	fputs("</ul>\n", f);
}

static void
page_foot(FILE *f, const char *nonce)
{
	fprintf(f, "<footer>\n<p><a href=\"/metrics\">Metrics</a> for "
	    "Prometheus. <span id=\"fresh\" role=\"status\"></span></p>\n"
	    "</footer>\n<script nonce=\"%s\">\n%s</script>\n</body>\n</html>\n",
	    nonce, page_js);
}

void
page_write(FILE *f, const struct metrics *m, const char *nonce)
{
	const json_t	*doc = m->report[REPORT_COUNTERS].doc;
	const json_t	*status = json_object_get(doc, "status");

	page_head(f, nonce);
	page_banner(f, status);
	fputs("<main>\n", f);
	page_warnings(f, status);
	page_charts(f, m->history);
	page_targets(f, status);
	page_backends(f, json_object_get(doc, "upstreams"));
	page_decisions(f, json_object_get(doc, "routes"));
	fputs("<div class=\"stack\">\n", f);
	page_certificates(f, json_object_get(doc, "certificates"));
	page_generations(f, status);
	fputs("</div>\n", f);
	page_sessions(f, m->report[REPORT_SESSIONS].doc, status);
	page_processes(f, status);
	fputs("</main>\n", f);
	page_foot(f, nonce);
}
