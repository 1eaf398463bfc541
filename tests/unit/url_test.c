#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "tlsterm/mime.h"
#include "tlsterm/redirect.h"
#include "tests/unit/suite.h"

/* URLs that clients are sent to, and types of files. */
static struct request *
request_of(const char *host, const char *uri)
{
	static struct request	 req;
	const char		*q = strchr(uri, '?');

	memset(&req, 0, sizeof(req));
	strcpy(req.host, host);
	req.uri = req.path = (struct str){ uri, strlen(uri) };
	if (q != NULL) {
		req.path.n = (size_t)(q - uri);
		req.query = (struct str){ q + 1, strlen(q + 1) };
	}
	return &req;
}

static const struct {
	const char	*template, *uri, *want;
} expansions[] = {
	{ "https://zhul.in{uri}", "/a?b", "https://zhul.in/a?b" },
	{ "https://zhul.in{uri}", "/a?", "https://zhul.in/a?" },
	{ "https://zhul.in{uri}", "/", "https://zhul.in/" },
	{ "https://zhul.in{path}", "/a?b", "https://zhul.in/a" },
	{ "https://x/?u={path}&{query}", "/a?b=c", "https://x/?u=/a&b=c" },
	{ "https://x/?{query}", "/a", "https://x/?" },
	{ "https://www.{host}{uri}", "/", "https://www.h.example/" },
	{ "https://x/fixed", "/a?b", "https://x/fixed" },
	{ "https://x{uri}", "/\xc3\xbc\"<>{}", "https://x/%C3%BC%22%3C%3E%7B"
	    "%7D" },
};

START_TEST(test_expand)
{
	char	got[256];
	size_t	n, k, len = strlen(expansions[_i].want);

	n = redirect_expand(got, sizeof(got), expansions[_i].template,
	    request_of("h.example", expansions[_i].uri));
	ck_assert_uint_eq(n, len);
	ck_assert(memcmp(got, expansions[_i].want, n) == 0);
	for (k = 0; k < len; k++)
		ck_assert_uint_eq(redirect_expand(got, k,
		    expansions[_i].template,
		    request_of("h.example", expansions[_i].uri)), 0);
}
END_TEST

static const struct {
	const char	*uri;
	bool		 add;
	const char	*want;
} slashes[] = {
	{ "/a", true, "/a/" },
	{ "/a?b/c", true, "/a/?b/c" },
	{ "//evil.example", true, "/evil.example/" },
	{ "///evil.example/", false, "/evil.example" },
	{ "/\\evil.example", true, "/%5Cevil.example/" },
	{ "/a/", false, "/a" },
	{ "/a///?q", false, "/a?q" },
	{ "/%2e%2e", true, "/%2e%2e/" },
	{ "//", true, "/" },
};

START_TEST(test_slash)
{
	char	got[256];
	size_t	n;

	n = redirect_slash(got, sizeof(got), request_of("h",
	    slashes[_i].uri), slashes[_i].add);
	ck_assert_msg(n == strlen(slashes[_i].want) &&
	    memcmp(got, slashes[_i].want, n) == 0, "%.*s", (int)n, got);
}
END_TEST

static const struct {
	const char	*host;
	uint16_t	 port;
	const char	*uri, *want;
} secure[] = {
	{ "h.example", 443, "/a?b", "https://h.example/a?b" },
	{ "h.example", 8443, "/", "https://h.example:8443/" },
	{ "[::1]", 443, "//x", "https://[::1]//x" },
	{ "h.example", 443, "*", "https://h.example/" },
};

START_TEST(test_https)
{
	char	got[256];
	size_t	n;

	n = redirect_https(got, sizeof(got), secure[_i].host, secure[_i].port,
	    (struct str){ secure[_i].uri, strlen(secure[_i].uri) });
	ck_assert_msg(n == strlen(secure[_i].want) &&
	    memcmp(got, secure[_i].want, n) == 0, "%.*s", (int)n, got);
}
END_TEST

static const struct {
	const char	*name, *type;
} types[] = {
	{ "index.html", "text/html; charset=utf-8" },
	{ "a/b.c/INDEX.HTM", "text/html; charset=utf-8" },
	{ "app.js", "text/javascript; charset=utf-8" },
	{ "x.woff2", "font/woff2" },
	{ "x.tar.gz", "application/gzip" },
	{ "x.json", "application/json" },
	{ "x.thing", "application/x-thing" },
	{ "x.OTHER", "application/x-thing" },
	{ "x.words", "text/x-words; charset=utf-8" },
	{ "x.injected", NULL },
	{ "x.evil", NULL },
	{ "x.none", NULL },
	{ "README", NULL },
	{ "a.html/README", NULL },
	{ "a.", NULL },
	{ "", NULL },
	{ "a.averyveryverylongextension", NULL },
};

/* The system's table adds, but does not take the place of ours; a line that
 * would not do as a header is left out. */
START_TEST(test_mime)
{
	static const char	table[] =
	    "# comment\n"
	    "application/x-thing\t thing  other\n"
	    "application/x-wrong  html js\n"
	    "text/x-words words # end\n"
	    "application/x-none\n"
	    "text/pl\"ain injected\n"
	    "nothing evil\n"
	    "text/ evil\n";
	char			 path[] = "/tmp/mime.XXXXXX";
	int			 fd = mkstemp(path);
	struct mime		*m;
	const char		*type;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, table, sizeof(table) - 1),
	    sizeof(table) - 1);
	close(fd);
	m = mime_load(path);
	unlink(path);
	type = mime_type(m, types[_i].name);
	if (types[_i].type == NULL)
		ck_assert_ptr_null(type);
	else {
		ck_assert_ptr_nonnull(type);
		ck_assert_str_eq(type, types[_i].type);
	}
	mime_free(m);
}
END_TEST

START_TEST(test_mime_alone)
{
	struct mime	*m = mime_load("/nonexistent/mime.types");

	ck_assert_str_eq(mime_type(m, "a.css"), "text/css; charset=utf-8");
	ck_assert_ptr_null(mime_type(m, "a.thing"));
	mime_free(m);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("url");
	TCase	*tc = tcase_create("url");

	tcase_add_loop_test(tc, test_expand, 0, (int)nitems(expansions));
	tcase_add_loop_test(tc, test_slash, 0, (int)nitems(slashes));
	tcase_add_loop_test(tc, test_https, 0, (int)nitems(secure));
	tcase_add_loop_test(tc, test_mime, 0, (int)nitems(types));
	tcase_add_test(tc, test_mime_alone);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
