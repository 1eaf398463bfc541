#include <sys/stat.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "tlsterm/compress.h"
#include "tlsterm/site.h"
#include "tests/unit/decode.h"
#include "tests/unit/suite.h"

/*
 * Files that change at random, asked for at random, out of a cache that is too
 * small for them, with answers that are read at some other time: every body is
 * what the file was when it was asked for.
 */
#define FILES		12
#define LARGEST	(300 * 1024)
#define CACHE_MAX	(400 * 1024)
#define STEPS		6000
#define LATER		4

static const char	*const index_v[] = { "index.html" };
static struct conf_site	 conf = { .name = "s", .index = { (const char **)
	(uintptr_t)index_v, 1 }, .encode = { ENC_ZSTD, ENC_BR, ENC_GZIP },
	.nencode = 3, .browse = true };
static struct site	 site = { .conf = &conf };
static struct sites	 sites = { .v = &site, .n = 1 };
static struct cache	 cache;
static struct origin	 origin = { .site = &site };
static struct request	 req;
static struct response	 res;
static char		 root[] = "/tmp/l4mux-files-XXXXXX";

static struct disk {		/* what there is */
	char	*p;		/* NULL: no file */
	size_t	 len;
} disk[FILES];

static struct later {		/* a body that is read later */
	struct body	 body;
	char		*want;
	size_t		 len, done;
} later[LATER];

/* The rest of tlsterm, as far as it is asked. */
void
site_error(const struct sites *ss, const struct site *s, int status,
    struct response *r)
{
	(void)ss;
	(void)s;
	response_error(r, status);
}

void
site_add_headers(const struct site *s, struct response *r)
{
	(void)s;
	response_field(r, STR("X-Site"), STR("yes"));
}

static unsigned int
any(unsigned int n)
{
	static unsigned int	x = 42;

	x = x * 1103515245 + 12345;
	return (x >> 12) % n;
}

static void
file_path(char *dst, size_t size, int i)
{
	snprintf(dst, size, "%s/%d.html", root, i);
}

/* Another file of that name, or the same one with another content. */
static void
change(int i)
{
	static const size_t	sizes[] = { 0, 100, 600, 5000, 60000,
		LARGEST };
	struct disk		*d = &disk[i];
	char			 path[64];
	size_t			 k;
	int			 fd;

	file_path(path, sizeof(path), i);
	free(d->p);
	d->p = NULL;
	if (any(3) == 0)
		unlink(path);
	if (any(8) == 0) {
		unlink(path);
		return;
	}
	d->len = any((unsigned int)sizes[any(6)] + 1);
	d->p = malloc(d->len + 1);
	for (k = 0; k < d->len; k++)
		d->p[k] = any(2) == 0 ? "<p>the </p>\n"[k % 12] :
		    (char)any(256);
	if (any(2) == 0)
		memset(d->p, 'a' + i, d->len);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, d->p, d->len), (ssize_t)d->len);
	close(fd);
}

static const struct field *
field_of(const char *name)
{
	struct str	s = { name, strlen(name) };
	size_t		i;

	for (i = 0; i < res.nfields; i++)
		if (str_caseeq(res.field[i].name, s))
			return &res.field[i];
	return NULL;
}

static void
ask(const char *path, const char *accept, const char *range)
{
	request_init(&req);
	req.method = METHOD_GET;
	req.path = req.uri = (struct str){ path, strlen(path) };
	if (accept != NULL)
		req.accept_encoding = (struct str){ accept, strlen(accept) };
	if (range != NULL)
		req.range = (struct str){ range, strlen(range) };
	files_respond(&sites, &origin, &req, &res);
	ck_assert(!res.full);
}

static char *
read_all(struct body *b, size_t len)
{
	char	*p = malloc(len + 1);
	size_t	 done = 0, n;

	ck_assert_uint_eq(b->left, len);
	while (done < len) {
		n = 1 + any(20000);
		n = n < len - done ? n : len - done;
		ck_assert_int_eq(body_read(b, p + done, n), (ssize_t)n);
		done += n;
	}
	ck_assert_uint_eq(b->left, 0);
	return p;
}

