#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "master/hook.h"
#include "master/master.h"
#include "tests/unit/suite.h"

static struct master	master;

static void
done(struct hook *h, bool ok)
{
	(void)h;
	(void)ok;
}

static void
setup(void)
{
	log_set_level(LOG_LVL_ERROR);
	master.ev = ev_new();
	master.devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_ne(master.devnull, -1);
}

/* Stopped right after it was started, it may not yet be what it will be; it
 * ends all the same. */
START_TEST(test_stop)
{
	struct hook	h = { .master = &master, .fd = { -1, -1 },
		.done = done };
	char		program[] = "/bin/sleep", seconds[] = "1000";
	int		status;
	pid_t		pid;

	ck_assert(hook_start(&h, (char *[]){ program, seconds, NULL }));
	pid = h.pid;
	hook_stop(&h);
	ck_assert_int_eq(h.pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("hook");
	TCase	*tc = tcase_create("hook");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_stop, 0, 20);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
