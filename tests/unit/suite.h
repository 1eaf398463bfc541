#ifndef L4_TEST_SUITE_H
#define L4_TEST_SUITE_H

#include <check.h>
#include <stddef.h>

static inline int
suite_run_as(Suite *s, enum fork_status fork)
{
	SRunner	*sr = srunner_create(s);
	int	 failed;

	srunner_set_fork_status(sr, fork);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

/* The end of a test program's main(): runs the suite; the exit status. */
static inline int
suite_run(Suite *s)
{
	return suite_run_as(s, CK_FORK_GETENV);
}

/* The same without a process for each test: for pure functions. */
static inline int
suite_run_pure(Suite *s)
{
	return suite_run_as(s, CK_NOFORK);
}

#endif
