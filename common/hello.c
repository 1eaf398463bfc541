#include <string.h>

#include "bytes.h"
#include "hello.h"

#define REC_HANDSHAKE		22	/* RFC 8446 5.1 */
#define REC_HEADER		5
#define REC_MAX			16384
#define VERSION_MAJOR		3	/* TLS 1.x is 3.(x + 1) */
#define VERSION_MINOR_MIN	1
#define VERSION_MINOR_MAX	3

#define MSG_CLIENT_HELLO	1	/* RFC 8446 4 */
#define MSG_HEADER		4
#define RANDOM_LEN		32
#define SESSION_ID_MAX		32

#define EXT_SERVER_NAME		0	/* RFC 6066 3 */
#define EXT_ALPN		16	/* RFC 7301 3.1 */
#define NAME_TYPE_HOST		0

#define SSL2_LONG_HEADER	0x80	/* RFC 5246 E.2 */
#define SSL2_CLIENT_HELLO	1

/*
 * The handshake message as one run of bytes, whatever the records.  `left` ends
 * the current scope: the message, or a field in it.  Asking for more is sticky.
 * The records under it were checked by hello_walk() and hold `left` bytes.
 */
struct cursor {
	const uint8_t	*p;
	size_t		 rec;		/* left of the record at p */
	size_t		 left;		/* left of the scope */
	bool		 bad;
};

/* How far the records have been followed. */
struct walk {
	size_t		 off;		/* of the next byte */
	size_t		 rec;		/* left of its record; 0: a header */
	size_t		 have;		/* bytes of the message before off */
	uint32_t	 head;		/* the message's header so far */
	struct cursor	 body;		/* set when have reaches MSG_HEADER */
};

static void
cursor_read(struct cursor *c, void *dst, size_t n)
{
	uint8_t	*d = dst;
	size_t	 part;

	if (n > c->left) {
		c->bad = true;
		c->left = 0;
	}
	if (c->bad)
		return;
	for (c->left -= n; n > 0; n -= part) {
		if (c->rec == 0) {
			c->rec = be16(c->p + 3);
			c->p += REC_HEADER;
		}
		part = n < c->rec ? n : c->rec;
		if (d != NULL) {
			memcpy(d, c->p, part);
			d += part;
		}
		c->p += part;
		c->rec -= part;
	}
}

static uint8_t
cursor_u8(struct cursor *c)
{
	uint8_t	v = 0;

	cursor_read(c, &v, 1);
	return v;
}

static uint16_t
cursor_u16(struct cursor *c)
{
	uint8_t	v[2] = { 0 };

	cursor_read(c, v, 2);
	return be16(v);
}

/* The next n bytes as a scope of their own; c goes on behind them. */
static struct cursor
cursor_sub(struct cursor *c, size_t n)
{
	struct cursor	sub = *c;

	cursor_read(c, NULL, n);
	sub.left = c->bad ? 0 : n;
	sub.bad = c->bad;
	return sub;
}

static bool
cursor_done(const struct cursor *c)
{
	return !c->bad && c->left == 0;
}

static bool
version_ok(const uint8_t *v)
{
	return v[0] == VERSION_MAJOR && v[1] >= VERSION_MINOR_MIN &&
	    v[1] <= VERSION_MINOR_MAX;
}

/* One host_name and nothing else, as every known client sends it. */
static bool
parse_server_name(struct cursor *ext, struct hello *h)
{
	uint8_t		 name[HELLO_NAME_MAX];
	char		 literal[HELLO_NAME_MAX + 1];
	struct cursor	 list = cursor_sub(ext, cursor_u16(ext));
	uint8_t		 type = cursor_u8(&list);
	size_t		 len = cursor_u16(&list);

	if (type != NAME_TYPE_HOST || len > sizeof(name))
		return false;
	cursor_read(&list, name, len);
	if (!cursor_done(&list) || !cursor_done(ext))
		return false;
	if (hostname_normalize(h->sni, name, len)) {
		if (hostname_is_ip(h->sni))
			h->sni[0] = '\0';
		return true;
	}
	/* RFC 6066 3 forbids literals; those who send one mean no name. */
	h->sni[0] = '\0';
	memcpy(literal, name, len);
	literal[len] = '\0';
	return len > 0 && strlen(literal) == len && hostname_is_ip(literal);
}

static void
keep_alpn(struct hello *h, const uint8_t *name, uint8_t len)
{
	if (h->alpn_cut || (size_t)h->alpnlen + 1 + len > sizeof(h->alpn)) {
		h->alpn_cut = true;
		return;
	}
	h->alpn[h->alpnlen] = len;
	memcpy(h->alpn + h->alpnlen + 1, name, len);
	h->alpnlen = (uint8_t)(h->alpnlen + 1 + len);
}

static bool
parse_alpn(struct cursor *ext, struct hello *h)
{
	uint8_t		 name[UINT8_MAX];
	struct cursor	 list = cursor_sub(ext, cursor_u16(ext));
	uint8_t		 len;

	if (!cursor_done(ext) || list.left == 0)
		return false;
	while (list.left > 0) {
		if ((len = cursor_u8(&list)) == 0)
			return false;
		cursor_read(&list, name, len);
		if (list.bad)
			return false;
		keep_alpn(h, name, len);
	}
	return true;
}

/* What is not known is skipped by its length: GREASE, ECH, what will come. */
static bool
parse_extensions(struct cursor *c, struct hello *h)
{
	struct cursor	ext;
	uint16_t	type;
	bool		name = false, alpn = false;

	while (c->left > 0) {
		type = cursor_u16(c);
		ext = cursor_sub(c, cursor_u16(c));
		if (c->bad)
			return false;
		if (type == EXT_SERVER_NAME) {
			if (name || !parse_server_name(&ext, h))
				return false;
			name = true;
		} else if (type == EXT_ALPN) {
			if (alpn || !parse_alpn(&ext, h))
				return false;
			alpn = true;
		}
	}
	return true;
}

