#include "captured.h"
#include "common/l4.h"

/*
 * Asks for documents without end; told a second time, for one there is not.
 * Counts in place of answers what it got, and what it asked for.
 */
#define VOLLEY		100
#define PAUSE		NSEC_PER_MSEC

static struct {
	struct child	 child;
	struct ev_timer	 timer;
} self;

static int
on_history(void *arg, struct ipc_msg *m)
{
	(void)arg;
	ipc_close_fds(m);
	return 0;
}

static int
on_document(void *arg, struct ipc_msg *m)
{
	(void)arg;
	ipc_close_fds(m);
	stats_add(&self.child.stats, STAT_ANSWERED, 1);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ IPC_HISTORY, CHILD_SETUP, IPC_FD_FILE, 1, 1, 0, 0, on_history },
	{ IPC_REPORT, CHILD_RUN, IPC_FD_FILE, 1, 1, 1, 1, on_document },
};

static void
ask(uint8_t what)
{
	shoot_typed(FD_CHANNEL, IPC_ASK, &what, 1, NULL, 0);
}

static void
volley(struct ev_timer *t)
{
	uint8_t	i;

	for (i = 0; i < VOLLEY; i++)
		ask(i % REPORT__MAX);
	stats_add(&self.child.stats, STAT_TURNED_AWAY, VOLLEY);
	ev_timer_set(self.child.ev, t, ev_clock() + PAUSE);
}

static bool
mischief(struct child *c)
{
	if (self.timer.cb != NULL) {
		ask(REPORT__MAX);
		return false;
	}
	self.timer.cb = volley;
	ev_timer_set(c->ev, &self.timer, ev_clock());
	return false;
}

int
main(int argc, char **argv)
{
	self.child.role = ROLE_METRICS;
	self.child.rules = rules;
	self.child.nrules = nitems(rules);
	return captured_run(&self.child, argc, argv, mischief);
}
