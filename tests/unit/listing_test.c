#include <check.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/listing.h"
#include "tests/unit/suite.h"

/* Pages of directories. */
static char *
page_of(struct listing *l)
{
	size_t	 len;
	char	*p = list_page(l, &len), *copy;

	ck_assert_ptr_nonnull(p);
	copy = strndup(p, len);
	ck_assert_uint_eq(strlen(copy), len);
	free(p);
	return copy;
}

static void
has(const char *page, const char *what)
{
	ck_assert_msg(strstr(page, what) != NULL, "no %s in:\n%s", what, page);
}

static void
has_not(const char *page, const char *what)
{
	ck_assert_msg(strstr(page, what) == NULL, "%s in:\n%s", what, page);
}

/* Names that would be something else in HTML, or in a URL. */
static const struct {
	const char	*name, *href, *text;
} names[] = {
	{ "a.txt", "\"./a.txt\"", ">a.txt<" },
	{ "<script>alert(1)</script>",
	    "\"./%3Cscript%3Ealert%281%29%3C%2Fscript%3E\"",
	    ">&lt;script&gt;alert(1)&lt;/script&gt;<" },
	{ "\" onmouseover=\"x", "\"./%22%20onmouseover%3D%22x\"",
	    ">&quot; onmouseover=&quot;x<" },
	{ "it's & co", "\"./it%27s%20%26%20co\"", ">it&#39;s &amp; co<" },
	{ "javascript:alert(1)", "\"./javascript%3Aalert%281%29\"",
	    ">javascript:alert(1)<" },
	{ "//evil.example", "\"./%2F%2Fevil.example\"", ">//evil.example<" },
	{ "what?#100%", "\"./what%3F%23100%25\"", ">what?#100%<" },
	{ "caf\u00e9 \u4e2d", "\"./caf%C3%A9%20%E4%B8%AD\"",
	    ">caf\u00e9 \u4e2d<" },
	{ "\\back", "\"./%5Cback\"", ">\\back<" },
};

START_TEST(test_names)
{
	struct list_item	 v = { names[_i].name, 5, 0, false };
	struct listing		 l = { .rel = "", .v = &v, .n = 1 };
	char			*page = page_of(&l);

	has(page, names[_i].href);
	has(page, names[_i].text);
	free(page);
	/* The same as the directory that is shown. */
	l.rel = names[_i].name;
	l.n = 0;
	page = page_of(&l);
	has_not(page, "<script>");
	has_not(page, "onmouseover=\"");
	free(page);
}
END_TEST

START_TEST(test_page)
{
	struct list_item	 v[] = {
		{ "b", 1, 0, false }, { "A", 10 << 20, 1700000000, false },
		{ "z", 4096, 0, true }, { "C", 1536, 5, false },
	};
	struct listing		 l = { .rel = "one/two <3", .v = v, .n = 4,
		.more = true };
	char			*page;

	list_sort(&l);
	ck_assert_str_eq(v[0].name, "z");
	ck_assert_str_eq(v[1].name, "A");
	ck_assert_str_eq(v[3].name, "C");
	page = page_of(&l);
	has(page, "<title>/one/two &lt;3</title>");
	has(page, "1 folder, 3 files; there are more");
	has(page, "<a href=\"./z/\">z/</a>");
	has(page, "<a href=\"../\">Parent folder</a>");
	has(page, "<h1><a href=\"./../../\">/</a><a href=\"./../\">one/</a>"
	    "<a href=\"./\" aria-current=\"page\">two &lt;3/</a>");
	has(page, "<td>10 MiB<td><time datetime=\"2023-11-14T22:13:20Z\">"
	    "2023-11-14 22:13</time>");
	has(page, "<td>1.5 KiB<td>");
	has(page, "<td>1 B<td>");
	has(page, "aria-sort=\"ascending\"><a href=\"?sort=name&amp;"
	    "order=desc\">");
	has(page, "<a href=\"?sort=size&amp;order=asc\">");
	free(page);
}
END_TEST

START_TEST(test_orders)
{
	static const struct {
		const char	*query, *want;
	} cases[] = {
		{ "", "dabc" }, { "sort=name&order=desc", "dcba" },
		{ "sort=size", "dbca" }, { "sort=time", "dcab" },
		{ "order=desc&sort=time", "dbac" }, { "sort=", "dabc" },
		{ "sort=sizes&&order=up&=", "dabc" },
		{ "sort=size&sort=time", "dcab" },
	};
	struct list_item	v[] = {
		{ "a", 3, 2, false }, { "b", 1, 3, false },
		{ "c", 2, 1, false }, { "d", 9, 9, true },
	};
	struct listing		l = { .rel = "", .v = v, .n = 4 };
	char			got[5] = "";
	size_t			i;

	list_order_parse(&l.order, (struct str){ cases[_i].query,
	    strlen(cases[_i].query) });
	list_sort(&l);
	for (i = 0; i < 4; i++)
		got[i] = v[i].name[0];
	/* Folders are first in either order. */
	ck_assert_str_eq(got, cases[_i].want);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("listing");
	TCase	*tc = tcase_create("listing");

	tcase_add_loop_test(tc, test_names, 0, (int)nitems(names));
	tcase_add_test(tc, test_page);
	tcase_add_loop_test(tc, test_orders, 0, 8);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
