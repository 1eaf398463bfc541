#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "render.h"

/*
 * The text format of OpenMetrics 1.0, of the families in the document.  Names
 * and types are the daemon's; values of labels may hold anything.
 */
static const char *
suffix(const char *type)
{
	if (strcmp(type, "counter") == 0)
		return "_total";
	return strcmp(type, "info") == 0 ? "_info" : "";
}

/* Only \\, \" and \n have escapes; what is no printable ASCII is written as
 * everywhere here, and the backslash of that escaped. */
static void
print_value(const char *s)
{
	char	*safe, *p;

	if ((safe = calloc(strlen(s) + 1, 4)) == NULL)
		err(1, NULL);
	log_escape(safe, (strlen(s) + 1) * 4, s, strlen(s));
	for (p = safe; *p != '\0'; p++) {
		if (*p == '\\' || *p == '"')
			putchar('\\');
		putchar(*p);
	}
	free(safe);
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
metrics_sample(const char *name, const char *type, json_t *s)
{
	const json_t	*v, *number = json_object_get(s, "value");
	const char	*key;
	char		 sep = '{';

	printf("%s%s", name, suffix(type));
	json_object_foreach(json_object_get(s, "labels"), key, v) {
		if (!is_name(key))
			continue;
		printf("%c%s=\"", sep, key);
		print_value(json_is_string(v) ? json_string_value(v) : "");
		putchar('"');
		sep = ',';
	}
	if (sep == ',')
		putchar('}');
	if (json_is_integer(number))
		printf(" %" JSON_INTEGER_FORMAT "\n",
		    json_integer_value(number));
	else
		printf(" %.3f\n", json_number_value(number));
}

static void
metrics_family(const json_t *f)
{
	const char	*name = member_str(f, "name");
	const char	*type = member_str(f, "type");
	json_t		*s;
	size_t		 i;

	if (!is_name(name) || !is_name(type))
		return;
	printf("# TYPE %s %s\n# HELP %s ", name, type, name);
	print_value(member_str(f, "help"));
	putchar('\n');
	json_array_foreach(json_object_get(f, "samples"), i, s)
		metrics_sample(name, type, s);
}

void
render_metrics(const json_t *doc)
{
	const json_t	*f;
	size_t		 i;

	json_array_foreach(member_array(doc, "families"), i, f)
		metrics_family(f);
	printf("# EOF\n");
}
