#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <fcntl.h>

#include "common/l4.h"
#include "common/proto.h"
#include "acme.h"

#define EQ(n, v)	{ (n), SCMP_CMP_EQ, (uint64_t)(v), 0, SB_CONST }

#define SOCK_FLAGS	(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

#define SOCKET(domain)							\
	{ SCMP_SYS(socket), SB_ALLOW, 3,				\
	    { EQ(0, domain), EQ(1, SOCK_FLAGS), EQ(2, 0) } }
#define FILES(name)							\
	{ SCMP_SYS(name), SB_ALLOW, 1, { { 0, SCMP_CMP_GE,		\
	    FD_CHANNEL + 1, 0, SB_CONST } } }

/*
 * Connects stream sockets and speaks TLS over them.  Never: accept, bind,
 * listen, open, a datagram, bytes in a SYN.
 */
static const struct sb_rule rules[] = {
	SOCKET(AF_INET),
	SOCKET(AF_INET6),
	{ SCMP_SYS(connect), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(getsockname), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(getpeername), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(setsockopt), SB_ALLOW, 2,
	    { EQ(1, IPPROTO_TCP), EQ(2, TCP_NODELAY) } },
	{ SCMP_SYS(setsockopt), SB_ERRNO, 1, { { 1, SCMP_CMP_NE,
	    IPPROTO_TCP, 0, SB_CONST } } },

	/* bytes, without an address; the log has the same flags */
	{ SCMP_SYS(recvfrom), SB_ALLOW, 2, { EQ(3, 0), EQ(4, 0) } },
	{ SCMP_SYS(recvfrom), SB_ALLOW, 2, { EQ(3, MSG_PEEK), EQ(4, 0) } },
	{ SCMP_SYS(sendto), SB_ALLOW, 2, { EQ(3, MSG_NOSIGNAL), EQ(4, 0) } },
	{ SCMP_SYS(sendto), SB_ALLOW, 2,
	    { EQ(3, MSG_DONTWAIT | MSG_NOSIGNAL), EQ(4, 0) } },

	/* its sockets do not block from the start: the library, which would
	 * have it so, need not be able to change that */
	{ SCMP_SYS(fcntl), SB_ALLOW, 1, { EQ(1, F_GETFL) } },
	{ SCMP_SYS(fcntl), SB_ERRNO, 1, { { 1, SCMP_CMP_NE, F_GETFL, 0,
	    SB_CONST } } },

	/* waits for the CA, and for what master says */
	{ SCMP_SYS(poll), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(ppoll), SB_ALLOW, 0, { { 0 } } },

	/* files that master opened: keys, request, chain */
	FILES(pread64),
	FILES(pwrite64),
};

const struct sb_policy acme_policy = {
	.role = "acme",
	.rules = rules,
	.nrules = nitems(rules),
};
