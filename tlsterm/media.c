#include "common/l4.h"
#include "media.h"

/* What text is made of; the rest is packed already. */
static const struct str	types[] = {
#define TYPE(t)	{ t, sizeof(t) - 1 }
	TYPE("application/atom+xml"),
	TYPE("application/geo+json"),
	TYPE("application/javascript"),
	TYPE("application/json"),
	TYPE("application/ld+json"),
	TYPE("application/manifest+json"),
	TYPE("application/rss+xml"),
	TYPE("application/vnd.ms-fontobject"),
	TYPE("application/wasm"),
	TYPE("application/xhtml+xml"),
	TYPE("application/xml"),
	TYPE("font/otf"),
	TYPE("font/ttf"),
	TYPE("image/svg+xml"),
	TYPE("image/vnd.microsoft.icon"),
	TYPE("image/x-icon"),
};

static bool
type_encodes(struct str type)
{
	const char	*semi = memchr(type.p, ';', type.n);
	size_t		 i;

	if (semi != NULL)
		type.n = (size_t)(semi - type.p);
	type = str_trim(type);
	if (type.n > 5 && strncasecmp(type.p, "text/", 5) == 0)
		return true;
	for (i = 0; i < nitems(types); i++)
		if (str_caseeq(type, types[i]))
			return true;
	return false;
}

bool
media_encodes(const struct site *s, const char *type)
{
	struct str	t = { type, type == NULL ? 0 : strlen(type) };
	size_t		i;

	for (i = 0; i < s->nheader; i++) {
		if (str_caseeq(s->header[i].name, STR("Content-Type")))
			t = s->header[i].value;
		if (str_caseeq(s->header[i].name, STR("Content-Encoding")) ||
		    (str_caseeq(s->header[i].name, STR("Cache-Control")) &&
		    str_listed(s->header[i].value, STR("no-transform"))))
			return false;
	}
	return type_encodes(t);
}
