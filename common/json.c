#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define JSON_FIRST_CAP	4096
#define REPLACEMENT	0xfffdu

void
json_init(struct json *j, size_t max)
{
	memset(j, 0, sizeof(*j));
	j->max = max;
	j->first = true;
}

void
json_free(struct json *j)
{
	free(j->buf);
	json_init(j, j->max);
}

/* Room for n more bytes, or bad. */
static bool
json_room(struct json *j, size_t n)
{
	size_t	 cap = j->cap;
	char	*p;

	if (j->bad || n > j->max - j->len) {
		j->bad = true;
		return false;
	}
	if (n <= cap - j->len)
		return true;
	while (cap - j->len < n)
		cap = cap == 0 ? JSON_FIRST_CAP : cap * 2;
	if (cap > j->max)
		cap = j->max;
	if ((p = realloc(j->buf, cap)) == NULL) {
		j->bad = true;
		return false;
	}
	j->buf = p;
	j->cap = cap;
	return true;
}

static void
json_put(struct json *j, const char *s, size_t n)
{
	if (!json_room(j, n))
		return;
	memcpy(j->buf + j->len, s, n);
	j->len += n;
}

/*
 * One character of well-formed UTF-8 (Unicode table 3-7: no overlong form, no
 * surrogate, nothing above U+10FFFF); 0 bytes where there is none.
 */
static size_t
utf8_next(const uint8_t *p, size_t left, uint32_t *c)
{
	static const struct {
		uint8_t	first, last, len, min, max;	/* of byte 2 */
	} lead[] = {
		{ 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f },
		{ 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
	};
	size_t	i, k;

	for (i = 0; i < sizeof(lead) / sizeof(lead[0]); i++)
		if (p[0] >= lead[i].first && p[0] <= lead[i].last)
			break;
	if (i == sizeof(lead) / sizeof(lead[0]) || left < lead[i].len ||
	    p[1] < lead[i].min || p[1] > lead[i].max)
		return 0;
	*c = p[0] & (0xffu >> (lead[i].len + 1));
	for (k = 1; k < lead[i].len; k++) {
		if ((p[k] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[k] & 0x3f);
	}
	return lead[i].len;
}

static void
json_escape(struct json *j, uint32_t c)
{
	char	out[13];
	int	n;

	if (c == '"' || c == '\\')
		n = snprintf(out, sizeof(out), "\\%c", (char)c);
	else if (c == '\n')
		n = snprintf(out, sizeof(out), "\\n");
	else if (c < 0x10000)
		n = snprintf(out, sizeof(out), "\\u%04" PRIx32, c);
	else
		n = snprintf(out, sizeof(out), "\\u%04" PRIx32 "\\u%04" PRIx32,
		    0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
	json_put(j, out, (size_t)n);
}

static bool
json_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
json_quote(struct json *j, const uint8_t *p, size_t len)
{
	size_t		i, n;
	uint32_t	c;

	json_put(j, "\"", 1);
	for (i = 0; i < len; i += n) {
		for (n = 0; i + n < len && json_plain(p[i + n]); n++)
			;
		if (n > 0) {
			json_put(j, (const char *)p + i, n);
			continue;
		}
		n = 1;
		c = p[i];
		if (c >= 0x80 && (n = utf8_next(p + i, len - i, &c)) == 0) {
			n = 1;
			c = REPLACEMENT;
		}
		json_escape(j, c);
	}
	json_put(j, "\"", 1);
}

/* What comes before a value: comma and key. */
static void
json_begin(struct json *j, const char *key)
{
	bool	in_object;

	in_object = j->depth > 0 && j->close[j->depth - 1] == '}';
	if (in_object != (key != NULL) || (j->depth == 0 && j->len > 0)) {
		j->bad = true;
		return;
	}
	if (!j->first)
		json_put(j, ",", 1);
	j->first = false;
	if (key != NULL) {
		json_quote(j, (const uint8_t *)key, strlen(key));
		json_put(j, ":", 1);
	}
}

static void
json_open(struct json *j, const char *key, const char *open, char close)
{
	json_begin(j, key);
	if (j->depth == JSON_DEPTH_MAX) {
		j->bad = true;
		return;
	}
	json_put(j, open, 1);
	j->close[j->depth++] = close;
	j->first = true;
}

void
json_object(struct json *j, const char *key)
{
	json_open(j, key, "{", '}');
}

void
json_array(struct json *j, const char *key)
{
	json_open(j, key, "[", ']');
}

void
json_end(struct json *j)
{
	if (j->depth == 0) {
		j->bad = true;
		return;
	}
	json_put(j, &j->close[--j->depth], 1);
	j->first = false;
}

void
json_strn(struct json *j, const char *key, const void *s, size_t len)
{
	json_begin(j, key);
	json_quote(j, s, len);
}

static void
json_word(struct json *j, const char *key, const char *word)
{
	json_begin(j, key);
	json_put(j, word, strlen(word));
}

void
json_str(struct json *j, const char *key, const char *s)
{
	if (s == NULL)
		json_word(j, key, "null");
	else
		json_strn(j, key, s, strlen(s));
}

void
json_uint(struct json *j, const char *key, uint64_t v)
{
	char	out[24];

	snprintf(out, sizeof(out), "%" PRIu64, v);
	json_word(j, key, out);
}

void
json_int(struct json *j, const char *key, int64_t v)
{
	char	out[24];

	snprintf(out, sizeof(out), "%" PRId64, v);
	json_word(j, key, out);
}

void
json_real(struct json *j, const char *key, double v)
{
	char	out[400];	/* DBL_MAX has 309 digits */

	if (!isfinite(v)) {
		json_word(j, key, "null");
		return;
	}
	snprintf(out, sizeof(out), "%.3f", v);
	json_word(j, key, out);
}

void
json_bool(struct json *j, const char *key, bool v)
{
	json_word(j, key, v ? "true" : "false");
}

const char *
json_done(struct json *j, size_t *len)
{
	if (j->depth != 0 || j->len == 0)
		j->bad = true;
	json_put(j, "\n", 1);
	if (j->bad)
		return NULL;
	*len = j->len;
	return j->buf;
}