/* RFC 8446 4.1.2; without extensions RFC 5246 7.4.1.2. */
static bool
parse_body(struct cursor *c, struct hello *h)
{
	struct cursor	ext;
	uint8_t		version[2] = { 0 };
	size_t		n;

	cursor_read(c, version, sizeof(version));
	if (!version_ok(version))
		return false;
	cursor_read(c, NULL, RANDOM_LEN);
	if ((n = cursor_u8(c)) > SESSION_ID_MAX)
		return false;
	cursor_read(c, NULL, n);
	if ((n = cursor_u16(c)) == 0 || n % 2 != 0)
		return false;
	cursor_read(c, NULL, n);
	if ((n = cursor_u8(c)) == 0)
		return false;
	cursor_read(c, NULL, n);
	if (cursor_done(c))
		return true;
	ext = cursor_sub(c, cursor_u16(c));
	return cursor_done(c) && parse_extensions(&ext, h);
}

enum verdict
hello_probe(const uint8_t *p, size_t len, size_t *need)
{
	if (len == 0)
		return need_more(need, 1);
	if (p[0] != REC_HANDSHAKE && (p[0] & SSL2_LONG_HEADER) == 0)
		return VERDICT_NO_MATCH;
	if (len < 3)
		return need_more(need, 3);
	if (p[0] == REC_HANDSHAKE)
		return version_ok(p + 1) ? VERDICT_MATCH : VERDICT_MALFORMED;
	if (p[2] == SSL2_CLIENT_HELLO || version_ok(p + 1))
		return VERDICT_MALFORMED;
	return VERDICT_NO_MATCH;
}

static bool
record_ok(const uint8_t *p)
{
	size_t	len = be16(p + 3);

	return p[0] == REC_HANDSHAKE && version_ok(p + 1) && len > 0 &&
	    len <= REC_MAX;
}

/* The least length of the connection at which `rem` more bytes of the message
 * can all be there: what the record has, then the largest ones. */
static size_t
least_total(const struct walk *w, size_t rem)
{
	size_t	more = rem > w->rec ? rem - w->rec : 0;

	return w->off + rem + (more + REC_MAX - 1) / REC_MAX * REC_HEADER;
}

/* Enters the record at w->off; false leaves *v as the verdict. */
static bool
walk_record(struct walk *w, const uint8_t *p, size_t len, enum verdict *v,
    size_t *need)
{
	if (len - w->off < REC_HEADER) {
		*v = need_more(need, w->off + REC_HEADER);
		return false;
	}
	if (!record_ok(p + w->off)) {
		*v = VERDICT_MALFORMED;
		return false;
	}
	w->rec = be16(p + w->off + 3);
	w->off += REC_HEADER;
	return true;
}

/* Follows the records through the header of the message. */
static enum verdict
walk_head(struct walk *w, const uint8_t *p, size_t len, size_t *need)
{
	enum verdict	v;
	size_t		rem;

	while (w->have < MSG_HEADER) {
		if (w->rec == 0 && !walk_record(w, p, len, &v, need))
			return v;
		rem = MSG_HEADER - w->have;
		if (w->rec < rem && len - w->off < w->rec)
			return need_more(need, w->off + w->rec + REC_HEADER);
		if (w->rec >= rem && len - w->off < rem)
			return need_more(need, w->off + rem);
		for (; w->rec > 0 && w->have < MSG_HEADER; w->rec--, w->have++)
			w->head = w->head << 8 | p[w->off++];
	}
	if (w->head >> 24 != MSG_CLIENT_HELLO)
		return VERDICT_MALFORMED;
	w->body.p = p + w->off;
	w->body.rec = w->rec;
	w->body.left = w->head & 0xffffff;
	return VERDICT_MATCH;
}

/*
 * Follows them through the body as far as they are there.  Once the length is
 * known nothing is judged before that many bytes can be: so *need can name the
 * whole at once, and grows only with records that are shorter than they could
 * be.
 */
static enum verdict
walk_body(struct walk *w, const uint8_t *p, size_t len, size_t *need)
{
	enum verdict	v = VERDICT_NEED_MORE;
	size_t		rem = w->body.left, part, least;

	while (rem > 0) {
		if (w->rec == 0 && !walk_record(w, p, len, &v, need))
			break;
		part = rem < w->rec ? rem : w->rec;
		if (len - w->off < part)
			break;
		w->off += part;
		w->rec -= part;
		rem -= part;
	}
	if (rem == 0)
		return VERDICT_MATCH;
	least = least_total(w, rem);
	return least > len ? need_more(need, least) : v;
}

enum verdict
hello_parse(const uint8_t *p, size_t len, struct hello *h, size_t *need)
{
	struct walk	w = { 0 };
	struct hello	tmp = { 0 };
	enum verdict	v;

	if ((v = hello_probe(p, len, need)) != VERDICT_MATCH)
		return v;
	if ((v = walk_head(&w, p, len, need)) != VERDICT_MATCH)
		return v;
	if ((v = walk_body(&w, p, len, need)) != VERDICT_MATCH)
		return v;
	if (!parse_body(&w.body, &tmp))
		return VERDICT_MALFORMED;
	*h = tmp;
	return VERDICT_MATCH;
}

bool
hello_offers(const struct hello *h, const char *alpn)
{
	size_t	len = strlen(alpn), i;

	for (i = 0; i < h->alpnlen; i += 1 + (size_t)h->alpn[i])
		if (h->alpn[i] == len &&
		    memcmp(h->alpn + i + 1, alpn, len) == 0)
			return true;
	return false;
}
