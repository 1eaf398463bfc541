#include <sys/socket.h>

#include "common/l4.h"
#include "common/proto.h"
#include "metrics.h"

/*
 * The descriptors: 2 the log, 3 master, then the listeners, then the loop's,
 * then clients and the files that master sends, which are only mapped.
 */
#define LISTENER(n)	{ n, SCMP_CMP_LE, 0, 0, SB_LISTEN_LAST }
#define CLIENT(n)	{ n, SCMP_CMP_GT, 0, 0, SB_SIGNALS }
#define IS(n, v)	{ n, SCMP_CMP_EQ, v, 0, SB_CONST }

static const struct sb_rule metrics_rules[] = {
	/* clients: take, read, answer, end */
	{ SCMP_SYS(accept4), SB_ALLOW, 2, { LISTENER(0),
	    IS(3, SOCK_NONBLOCK | SOCK_CLOEXEC) } },
	{ SCMP_SYS(recvfrom), SB_ALLOW, 2, { CLIENT(0), IS(3, MSG_DONTWAIT) } },
	{ SCMP_SYS(sendto), SB_ALLOW, 3, { CLIENT(0),
	    IS(3, MSG_DONTWAIT | MSG_NOSIGNAL), IS(4, 0) } },
	{ SCMP_SYS(shutdown), SB_ALLOW, 2, { CLIENT(0), IS(1, SHUT_WR) } },

	/* the log may be a socket */
	{ SCMP_SYS(sendto), SB_ALLOW, 1, { IS(0, FD_LOG) } },
};

const struct sb_policy metrics_policy = {
	.role = "metrics",
	.rules = metrics_rules,
	.nrules = nitems(metrics_rules),
};
