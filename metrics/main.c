#include <string.h>
#include <time.h>

#include "common/l4.h"
#include "metrics.h"

/* Descriptors beside those of clients. */
#define OTHER_FDS	64

/* What master sends beside the common messages. */
static const struct ipc_rule metrics_rules[] = {
	/* type		 phase	      fds			size */
	{ IPC_HISTORY,	 CHILD_SETUP, IPC_FD_FILE, 1, 1,	0, 0,
	    report_on_history },
	{ IPC_REPORT,	 CHILD_RUN, IPC_FD_FILE, 1, 1,		1, 1,
	    report_on_document },
};

static const struct child_jail metrics_jail = {
	.policy = &metrics_policy,
	.user = USER_METRICS,
	.nofile = OTHER_FDS + CLIENTS_MAX,
	.cwd = -1,
};

/* Ends when the last client has, each within its time. */
static void
metrics_drain(void *arg)
{
	struct metrics	*m = arg;

	listen_drain(m);
	clients_drain(m);
}

/* What the C library reads of the system: not before it is needed, but before
 * it cannot be any more. */
static void
warm_up(void)
{
	time_t		now = 0;
	struct tm	tm;

	(void)gmtime_r(&now, &tm);
	json_object_seed(0);
}

int
main(int argc, char **argv)
{
	static struct metrics	m;	/* zeroed; not on the stack */

	m.child.role = ROLE_METRICS;
	m.child.arg = &m;
	m.child.rules = metrics_rules;
	m.child.nrules = nitems(metrics_rules);
	m.child.drain = metrics_drain;
	warm_up();
	child_open(&m.child, argc, argv);
	listen_open(&m);
	child_confine(&m.child, &metrics_jail);
	child_ready(&m.child);
	report_start(&m);
	listen_start(&m);
	ev_run(m.child.ev);
	return 0;
}
