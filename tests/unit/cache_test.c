#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "tlsterm/compress.h"
#include "tlsterm/encoder.h"
#include "tlsterm/form.h"
#include "tests/unit/suite.h"

/* What is kept of files, and how it becomes smaller. */
#define MAX	(256 * 1024)

static struct sites		sites;
static struct cache		cache;
static struct compressor	*worker;
static char			text[32 * 1024];

static void
setup(void)
{
	size_t		i;
	unsigned int	x = 3;

	for (i = 0; i < sizeof(text); i++) {
		x = x * 1103515245 + 12345;
		text[i] = "etaoin shrdlu<p>"[x >> 20 & 15];
	}
	cache_init(&cache, MAX, NULL);
	sites.cache = &cache;
	worker = compressor_new(&sites, NULL);
}

static void
teardown(void)
{
	compressor_free(worker);
	cache_free(&cache);
	ck_assert_uint_eq(cache.budget.used, 0);
	ck_assert_uint_eq(cache.passing_budget.used, 0);
}

/* As content.c makes one of len bytes. */
static struct entry *
add(const char *key, size_t len, bool keep)
{
	struct entry	*e = entry_new(&cache, 0, key, key);
	struct form	*f = &e->form[FORM_PLAIN];
	struct budget	*b = cache_budget(&cache, e, len +
			    sizeof(*f->body));

	ck_assert_ptr_nonnull(b);
	f->state = FORM_BEST;
	f->body = blob_new(b, len);
	ck_assert_ptr_nonnull(f->body);
	memcpy(f->body->p, text, len);
	f->body->len = len;
	f->length = len;
	e->encode = true;
	cache_add(&cache, e, keep && b == &cache.budget);
	return e;
}

static struct entry *
add_number(int i, size_t len)
{
	char	key[16];

	snprintf(key, sizeof(key), "%d", i);
	return add(key, len, true);
}

static struct entry *
find_number(int i)
{
	char	key[16];

	snprintf(key, sizeof(key), "%d", i);
	return cache_find(&cache, 0, key);
}

START_TEST(test_find)
{
	struct entry	*a = add("a", 10, true), *b = add("b", 10, true);

	ck_assert_ptr_eq(cache_find(&cache, 0, "a"), a);
	ck_assert_ptr_eq(cache_find(&cache, 0, "b"), b);
	ck_assert_ptr_null(cache_find(&cache, 1, "a"));
	ck_assert_ptr_null(cache_find(&cache, 0, "c"));
	ck_assert_ptr_null(cache_find(&cache, 0, ""));
	/* Another of its name takes its place. */
	a = add("a", 20, true);
	ck_assert_ptr_eq(cache_find(&cache, 0, "a"), a);
	cache_drop(&cache, a);
	ck_assert_ptr_null(cache_find(&cache, 0, "a"));
	/* What is not to be kept is not found. */
	add("p", 10, false);
	ck_assert_ptr_null(cache_find(&cache, 0, "p"));
	ck_assert_ptr_nonnull(cache.passing);
	add("q", 10, false);
	cache_pass(&cache);
	ck_assert_ptr_null(cache.passing);
}
END_TEST

START_TEST(test_eldest_goes)
{
	int	i;

	for (i = 0; i < 100; i++) {
		add_number(i, 10000);
		ck_assert_uint_le(cache.budget.used, MAX);
		/* The first is asked for all the time. */
		ck_assert_ptr_nonnull(find_number(0));
	}
	ck_assert_ptr_null(find_number(1));
	ck_assert_ptr_null(find_number(50));
	for (i = 85; i < 100; i++)
		ck_assert_ptr_nonnull(find_number(i));
}
END_TEST