static void
check_body(const struct disk *d)
{
	const struct field	*coding = field_of("content-encoding");
	char			*got = read_all(&res.body, res.length), *plain;
	size_t			 len = res.length;
	int			 e;

	for (e = 0; coding != NULL && e < ENC__MAX; e++) {
		if (coding->value.p[0] != "zbg"[e])
			continue;
		plain = malloc(d->len + 1);
		len = decode((enum encoding)e, got, len, plain, d->len + 1);
		free(got);
		got = plain;
	}
	ck_assert_uint_eq(len, d->len);
	ck_assert(memcmp(got, d->p, len) == 0);
	free(got);
	body_close(&res.body);
}

/* It is taken over, as by a connection, and finished some other time. */
static void
keep_for_later(const struct disk *d, struct later *l)
{
	char	*rest;

	if (l->want != NULL) {
		rest = read_all(&l->body, l->len - l->done);
		ck_assert(memcmp(rest, l->want + l->done, l->len -
		    l->done) == 0);
		free(rest);
		free(l->want);
		body_close(&l->body);
		l->want = NULL;
	}
	if (d == NULL || field_of("content-encoding") != NULL)
		return;
	/* One that is in its file has to stay there. */
	if (res.body.blob == NULL)
		return;
	body_move(&l->body, &res.body);
	l->want = malloc(d->len + 1);
	memcpy(l->want, d->p, d->len);
	l->len = d->len;
	l->done = d->len / 2;
	rest = malloc(l->done + 1);
	ck_assert_int_eq(body_read(&l->body, rest, l->done),
	    (ssize_t)l->done);
	free(rest);
}

static void
step(void)
{
	static const char	*const accepts[] = { NULL, "gzip", "br", "zstd",
		"gzip, br, zstd", "gzip;q=0.1, identity;q=0", "identity" };
	int			 i = (int)any(FILES);
	struct disk		*d = &disk[i];
	char			 path[64];

	snprintf(path, sizeof(path), "/%d.html", i);
	ask(path, accepts[any(7)], NULL);
	ck_assert_int_eq(res.status, d->p == NULL ? 404 : 200);
	if (d->p == NULL) {
		body_close(&res.body);
		return;
	}
	ck_assert_ptr_nonnull(field_of("x-site"));
	if (any(4) == 0)
		keep_for_later(d, &later[any(LATER)]);
	else
		check_body(d);
	body_close(&res.body);
	if (d->len < 10)
		return;
	ask(path, accepts[any(5)], "bytes=3-7");
	ck_assert_int_eq(res.status, 206);
	ck_assert_uint_eq(res.length, 5);
	if (res.body.blob != NULL || any(2) == 0) {
		ck_assert_int_eq(body_read(&res.body, path, 5), 5);
		ck_assert(memcmp(path, d->p + 3, 5) == 0);
	}
	body_close(&res.body);
}

START_TEST(test_random)
{
	struct compressor	*z;
	char			 path[64];
	size_t			 i;

	ck_assert_ptr_nonnull(mkdtemp(root));
	cache_init(&cache, CACHE_MAX, NULL);
	sites.cache = &cache;
	sites.mime = mime_load(NULL);
	site.root = open(root, O_PATH | O_DIRECTORY);
	response_init(&res);
	z = compressor_new(&sites, NULL);
	/* Whatever changed is old enough to be kept. */
	origin.now = time(NULL) + 1000;
	for (i = 0; i < STEPS; i++) {
		if (any(10) == 0) {
			change((int)any(FILES));
			origin.now++;
		}
		step();
		if (any(3) == 0)
			compress_step(z);
		if (any(100) == 0) {
			ask("/", "gzip", NULL);
			ck_assert_int_eq(res.status, 200);
			body_close(&res.body);
		}
		ck_assert_uint_le(cache.budget.used, CACHE_MAX);
	}
	for (i = 0; i < LATER; i++)
		keep_for_later(NULL, &later[i]);
	cache_pass(&cache);
	compressor_free(z);
	cache_free(&cache);
	ck_assert_uint_eq(cache.budget.used, 0);
	ck_assert_uint_eq(cache.passing_budget.used, 0);
	mime_free(sites.mime);
	close(site.root);
	for (i = 0; i < FILES; i++) {
		file_path(path, sizeof(path), (int)i);
		unlink(path);
		free(disk[i].p);
	}
	rmdir(root);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("files");
	TCase	*tc = tcase_create("files");

	tcase_set_timeout(tc, 250);
	tcase_add_test(tc, test_random);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
