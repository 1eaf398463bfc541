#include <fnmatch.h>
#include <limits.h>

#include "common/l4.h"
#include "fspath.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The lead bytes of RFC 3629 and what their first continuation may be: that
 * is where long forms, surrogates and values above U+10FFFF are told apart.
 */
static const struct {
	uint8_t	first, last;		/* lead byte */
	uint8_t	low, high;		/* the byte after it */
	uint8_t	more;			/* continuation bytes, all */
} utf8[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
	{ 0xe1, 0xec, 0x80, 0xbf, 2 },
	{ 0xed, 0xed, 0x80, 0x9f, 2 },
	{ 0xee, 0xef, 0x80, 0xbf, 2 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
};

/* Bytes of the character at p, 0 if there is none. */
static size_t
utf8_length(const uint8_t *p, size_t len)
{
	size_t	i, k;

	if (p[0] < 0x80)
		return 1;
	for (i = 0; i < nitems(utf8); i++)
		if (p[0] >= utf8[i].first && p[0] <= utf8[i].last)
			break;
	if (i == nitems(utf8) || len <= utf8[i].more ||
	    p[1] < utf8[i].low || p[1] > utf8[i].high)
		return 0;
	for (k = 2; k <= utf8[i].more; k++)
		if ((p[k] & 0xc0) != 0x80)
			return 0;
	return (size_t)utf8[i].more + 1;
}

bool
utf8_valid(const char *s, size_t len)
{
	const uint8_t	*p = (const uint8_t *)s;
	size_t		 n;

	while (len > 0) {
		if ((n = utf8_length(p, len)) == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/* The byte at path.p[*i], its escape taken; -1 when that is broken, -2 when
 * it is an escaped slash.  *i is moved behind it. */
static int
decode_byte(struct str path, size_t *i)
{
	int	c = (uint8_t)path.p[(*i)++], hi, lo;

	if (c != '%')
		return c;
	if (path.n - *i < 2 || (hi = hex(path.p[*i])) == -1 ||
	    (lo = hex(path.p[*i + 1])) == -1)
		return -1;
	*i += 2;
	c = hi << 4 | lo;
	return c == '/' ? -2 : c;
}

static int
segment_check(const char *s, size_t n)
{
	if (n == 0 || n > NAME_MAX)
		return 404;
	if (s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')))
		return 400;
	return 0;
}

static int
segments_check(const struct fspath *f)
{
	const char	*s = f->rel, *slash;
	int		 rc;

	while ((slash = strchr(s, '/')) != NULL) {
		if ((rc = segment_check(s, (size_t)(slash - s))) != 0)
			return rc;
		s = slash + 1;
	}
	return f->len == 0 ? 0 : segment_check(s, strlen(s));
}

int
fspath_decode(struct fspath *f, struct str path)
{
	size_t	i = 0;
	int	c;

	f->len = 0;
	while (i < path.n && path.p[i] == '/')
		i++;
	while (i < path.n) {
		if ((c = decode_byte(path, &i)) == -2)
			return 404;
		if (c < ' ' || c == 0x7f)
			return 400;
		if (f->len == sizeof(f->rel) - 1)
			return 404;
		f->rel[f->len++] = (char)c;
	}
	if (!utf8_valid(f->rel, f->len))
		return 400;
	f->slash = f->len == 0 || f->rel[f->len - 1] == '/';
	if (f->slash && f->len > 0)
		f->len--;
	f->rel[f->len] = '\0';
	return segments_check(f);
}

static bool
segment_hidden(const char *seg, size_t n, bool first,
    const struct conf_strs *globs)
{
	char	name[NAME_MAX + 1];
	bool	well_known;
	size_t	i;

	if (n > NAME_MAX)
		return true;
	memcpy(name, seg, n);
	name[n] = '\0';
	well_known = first && strcmp(name, ".well-known") == 0;
	for (i = 0; i < globs->n; i++)
		if (well_known ? strcmp(globs->v[i], name) == 0 :
		    fnmatch(globs->v[i], name, 0) == 0)
			return true;
	return false;
}

bool
fspath_hidden(const char *rel, const struct conf_strs *globs)
{
	const char	*s = rel, *end;
	size_t		 i;

	if (globs->n == 0)
		return false;
	for (i = 0; i < globs->n; i++)
		if (strchr(globs->v[i], '/') != NULL &&
		    fnmatch(globs->v[i] + (globs->v[i][0] == '/'), rel,
		    FNM_PATHNAME | FNM_LEADING_DIR) == 0)
			return true;
	for (; *s != '\0'; s = *end == '\0' ? end : end + 1) {
		end = strchrnul(s, '/');
		if (segment_hidden(s, (size_t)(end - s), s == rel, globs))
			return true;
	}
	return false;
}
