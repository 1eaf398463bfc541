#include <sys/socket.h>
#include <sys/stat.h>

#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ipc.h"
#include "wire.h"

int
ipc_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, fd);
}

enum ipc_result
ipc_send(int chan, const struct ipc_msg *m)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} ctl;
	uint8_t		 head[IPC_HEADER];
	struct wr	 w;
	struct iovec	 iov[2];
	struct msghdr	 mh = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr	*cm;

	wr_init(&w, head, sizeof(head));
	wr_u16(&w, m->type);
	wr_u16(&w, IPC_VERSION);
	wr_u32(&w, m->id);
	iov[0].iov_base = head;
	iov[0].iov_len = sizeof(head);
	iov[1].iov_base = (void *)(uintptr_t)m->data;
	iov[1].iov_len = m->len;
	if (m->nfds > 0) {
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * m->nfds);
		/* The padding is the kernel's to read as well. */
		memset(ctl.buf, 0, mh.msg_controllen);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * m->nfds);
		memcpy(CMSG_DATA(cm), m->fd, sizeof(int) * m->nfds);
	}
	while (sendmsg(chan, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ETOOMANYREFS ||
		    errno == ENOBUFS || errno == ENOMEM)
			return IPC_AGAIN;
		return IPC_GONE;
	}
	return IPC_OK;
}

void
ipc_close_fds(struct ipc_msg *m)
{
	while (m->nfds > 0)
		close(m->fd[--m->nfds]);
}

/* Takes every descriptor that came, wherever it stands; closes the surplus. */
static void
ipc_take_fds(struct msghdr *mh, struct ipc_msg *m)
{
	struct cmsghdr	*cm;
	size_t		 i, n;
	int		 fd;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int),
			    sizeof(fd));
			if (m->nfds < IPC_FDS_MAX)
				m->fd[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

static enum ipc_result
ipc_check(const struct msghdr *mh, const uint8_t *buf, size_t len,
    struct ipc_msg *m)
{
	struct rd	r;
	uint16_t	version;

	/*
	 * Without a free descriptor the kernel delivers the data, cuts the
	 * control message and reports no error.
	 */
	if (mh->msg_flags & MSG_CTRUNC)
		return IPC_LOST;
	rd_init(&r, buf, len);
	m->type = rd_u16(&r);
	version = rd_u16(&r);
	m->id = rd_u32(&r);
	if (r.bad || version != IPC_VERSION || mh->msg_flags & MSG_TRUNC)
		return IPC_BAD;
	m->data = r.p;
	m->len = r.left;
	return IPC_OK;
}

enum ipc_result
ipc_recv(int chan, void *buf, size_t bufsize, struct ipc_msg *m)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} ctl;
	struct iovec	iov = { .iov_base = buf, .iov_len = bufsize };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl.buf, .msg_controllen = sizeof(ctl.buf) };
	enum ipc_result	res;
	ssize_t		n;

	m->nfds = 0;
	m->len = 0;
	do
		n = recvmsg(chan, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? IPC_AGAIN : IPC_GONE;
	ipc_take_fds(&mh, m);
	if (n == 0 && m->nfds == 0)
		return IPC_GONE;
	res = ipc_check(&mh, buf, (size_t)n, m);
	if (res != IPC_OK)
		ipc_close_fds(m);
	return res;
}

enum ipc_result
ipc_recv_wait(int chan, void *buf, size_t bufsize, struct ipc_msg *m)
{
	struct pollfd	pfd = { .fd = chan, .events = POLLIN };
	enum ipc_result	res;

	while ((res = ipc_recv(chan, buf, bufsize, m)) == IPC_AGAIN)
		if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
			return IPC_GONE;
	return res;
}

static int
sockopt_int(int fd, int name)
{
	int		v = -1;
	socklen_t	len = sizeof(v);

	if (getsockopt(fd, SOL_SOCKET, name, &v, &len) == -1)
		return -1;
	return v;
}

/* Protocol TCP says stream and internet in one: this is asked of every
 * connection. */
static bool
ipc_fd_is_stream(int fd)
{
	if (sockopt_int(fd, SO_PROTOCOL) != IPPROTO_TCP &&
	    (sockopt_int(fd, SO_DOMAIN) != AF_UNIX ||
	    sockopt_int(fd, SO_TYPE) != SOCK_STREAM))
		return false;
	return sockopt_int(fd, SO_ACCEPTCONN) == 0;
}

static bool
ipc_fd_is_socket(int fd, enum ipc_fd kind)
{
	switch (kind) {
	case IPC_FD_STREAM:
		return ipc_fd_is_stream(fd);
	case IPC_FD_LISTENER:
		return sockopt_int(fd, SO_PROTOCOL) == IPPROTO_TCP &&
		    sockopt_int(fd, SO_ACCEPTCONN) == 1;
	case IPC_FD_CHANNEL:
		return sockopt_int(fd, SO_DOMAIN) == AF_UNIX &&
		    sockopt_int(fd, SO_TYPE) == SOCK_SEQPACKET;
	default:
		return false;
	}
}

bool
ipc_fd_is(int fd, enum ipc_fd kind)
{
	struct stat	st;

	if (kind == IPC_FD_STREAM || kind == IPC_FD_LISTENER ||
	    kind == IPC_FD_CHANNEL)
		return ipc_fd_is_socket(fd, kind);
	if (fstat(fd, &st) == -1)
		return false;
	switch (kind) {
	case IPC_FD_FILE:
		return S_ISREG(st.st_mode);
	case IPC_FD_DIR:
		return S_ISDIR(st.st_mode);
	case IPC_FD_PIPE:
		return S_ISFIFO(st.st_mode);
	default:
		return kind == IPC_FD_ANY;
	}
}

static bool
ipc_permitted(const struct ipc_rule *r, uint32_t phase,
    const struct ipc_msg *m)
{
	unsigned int	i;

	if ((r->phases & phase) == 0 || m->len < r->min || m->len > r->max ||
	    m->nfds < r->fdmin || m->nfds > r->fdmax)
		return false;
	for (i = 0; i < m->nfds; i++)
		if (!ipc_fd_is(m->fd[i], r->fdkind))
			return false;
	return true;
}

int
ipc_dispatch(const struct ipc_rule *rules, size_t n, uint32_t phase,
    struct ipc_msg *m, void *arg)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (rules[i].type == m->type)
			break;
	if (i == n || !ipc_permitted(&rules[i], phase, m)) {
		ipc_close_fds(m);
		return -1;
	}
	return rules[i].handler(arg, m);
}
