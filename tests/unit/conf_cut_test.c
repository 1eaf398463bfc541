#include <sys/mman.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/conf_text.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

/*
 * Groups of more members than libconfig is shown at once.
 */
enum group { SITES, UPSTREAMS, CERTIFICATES, GROUP__MAX };

static const char *const	words[GROUP__MAX] = {
	"sites", "upstreams", "certificates"
};
static const size_t	sizes[] = {
	1, CONF_CUT - 1, CONF_CUT, CONF_CUT + 1, 2 * CONF_CUT, 2 * CONF_CUT + 1,
	5 * CONF_CUT + 7
};

static void
write_member(FILE *f, enum group g, size_t i)
{
	if (g == SITES)
		fprintf(f, "names = [ \"s%zu.example\" ]; redirect = "
		    "\"https://a.example/\";", i);
	else if (g == UPSTREAMS)
		fprintf(f, "address = \"192.0.2.1:%zu\";", i);
	else
		fprintf(f, "names = [ \"c%zu.example\" ];", i);
}

/* A line for each member, the ends of lines as people write them; the one with
 * the number `second` is called like number 3. */
static void
write_group(FILE *f, enum group g, size_t n, size_t second)
{
	static const char *const	ends[] = {
		"};", "}", "}, # the end: };", "} /* }; */ ;", "}; // }"
	};
	size_t	i;

	fprintf(f, "%s %s {\n", words[g], g == UPSTREAMS ? ":" : "=");
	for (i = 0; i < n; i++) {
		fprintf(f, "%c%zu %s { ", words[g][0], i == second ? 3 : i,
		    i % 3 == 0 ? ":" : "=");
		write_member(f, g, i + 1);
		fprintf(f, " %s\n", ends[i % nitems(ends)]);
	}
	fprintf(f, "};\n");
}

static struct conf *
load(const char *text, char **errors)
{
	int		 fd = memfd_create("conf_cut_test", MFD_CLOEXEC);
	size_t		 n;
	FILE		*f = open_memstream(errors, &n);
	struct conf	*c;

	ck_assert_int_eq(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
	c = conf_load_fd(fd, "text", f);
	fclose(f);
	close(fd);
	return c;
}

static char *
make_text(size_t n, enum group g, size_t second, const char *more)
{
	char	*text = NULL;
	size_t	 len;
	FILE	*f = open_memstream(&text, &len);
	int	 i;

	fprintf(f, "fallback = \"close\"; acme = { agree_to_terms = true; "
	    "email = \"a@example.org\"; dns_hook = \"/bin/true\"; }\n");
	for (i = 0; i < GROUP__MAX; i++)
		write_group(f, (enum group)i, n,
		    i == (int)g ? second : SIZE_MAX);
	fprintf(f, "%s\n", more);
	fclose(f);
	return text;
}

static void
check_member(const char *name, unsigned int line, enum group g, size_t n,
    size_t i)
{
	char	want[32];

	snprintf(want, sizeof(want), "%c%zu", words[g][0], i);
	ck_assert_str_eq(name, want);
	ck_assert_uint_eq(line, 3 + (size_t)g * (n + 2) + i);
}

static void
check_all(const struct conf *c, size_t n)
{
	char	want[32];
	size_t	i;

	ck_assert_uint_eq(c->nsite, n);
	ck_assert_uint_eq(c->nupstream, n);
	ck_assert_uint_eq(c->ncertificate, n);
	for (i = 0; i < n; i++) {
		check_member(c->site[i].name, c->site[i].line, SITES, n, i);
		check_member(c->upstream[i].name, c->upstream[i].line,
		    UPSTREAMS, n, i);
		check_member(c->certificate[i].name, c->certificate[i].line,
		    CERTIFICATES, n, i);
		snprintf(want, sizeof(want), "s%zu.example", i + 1);
		ck_assert_str_eq(c->site[i].names.v[0], want);
	}
}

START_TEST(test_every_member)
{
	size_t		 n = sizes[_i];
	char		*text = make_text(n, SITES, SIZE_MAX, ""), *errors;
	struct conf	*c = load(text, &errors), *copy;
	int		 fd;

	ck_assert_msg(c != NULL, "%.500s", errors);
	check_all(c, n);
	ck_assert_int_ne(fd = conf_snapshot(c), -1);
	copy = conf_load_fd(fd, "snapshot", stderr);
	ck_assert_ptr_nonnull(copy);
	check_all(copy, n);
	close(fd);
	conf_free(copy);
	conf_free(c);
	free(errors);
	free(text);
}
END_TEST

static void
expect_error(char *text, const char *want)
{
	char	*errors;

	ck_assert_ptr_null(load(text, &errors));
	ck_assert_msg(strstr(errors, want) != NULL, "not \"%s\":\n%.500s",
	    want, errors);
	free(errors);
	free(text);
}

/* In one part libconfig sees it, in different parts we have to. */
START_TEST(test_twice)
{
	static const size_t	at[] = { 4, CONF_CUT + 1, 3 * CONF_CUT - 1 };
	size_t			n = 3 * CONF_CUT, i;
	char			want[128];

	for (i = 0; i < nitems(at); i++) {
		snprintf(want, sizeof(want),
		    "text:%zu: %s%sduplicate setting name",
		    3 + (size_t)_i * (n + 2) + at[i],
		    at[i] < CONF_CUT ? "" : words[_i],
		    at[i] < CONF_CUT ? "" : _i == SITES ? ".s3: " :
		    _i == UPSTREAMS ? ".u3: " : ".c3: ");
		expect_error(make_text(n, (enum group)_i, at[i], ""), want);
	}
}
END_TEST

/* The names of the parts are nobody's to use. */
START_TEST(test_names_of_parts)
{
	char	first[64], next[64];

	snprintf(first, sizeof(first), "sites*%d = { };", CONF_CUT);
	snprintf(next, sizeof(next), "sites*%d: unknown key", CONF_CUT);
	expect_error(make_text(CONF_CUT, SITES, SIZE_MAX, first), next);
	expect_error(make_text(CONF_CUT + 1, SITES, SIZE_MAX, first),
	    "duplicate setting name");
	snprintf(first, sizeof(first), "sites*%d = { };", 2 * CONF_CUT);
	snprintf(next, sizeof(next), "sites*%d: unknown key", 2 * CONF_CUT);
	expect_error(make_text(CONF_CUT + 1, SITES, SIZE_MAX, first), next);
}
END_TEST

/* A group that has no members of its own choice. */
START_TEST(test_unknown_keys)
{
	char	*text = NULL;
	size_t	 len, i;
	FILE	*f = open_memstream(&text, &len);

	fprintf(f, "fallback = \"close\"; limits = {\n");
	for (i = 0; i < 2 * CONF_CUT; i++)
		fprintf(f, "k%zu = 1;\n", i);
	fprintf(f, "};\n");
	fclose(f);
	expect_error(text, "text:2: limits.k0: unknown key");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("conf_cut");
	TCase	*tc = tcase_create("cut");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_every_member, 0, (int)nitems(sizes));
	tcase_add_loop_test(tc, test_twice, 0, GROUP__MAX);
	tcase_add_test(tc, test_names_of_parts);
	tcase_add_test(tc, test_unknown_keys);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
