#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "mime.h"

#define EXT_MAX		16	/* longer ones are not looked up */
#define LINE_MAX_LEN	1024
#define TYPES_MAX	20000	/* of a file that may be anything */
#define CHARSET		"; charset=utf-8"

struct type {
	char		 ext[EXT_MAX];
	const char	*type;
	bool		 own;		/* of our table: not freed */
};

struct mime {
	struct type	*v;		/* sorted by ext */
	size_t		 n;
};

/* These go before the system's, which differ from one host to the next. */
static const struct type own_types[] = {
	{ "atom",	"application/atom+xml", true },
	{ "avif",	"image/avif", true },
	{ "bmp",	"image/bmp", true },
	{ "br",		"application/x-brotli", true },
	{ "css",	"text/css" CHARSET, true },
	{ "csv",	"text/csv" CHARSET, true },
	{ "eot",	"application/vnd.ms-fontobject", true },
	{ "epub",	"application/epub+zip", true },
	{ "flac",	"audio/flac", true },
	{ "geojson",	"application/geo+json", true },
	{ "gif",	"image/gif", true },
	{ "gz",		"application/gzip", true },
	{ "htm",	"text/html" CHARSET, true },
	{ "html",	"text/html" CHARSET, true },
	{ "ico",	"image/x-icon", true },
	{ "ics",	"text/calendar" CHARSET, true },
	{ "jpeg",	"image/jpeg", true },
	{ "jpg",	"image/jpeg", true },
	{ "js",		"text/javascript" CHARSET, true },
	{ "json",	"application/json", true },
	{ "jsonld",	"application/ld+json", true },
	{ "m4a",	"audio/mp4", true },
	{ "map",	"application/json", true },
	{ "md",		"text/markdown" CHARSET, true },
	{ "mjs",	"text/javascript" CHARSET, true },
	{ "mp3",	"audio/mpeg", true },
	{ "mp4",	"video/mp4", true },
	{ "oga",	"audio/ogg", true },
	{ "ogg",	"audio/ogg", true },
	{ "ogv",	"video/ogg", true },
	{ "opus",	"audio/ogg", true },
	{ "otf",	"font/otf", true },
	{ "pdf",	"application/pdf", true },
	{ "png",	"image/png", true },
	{ "rss",	"application/rss+xml", true },
	{ "svg",	"image/svg+xml", true },
	{ "tar",	"application/x-tar", true },
	{ "tiff",	"image/tiff", true },
	{ "ttf",	"font/ttf", true },
	{ "txt",	"text/plain" CHARSET, true },
	{ "vtt",	"text/vtt" CHARSET, true },
	{ "wasm",	"application/wasm", true },
	{ "wav",	"audio/wav", true },
	{ "webm",	"video/webm", true },
	{ "webmanifest", "application/manifest+json", true },
	{ "webp",	"image/webp", true },
	{ "woff",	"font/woff", true },
	{ "woff2",	"font/woff2", true },
	{ "xhtml",	"application/xhtml+xml", true },
	{ "xml",	"text/xml" CHARSET, true },
	{ "xz",		"application/x-xz", true },
	{ "zip",	"application/zip", true },
	{ "zst",	"application/zstd", true },
};

static int
type_compare(const void *a, const void *b)
{
	return strcmp(((const struct type *)a)->ext,
	    ((const struct type *)b)->ext);
}

/* Stable in effect: at the same name ours is first. */
static int
type_order(const void *a, const void *b)
{
	const struct type	*x = a, *y = b;
	int			 cmp = type_compare(a, b);

	return cmp != 0 ? cmp : (int)y->own - (int)x->own;
}

/* A word of the file goes into a header: nothing but what belongs there. */
static bool
type_valid(const char *type)
{
	const char	*slash = strchr(type, '/'), *p;

	if (slash == NULL || slash == type || slash[1] == '\0' ||
	    strlen(type) > 127)
		return false;
	for (p = type; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && p != slash &&
		    strchr("!#$&^_.+-", *p) == NULL)
			return false;
	return true;
}

static void
mime_add(struct mime *m, const char *ext, const char *type)
{
	struct type	*v, *t;
	char		*copy;

	if (strlen(ext) >= EXT_MAX || m->n >= TYPES_MAX)
		return;
	v = reallocarray(m->v, m->n + 1, sizeof(*v));
	if (v == NULL)
		fatal("reallocarray");
	m->v = v;
	if (asprintf(&copy, "%s%s", type,
	    strncmp(type, "text/", 5) == 0 ? CHARSET : "") == -1)
		fatal("asprintf");
	t = &v[m->n++];
	memset(t, 0, sizeof(*t));
	strcpy(t->ext, ext);
	t->type = copy;
}

/* "type/subtype  ext ext ..." */
static void
mime_line(struct mime *m, char *line)
{
	char	*type, *ext, *save = NULL;
	size_t	 i;

	line[strcspn(line, "#\r\n")] = '\0';
	type = strtok_r(line, " \t", &save);
	if (type == NULL || !type_valid(type))
		return;
	while ((ext = strtok_r(NULL, " \t", &save)) != NULL) {
		for (i = 0; ext[i] != '\0'; i++)
			ext[i] = (char)tolower((unsigned char)ext[i]);
		mime_add(m, ext, type);
	}
}

static void
mime_read(struct mime *m, const char *path)
{
	char	 line[LINE_MAX_LEN];
	FILE	*f = fopen(path, "re");

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		mime_line(m, line);
	fclose(f);
}

/* Leaves the first of each name. */
static void
mime_unique(struct mime *m)
{
	size_t	i, n = 0;

	for (i = 0; i < m->n; i++) {
		if (n > 0 && type_compare(&m->v[n - 1], &m->v[i]) == 0) {
			free((void *)(uintptr_t)m->v[i].type);
			continue;
		}
		m->v[n++] = m->v[i];
	}
	m->n = n;
}

struct mime *
mime_load(const char *path)
{
	struct mime	*m;

	if ((m = calloc(1, sizeof(*m))) == NULL ||
	    (m->v = calloc(nitems(own_types), sizeof(*m->v))) == NULL)
		fatal("calloc");
	memcpy(m->v, own_types, sizeof(own_types));
	m->n = nitems(own_types);
	if (path != NULL)
		mime_read(m, path);
	qsort(m->v, m->n, sizeof(*m->v), type_order);
	mime_unique(m);
	return m;
}

void
mime_free(struct mime *m)
{
	size_t	i;

	if (m == NULL)
		return;
	for (i = 0; i < m->n; i++)
		if (!m->v[i].own)
			free((void *)(uintptr_t)m->v[i].type);
	free(m->v);
	free(m);
}

const char *
mime_type(const struct mime *m, const char *name)
{
	const char		*dot = strrchr(name, '.');
	const struct type	*t;
	struct type		 key;
	size_t			 i;

	if (dot == NULL || strchr(dot, '/') != NULL || dot[1] == '\0' ||
	    strlen(dot + 1) >= EXT_MAX)
		return NULL;
	for (i = 0; dot[1 + i] != '\0'; i++)
		key.ext[i] = (char)tolower((unsigned char)dot[1 + i]);
	key.ext[i] = '\0';
	t = bsearch(&key, m->v, m->n, sizeof(*m->v), type_compare);
	return t != NULL ? t->type : NULL;
}
