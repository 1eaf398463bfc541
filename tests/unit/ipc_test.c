#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/l4.h"
#include "tests/unit/suite.h"

static int	pair[2];
static uint8_t	buf[IPC_HEADER + IPC_DATA_MAX];

static void
open_pair(void)
{
	ck_assert_int_eq(ipc_pair(pair), 0);
}

static void
close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static int
open_count(void)
{
	int	fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

START_TEST(test_message_arrives)
{
	struct ipc_msg	out = { .type = 7, .id = 9,
		.data = (const uint8_t *)"hello", .len = 5 };
	struct ipc_msg	in;

	ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in), IPC_AGAIN);
	ck_assert_int_eq(ipc_send(pair[0], &out), IPC_OK);
	ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in), IPC_OK);
	ck_assert_uint_eq(in.type, 7);
	ck_assert_uint_eq(in.id, 9);
	ck_assert_uint_eq(in.len, 5);
	ck_assert_mem_eq(in.data, "hello", 5);
	ck_assert_uint_eq(in.nfds, 0);
}
END_TEST

START_TEST(test_descriptors_arrive)
{
	struct ipc_msg	out = { .type = 1 }, in;
	unsigned int	i;
	int		before = open_count();

	for (i = 0; i < 16; i++)
		out.fd[out.nfds++] = pair[0];
	ck_assert_int_eq(ipc_send(pair[0], &out), IPC_OK);
	ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in), IPC_OK);
	ck_assert_uint_eq(in.nfds, 16);
	for (i = 0; i < in.nfds; i++)
		ck_assert_int_ne(fcntl(in.fd[i], F_GETFD) & FD_CLOEXEC, 0);
	ipc_close_fds(&in);
	ck_assert_int_eq(open_count(), before);
}
END_TEST

START_TEST(test_end_of_file)
{
	struct ipc_msg	in, out = { .type = 1 };

	close(pair[0]);
	ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in), IPC_GONE);
	ck_assert_int_eq(ipc_send(pair[1], &out), IPC_GONE);
	pair[0] = dup(pair[1]);
}
END_TEST

START_TEST(test_bad_packets)
{
	static const struct {
		const char	*bytes;
		size_t		 len;
	} bad[] = {
		{ "\1", 1 },
		{ "\1\0\1\0\0\0\0", 7 },		/* no whole header */
		{ "\1\0\2\0\0\0\0\0", 8 },		/* version 2 */
	};
	struct ipc_msg	in;
	uint8_t		small[IPC_HEADER + 2];
	size_t		i;

	for (i = 0; i < nitems(bad); i++) {
		ck_assert_int_eq(send(pair[0], bad[i].bytes, bad[i].len, 0),
		    (ssize_t)bad[i].len);
		ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in),
		    IPC_BAD);
	}
	/* Longer than the receiver's buffer. */
	ck_assert_int_eq(send(pair[0], "\1\0\1\0\0\0\0\0abc", 11, 0), 11);
	ck_assert_int_eq(ipc_recv(pair[1], small, sizeof(small), &in),
	    IPC_BAD);
}
END_TEST

/* CT9: a full descriptor table loses one message, not the step. */
START_TEST(test_full_table)
{
	struct ipc_msg	out = { .type = 1, .nfds = 2 }, in;
	struct ipc_msg	plain = { .type = 2 };
	struct rlimit	old, low;
	int		before = open_count();

	out.fd[0] = out.fd[1] = pair[0];
	ck_assert_int_eq(ipc_send(pair[0], &out), IPC_OK);
	ck_assert_int_eq(ipc_send(pair[0], &plain), IPC_OK);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in), IPC_LOST);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(ipc_recv(pair[1], buf, sizeof(buf), &in), IPC_OK);
	ck_assert_uint_eq(in.type, 2);
	ck_assert_int_eq(open_count(), before);
}
END_TEST

static int
count_call(void *arg, struct ipc_msg *m)
{
	++*(int *)arg;
	ipc_close_fds(m);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ 1, 1, IPC_FD_NONE, 0, 0, 2, 4, count_call },
	{ 2, 2, IPC_FD_FILE, 1, 2, 0, 0, count_call },
};

