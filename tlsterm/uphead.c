#include "common/l4.h"
#include "http1.h"
#include "uphead.h"

/* What is known of a head while it is read. */
struct parse {
	struct uphead	*h;
	bool		 has_te;
	bool		 close, keep, upgrade;	/* of Connection */
	bool		 to_websocket;		/* of Upgrade */
};

/* HTTP/1.x SP 3DIGIT [ SP reason ], RFC 9112 4 */
static bool
parse_line(struct uphead *h, struct str l)
{
	static const char	http[] = "HTTP/1.";
	const size_t		n = sizeof(http) - 1;
	const char		*d = l.p + n + 2;
	size_t			 i;

	if (l.n < n + 5 || memcmp(l.p, http, n) != 0 || l.p[n] < '0' ||
	    l.p[n] > '9' || l.p[n + 1] != ' ')
		return false;
	for (i = 0; i < 3; i++)
		if (d[i] < '0' || d[i] > '9')
			return false;
	if (l.n > n + 5 && d[3] != ' ')
		return false;
	for (i = n + 5; i < l.n; i++)
		if ((uint8_t)l.p[i] < ' ' && l.p[i] != '\t')
			return false;
	h->minor = (uint8_t)(l.p[n] - '0');
	h->status = (d[0] - '0') * 100 + (d[1] - '0') * 10 + d[2] - '0';
	return h->status >= 100 && h->status <= 599;
}

static bool
on_length(struct parse *ps, struct str v)
{
	if (ps->h->has_length || !request_length(v, &ps->h->length))
		return false;
	ps->h->has_length = true;
	return true;
}

static bool
on_te(struct parse *ps, struct str v)
{
	if (ps->has_te || !str_caseeq(v, STR("chunked")))
		return false;
	ps->has_te = ps->h->chunked = true;
	return true;
}

static bool
on_connection(struct parse *ps, struct str v)
{
	struct str	item;

	ps->h->connection = v;
	while (str_next(&v, &item)) {
		if (str_caseeq(item, STR("close")))
			ps->close = true;
		else if (str_caseeq(item, STR("keep-alive")))
			ps->keep = true;
		else if (str_caseeq(item, STR("upgrade")))
			ps->upgrade = true;
	}
	return true;
}

static bool
on_upgrade(struct parse *ps, struct str v)
{
	ps->to_websocket = str_caseeq(v, STR("websocket"));
	return true;
}

static const struct {
	struct str	 name;
	bool		(*fn)(struct parse *, struct str);
} known[] = {
	{ { "content-length", 14 },	on_length },
	{ { "transfer-encoding", 17 },	on_te },
	{ { "connection", 10 },		on_connection },
	{ { "upgrade", 7 },		on_upgrade },
};

static bool
parse_field(struct parse *ps, struct str line)
{
	struct uphead	*h = ps->h;
	struct field	*f = &h->field[h->nfields];
	size_t		 i;

	if (h->nfields == nitems(h->field) || !http1_field(line, f))
		return false;
	h->nfields++;
	for (i = 0; i < nitems(known); i++)
		if (str_caseeq(f->name, known[i].name))
			return known[i].fn(ps, f->value);
	return true;
}

/* What only the whole head can tell. */
static bool
finish(struct parse *ps)
{
	struct uphead	*h = ps->h;

	if (ps->has_te && (h->has_length || h->minor == 0))
		return false;
	/* RFC 9112 6.1: no body, so nothing to be coded. */
	if (ps->has_te && (h->status < 200 || h->status == 204))
		return false;
	h->keepalive = !ps->close && (h->minor > 0 || ps->keep);
	h->websocket = ps->upgrade && ps->to_websocket;
	return true;
}

static bool
parse_head(const char *p, const char *end, struct uphead *h)
{
	struct parse	ps = { .h = h };
	struct str	line;

	memset(h, 0, offsetof(struct uphead, field));
	h->nfields = 0;
	if ((p = http1_next_line(p, end, &line)) == NULL ||
	    !parse_line(h, line))
		return false;
	for (;;) {
		if ((p = http1_next_line(p, end, &line)) == NULL)
			return false;
		if (line.n == 0)
			return finish(&ps);
		if (!parse_field(&ps, line))
			return false;
	}
}

int
uphead_parse(const char *p, size_t len, size_t *scanned, struct uphead *h)
{
	static const char	http[] = "HTTP/1.";
	size_t			n = sizeof(http) - 1, end;

	/* What is no HTTP at all need not end. */
	if (len > 0 && memcmp(p, http, len < n ? len : n) != 0)
		return -1;
	if ((end = http1_head_end(p, len, *scanned)) == 0) {
		*scanned = len > 2 ? len - 2 : 0;
		return len >= UPHEAD_MAX ? -1 : 0;
	}
	return end <= UPHEAD_MAX && parse_head(p, p + end, h) ? (int)end : -1;
}
