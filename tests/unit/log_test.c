#include <sys/mman.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <jansson.h>

#include "common/l4.h"
#include "common/log.h"
#include "tests/unit/suite.h"

/* What was written to descriptor 2 since begin(). */
static struct {
	int	saved, file;
	char	text[65536];
} out;

static void
begin(enum log_format format)
{
	out.saved = dup(2);
	out.file = memfd_create("log", 0);
	ck_assert_int_ne(dup2(out.file, 2), -1);
	log_setup(LOG_TO_STDERR, format, LOG_LVL_DEBUG);
}

static const char *
written(void)
{
	ssize_t	n = pread(out.file, out.text, sizeof(out.text) - 1, 0);

	dup2(out.saved, 2);
	close(out.saved);
	close(out.file);
	ck_assert_int_gt(n, 0);
	out.text[n] = '\0';
	return out.text;
}

/* One line, whatever its length; a document that can be read. */
static void
check_json(void)
{
	const char	*s = written();
	json_t		*doc;

	ck_assert_uint_eq(strcspn(s, "\n"), strlen(s) - 1);
	doc = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(json_is_object(doc), "%.100s...%s", s,
	    s + strlen(s) - 50);
	json_decref(doc);
}

static const char	hard[] = { 'a', '"', '\\', '\x7f', '\xff', '\n' };

START_TEST(test_long_message_is_json)
{
	char	text[8192];

	memset(text, hard[_i], sizeof(text));
	text[sizeof(text) - 1] = '\0';
	begin(LOG_FMT_JSON);
	log_warnx("%s", text);
	check_json();
}
END_TEST

START_TEST(test_long_fields_are_json)
{
	char	text[3000];

	memset(text, hard[_i], sizeof(text));
	text[sizeof(text) - 1] = '\0';
	begin(LOG_FMT_JSON);
	log_event("conn", (const struct log_field[]){
	    { "sni", text, 0 }, { "alpn", text, 0 }, { "in", NULL, 7 },
	    { "end", "fin", 0 },
	}, 4);
	check_json();
}
END_TEST

START_TEST(test_text_is_one_line_of_ascii)
{
	char		text[8192];
	const char	*s;

	memset(text, hard[_i], sizeof(text));
	text[sizeof(text) - 1] = '\0';
	begin(LOG_FMT_TEXT);
	log_event("conn", (const struct log_field[]){ { "sni", text, 0 } }, 1);
	s = written();
	ck_assert_uint_eq(strcspn(s, "\n"), strlen(s) - 1);
	ck_assert_uint_le(strlen(s), 4096);
	for (; *s != '\n'; s++)
		ck_assert(*s >= ' ' && *s < 0x7f);
}
END_TEST

START_TEST(test_levels)
{
	enum log_level	level;

	ck_assert(log_level_parse("warning", &level));
	ck_assert_int_eq(level, LOG_LVL_WARNING);
	ck_assert(!log_level_parse("", &level));
	ck_assert(!log_level_parse("warn", &level));
	ck_assert(!log_level_parse("DEBUG", &level));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("log");
	TCase	*tc = tcase_create("log");

	tcase_add_loop_test(tc, test_long_message_is_json, 0,
	    (int)nitems(hard));
	tcase_add_loop_test(tc, test_long_fields_are_json, 0,
	    (int)nitems(hard));
	tcase_add_loop_test(tc, test_text_is_one_line_of_ascii, 0,
	    (int)nitems(hard));
	tcase_add_test(tc, test_levels);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