/* What is still being sent counts, though nobody finds it any more. */
START_TEST(test_held)
{
	struct entry	*e = add("a", 30000, true);
	struct blob	*held[10];
	int		 i, n = 0;

	for (i = 0; i < 10; i++) {
		e = add_number(i, 30000);
		if (!e->kept)
			break;
		held[n++] = blob_hold(e->form[FORM_PLAIN].body);
	}
	ck_assert_int_lt(n, 10);
	ck_assert_uint_le(cache.budget.used, MAX);
	/* There is a place for what only passes, and it has an end too. */
	ck_assert(cache_budget(&cache, NULL, MAX) == &cache.passing_budget);
	ck_assert_ptr_null(cache_budget(&cache, NULL, 2 * CACHE_PASSING));
	ck_assert(!cache_room(&cache, NULL, SIZE_MAX));
	for (i = 0; i < n; i++) {
		ck_assert(memcmp(held[i]->p, text, 30000) == 0);
		blob_drop(held[i]);
	}
	ck_assert_ptr_nonnull(add("b", 30000, true));
	ck_assert_ptr_nonnull(cache_find(&cache, 0, "b"));
}
END_TEST

static struct form *
choose(struct entry *e, const char *field)
{
	static const enum encoding	all[] = { ENC_ZSTD, ENC_BR, ENC_GZIP };
	struct accept			a;

	accept_parse(&a, (struct str){ field, strlen(field) }, all,
	    nitems(all));
	return form_choose(&cache, e, &a);
}

START_TEST(test_better)
{
	static const char *const	names[] = { "zstd", "br", "gzip" };
	struct entry	*e = add("a", sizeof(text), true);
	struct form	*f = choose(e, names[_i]);
	size_t		 fast = f->body->len;
	int		 i;

	ck_assert_ptr_eq(f, &e->form[_i]);
	ck_assert_int_eq(f->state, FORM_FAST);
	ck_assert(!compress_step(worker));
	choose(e, names[_i]);
	for (i = 0; compress_step(worker); i++)
		ck_assert_int_lt(i, 100);
	ck_assert_int_eq(f->state, FORM_BEST);
	ck_assert_uint_le(f->body->len, fast);
	ck_assert_uint_eq(f->length, f->body->len);
	/* Once. */
	ck_assert_ptr_eq(choose(e, names[_i]), f);
	ck_assert(!compress_step(worker));
}
END_TEST

/* Those who ask while it is made do not have it made again. */
START_TEST(test_large)
{
	struct entry	*e;
	struct form	*plain;
	size_t		 i, len = FORM_NOW_MAX + 1;

	cache.budget.max = 8 * len;
	e = add("a", 1, true);
	plain = &e->form[FORM_PLAIN];
	blob_drop(plain->body);
	plain->body = blob_new(&cache.budget, len);
	ck_assert_ptr_nonnull(plain->body);
	for (i = 0; i < len; i++)
		plain->body->p[i] = text[i % sizeof(text)];
	plain->body->len = plain->length = len;
	ck_assert_ptr_eq(choose(e, "zstd"), plain);
	for (i = 0; e->form[ENC_ZSTD].state == FORM_NONE; i++) {
		ck_assert(compress_step(worker));
		ck_assert_int_lt(i, 100);
		choose(e, "zstd");
	}
	ck_assert_ptr_eq(choose(e, "zstd"), &e->form[ENC_ZSTD]);
	ck_assert(!compress_step(worker));
}
END_TEST

/* The file changes while it is worked on, or waits for that. */
START_TEST(test_dropped)
{
	struct entry	*a = add("a", sizeof(text), true),
			*b = add("b", sizeof(text), true);

	choose(a, "gzip");
	choose(a, "gzip");
	choose(b, "br");
	choose(b, "br");
	if (_i == 1)
		ck_assert(compress_step(worker));
	cache_drop(&cache, a);
	if (_i == 2)
		cache_drop(&cache, b);
	while (compress_step(worker))
		;
	if (_i != 2)
		ck_assert_int_eq(b->form[ENC_BR].state, FORM_BEST);
}
END_TEST

