#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "master/store.h"
#include "tests/unit/suite.h"

static char	state[64];

static const char	*list[] = { "a.test", "*.b.test" };
static const struct conf_strs	names = { list, nitems(list) };

static void
setup(void)
{
	snprintf(state, sizeof(state), "/tmp/l4store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(state));
}

static void
teardown(void)
{
	char	cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", state);
	ck_assert_int_eq(system(cmd), 0);
}

static void
put(int fd, const char *text)
{
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0),
	    (ssize_t)strlen(text));
}

static bool
holds(int fd, const char *text)
{
	char	buf[64];
	ssize_t	n = pread(fd, buf, sizeof(buf), 0);

	return n == (ssize_t)strlen(text) && memcmp(buf, text,
	    (size_t)n) == 0;
}

static void
install(const char *chain, const char *key, int64_t number)
{
	struct store_new	n;

	ck_assert(store_begin(state, "site", &n));
	put(n.chain, chain);
	put(n.key, key);
	ck_assert(store_commit(&n, "site", &names, number));
	ck_assert_int_eq(n.certs, -1);
}

static void
assert_pair(const char *chain, const char *key)
{
	struct store_pair	p;

	ck_assert(store_open(state, "site", &p));
	ck_assert(holds(p.chain, chain) && holds(p.key, key));
	ck_assert_uint_eq(p.nnames, 2);
	ck_assert_str_eq(p.name[1], "*.b.test");
	store_close(&p);
}

/* How many names are in certs/. */
static int
count(void)
{
	char	cmd[128], out[16] = "";
	FILE	*f;

	snprintf(cmd, sizeof(cmd), "ls '%s/certs' | wc -l", state);
	f = popen(cmd, "r");
	ck_assert(f != NULL && fgets(out, sizeof(out), f) != NULL);
	pclose(f);
	return atoi(out);
}

START_TEST(test_pair)
{
	struct store_pair	p;
	struct store_new	n;

	ck_assert(!store_open(state, "site", &p));
	install("chain 1", "key 1", 1);
	assert_pair("chain 1", "key 1");
	install("chain 2", "key 2", 2);
	assert_pair("chain 2", "key 2");
	ck_assert_int_eq(count(), 2);	/* the link and what it is of */
	ck_assert(store_begin(state, "site", &n));
	put(n.key, "key 3");
	store_abort(&n, "site");
	assert_pair("chain 2", "key 2");
	ck_assert_int_eq(count(), 2);
}
END_TEST

/* Killed before it wrote down that it had it, it is back in no time. */
START_TEST(test_same_second)
{
	install("chain 1", "key 1", 9);
	install("chain 2", "key 2", 9);
	assert_pair("chain 2", "key 2");
	install("chain 3", "key 3", 9);
	assert_pair("chain 3", "key 3");
	ck_assert_int_eq(count(), 2);
}
END_TEST

/* Whatever an earlier program left at any step, the pair is whole. */
START_TEST(test_crash)
{
	static const char *const	left[] = {
		"mkdir certs/site.new",
		"mkdir certs/site.new; echo x >certs/site.new/key.pem",
		"mkdir certs/site.9; echo x >certs/site.9/chain.pem",
		"mkdir certs/site.9; ln -s site.9 certs/site.link",
		"ln -s site.8 certs/site.link",
	};
	char	cmd[256];

	install("chain 1", "key 1", 1);
	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", state, left[_i]);
	ck_assert_int_eq(system(cmd), 0);
	assert_pair("chain 1", "key 1");
	install("chain 2", "key 2", 9);
	assert_pair("chain 2", "key 2");
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(test_half_a_pair_is_none)
{
	struct store_pair	p;
	char			cmd[128];

	install("chain 1", "key 1", 1);
	snprintf(cmd, sizeof(cmd), "rm '%s'/certs/site/key.pem", state);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert(!store_open(state, "site", &p));
	ck_assert_int_eq(p.chain, -1);
}
END_TEST

START_TEST(test_modes)
{
	struct stat	st;
	char		path[128];

	install("chain 1", "key 1", 1);
	snprintf(path, sizeof(path), "%s/certs/site/key.pem", state);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/certs", state);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
}
END_TEST

START_TEST(test_text)
{
	char	*text;

	ck_assert_ptr_null(store_read(state, "acme", "a.state"));
	ck_assert(store_write(state, "acme", "a.state", "one\n", 4));
	ck_assert(store_write(state, "acme", "a.state", "two\n", 4));
	text = store_read(state, "acme", "a.state");
	ck_assert_str_eq(text, "two\n");
	free(text);
}
END_TEST

START_TEST(test_account)
{
	char	path[256];
	int	a, b;

	a = store_account(state, "https://ca.test:14000/dir?x");
	ck_assert_int_ne(a, -1);
	put(a, "key");
	b = store_account(state, "https://ca.test:14000/dir?x");
	ck_assert(holds(b, "key"));
	snprintf(path, sizeof(path), "%s/acme/ca.test_14000_dir_x.key",
	    state);
	ck_assert_int_eq(access(path, F_OK), 0);
	close(a);
	close(b);
	a = store_account(state, "https://../../etc/passwd");
	snprintf(path, sizeof(path), "%s/acme/_._.._etc_passwd.key", state);
	ck_assert_int_eq(access(path, F_OK), 0);
	close(a);
}
END_TEST

START_TEST(test_copy)
{
	char	path[128];
	int	fd, copy;

	snprintf(path, sizeof(path), "%s/f", state);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	put(fd, "a key");
	ck_assert_int_ne(copy = store_copy(fd), -1);
	ck_assert(holds(copy, "a key"));
	ck_assert_int_eq(pwrite(copy, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 1024 * 1024 + 1), 0);
	ck_assert_int_eq(store_copy(fd), -1);
	close(fd);
	close(copy);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("store");
	TCase	*tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_pair);
	tcase_add_test(tc, test_same_second);
	tcase_add_loop_test(tc, test_crash, 0, 5);
	tcase_add_test(tc, test_half_a_pair_is_none);
	tcase_add_test(tc, test_modes);
	tcase_add_test(tc, test_text);
	tcase_add_test(tc, test_account);
	tcase_add_test(tc, test_copy);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
