#include <stdbool.h>
#include <string.h>

#include "doc.h"
#include "l4.h"
#include "log.h"

/*
 * The text formats of Prometheus: OpenMetrics 1.0, and text/plain 0.0.4.  Names
 * and types are the daemon's; values of labels may hold anything.
 */
struct kind {			/* of a family */
	const char	*name;
	const char	*plain;		/* what the older format calls it */
	const char	*suffix;	/* of samples; there of names too */
};

static const struct kind kinds[] = {
	{ "counter", "counter", "_total" },
	{ "info", "gauge", "_info" },
	{ "stateset", "gauge", "" },
	{ "histogram", "histogram", "" },
	{ "gauge", "gauge", "" },
};

struct family {
	FILE			*f;
	const char		*name;
	const struct kind	*kind;
};

static const struct kind *
find_kind(const char *name)
{
	size_t	i;

	for (i = 0; i < nitems(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* Only \\, \" and \n have escapes; what is no printable ASCII is written as
 * everywhere here, and the backslash of that escaped. */
static void
print_value(FILE *f, const char *s, bool quotes)
{
	char	safe[8], *p;

	for (; *s != '\0'; s++) {
		log_escape(safe, sizeof(safe), s, 1);
		for (p = safe; *p != '\0'; p++) {
			if (*p == '\\' || (*p == '"' && quotes))
				putc('\\', f);
			putc(*p, f);
		}
	}
}

/* What a name may be, so that a stranger's answer stays text. */
static bool
is_name(const char *s)
{
	return *s != '\0' && (*s < '0' || *s > '9') && strspn(s,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	    ) == strlen(s);
}

static void
print_number(FILE *f, const json_t *v)
{
	if (json_is_integer(v))
		fprintf(f, " %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(v));
	else
		fprintf(f, " %.3f\n", json_number_value(v));
}

/* One line; le is NULL but for a bucket of a histogram. */
static void
print_sample(const struct family *m, const char *suffix, const json_t *labels,
    const char *le, const json_t *value)
{
	const json_t	*v;
	const char	*key;
	char		 sep = '{';

	fprintf(m->f, "%s%s", m->name, suffix);
	json_object_foreach((json_t *)(uintptr_t)labels, key, v) {
		if (!is_name(key))
			continue;
		fprintf(m->f, "%c%s=\"", sep, key);
		print_value(m->f, json_is_string(v) ? json_string_value(v) :
		    "", true);
		putc('"', m->f);
		sep = ',';
	}
	if (le != NULL) {
		fprintf(m->f, "%cle=\"", sep);
		print_value(m->f, le, true);
		putc('"', m->f);
		sep = ',';
	}
	if (sep == ',')
		putc('}', m->f);
	print_number(m->f, value);
}

static void
print_histogram(const struct family *m, const json_t *s)
{
	const json_t	*labels = json_object_get(s, "labels"), *b;
	size_t		 i;

	json_array_foreach(member_array(s, "buckets"), i, b)
		print_sample(m, "_bucket", labels, member_str(b, "le"),
		    json_object_get(b, "count"));
	print_sample(m, "_sum", labels, NULL, json_object_get(s, "sum"));
	print_sample(m, "_count", labels, NULL, json_object_get(s, "count"));
}

static void
print_head(const struct family *m, enum doc_metrics how, const char *help)
{
	const char	*suffix = how == DOC_PLAIN ? m->kind->suffix : "";

	fprintf(m->f, "# TYPE %s%s %s\n# HELP %s%s ", m->name, suffix,
	    how == DOC_PLAIN ? m->kind->plain : m->kind->name, m->name,
	    suffix);
	print_value(m->f, help, how == DOC_OPENMETRICS);
	putc('\n', m->f);
}

static void
print_family(FILE *f, const json_t *o, enum doc_metrics how)
{
	const json_t	*s;
	struct family	 m = { f, member_str(o, "name"),
		find_kind(member_str(o, "type")) };
	size_t		 i;

	if (!is_name(m.name) || m.kind == NULL)
		return;
	print_head(&m, how, member_str(o, "help"));
	json_array_foreach(member_array(o, "samples"), i, s)
		if (json_is_array(json_object_get(s, "buckets")))
			print_histogram(&m, s);
		else
			print_sample(&m, m.kind->suffix,
			    json_object_get(s, "labels"), NULL,
			    json_object_get(s, "value"));
}

void
doc_metrics_text(FILE *f, const json_t *doc, enum doc_metrics how)
{
	const json_t	*o;
	size_t		 i;

	json_array_foreach(member_array(doc, "families"), i, o)
		print_family(f, o, how);
	if (how == DOC_OPENMETRICS)
		fprintf(f, "# EOF\n");
}
