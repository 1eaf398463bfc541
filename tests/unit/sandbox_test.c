#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/sandbox.h"
#include "keys/keys.h"
#include "worker/worker.h"
#include "tests/unit/suite.h"

/* Not through the roles' headers: their names are their own. */
extern const struct sb_policy proxy_policy, tlsterm_policy,
    metrics_policy, acme_policy;

#define GOLDEN	"tests/golden"
#define NPOLICY	8

#define SIGNALS	40	/* in place of the signalfd */

static const struct sb_policy *
policy(int i)
{
	const struct sb_policy	*all[NPOLICY] = {
		worker_policy(false), worker_policy(true), &proxy_policy,
		&tlsterm_policy, &keys_policy, &keys_oneshot_policy,
		&metrics_policy, &acme_policy,
	};

	return all[i];
}

static size_t
text_of(const struct sb_policy *p, char *buf, size_t size)
{
	int	fd = memfd_create("policy", MFD_CLOEXEC);
	ssize_t	n;

	ck_assert_int_eq(sandbox_print(p, fd), 0);
	n = pread(fd, buf, size, 0);
	ck_assert(n > 0 && (size_t)n < size);
	close(fd);
	return (size_t)n;
}

/* A change of policy must be a line in a diff that somebody reads. */
START_TEST(test_golden)
{
	char	 path[128], now[16384], want[16384];
	size_t	 len;
	FILE	*f;

	len = text_of(policy(_i), now, sizeof(now));
	now[len] = '\0';
	snprintf(path, sizeof(path), GOLDEN "/%s.policy", policy(_i)->role);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: %s (make golden)", path,
	    strerror(errno));
	len = fread(want, 1, sizeof(want) - 1, f);
	want[len] = '\0';
	fclose(f);
	ck_assert_msg(strcmp(now, want) == 0, "%s differs (make golden, then "
	    "read git diff); now:\n%s", path, now);
}
END_TEST

START_TEST(test_no_rule_is_voided)
{
	ck_assert_int_eq(sandbox_voided(policy(_i)), -1);
}
END_TEST

START_TEST(test_a_voided_rule_is_found)
{
	static const struct sb_rule	rules[] = {
		{ SCMP_SYS(read), SB_ALLOW, 1,
		    { { 0, SCMP_CMP_EQ, 1, 0, SB_CONST } } },
		{ SCMP_SYS(read), SB_ALLOW, 0, { { 0 } } },
	};
	const struct sb_policy	p = { "test", rules, nitems(rules) };

	ck_assert_int_eq(sandbox_voided(&p), 1);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
/* Runs fn in a process under the policy; its wait status. */
static int
confined(const struct sb_policy *p, int listen_last, long (*fn)(void))
{
	struct sb_vars	v = { .listen_last = listen_last,
		.signals = SIGNALS };
	pid_t		pid;
	int		status;

	if ((pid = fork()) == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    sandbox_seccomp(p, &v) == -1)
			_exit(99);
		_exit(fn() == -1 ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool
killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static long
try_nothing(void)
{
	return 0;
}

static long
try_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long
try_connect(void)
{
	return syscall(SYS_connect, 30, NULL, 0);
}

static long
try_exec(void)
{
	return syscall(SYS_execve, "/bin/true", NULL, NULL);
}

static long
try_executable_memory(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
try_read(void)
{
	char	c;

	return syscall(SYS_read, 30, &c, 1);
}

static long
try_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long
shut_listener(void)
{
	return syscall(SYS_shutdown, 5, SHUT_WR);
}

/* An inbox or the channel to keys, which others have too. */
static long
shut_channel(void)
{
	return syscall(SYS_shutdown, SIGNALS - 1, SHUT_WR);
}

static long
shut_connection(void)
{
	return syscall(SYS_shutdown, SIGNALS + 1, SHUT_WR);
}

static long
send_fast_open(void)
{
	return syscall(SYS_sendmsg, SIGNALS + 1, NULL, MSG_FASTOPEN);
}

/* The kernel takes this for descriptor 5 too. */
static long
shut_listener_in_disguise(void)
{
	return syscall(SYS_shutdown, 5L | 1L << 32, SHUT_WR);
}

START_TEST(test_worker_is_confined)
{
	const struct sb_policy	*p = worker_policy(_i);

	ck_assert_int_eq(confined(p, 5, try_nothing), 0);
	ck_assert(killed(confined(p, 5, try_socket)));
	ck_assert(killed(confined(p, 5, try_connect)));
	ck_assert(killed(confined(p, 5, try_exec)));
	ck_assert(killed(confined(p, 5, try_executable_memory)));
	ck_assert(killed(confined(p, 5, try_read)));
	ck_assert(killed(confined(p, 5, shut_listener)));
	ck_assert(killed(confined(p, 5, shut_listener_in_disguise)));
	ck_assert(killed(confined(p, 5, shut_channel)));
	/* It gets to the kernel, which finds no socket. */
	ck_assert_int_eq(WEXITSTATUS(confined(p, 5, shut_connection)), 1);
	ck_assert_int_eq(WEXITSTATUS(confined(p, 5, try_open)), 1);
}
END_TEST

START_TEST(test_others_are_confined)
{
	const struct sb_policy	*p = policy(_i);

	ck_assert_int_eq(confined(p, 3, try_nothing), 0);
	ck_assert(killed(confined(p, 3, try_exec)));
	ck_assert(killed(confined(p, 3, try_executable_memory)));
	if (p == &tlsterm_policy) {
		ck_assert(killed(confined(p, 3, shut_channel)));
		ck_assert(killed(confined(p, 3, send_fast_open)));
		ck_assert_int_eq(WEXITSTATUS(confined(p, 3,
		    shut_connection)), 1);
	}
	if (p != &proxy_policy && p != &acme_policy) {
		ck_assert(killed(confined(p, 3, try_socket)));
		ck_assert(killed(confined(p, 3, try_connect)));
	} else
		ck_assert_int_eq(WEXITSTATUS(confined(p, 3, try_open)), 1);
}
END_TEST
#endif

static int
write_golden(void)
{
	char	path[128];
	int	i, fd;

	for (i = 0; i < NPOLICY; i++) {
		snprintf(path, sizeof(path), GOLDEN "/%s.policy",
		    policy(i)->role);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd == -1 || sandbox_print(policy(i), fd) == -1) {
			perror(path);
			return 1;
		}
		close(fd);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	Suite	*s = suite_create("sandbox");
	TCase	*tc = tcase_create("sandbox");

	if (argc == 2 && strcmp(argv[1], "write") == 0)
		return write_golden();
	tcase_add_loop_test(tc, test_golden, 0, NPOLICY);
	tcase_add_loop_test(tc, test_no_rule_is_voided, 0, NPOLICY);
	tcase_add_test(tc, test_a_voided_rule_is_found);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_loop_test(tc, test_worker_is_confined, 0, 2);
	tcase_add_loop_test(tc, test_others_are_confined, 2, NPOLICY);
#endif
	suite_add_tcase(s, tc);
	return suite_run(s);
}
