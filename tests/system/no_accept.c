#include "preload.h"

#include <sys/socket.h>

#include <errno.h>

/*
 * Preloaded into the worker by test_accept.py: accept4() fails with the number
 * for errno.  strace could do that only where there is no sandbox: a call that
 * it takes away is number -1, and that kills.
 */
int
accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	if (*number != 0) {
		errno = (int)*number;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, addr, len, flags);
}
