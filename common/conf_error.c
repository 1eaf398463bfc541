#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_read.h"
#include "log.h"

struct conf_error {
	unsigned int	 out;		/* line of the expanded text */
	size_t		 order;		/* among those of one line */
	char		*text;
};

#define PATH_MAX_LEN	256

/* "limits.hello_bytes"; elements of lists have no name of their own. */
static void
setting_path(const struct conf_reader *r, const config_setting_t *s,
    char dst[PATH_MAX_LEN])
{
	const char	*name;
	size_t		 len, base;

	dst[0] = '\0';
	if (s == NULL || config_setting_is_root(s))
		return;
	setting_path(r, config_setting_parent(s), dst);
	if ((name = config_setting_name(s)) == NULL)
		return;
	if ((base = conf_cut_base(r->text, name)) == 0)
		base = strlen(name);
	len = strlen(dst);
	snprintf(dst + len, PATH_MAX_LEN - len, "%s%.*s", len > 0 ? "." : "",
	    (int)base, name);
}

static void __attribute__((format(printf, 3, 0)))
error_add(struct conf_reader *r, unsigned int out, const char *fmt,
    va_list ap)
{
	struct conf_error	*e;

	if (r->nerror == r->errorcap) {
		r->errorcap = (r->errorcap + 8) * 2;
		r->error = reallocarray(r->error, r->errorcap,
		    sizeof(*r->error));
		if (r->error == NULL)
			fatal("reallocarray");
	}
	e = &r->error[r->nerror];
	e->out = out;
	e->order = r->nerror++;
	if (vasprintf(&e->text, fmt, ap) == -1)
		fatal("vasprintf");
}

static void __attribute__((format(printf, 3, 4)))
error_addf(struct conf_reader *r, unsigned int out, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	error_add(r, out, fmt, ap);
	va_end(ap);
}

void
conf_error(struct conf_reader *r, const config_setting_t *s, const char *fmt,
    ...)
{
	char	*text, path[PATH_MAX_LEN];
	va_list	 ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		fatal("vasprintf");
	va_end(ap);
	setting_path(r, s, path);
	error_addf(r, config_setting_source_line(s), "%s%s%s", path,
	    path[0] != '\0' ? ": " : "", text);
	free(text);
}

void
conf_error_missing(struct conf_reader *r, const config_setting_t *group,
    const char *key, const char *why)
{
	char	path[PATH_MAX_LEN];

	setting_path(r, group, path);
	error_addf(r, config_setting_source_line(group),
	    "%s%s%s: missing%s%s", path, path[0] != '\0' ? "." : "", key,
	    why != NULL ? ": " : "", why != NULL ? why : "");
}

static int
error_cmp(const void *va, const void *vb)
{
	const struct conf_error	*a = va, *b = vb;

	if (a->out != b->out)
		return a->out < b->out ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

void
conf_errors_print(struct conf_reader *r, FILE *f)
{
	struct conf_seg	place;
	size_t		i;

	if (r->nerror > 0)
		qsort(r->error, r->nerror, sizeof(*r->error), error_cmp);
	for (i = 0; i < r->nerror; i++) {
		place = conf_text_place(r->text, r->error[i].out);
		fprintf(f, "%s:%u: %s\n", place.file, place.line,
		    r->error[i].text);
	}
}

void
conf_errors_free(struct conf_reader *r)
{
	size_t	i;

	for (i = 0; i < r->nerror; i++)
		free(r->error[i].text);
	free(r->error);
}

/* Not log_escape(): that is for fields of a log line, and takes blanks away. */
const char *
conf_quote(char dst[CONF_QUOTE_MAX], const char *s)
{
	const size_t	room = CONF_QUOTE_MAX - sizeof("\\xHH...\"");
	size_t		n = 0;

	dst[n++] = '"';
	for (; *s != '\0' && n < room; s++)
		if (*s == '"' || *s == '\\') {
			dst[n++] = '\\';
			dst[n++] = *s;
		} else if (*s >= ' ' && *s <= '~')
			dst[n++] = *s;
		else
			n += (size_t)snprintf(dst + n, CONF_QUOTE_MAX - n,
			    "\\x%02x", (unsigned char)*s);
	snprintf(dst + n, CONF_QUOTE_MAX - n, "%s\"", *s != '\0' ? "..." : "");
	return dst;
}

struct conf_seg
conf_place(const struct conf_reader *r, const config_setting_t *s)
{
	return conf_text_place(r->text, config_setting_source_line(s));
}

unsigned int
conf_line(const struct conf_reader *r, const config_setting_t *s)
{
	return conf_place(r, s).line;
}
