#include <sys/socket.h>

#include "common/l4.h"
#include "tlsterm.h"

#define ALLOW(name)	{ SCMP_SYS(name), SB_ALLOW, 0, { { 0 } } }
#define NO_FASTOPEN(n)	{ n, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0, SB_CONST }

static const struct sb_rule rules[] = {
	/* the inbox and the keys, besides master */
	ALLOW(recvmsg),
	{ SCMP_SYS(sendmsg), SB_ALLOW, 1, { NO_FASTOPEN(2) } },

	/* clients: only on sockets that are connected, never to an address */
	ALLOW(recvfrom),
	{ SCMP_SYS(sendto), SB_ALLOW, 2,
	    { NO_FASTOPEN(3), { 4, SCMP_CMP_EQ, 0, 0, SB_CONST } } },
	/* they come after the signalfd; the channels, before it, are shared
	   with others and would be shut down for good */
	{ SCMP_SYS(shutdown), SB_ALLOW, 2,
	    { { 0, SCMP_CMP_GT, 0, 0, SB_SIGNALS },
	    { 1, SCMP_CMP_EQ, SHUT_WR, 0, SB_CONST } } },

	/* to the proxy processes, which connect for us */
	{ SCMP_SYS(socketpair), SB_ALLOW, 3,
	    { { 0, SCMP_CMP_EQ, AF_UNIX, 0, SB_CONST },
	    { 1, SCMP_CMP_EQ, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    SB_CONST }, { 2, SCMP_CMP_EQ, 0, 0, SB_CONST } } },

	/* docroots; Landlock says which */
	ALLOW(openat2),
	ALLOW(pread64),
	ALLOW(getdents64),
};

const struct sb_policy tlsterm_policy = {
	.role = "tlsterm",
	.rules = rules,
	.nrules = nitems(rules),
};