static int
dispatch(uint16_t type, uint32_t phase, size_t len, unsigned int nfds, int fd)
{
	struct ipc_msg	m = { .type = type, .len = len, .data = buf };
	int		calls = 0, rc;

	while (m.nfds < nfds)
		m.fd[m.nfds++] = dup(fd);
	rc = ipc_dispatch(rules, nitems(rules), phase, &m, &calls);
	ck_assert_int_eq(calls, rc == 0);
	return rc;
}

START_TEST(test_only_what_is_listed)
{
	int	before = open_count();
	int	file = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_eq(dispatch(1, 1, 2, 0, -1), 0);
	ck_assert_int_eq(dispatch(1, 1, 4, 0, -1), 0);
	ck_assert_int_eq(dispatch(1, 2, 2, 0, -1), -1);	/* phase */
	ck_assert_int_eq(dispatch(1, 1, 1, 0, -1), -1);	/* size */
	ck_assert_int_eq(dispatch(1, 1, 5, 0, -1), -1);
	ck_assert_int_eq(dispatch(1, 1, 2, 1, file), -1); /* descriptor */
	ck_assert_int_eq(dispatch(3, 1, 2, 0, -1), -1);	/* type */
	ck_assert_int_eq(dispatch(2, 2, 0, 1, file), 0);
	ck_assert_int_eq(dispatch(2, 2, 0, 2, file), 0);
	ck_assert_int_eq(dispatch(2, 2, 0, 0, -1), -1);
	ck_assert_int_eq(dispatch(2, 2, 0, 3, file), -1);
	ck_assert_int_eq(dispatch(2, 2, 0, 1, pair[0]), -1);	/* kind */
	close(file);
	ck_assert_int_eq(open_count(), before);
}
END_TEST

START_TEST(test_kinds)
{
	int	file = memfd_create("test", MFD_CLOEXEC);
	int	dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int	lis = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int	ends[2];

	ck_assert_int_eq(listen(lis, 1), 0);
	ck_assert(ipc_fd_is(file, IPC_FD_FILE));
	ck_assert(ipc_fd_is(dir, IPC_FD_DIR));
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert(ipc_fd_is(ends[0], IPC_FD_PIPE));
	ck_assert(ipc_fd_is(ends[1], IPC_FD_PIPE));
	ck_assert(!ipc_fd_is(ends[0], IPC_FD_FILE));
	ck_assert(!ipc_fd_is(file, IPC_FD_PIPE));
	ck_assert(!ipc_fd_is(tcp, IPC_FD_PIPE));
	ck_assert(ipc_fd_is(tcp, IPC_FD_ANY) && !ipc_fd_is(-1, IPC_FD_ANY));
	ck_assert(ipc_fd_is(tcp, IPC_FD_STREAM));
	ck_assert(ipc_fd_is(lis, IPC_FD_LISTENER));
	ck_assert(ipc_fd_is(pair[0], IPC_FD_CHANNEL));
	ck_assert(!ipc_fd_is(lis, IPC_FD_STREAM));
	ck_assert(!ipc_fd_is(tcp, IPC_FD_LISTENER));
	ck_assert(!ipc_fd_is(udp, IPC_FD_STREAM));
	ck_assert(!ipc_fd_is(pair[0], IPC_FD_STREAM));
	ck_assert(!ipc_fd_is(dir, IPC_FD_FILE));
	ck_assert(!ipc_fd_is(file, IPC_FD_NONE));
	close(file);
	close(dir);
	close(tcp);
	close(udp);
	close(lis);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ipc");
	TCase	*tc = tcase_create("ipc");

	tcase_add_checked_fixture(tc, open_pair, close_pair);
	tcase_add_test(tc, test_message_arrives);
	tcase_add_test(tc, test_descriptors_arrive);
	tcase_add_test(tc, test_end_of_file);
	tcase_add_test(tc, test_bad_packets);
	tcase_add_test(tc, test_full_table);
	tcase_add_test(tc, test_only_what_is_listed);
	tcase_add_test(tc, test_kinds);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
