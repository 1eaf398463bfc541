#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "l4.h"
#include "sandbox.h"
#include "selftest_tries.h"

#define ROLE(r)		(1u << (r))
#define WORKER		ROLE(ROLE_WORKER)
#define PROXY		ROLE(ROLE_PROXY)
#define TLSTERM		ROLE(ROLE_TLSTERM)
#define KEYS		ROLE(ROLE_KEYS)
#define METRICS		ROLE(ROLE_METRICS)
#define ACME		ROLE(ROLE_ACME)
#define CONNECTS	(PROXY | ACME)
#define EVERY		(WORKER | PROXY | TLSTERM | KEYS | METRICS | ACME)

#define UP		"../../../../../../../../../../../.."
#define MPTCP		262		/* IPPROTO_MPTCP, not in Debian 12 */

/* System calls as they are: the C library may choose another, or check. */
#define CALL(...)	syscall(__VA_ARGS__)

static long
try_openat(const struct scene *s)
{
	(void)s;
	return CALL(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long
do_openat2(int dir, const char *path, uint64_t flags)
{
	struct open_how	how = { .flags = flags };

	if (flags & O_CREAT)
		how.mode = 0644;
	return CALL(SYS_openat2, dir, path, &how, sizeof(how));
}

static long
try_openat2(const struct scene *s)
{
	(void)s;
	return do_openat2(AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long
try_create(const struct scene *s)
{
	(void)s;
	return CALL(SYS_openat, AT_FDCWD, "/tmp/l4mux-selftest",
	    O_WRONLY | O_CREAT | O_EXCL, 0600);
}

static long
try_leave_docroot(const struct scene *s)
{
	return do_openat2(s->docroot, UP "/etc/passwd", O_RDONLY);
}

static long
try_write_docroot(const struct scene *s)
{
	return do_openat2(s->docroot, ".l4mux-selftest",
	    O_WRONLY | O_CREAT | O_EXCL);
}

static long
try_unlink(const struct scene *s)
{
	return CALL(SYS_unlinkat, s->docroot, ".l4mux-selftest", 0);
}

static long
try_tcp(const struct scene *s)
{
	(void)s;
	return CALL(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long
try_udp(const struct scene *s)
{
	(void)s;
	return CALL(SYS_socket, AF_INET, SOCK_DGRAM, 0);
}

static long
try_mptcp(const struct scene *s)
{
	(void)s;
	return CALL(SYS_socket, AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, MPTCP);
}

static long
try_netlink(const struct scene *s)
{
	(void)s;
	return CALL(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static long
try_reaim(const struct scene *s)
{
	struct sockaddr	none = { .sa_family = AF_UNSPEC };

	return CALL(SYS_connect, s->conn, &none, sizeof(none));
}

/* proxy and acme may connect; but not to where nobody of theirs is. */
static long
try_reaim_elsewhere(const struct scene *s)
{
	if (try_reaim(s) == -1)
		return -1;
	return CALL(SYS_connect, s->conn, &s->elsewhere,
	    sizeof(s->elsewhere));
}

static long
try_connect_elsewhere(const struct scene *s)
{
	long	fd;

	fd = CALL(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (CALL(SYS_connect, fd, &s->elsewhere, sizeof(s->elsewhere)) == -1)
		return errno == EINPROGRESS ? 0 : -1;
	return 0;
}

static long
try_fast_open(const struct scene *s)
{
	return CALL(SYS_sendto, s->conn, "x", 1, MSG_FASTOPEN, &s->elsewhere,
	    sizeof(s->elsewhere));
}

static long
try_fast_open_msg(const struct scene *s)
{
	struct sockaddr_in	to = s->elsewhere;
	char			byte = 'x';
	struct iovec		iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr		m = { .msg_name = &to,
		.msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1 };

	return CALL(SYS_sendmsg, s->conn, &m, MSG_FASTOPEN);
}

static long
try_bind(const struct scene *s)
{
	return CALL(SYS_bind, s->conn, &s->elsewhere, sizeof(s->elsewhere));
}

static long
try_listen(const struct scene *s)
{
	return CALL(SYS_listen, s->conn, 1);
}

static long
try_accept_others(const struct scene *s)
{
	return CALL(SYS_accept4, s->conn, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static long
try_read(const struct scene *s)
{
	char	byte;

	return CALL(SYS_read, s->conn, &byte, 1);
}

static long
try_consume(const struct scene *s)
{
	char	byte;

	return CALL(SYS_recvfrom, s->conn, &byte, 1, 0, NULL, NULL);
}

static long
try_blocking(const struct scene *s)
{
	return CALL(SYS_fcntl, s->listener == -1 ? s->conn : s->listener,
	    F_SETFL, 0);
}

static long
try_blocking_ioctl(const struct scene *s)
{
	int	off = 0;

	return CALL(SYS_ioctl, s->listener == -1 ? s->conn : s->listener,
	    FIONBIO, &off);
}

static long
try_shut_listener(const struct scene *s)
{
	return CALL(SYS_shutdown, s->listener, SHUT_RD);
}

static long
try_set_listener(const struct scene *s)
{
	int	one = 1;

	return CALL(SYS_setsockopt, s->listener, SOL_SOCKET, SO_RCVLOWAT,
	    &one, sizeof(one));
}

static long
try_shut_channel(const struct scene *s)
{
	(void)s;
	return CALL(SYS_shutdown, FD_CHANNEL, SHUT_WR);
}

static long
try_exec(const struct scene *s)
{
	char	*argv[] = { NULL };

	(void)s;
	return CALL(SYS_execve, "/bin/true", argv, argv);
}

static long
try_execveat(const struct scene *s)
{
	(void)s;
	return CALL(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0);
}

/* A child would go on as we do: it ends at once, the parent tells. */
static long
try_fork(const struct scene *s)
{
	long	pid;

	(void)s;
	pid = CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid;
}

static long
try_clone3(const struct scene *s)
{
	(void)s;
	return CALL(SYS_clone3, NULL, 0);
}

static long
try_ptrace(const struct scene *s)
{
	return CALL(SYS_ptrace, PTRACE_SEIZE, s->sibling, 0, 0);
}

static long
try_kill(const struct scene *s)
{
	return CALL(SYS_kill, s->sibling, SIGUSR1);
}

static long
try_tgkill(const struct scene *s)
{
	return CALL(SYS_tgkill, s->sibling, s->sibling, SIGUSR1);
}

static long
try_pidfd(const struct scene *s)
{
	return CALL(SYS_pidfd_open, s->sibling, 0);
}

static long
try_read_memory(const struct scene *s)
{
	char		byte;
	struct iovec	here = { .iov_base = &byte, .iov_len = 1 };
	struct iovec	there = { .iov_base = (void *)(uintptr_t)s,
		.iov_len = 1 };

	return CALL(SYS_process_vm_readv, s->sibling, &here, 1UL, &there, 1UL,
	    0UL);
}

static long
try_proc_mem(const struct scene *s)
{
	char	path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)s->sibling);
	return CALL(SYS_openat, AT_FDCWD, path, O_RDONLY);
}

static long
try_proc_mem2(const struct scene *s)
{
	char	path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)s->sibling);
	return do_openat2(AT_FDCWD, path, O_RDONLY);
}

static long
try_exec_memory(const struct scene *s)
{
	(void)s;
	return CALL(SYS_mmap, NULL, 4096UL, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0UL);
}

static long
try_setuid(const struct scene *s)
{
	(void)s;
	return CALL(SYS_setresuid, 0, 0, 0);
}

static long
try_dumpable(const struct scene *s)
{
	(void)s;
	return CALL(SYS_prctl, PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
}

static long
try_unshare(const struct scene *s)
{
	(void)s;
	return CALL(SYS_unshare, CLONE_NEWUSER);
}

static long
try_mount(const struct scene *s)
{
	(void)s;
	return CALL(SYS_mount, "none", "/", "tmpfs", 0UL, NULL);
}

static long
try_chroot(const struct scene *s)
{
	(void)s;
	return CALL(SYS_chroot, ".");
}

static long
try_bpf(const struct scene *s)
{
	(void)s;
	return CALL(SYS_bpf, 0, NULL, 0);
}

static long
try_io_uring(const struct scene *s)
{
	(void)s;
	return CALL(SYS_io_uring_setup, 1, NULL);
}

static long
try_pidfd_getfd(const struct scene *s)
{
	return CALL(SYS_pidfd_getfd, s->conn, 0, 0);
}

const struct attempt selftest_attempts[] = {
	/* files */
	{ "open a file", EVERY, 0, try_openat },
	{ "open a file, openat2", EVERY, 0, try_openat2 },
	{ "create a file", EVERY, 0, try_create },
	{ "leave the docroot", TLSTERM, SB_HAS_LANDLOCK, try_leave_docroot },
	{ "write into the docroot", TLSTERM, SB_HAS_LANDLOCK,
	    try_write_docroot },
	{ "remove from the docroot", TLSTERM, 0, try_unlink },

	/* the network */
	{ "make a TCP socket", EVERY & ~CONNECTS, 0, try_tcp },
	{ "make a UDP socket", EVERY, 0, try_udp },
	{ "make an MPTCP socket", EVERY, 0, try_mptcp },
	{ "make a netlink socket", EVERY, 0, try_netlink },
	{ "connect to anything but the upstream", CONNECTS,
	    SB_HAS_LANDLOCK_NET, try_connect_elsewhere },
	{ "re-aim an accepted socket (AF_UNSPEC)", EVERY & ~CONNECTS, 0,
	    try_reaim },
	{ "re-aim an accepted socket (AF_UNSPEC)", CONNECTS,
	    SB_HAS_LANDLOCK_NET, try_reaim_elsewhere },
	{ "connect by fast open, sendto", EVERY, 0, try_fast_open },
	{ "connect by fast open, sendmsg", EVERY, 0, try_fast_open_msg },
	{ "bind a socket", EVERY, 0, try_bind },
	{ "listen", EVERY, 0, try_listen },
	{ "accept where no listener is", EVERY, 0, try_accept_others },
	{ "read from a connection", WORKER | KEYS, 0, try_read },
	{ "consume what is only to be looked at", WORKER | KEYS, 0,
	    try_consume },

	/* what others share */
	{ "clear O_NONBLOCK", EVERY, 0, try_blocking },
	{ "clear O_NONBLOCK, ioctl", EVERY, 0, try_blocking_ioctl },
	{ "shut a listener down", WORKER | METRICS, 0, try_shut_listener },
	{ "set an option of a listener", WORKER | METRICS, 0,
	    try_set_listener },
	{ "shut a channel down", EVERY & ~PROXY, 0, try_shut_channel },

	/* other processes */
	{ "execute a program", EVERY, 0, try_exec },
	{ "execute a program, execveat", EVERY, 0, try_execveat },
	{ "fork", EVERY, 0, try_fork },
	{ "make a thread, clone3", EVERY, 0, try_clone3 },
	{ "ptrace a sibling", EVERY, 0, try_ptrace },
	{ "signal a sibling", EVERY, 0, try_kill },
	{ "signal a sibling, tgkill", EVERY, 0, try_tgkill },
	{ "open a sibling, pidfd", EVERY, 0, try_pidfd },
	{ "take a sibling's descriptor", EVERY, 0, try_pidfd_getfd },
	{ "read a sibling's memory, process_vm_readv", EVERY, 0,
	    try_read_memory },
	{ "read a sibling's memory, /proc", EVERY, 0, try_proc_mem },
	{ "read a sibling's memory, /proc, openat2", EVERY, 0,
	    try_proc_mem2 },

	/* the kernel */
	{ "map executable memory", EVERY, 0, try_exec_memory },
	{ "become root", EVERY, 0, try_setuid },
	{ "become dumpable", EVERY, 0, try_dumpable },
	{ "make a user namespace", EVERY, 0, try_unshare },
	{ "mount", EVERY, 0, try_mount },
	{ "chroot", EVERY, 0, try_chroot },
	{ "load a BPF program", EVERY, 0, try_bpf },
	{ "set up an io_uring", EVERY, 0, try_io_uring },
};
const size_t selftest_nattempts = nitems(selftest_attempts);
