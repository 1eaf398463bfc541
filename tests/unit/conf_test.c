#include <sys/mman.h>
#include <sys/stat.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "tests/unit/conf/dump.h"
#include "tests/unit/conf/full.h"
#include "tests/unit/suite.h"

/* Samples are copied before use: what a checkout's files may be written by is
 * not for us to say, and the loader looks at it. */
static char	dir[PATH_MAX];		/* a new one for each test */

static void
dir_make(void)
{
	strcpy(dir, "/tmp/conf_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
dir_remove(void)
{
	char		 path[PATH_MAX + 300];
	struct dirent	*d;
	DIR		*dp = opendir(dir);

	ck_assert_ptr_nonnull(dp);
	while ((d = readdir(dp)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		remove(path);
	}
	closedir(dp);
	rmdir(dir);
}

static const char *
in_dir(const char *name)
{
	static char	path[2][PATH_MAX + 64];
	static int	turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

/* A file of the source tree, to be freed. */
static char *
source_read(const char *name, size_t *len)
{
	const char	*here = strstr(__FILE__, "tests/unit/conf_test.c");
	char		 path[PATH_MAX], *buf = NULL;
	FILE		*f, *mem = open_memstream(&buf, len);
	int		 c;

	snprintf(path, sizeof(path), "%.*s%s", (int)(here - __FILE__),
	    __FILE__, name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL && mem != NULL, "%s: %s", path,
	    strerror(errno));
	while ((c = getc(f)) != EOF)
		putc(c, mem);
	fclose(f);
	fclose(mem);
	return buf;
}

static void
put_bytes(const char *name, const void *p, size_t len)
{
	int	fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	close(fd);
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static struct conf *
load(const char *name, char **errors)
{
	size_t		 len;
	FILE		*f = open_memstream(errors, &len);
	struct conf	*c;

	ck_assert_ptr_nonnull(f);
	c = conf_load(in_dir(name), f);
	fclose(f);
	return c;
}

static struct conf *
load_good(const char *name)
{
	char		*errors;
	struct conf	*c = load(name, &errors);

	ck_assert_msg(c != NULL, "%s", errors);
	ck_assert_str_eq(errors, "");
	free(errors);
	return c;
}

/* Expects these lines, each without the directory in front. */
static void
expect_errors(const char *name, const char *want)
{
	char		*errors, *got = NULL, *p, *line;
	struct conf	*c = load(name, &errors);
	size_t		 len, skip;
	FILE		*f = open_memstream(&got, &len);

	ck_assert_msg(c == NULL, "%s: taken for good", name);
	for (p = errors; (line = strsep(&p, "\n")) != NULL && *line != '\0';) {
		skip = strncmp(line, dir, strlen(dir)) == 0 ?
		    strlen(dir) + 1 : 0;
		fprintf(f, "%s\n", line + skip);
	}
	fclose(f);
	/* Not ck_assert_str_eq(): check cannot print texts of this size. */
	ck_assert_msg(strcmp(got, want) == 0, "got:\n%.3000s", got);
	free(got);
	free(errors);
}

static struct conf *
load_bytes(const void *p, size_t len, char **errors)
{
	int		 fd = memfd_create("conf_test", MFD_CLOEXEC);
	size_t		 n;
	FILE		*f = open_memstream(errors, &n);
	struct conf	*c;

	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	c = conf_load_fd(fd, "text", f);
	fclose(f);
	close(fd);
	return c;
}

/* The configuration that a snapshot of it gives. */
static struct conf *
resnap(const struct conf *c)
{
	int		 fd = conf_snapshot(c);
	struct conf	*copy;

	ck_assert_int_ne(fd, -1);
	copy = conf_load_fd(fd, "snapshot", stderr);
	ck_assert_ptr_nonnull(copy);
	close(fd);
	return copy;
}

static void
expect_stable(const struct conf *c)
{
	struct conf	*copy = resnap(c), *again = resnap(copy);
	char		*a = conf_dump(c), *b = conf_dump(copy),
			*d = conf_dump(again);

	ck_assert_msg(strcmp(a, b) == 0 && strcmp(a, d) == 0,
	    "not what it was:\n%.3000s", b);
	free(a);
	free(b);
	free(d);
	conf_free(copy);
	conf_free(again);
}

/* Each bad/NAME.conf gives the lines of bad/NAME.err, all of them. */
static const char *const	bad[] = {
	"acme", "acme2", "acme3", "acme4", "comment", "duplicate", "duplicate_site", "empty",
	"include", "large", "limits", "listen", "nest", "nul", "routes",
	"sites", "string", "syntax", "syntax_end", "two", "types",
	"upstreams", "users", "users2",
};

START_TEST(test_bad)
{
	char	 name[PATH_MAX], line[512], *text, *lines, *want = NULL;
	size_t	 len, n;
	FILE	*f = open_memstream(&want, &n), *in;

	snprintf(name, sizeof(name), "tests/unit/conf/bad/%s.conf", bad[_i]);
	text = source_read(name, &len);
	put_bytes("x.conf", text, len);
	free(text);
	snprintf(name, sizeof(name), "tests/unit/conf/bad/%s.err", bad[_i]);
	lines = source_read(name, &len);
	in = fmemopen(lines, len, "r");
	while (fgets(line, sizeof(line), in) != NULL)
		fprintf(f, "x.conf:%s", line);
	fclose(in);
	fclose(f);
	free(lines);
	expect_errors("x.conf", want);
	free(want);
}
END_TEST

/* The samples that are good, and every truncation of them: an error or a
 * configuration, never a crash, and never one that its snapshot changes. */
static const char *const	good[] = {
	"etc/l4mux.conf.sample", "tests/unit/conf/good/full.conf",
	"tests/unit/conf/good/blog.conf",
};

START_TEST(test_good)
{
	size_t		 len;
	char		*text = source_read(good[_i], &len);
	struct conf	*c;

	put_bytes("x.conf", text, len);
	free(text);
	c = load_good("x.conf");
	expect_stable(c);
	conf_free(c);
}
END_TEST

START_TEST(test_truncated)
{
	size_t		 len, cut;
	char		*text = source_read(good[_i], &len), *errors;
	struct conf	*c;

	for (cut = 0; cut < len; cut++) {
		c = load_bytes(text, cut, &errors);
		ck_assert_msg((c == NULL) == (errors[0] != '\0'),
		    "cut at %zu", cut);
		if (c != NULL)
			expect_stable(c);
		ck_assert(c != NULL ||
		    strncmp(errors, "text:", strlen("text:")) == 0);
		conf_free(c);
		free(errors);
	}
	free(text);
}
END_TEST

START_TEST(test_defaults)
{
	cpu_set_t	 cpus;
	struct conf	*c;
	size_t		 i;

	put("x.conf", "sites = { a = { names = \"a\"; root = \"/a\"; }; };");
	c = load_good("x.conf");
	sched_getaffinity(0, sizeof(cpus), &cpus);
	ck_assert_uint_eq(c->processes.worker, (unsigned)CPU_COUNT(&cpus));
	ck_assert_uint_eq(c->processes.keys, 2);
	ck_assert_uint_eq(c->nlistener, 2);
	ck_assert_str_eq(c->listener[1].name, ":80");
	ck_assert_uint_eq(c->listener[0].naddr, 2);
	ck_assert_int_eq(c->listener[0].addr[1].family, ADDR_V6);
	ck_assert_int_eq(c->listener[0].addr[1].port, 443);
	ck_assert_int_eq(c->listener[0].backlog, 4096);
	for (i = 0; i < FALLBACK__MAX; i++)
		ck_assert_int_eq(c->fallback[i].kind, TARGET_SITE);
	ck_assert_int_eq(c->site[0].cert_kind, CERT_SELF_SIGNED);
	ck_assert_uint_eq(c->site[0].nencode, 3);
	ck_assert_int_eq(c->site[0].encode[2], ENC_GZIP);
	ck_assert_str_eq(c->site[0].hide.v[0], ".*");
	ck_assert_int_eq(c->site[0].redirect_status, 302);
	ck_assert_uint_eq(c->limits.hello_bytes, 32768);
	ck_assert_uint_eq(c->limits.loop, 512);
	ck_assert(c->strict && c->log.connections && !c->acme.on);
	ck_assert_int_eq(c->log.level, LOG_LVL_INFO);
	ck_assert(c->drain == 30.0 && c->metrics == NULL);
	ck_assert_str_eq(c->user[USER_TLSTERM], "l4mux-tls");
	conf_free(c);
}
END_TEST

START_TEST(test_full)
{
	size_t		 len;
	char		*text = source_read(good[1], &len);
	struct conf	*c;

	put_bytes("x.conf", text, len);
	free(text);
	c = load_good("x.conf");
	check_full_globals(c);
	check_full_parts(c);
	conf_free(c);
}
END_TEST

START_TEST(test_include)
{
	struct conf	*c;

	put("b.conf", "a = { names = \"a\";\n  root = \"/a\"; };\n"
	    "b = { names = \"b\"; root = \"/b\"; } # no end of line");
	put("x.conf", "sites = {\n  @include \"b.conf\"\n};\n"
	    "/* @include \"none\" */ # @include \"none\"\n"
	    "routes = ( { sni = \"x\n@include\"; to = \"a\"; } );\n");
	expect_errors("x.conf",
	    "x.conf:1: fallback: missing: say who gets what no rule takes: "
	    "a site, an upstream, \"close\" or \"reset\"\n"
	    "x.conf:5: routes.sni: \"x\\x0a@include\": not a host name; one "
	    "is \"www.example.com\" or \"*.example.com\", in ASCII (other "
	    "scripts in their xn-- form)\n");
	put("x.conf", "sites = {\n  @include \"b.conf\"\n};\n\n"
	    "routes = ( { sni = \"x\"; to = \"a\"; } );\n"
	    "fallback = \"close\";\n");
	c = load_good("x.conf");
	ck_assert_uint_eq(c->nsite, 2);
	ck_assert_str_eq(c->site[1].name, "b");
	ck_assert_uint_eq(c->site[1].line, 3);
	ck_assert_uint_eq(c->route[0].line, 5);
	expect_stable(c);
	conf_free(c);
}
END_TEST

START_TEST(test_include_errors)
{
	char	*errors;

	put("b.conf", "\n\nhello_bytes = 1;\n");
	put("x.conf", "fallback = \"close\";\nlimits = {\n"
	    "@include \"b.conf\"\n foo = 1; };\nbar = 1;\n");
	expect_errors("x.conf",
	    "b.conf:3: limits.hello_bytes: 1 is out of range: 1024 to 65536\n"
	    "x.conf:4: limits.foo: unknown key\n"
	    "x.conf:5: bar: unknown key\n");
	put("b.conf", "\nx = = 1;\n");
	expect_errors("x.conf", "b.conf:2: syntax error, here or on the line "
	    "before: \"x = = 1;\"\n");
	put("b.conf", "x = \"\n");
	expect_errors("x.conf",
	    "b.conf:1: this string has no end: \" is missing\n");
	put("b.conf", "@include \"b.conf\"\n");
	ck_assert_ptr_null(load("x.conf", &errors));
	ck_assert_ptr_nonnull(strstr(errors, "b.conf:1: @include"));
	ck_assert_ptr_nonnull(strstr(errors, "does a file include itself?"));
	free(errors);
}
END_TEST

/* What must not be read at all; what includes it says where. */
static void
expect_refused(const char *why)
{
	char	want[2 * PATH_MAX], *errors;

	snprintf(want, sizeof(want), "b.conf:1: %s\n", why);
	expect_errors("b.conf", want);
	put("x.conf", "\n@include \"b.conf\"\n");
	ck_assert_ptr_null(load("x.conf", &errors));
	snprintf(want, sizeof(want), "%s:2: @include \"%s\": %s\n",
	    in_dir("x.conf"), in_dir("b.conf"), why);
	ck_assert_str_eq(errors, want);
	free(errors);
}

START_TEST(test_refused)
{
	expect_refused("No such file or directory");
	mkfifo(in_dir("b.conf"), 0600);
	expect_refused("this is not a regular file");
	unlink(in_dir("b.conf"));
	mkdir(in_dir("b.conf"), 0700);
	expect_refused("this is a directory, not a file");
	rmdir(in_dir("b.conf"));
	put("b.conf", "");
	ck_assert_int_eq(truncate(in_dir("b.conf"), 1 << 30), 0);
	expect_refused("the file is too large: at most 16 MiB");
	ck_assert_int_eq(truncate(in_dir("b.conf"), 4), 0);
	expect_errors("b.conf", "b.conf:1: a NUL byte\n");
}
END_TEST

START_TEST(test_distrusted)
{
	static const mode_t	modes[] = { 0620, 0602, 0666 };
	size_t			i;

	if (geteuid() != 0)
		return;
	put("b.conf", "fallback = \"close\";\n");
	conf_free(load_good("b.conf"));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		chmod(in_dir("b.conf"), modes[i]);
		expect_refused("the file must not be writable by its group "
		    "or by others (chmod go-w)");
	}
	chmod(in_dir("b.conf"), 0644);
	conf_free(load_good("b.conf"));
	ck_assert_int_eq(chown(in_dir("b.conf"), 65534, 65534), 0);
	expect_refused("the file must be owned by root (chown root)");
}
END_TEST

START_TEST(test_snapshot_sealed)
{
	static const char	include[] = "@include \"/etc/passwd\"\n";
	struct conf		*c;
	char			*errors;
	int			 fd;

	put("x.conf", "fallback = \"close\"; # the end");
	c = load_good("x.conf");
	fd = conf_snapshot(c);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	/* Readers share the offset, and must not depend on it. */
	lseek(fd, 0, SEEK_END);
	conf_free(c);
	c = conf_load_fd(fd, "x", stderr);
	ck_assert_ptr_nonnull(c);
	conf_free(c);
	close(fd);
	ck_assert_ptr_null(load_bytes(include, strlen(include), &errors));
	ck_assert_ptr_nonnull(strstr(errors, "text:1: @include"));
	free(errors);
}
END_TEST

#define MANY	100000

START_TEST(test_many_routes)
{
	char		*text = NULL;
	size_t		 len, i;
	FILE		*f = open_memstream(&text, &len);
	struct conf	*c;

	fprintf(f, "fallback = \"close\";\nroutes = (\n");
	for (i = 0; i < MANY; i++)
		fprintf(f, "{ sni = \"host%zu.example\"; to = \"close\"; }%s",
		    i, i + 1 < MANY ? ",\n" : ");\n");
	fclose(f);
	put_bytes("x.conf", text, len);
	free(text);
	c = load_good("x.conf");
	ck_assert_uint_eq(c->nroute, MANY);
	ck_assert_str_eq(c->route[MANY - 1].match.sni.v[0],
	    "host99999.example");
	ck_assert_uint_eq(c->route[MANY - 1].line, MANY + 2);
	conf_free(c);
}
END_TEST

struct man {
	char		*text;
	unsigned int	 missing, keys;
};

/* The item of a key "a.b.c": .It Ic a in the list of all, .It Cm c in the
 * subsection of a. */
static void
find_in_man(const char *key, void *arg)
{
	struct man	*m = arg;
	const char	*last = strrchr(key, '.'), *p, *end, *next, *hit;
	char		 top[64], section[80], item[80];

	m->keys++;
	snprintf(top, sizeof(top), "%.*s", (int)strcspn(key, "."), key);
	snprintf(section, sizeof(section), "\n.Ss %s\n",
	    last == NULL ? "Keys" : top);
	snprintf(item, sizeof(item), "\n.It %s %s", last == NULL ? "Ic" :
	    "Cm", last == NULL ? key : last + 1);
	hit = NULL;
	if ((p = strstr(m->text, section)) != NULL) {
		end = strstr(p + 1, "\n.Sh ");
		next = strstr(p + 1, "\n.Ss ");
		if (next != NULL && next < end)
			end = next;
		while ((p = strstr(p, item)) != NULL && p < end) {
			if (strchr("\n ", p[strlen(item)]) != NULL)
				hit = p;
			p++;
		}
	}
	if (hit == NULL) {
		fprintf(stderr, "l4mux.conf.5: no %s after %s", item + 1,
		    section + 1);
		m->missing++;
	}
}

START_TEST(conf_man_test)
{
	struct man	m = { NULL, 0, 0 };
	size_t		len;

	m.text = source_read("man/l4mux.conf.5", &len);
	conf_each_key(find_in_man, &m);
	ck_assert_uint_gt(m.keys, 90);
	ck_assert_uint_eq(m.missing, 0);
	free(m.text);
}
END_TEST

const char	*__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it is at when it meets a syntax error. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

#define NITEMS(a)	((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite	*s = suite_create("conf");
	TCase	*tc = tcase_create("conf");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 300);	/* a guard, with room for ASan */
	tcase_add_checked_fixture(tc, dir_make, dir_remove);
	tcase_add_loop_test(tc, test_bad, 0, NITEMS(bad));
	tcase_add_loop_test(tc, test_good, 0, NITEMS(good));
	tcase_add_loop_test(tc, test_truncated, 0, NITEMS(good));
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_include);
	tcase_add_test(tc, test_include_errors);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_distrusted);
	tcase_add_test(tc, test_snapshot_sealed);
	tcase_add_test(tc, test_many_routes);
	tcase_add_test(tc, conf_man_test);
	return suite_run(s);
}