START_TEST(test_choice)
{
	struct entry	*e = add("small", FORM_MIN - 1, true);
	struct form	*plain = &e->form[FORM_PLAIN];

	ck_assert_ptr_eq(choose(e, "gzip"), plain);
	ck_assert_ptr_eq(choose(e, "gzip, identity;q=0"),
	    &e->form[ENC_GZIP]);
	ck_assert_ptr_null(choose(e, "identity;q=0"));
	e = add("large", FORM_MIN, true);
	ck_assert_ptr_eq(choose(e, "gzip"), &e->form[ENC_GZIP]);
	e->encode = false;
	ck_assert_ptr_eq(choose(e, "br"), &e->form[FORM_PLAIN]);
	/* A file beside it goes before what could be made, if it is liked as
	 * much, and before nothing. */
	e->form[ENC_BR].state = FORM_BESIDE;
	ck_assert_ptr_eq(choose(e, "br"), &e->form[ENC_BR]);
	e->encode = true;
	ck_assert_ptr_eq(choose(e, "zstd, br"), &e->form[ENC_BR]);
	ck_assert_ptr_eq(choose(e, "zstd, br;q=0.9"), &e->form[ENC_ZSTD]);
	e->encode = false;
	ck_assert_ptr_eq(choose(e, "zstd, br;q=0.9"), &e->form[ENC_BR]);
}
END_TEST

START_TEST(test_answer)
{
	static struct response	res, again;
	struct entry		*e = add("a", 1000, true);
	struct form		*f = &e->form[FORM_PLAIN];

	response_init(&res);
	response_init(&again);
	ck_assert(!form_answer(f, &again));
	response_begin(&res, 200);
	response_field(&res, STR("ETag"), STR("\"x\""));
	response_printf(&res, STR("X-Number"), "%d", 7);
	res.length = 1000;
	form_keep_answer(&cache, f, &res);
	response_begin(&res, 404);
	ck_assert(form_answer(f, &again));
	ck_assert_int_eq(again.status, 200);
	ck_assert_uint_eq(again.nfields, 4);
	ck_assert(str_eq(again.field[1].name, STR("x-number")) &&
	    str_eq(again.field[1].value, STR("7")));
	ck_assert(str_eq(again.field[2].name, STR("content-length")) &&
	    str_eq(again.field[2].value, STR("1000")));
	ck_assert(str_eq(again.field[3].name, STR("server")) &&
	    str_eq(again.field[3].value, STR("l4mux")));
	ck_assert(str_eq(again.ready, STR("Server: l4mux\r\nETag: \"x\"\r\n"
	    "X-Number: 7\r\nContent-Length: 1000\r\n")));
	form_forget_answer(f);
	ck_assert(!form_answer(f, &again));
	/* Something did not fit: that is no answer. */
	res.full = true;
	form_keep_answer(&cache, f, &res);
	ck_assert(!form_answer(f, &again));
}
END_TEST

/* Also when the cache is full, as it is most of the time. */
START_TEST(test_answer_in_a_full_cache)
{
	static struct response	res, again;
	struct entry		*e;
	int			 i;

	response_init(&res);
	response_init(&again);
	response_begin(&res, 200);
	response_field(&res, STR("ETag"), STR("\"x\""));
	for (i = 0; i < 300; i++) {
		e = add_number(i, 3000);
		form_keep_answer(&cache, &e->form[FORM_PLAIN], &res);
		ck_assert(form_answer(&e->form[FORM_PLAIN], &again));
		ck_assert_uint_le(cache.budget.used, MAX);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cache");
	TCase	*tc = tcase_create("cache");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_find);
	tcase_add_test(tc, test_eldest_goes);
	tcase_add_test(tc, test_held);
	tcase_add_loop_test(tc, test_better, 0, ENC__MAX);
	tcase_add_test(tc, test_large);
	tcase_add_loop_test(tc, test_dropped, 0, 3);
	tcase_add_test(tc, test_choice);
	tcase_add_test(tc, test_answer);
	tcase_add_test(tc, test_answer_in_a_full_cache);
	suite_add_tcase(s, tc);
	return suite_run_pure(s);
}
