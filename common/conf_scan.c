#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf_text.h"
#include "log.h"

/*
 * Walks over the tokens of one file as libconfig's scanner would, copies them,
 * and puts the text of included files in place of their @include.
 */
struct scan {
	struct conf_text *text;
	const char	*file;
	unsigned int	 line;
	const char	*p, *end;
	unsigned int	 depth;		/* of includes */
	bool		 blank;		/* nothing but blanks on the line */
	bool		 failed;
	FILE		*errs;
};

static void __attribute__((format(printf, 3, 4)))
scan_error(struct scan *s, unsigned int line, const char *fmt, ...)
{
	va_list	ap;

	fprintf(s->errs, "%s:%u: ", s->file, line);
	va_start(ap, fmt);
	vfprintf(s->errs, fmt, ap);
	va_end(ap);
	fputc('\n', s->errs);
	s->failed = true;
}

/* Copies the next n bytes and goes past them. */
static void
scan_take(struct scan *s, size_t n)
{
	size_t	i;

	if (s->text->len + n > CONF_TEXT_MAX) {
		scan_error(s, s->line, "the configuration is too large: at "
		    "most 64 MiB with all it includes");
		return;
	}
	for (i = 0; i < n; i++) {
		if (s->p[i] == '\0') {
			scan_error(s, s->line, "a NUL byte");
			return;
		}
		if (s->p[i] == '\n') {
			s->line++;
			s->blank = true;
		} else if (s->p[i] != ' ' && s->p[i] != '\t')
			s->blank = false;
	}
	conf_text_append(s->text, s->p, n);
	s->p += n;
}

static bool
scan_at(const struct scan *s, const char *word)
{
	size_t	n = strlen(word);

	return (size_t)(s->end - s->p) >= n && memcmp(s->p, word, n) == 0;
}

static void
scan_line_comment(struct scan *s)
{
	const char	*nl = memchr(s->p, '\n', (size_t)(s->end - s->p));

	scan_take(s, (size_t)((nl == NULL ? s->end : nl) - s->p));
}

static void
scan_block_comment(struct scan *s)
{
	unsigned int	 line = s->line;
	const char	*q;

	q = memmem(s->p + 2, (size_t)(s->end - s->p) - 2, "*/", 2);
	if (q == NULL)
		scan_error(s, line, "this comment has no end: */ is missing");
	else
		scan_take(s, (size_t)(q + 2 - s->p));
}

static void
scan_string(struct scan *s)
{
	unsigned int	 line = s->line;
	const char	*q = s->p + 1;

	while (q < s->end && *q != '"') {
		if (*q == '\\' && s->end - q >= 4 &&
		    strncasecmp(q, "\\x00", 4) == 0) {
			scan_error(s, line, "a NUL (\\x00) in a string");
			return;
		}
		q += *q == '\\' && s->end - q >= 2 &&
		    (q[1] == '"' || q[1] == '\\') ? 2 : 1;
	}
	if (q >= s->end)
		scan_error(s, line, "this string has no end: \" is missing");
	else
		scan_take(s, (size_t)(q + 1 - s->p));
}

static void
scan_name(struct scan *s)
{
	size_t	n = 0, max = (size_t)(s->end - s->p);

	while (n < max && s->p[n] != '\0' &&
	    strchr(CONF_NAME_CHARS, s->p[n]) != NULL)
		n++;
	if (s->text->nest == 0)
		s->text->group = s->text->len;
	if (s->text->nest == 1 && !(n == 4 &&
	    strncasecmp(s->p, "true", n) == 0) && !(n == 5 &&
	    strncasecmp(s->p, "false", n) == 0))
		conf_text_name(s->text);
	scan_take(s, n);
}

static size_t
number_length(const struct scan *s)
{
	size_t	n = 1, max = (size_t)(s->end - s->p);
	char	prev;

	for (; n < max; n++) {
		prev = s->p[n - 1];
		if (isalnum((unsigned char)s->p[n]) || s->p[n] == '.')
			continue;
		if ((s->p[n] == '+' || s->p[n] == '-') &&
		    (prev == 'e' || prev == 'E'))
			continue;
		break;
	}
	return n;
}

