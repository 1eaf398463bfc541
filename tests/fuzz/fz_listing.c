#include "fuzz.h"
#include "tlsterm/fspath.h"
#include "tlsterm/listing.h"

/*
 * Any name in a list of a directory: the page has the markup that it has with
 * any other name, and the link leads to the name.
 */
static size_t
count(const char *p, size_t len, char c)
{
	size_t	i, n = 0;

	for (i = 0; i < len; i++)
		n += p[i] == c;
	return n;
}

static char *
page_of(const char *name, size_t *len)
{
	struct list_item	v = { name, 1, 0, false };
	struct listing		l = { .rel = name, .v = &v, .n = 1 };

	return list_page(&l, len);
}

static void
check_link(const char *page, size_t len, const char *name)
{
	static const char	mark[] = "<tr><td><a href=\"./";
	const char		*row, *end;
	struct fspath		 path;

	/* The second row: the first leads to the parent. */
	row = memmem(page, len, mark, sizeof(mark) - 1);
	must(row != NULL, "a row");
	row += sizeof(mark) - 1;
	end = strchr(row, '"');
	must(fspath_decode(&path, (struct str){ row, (size_t)(end - row) }) ==
	    0, "a path");
	must(strcmp(path.rel, name) == 0, "of the name");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct list_order	 order;
	char			*name, *page, *other;
	size_t			 n, m, i;

	list_order_parse(&order, (struct str){ (const char *)p, len });
	must(order.key < LIST__MAX, "an order");
	if (len == 0 || len > 200 || !utf8_valid((const char *)p, len) ||
	    memchr(p, '/', len) != NULL || p[0] == '.')
		return 0;
	for (i = 0; i < len; i++)
		if (p[i] < ' ' || p[i] == 0x7f)
			return 0;
	name = strndup((const char *)p, len);
	page = page_of(name, &n);
	other = page_of("x", &m);
	must(count(page, n, '<') == count(other, m, '<'), "no tag");
	must(count(page, n, '"') == count(other, m, '"'), "no quote");
	check_link(page, n, name);
	free(other);
	free(page);
	free(name);
	return 0;
}
