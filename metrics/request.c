#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "common/l4.h"
#include "request.h"

#define Q_MAX	1000		/* weights in thousandths */

struct span {
	const char	*p;
	size_t		 len;
};

/* Takes what is before the separator off s; all of it where there is none. */
static struct span
span_cut(struct span *s, char sep)
{
	struct span	 head = *s;
	const char	*at = memchr(s->p, sep, s->len);

	if (at == NULL) {
		s->p += s->len;
		s->len = 0;
		return head;
	}
	head.len = (size_t)(at - s->p);
	s->p = at + 1;
	s->len -= head.len + 1;
	return head;
}

static struct span
span_trim(struct span s)
{
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool
span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

/* "0.25": 250; what is none counts as nothing. */
static int
weight(struct span s)
{
	int	q, unit = Q_MAX / 10;

	if (s.len == 0 || (*s.p != '0' && *s.p != '1'))
		return 0;
	q = *s.p == '1' ? Q_MAX : 0;
	if (s.len > 1 && s.p[1] != '.')
		return 0;
	for (s.p += 2, s.len -= s.len > 1 ? 2 : 1; s.len > 0; s.p++, s.len--) {
		if (*s.p < '0' || *s.p > '9')
			return 0;
		q += (*s.p - '0') * unit;
		unit /= 10;
	}
	return q > Q_MAX ? Q_MAX : q;
}

/* One element of the list: what it is about, and how much it is wanted. */
struct range {
	struct span	type, version;
	int		q;
};

static struct range
range_read(struct span s)
{
	struct range	r = { .q = Q_MAX };
	struct span	part, name;

	r.type = span_trim(span_cut(&s, ';'));
	while (s.len > 0) {
		part = span_trim(span_cut(&s, ';'));
		name = span_trim(span_cut(&part, '='));
		part = span_trim(part);
		if (span_is(name, "q"))
			r.q = weight(part);
		else if (span_is(name, "version"))
			r.version = part;
	}
	return r;
}

/* Weights of either format; -1: nothing was said of it. */
struct wanted {
	int	open, plain;
	int	general;	/* of what covers text/plain among others */
};

static void
wanted_add(struct wanted *w, const struct range *r)
{
	bool	any = r->version.len == 0;

	if (span_is(r->type, "application/openmetrics-text")) {
		if ((any || span_is(r->version, "1.0.0")) && r->q > w->open)
			w->open = r->q;
	} else if (span_is(r->type, "text/plain")) {
		if ((any || span_is(r->version, "0.0.4")) && r->q > w->plain)
			w->plain = r->q;
	} else if (span_is(r->type, "text/*") || span_is(r->type, "*/*")) {
		if (r->q > w->general)
			w->general = r->q;
	}
}

static void
wanted_read(struct wanted *w, struct span list)
{
	struct range	r;

	while (list.len > 0) {
		r = range_read(span_cut(&list, ','));
		wanted_add(w, &r);
	}
}

/* Nobody is refused for what they accept: they get text/plain. */
static enum content
wanted_choose(const struct wanted *w)
{
	int	plain = w->plain >= 0 ? w->plain : w->general;

	return w->open > 0 && w->open >= plain ? CONTENT_OPENMETRICS :
	    CONTENT_PLAIN;
}

enum content
request_accepts(const char *value, size_t len)
{
	struct wanted	w = { -1, -1, -1 };

	wanted_read(&w, (struct span){ value, len });
	return wanted_choose(&w);
}

/* The next line, without its CRLF; false: it is not complete. */
static bool
line_next(struct span *s, struct span *line)
{
	const char	*lf = memchr(s->p, '\n', s->len);

	if (lf == NULL)
		return false;
	*line = span_cut(s, '\n');
	return true;
}

/* A line ends in CRLF and has no other control byte but tabs. */
static bool
line_is_clean(struct span *line)
{
	size_t	i;

	if (line->len == 0 || line->p[line->len - 1] != '\r')
		return false;
	line->len--;
	for (i = 0; i < line->len; i++)
		if (((uint8_t)line->p[i] < ' ' && line->p[i] != '\t') ||
		    line->p[i] == 0x7f)
			return false;
	return true;
}

static bool
is_token(struct span s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if (!is_tchar((uint8_t)s.p[i]))
			return false;
	return s.len > 0;
}

/* Of "/metrics?x" and "http://any/metrics". */
static int
read_target(struct span t, struct request *r)
{
	static const char	 scheme[] = "http://";
	struct span		 path;

	if (t.len > sizeof(scheme) - 1 &&
	    strncasecmp(t.p, scheme, sizeof(scheme) - 1) == 0) {
		t.p += sizeof(scheme) - 1;
		t.len -= sizeof(scheme) - 1;
		while (t.len > 0 && *t.p != '/') {
			t.p++;
			t.len--;
		}
	}
	if (t.len == 0 || *t.p != '/')
		return 400;
	path = span_cut(&t, '?');
	if (span_is(path, "/"))
		r->content = CONTENT_PAGE;
	else if (path.len == 8 && memcmp(path.p, "/metrics", 8) == 0)
		r->content = CONTENT_PLAIN;
	else
		return 404;
	return 200;
}

static int
read_line(struct span line, struct request *r)
{
	struct span	method = span_cut(&line, ' ');
	struct span	target = span_cut(&line, ' ');
	int		status;

	r->head = method.len == 4 && memcmp(method.p, "HEAD", 4) == 0;
	if (!is_token(method) || line.len != 8 ||
	    memcmp(line.p, "HTTP/", 5) != 0 || line.p[6] != '.')
		return 400;
	if (line.p[5] != '1' || (line.p[7] != '0' && line.p[7] != '1'))
		return 505;
	status = read_target(target, r);
	if (status == 400 || r->head)
		return status;
	if (method.len != 3 || memcmp(method.p, "GET", 3) != 0)
		return 405;
	return status;
}

/* The lines after the first: 0 until the empty one, 200, or 400. */
static int
read_fields(struct span s, struct wanted *w)
{
	struct span	line, name;

	while (line_next(&s, &line)) {
		if (!line_is_clean(&line))
			return 400;
		if (line.len == 0)
			return 200;
		if (memchr(line.p, ':', line.len) == NULL)
			return 400;
		name = span_cut(&line, ':');
		if (!is_token(name))
			return 400;
		if (span_is(name, "accept"))
			wanted_read(w, line);
	}
	return s.len == 0 || memchr(s.p, '\0', s.len) == NULL ? 0 : 400;
}

int
request_parse(const char *buf, size_t len, struct request *r)
{
	struct wanted	w = { -1, -1, -1 };
	struct span	s = { buf, len }, line;
	int		status, end;

	memset(r, 0, sizeof(*r));
	if (!line_next(&s, &line))
		return len > REQUEST_LINE_MAX ? 414 : 0;
	if (!line_is_clean(&line))
		return 400;
	if (line.len > REQUEST_LINE_MAX)
		return 414;
	/* What is no HTTP is told so at once, the rest when it is all there. */
	if ((status = read_line(line, r)) == 400 || status == 505)
		return status;
	if ((end = read_fields(s, &w)) != 200)
		return end == 0 && len >= REQUEST_MAX ? 431 : end;
	if (r->content == CONTENT_PLAIN)
		r->content = wanted_choose(&w);
	return status;
}
