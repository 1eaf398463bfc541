/* Open files on their way to another process (SCM_RIGHTS), up to FDS_MAX in a
 * message of 64 bytes, which is what a hand-off has to say. */
#ifndef FDS_H
#define FDS_H
#include "common.h"
#define FDS_MAX 64
typedef struct {
	char pay[64];
	struct iovec v;
	struct msghdr m;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(
	    sizeof(int) * FDS_MAX)];
} fds_msg;
static void
fds_init(fds_msg *f, size_t n)
{
	memset(f, 0, sizeof *f);
	f->v = (struct iovec) { f->pay, sizeof f->pay };
	f->m = (struct msghdr) { .msg_iov = &f->v,
		.msg_iovlen = 1,
		.msg_control = f->control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n) };
}
static ssize_t
fds_send(int s, const int *fds, int n)
{
	size_t size = sizeof(int) * (size_t)n;
	fds_msg f;
	struct cmsghdr *c;

	fds_init(&f, (size_t)n);
	c = CMSG_FIRSTHDR(&f.m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), fds, size);
	return sendmsg(s, &f.m, MSG_NOSIGNAL);
}
/* How many came; -1: none now; 0: nor will there be. */
static int
fds_recv(int s, int fds[FDS_MAX], int flags)
{
	fds_msg f;
	struct cmsghdr *c;
	ssize_t k;
	int n;

	fds_init(&f, FDS_MAX);
	k = recvmsg(s, &f.m, flags | MSG_CMSG_CLOEXEC);
	if (k <= 0)
		return k < 0 && errno == EAGAIN ? -1 : 0;
	if (!(c = CMSG_FIRSTHDR(&f.m)))
		return -1;
	n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)n);
	return n;
}
#endif
