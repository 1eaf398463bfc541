#include <check.h>
#include <stdlib.h>

#include "common/l4.h"
#include "tlsterm/fspath.h"
#include "tests/unit/suite.h"

/* From the path of a request to a name below the docroot (HOSTILE FS1). */
static const struct {
	const char	*path;
	int		 status;
	const char	*rel;
	bool		 slash;
} paths[] = {
	{ "/", 0, "", true },
	{ "//", 0, "", true },
	{ "/a", 0, "a", false },
	{ "/a/", 0, "a", true },
	{ "///a/b", 0, "a/b", false },
	{ "/a%20b", 0, "a b", false },
	{ "/%c3%BC", 0, "\xc3\xbc", false },
	{ "/\xc3\xbc", 0, "\xc3\xbc", false },
	{ "/a\\b", 0, "a\\b", false },
	{ "/%5c..%5c", 0, "\\..\\", false },
	{ "/%252e%252e", 0, "%2e%2e", false },
	{ "/..;/", 0, "..;", true },
	{ "/...", 0, "...", false },
	{ "/.a", 0, ".a", false },
	{ "/%2e%2e", 400, "", false },
	{ "/..", 400, "", false },
	{ "/../x", 400, "", false },
	{ "/a/../x", 400, "", false },
	{ "/a/%2E./x", 400, "", false },
	{ "/.", 400, "", false },
	{ "/./", 400, "", false },
	{ "/a/./b", 400, "", false },
	{ "/..%2fx", 404, "", false },
	{ "/a%2Fb", 404, "", false },
	{ "/a//b", 404, "", false },
	{ "/a//", 404, "", false },
	{ "/%00", 400, "", false },
	{ "/a%00.html", 400, "", false },
	{ "/%0d%0aX: y", 400, "", false },
	{ "/%7f", 400, "", false },
	{ "/%", 400, "", false },
	{ "/%4", 400, "", false },
	{ "/%zz", 400, "", false },
	{ "/%c0%ae", 400, "", false },
	{ "/%e0%80%ae", 400, "", false },
	{ "/%f0%80%80%ae", 400, "", false },
	{ "/%ff", 400, "", false },
	{ "/%c3", 400, "", false },
	{ "/%ed%a0%80", 400, "", false },
	{ "/%f4%90%80%80", 400, "", false },
};

START_TEST(test_decode)
{
	struct fspath	 f;
	size_t		 n = strlen(paths[_i].path);
	char		*copy = malloc(n);
	int		 status;

	memcpy(copy, paths[_i].path, n);
	status = fspath_decode(&f, (struct str){ copy, n });
	free(copy);
	ck_assert_msg(status == paths[_i].status, "%s: %d", paths[_i].path,
	    status);
	if (status != 0)
		return;
	ck_assert_str_eq(f.rel, paths[_i].rel);
	ck_assert_uint_eq(f.len, strlen(f.rel));
	ck_assert(f.slash == paths[_i].slash);
}
END_TEST

/* A path of `n` segments of `len` bytes. */
static int
long_path(size_t n, size_t len)
{
	static char	buf[3 * FSPATH_MAX];
	struct fspath	f;
	size_t		i;

	for (i = 0; i < n; i++) {
		buf[i * (len + 1)] = '/';
		memset(buf + i * (len + 1) + 1, 'a', len);
	}
	return fspath_decode(&f, (struct str){ buf, n * (len + 1) });
}

START_TEST(test_long)
{
	ck_assert_int_eq(long_path(1, 255), 0);
	ck_assert_int_eq(long_path(1, 256), 404);
	ck_assert_int_eq(long_path(16, 255), 0);	/* 4095 */
	ck_assert_int_eq(long_path(2048, 1), 0);	/* the same */
	ck_assert_int_eq(long_path(2049, 1), 404);
	ck_assert_int_eq(long_path(5000, 1), 404);
}
END_TEST

static const struct {
	const char	*glob, *rel;
	bool		 hidden;
} hides[] = {
	{ ".*", ".git", true },
	{ ".*", "a/.git/config", true },
	{ ".*", "a/b.c", false },
	{ ".*", "", false },
	{ ".*", ".well-known", false },
	{ ".*", ".well-known/acme-challenge/x", false },
	{ ".*", ".well-known/.x", true },
	{ ".*", "a/.well-known/x", true },
	{ ".*", ".well-known2", true },
	{ ".well-known", ".well-known/x", true },
	{ "*.bak", "a/b.bak", true },
	{ "*.bak", "a/b.bak.html", false },
	{ "/private", "private/x", true },
	{ "private/*", "private/x/y", true },
	{ "/private/x", "private/y", false },
	{ "/a/*.c", "b/a/x.c", false },
};

START_TEST(test_hidden)
{
	struct conf_strs	globs = { (const char *[]){
		hides[_i].glob }, 1 };

	ck_assert_msg(fspath_hidden(hides[_i].rel, &globs) ==
	    hides[_i].hidden, "%s %s", hides[_i].glob, hides[_i].rel);
	globs.n = 0;
	ck_assert(!fspath_hidden(hides[_i].rel, &globs));
}
END_TEST

/* Every sequence of two bytes, against the definition. */
START_TEST(test_utf8_pairs)
{
	unsigned int	a, b;
	char		s[2];
	bool		want;

	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b++) {
			s[0] = (char)a;
			s[1] = (char)b;
			want = (a < 0x80 && b < 0x80) ||
			    (a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf);
			ck_assert(utf8_valid(s, 2) == want);
		}
	ck_assert(utf8_valid("\xf4\x8f\xbf\xbf", 4));
	ck_assert(utf8_valid("\xe2\x82\xac", 3));
	ck_assert(!utf8_valid("\xe2\x82", 2));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("fspath");
	TCase	*tc = tcase_create("fspath");

	tcase_add_loop_test(tc, test_decode, 0, (int)nitems(paths));
	tcase_add_test(tc, test_long);
	tcase_add_loop_test(tc, test_hidden, 0, (int)nitems(hides));
	tcase_add_test(tc, test_utf8_pairs);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