/* libconfig 1.5 reads integers without a trailing L modulo 2^32. */
static void
scan_number(struct scan *s)
{
	size_t		 n = number_length(s), sign;
	long long	 v;
	char		 tok[64], *end;

	if (n >= sizeof(tok)) {
		scan_error(s, s->line, "this number is too long");
		return;
	}
	snprintf(tok, sizeof(tok), "%.*s", (int)n, s->p);
	sign = tok[0] == '-' || tok[0] == '+';
	errno = 0;
	v = strtoll(tok, &end, tok[sign] == '0' &&
	    (tok[sign + 1] | 0x20) == 'x' ? 16 : 10);
	if (errno == ERANGE && strspn(end, "Ll") == strlen(end)) {
		scan_error(s, s->line, "%s: this number is too large", tok);
		return;
	}
	scan_take(s, n);
	if (end != tok && *end == '\0' && (v < INT_MIN || v > INT_MAX))
		conf_text_append(s->text, "L", 1);
}

/* The file name between quotes; NULL when there is none. */
static char *
include_name(struct scan *s)
{
	const char	*q = s->p + strlen("@include");
	char		 name[PATH_MAX];
	size_t		 n = 0;

	while (q < s->end && (*q == ' ' || *q == '\t'))
		q++;
	if (q >= s->end || *q++ != '"')
		return NULL;
	for (; q < s->end && *q != '"'; q++) {
		if (iscntrl((unsigned char)*q) || n >= sizeof(name) - 1)
			return NULL;
		if (*q == '\\' && s->end - q >= 2 &&
		    (q[1] == '"' || q[1] == '\\'))
			q++;
		name[n++] = *q;
	}
	if (q >= s->end || n == 0)
		return NULL;
	s->p = q + 1;
	return conf_strndup(s->text->arena, name, n);
}

/* A relative name is one in the directory of the file that includes it. */
static const char *
include_path(const struct scan *s, const char *name)
{
	const char	*slash = strrchr(s->file, '/');
	size_t		 dir;
	char		*path;

	if (name[0] == '/' || slash == NULL)
		return name;
	dir = (size_t)(slash + 1 - s->file);
	path = conf_alloc(s->text->arena, dir + strlen(name) + 1, 1);
	memcpy(path, s->file, dir);
	memcpy(path + dir, name, strlen(name));
	return path;
}

static void
scan_include(struct scan *s)
{
	const char	*name, *path, *why;
	unsigned int	 line = s->line;
	size_t		 len;
	char		*buf;

	if ((name = include_name(s)) == NULL) {
		scan_error(s, line, "@include needs a file name in quotes");
		return;
	}
	path = include_path(s, name);
	if (s->depth >= CONF_DEPTH_MAX) {
		scan_error(s, line, "@include \"%s\": more than %d files deep; "
		    "does a file include itself?", path, CONF_DEPTH_MAX);
		return;
	}
	if ((buf = conf_file_read(path, &len, &why)) == NULL) {
		scan_error(s, line, "@include \"%s\": %s", path, why);
		return;
	}
	conf_text_mark(s->text, path, 1);
	if (!conf_scan(s->text, path, buf, len, s->depth + 1, s->errs))
		s->failed = true;
	free(buf);
	conf_text_mark(s->text, s->file, s->line);
}

/* A parser that calls itself for each level must not be led too deep. */
static void
scan_bracket(struct scan *s)
{
	if (strchr("{[(", *s->p) != NULL)
		s->text->nest++;
	else if (s->text->nest > 0)
		s->text->nest--;
	if (s->text->nest > CONF_NEST_MAX)
		scan_error(s, s->line, "more than %d brackets inside each "
		    "other", CONF_NEST_MAX);
	else
		scan_take(s, 1);
}

static void
scan_token(struct scan *s)
{
	unsigned char	c = (unsigned char)*s->p;

	if (c == '"')
		scan_string(s);
	else if (c == '#' || scan_at(s, "//"))
		scan_line_comment(s);
	else if (scan_at(s, "/*"))
		scan_block_comment(s);
	else if (s->blank && scan_at(s, "@include"))
		scan_include(s);
	else if (isalpha(c) || c == '*')
		scan_name(s);
	else if (isdigit(c) || c == '.' || c == '+' || c == '-')
		scan_number(s);
	else if (c != '\0' && strchr("{}[]()", c) != NULL)
		scan_bracket(s);
	else
		scan_take(s, 1);
}

bool
conf_scan(struct conf_text *t, const char *file, const char *p, size_t len,
    unsigned int depth, FILE *errs)
{
	struct scan	s = {
		.text = t, .file = file, .line = 1, .p = p, .end = p + len,
		.depth = depth, .blank = true, .errs = errs,
	};

	while (s.p < s.end && !s.failed)
		scan_token(&s);
	/* libconfig ends a comment at the line's end only; and what follows
	 * an included file is on a line of its own. */
	if (t->len > 0 && t->buf[t->len - 1] != '\n')
		conf_text_append(t, "\n", 1);
	return !s.failed;
}
