#include <sys/mman.h>

#include "l4.h"
#include "proto.h"
#include "sandbox_base.h"

#define ALLOW(name)	{ SCMP_SYS(name), SB_ALLOW, 0, { { 0 } } }
#define EPERM_(name)	{ SCMP_SYS(name), SB_ERRNO, 0, { { 0 } } }
#define ALLOW_IF(name, n, op, v)					\
	{ SCMP_SYS(name), SB_ALLOW, 1, { { n, op, v, 0, SB_CONST } } }
#define ALLOW_IF_VAR(name, n, op, var)					\
	{ SCMP_SYS(name), SB_ALLOW, 1, { { n, op, 0, 0, var } } }
/* None of the bits of mask. */
#define ALLOW_WITHOUT(name, n, mask)					\
	{ SCMP_SYS(name), SB_ALLOW, 1,					\
	    { { n, SCMP_CMP_MASKED_EQ, mask, 0, SB_CONST } } }

const struct sb_rule sandbox_base[] = {
	/* the loop */
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(epoll_ctl),
	ALLOW(clock_gettime),
	ALLOW(close),
	ALLOW_IF_VAR(read, 0, SCMP_CMP_EQ, SB_SIGNALS),

	/* master */
	ALLOW_IF(recvmsg, 0, SCMP_CMP_EQ, FD_CHANNEL),
	ALLOW_IF(sendmsg, 0, SCMP_CMP_EQ, FD_CHANNEL),
	ALLOW(getppid),

	/* the log, a file or a socket */
	ALLOW_IF(write, 0, SCMP_CMP_EQ, FD_LOG),
	ALLOW_IF(sendto, 0, SCMP_CMP_EQ, FD_LOG),

	/* what a descriptor that arrives is: ipc_fd_is() */
	ALLOW(getsockopt),
	ALLOW(fstat),
#ifdef __NR_newfstatat
	ALLOW(newfstatat),
#endif

	/* memory, never executable */
	ALLOW(brk),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
	ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),

	/* the C library */
	ALLOW(futex),
	ALLOW(getpid),
	ALLOW(gettid),
	ALLOW(getrandom),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
	ALLOW_IF_VAR(tgkill, 0, SCMP_CMP_EQ, SB_SELF),
	ALLOW(exit),
	ALLOW(exit_group),

	/* may be tried (time zone, locale, messages); refusing is harmless */
	EPERM_(openat),
	EPERM_(access),
	EPERM_(readlink),
	EPERM_(ioctl),
	EPERM_(sysinfo),
};
const size_t sandbox_nbase = nitems(sandbox_base);
