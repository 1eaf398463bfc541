#include <sys/socket.h>

#include "common/l4.h"
#include "worker.h"

/*
 * The descriptors of a worker: 2 the log, 3 master, then the listeners, then,
 * all below the signalfd, the inboxes, then connections.
 */
#define LISTENER(n)	{ n, SCMP_CMP_LE, 0, 0, SB_LISTEN_LAST }
#define NO_LISTENER(n)	{ n, SCMP_CMP_GT, 0, 0, SB_LISTEN_LAST }
#define INBOX(n)	{ n, SCMP_CMP_LT, 0, 0, SB_SIGNALS }
#define CONNECTION(n)	{ n, SCMP_CMP_GT, 0, 0, SB_SIGNALS }
#define IS(n, v)	{ n, SCMP_CMP_EQ, v, 0, SB_CONST }

static const struct sb_rule worker_rules[] = {
	/* take connections; never shut a listener down */
	{ SCMP_SYS(accept4), SB_ALLOW, 2, { LISTENER(0),
	    IS(3, SOCK_NONBLOCK | SOCK_CLOEXEC) } },
	{ SCMP_SYS(getsockname), SB_ALLOW, 1, { NO_LISTENER(0) } },

	/* look, without reading */
	{ SCMP_SYS(recvfrom), SB_ALLOW, 2, { NO_LISTENER(0),
	    IS(3, MSG_PEEK | MSG_DONTWAIT) } },
	{ SCMP_SYS(setsockopt), SB_ALLOW, 3, { NO_LISTENER(0),
	    IS(1, SOL_SOCKET), IS(2, SO_RCVLOWAT) } },

	/* hand over; inboxes come in before the signalfd is made */
	{ SCMP_SYS(sendmsg), SB_ALLOW, 1, { INBOX(0) } },

	/* end */
	{ SCMP_SYS(setsockopt), SB_ALLOW, 3, { NO_LISTENER(0),
	    IS(1, SOL_SOCKET), IS(2, SO_LINGER) } },
	/* an inbox is everybody's: shut down, it would be so for good */
	{ SCMP_SYS(shutdown), SB_ALLOW, 2, { CONNECTION(0),
	    IS(1, SHUT_WR) } },

	/* the reserve for a full table is a copy of the log's descriptor */
	{ SCMP_SYS(dup), SB_ALLOW, 1, { IS(0, FD_LOG) } },

	/* the last, left out where no listener takes PROXY headers: read one */
	{ SCMP_SYS(recvfrom), SB_ALLOW, 2, { NO_LISTENER(0),
	    IS(3, MSG_DONTWAIT) } },
};

static const struct sb_policy worker_peeks = {
	"worker", worker_rules, nitems(worker_rules) - 1
};
static const struct sb_policy worker_reads_headers = {
	"worker-headers", worker_rules, nitems(worker_rules)
};

const struct sb_policy *
worker_policy(bool headers)
{
	return headers ? &worker_reads_headers : &worker_peeks;
}
