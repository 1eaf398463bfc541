#include <sys/ioctl.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <fcntl.h>

#include "common/l4.h"
#include "common/proto.h"
#include "proxy.h"

#define EQ(n, v)	{ (n), SCMP_CMP_EQ, (uint64_t)(v), 0, SB_CONST }

#define SOCK_FLAGS	(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
#define IO_FLAGS	(MSG_DONTWAIT | MSG_NOSIGNAL)

#define SOCKET(domain)							\
	{ SCMP_SYS(socket), SB_ALLOW, 3,				\
	    { EQ(0, domain), EQ(1, SOCK_FLAGS), EQ(2, 0) } }
#define SETSOCKOPT(level, name)						\
	{ SCMP_SYS(setsockopt), SB_ALLOW, 2, { EQ(1, level), EQ(2, name) } }
#define FCNTL(cmd)							\
	{ SCMP_SYS(fcntl), SB_ALLOW, 1, { EQ(1, cmd) } }

/*
 * Connects stream sockets and moves bytes between them.  Never: accept, bind,
 * listen, open, a datagram; bytes in a SYN (fast open), which would go round
 * Landlock's rules for connect(), as would the multipath protocol.
 */
static const struct sb_rule rules[] = {
	/* connections from the inbox, and what master says */
	{ SCMP_SYS(recvmsg), SB_ALLOW, 1,
	    { EQ(2, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) } },

	/* to the backends; fchdir: to the directory of a UNIX socket */
	SOCKET(AF_INET),
	SOCKET(AF_INET6),
	SOCKET(AF_UNIX),
	{ SCMP_SYS(connect), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(fchdir), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(getsockname), SB_ALLOW, 0, { { 0 } } },
	SETSOCKOPT(IPPROTO_TCP, TCP_QUICKACK),
	SETSOCKOPT(IPPROTO_TCP, TCP_NODELAY),
	SETSOCKOPT(IPPROTO_TCP, TCP_KEEPIDLE),
	SETSOCKOPT(IPPROTO_TCP, TCP_KEEPINTVL),
	SETSOCKOPT(IPPROTO_TCP, TCP_KEEPCNT),
	SETSOCKOPT(SOL_SOCKET, SO_KEEPALIVE),
	SETSOCKOPT(SOL_SOCKET, SO_LINGER),

	/* bytes, without an address; the log has the same flags */
	{ SCMP_SYS(recvfrom), SB_ALLOW, 2, { EQ(3, MSG_DONTWAIT), EQ(4, 0) } },
	{ SCMP_SYS(sendto), SB_ALLOW, 2, { EQ(3, IO_FLAGS), EQ(4, 0) } },
	{ SCMP_SYS(sendto), SB_ALLOW, 2, { EQ(3, IO_FLAGS | MSG_MORE),
	    EQ(4, 0) } },
	{ SCMP_SYS(shutdown), SB_ALLOW, 1, { EQ(1, SHUT_WR) } },
	{ SCMP_SYS(splice), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(pipe2), SB_ALLOW, 1, { EQ(1, O_CLOEXEC | O_NONBLOCK) } },
	FCNTL(F_SETPIPE_SZ),
	FCNTL(F_GETFL),

	/* a live session goes to, or comes from, another generation: the
	 * message, and pipes with what is on its way; flags, for sendmsg(2)
	 * would connect as well */
	{ SCMP_SYS(sendmsg), SB_ALLOW, 1, { EQ(2, IO_FLAGS) } },
	{ SCMP_SYS(writev), SB_ALLOW, 1, { EQ(2, 1) } },
	{ SCMP_SYS(readv), SB_ALLOW, 1, { EQ(2, 1) } },
	FCNTL(F_GETPIPE_SZ),
	{ SCMP_SYS(ioctl), SB_ALLOW, 1, { EQ(1, FIONREAD) } },
	{ SCMP_SYS(ioctl), SB_ERRNO, 1,
	    { { 1, SCMP_CMP_NE, FIONREAD, 0, SB_CONST } } },
};

const struct sb_policy proxy_policy = {
	.role = "proxy",
	.rules = rules,
	.nrules = nitems(rules),
};
