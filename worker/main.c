#include <stdlib.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/pp.h"
#include "worker.h"

/* Descriptors beside those of connections. */
#define OTHER_FDS	64
#define ANY_FDS		65536

/*
 * Identifiers must not come twice while the daemon lives, over workers,
 * generations and restarts of a worker: 10 bits of each of the first two, then
 * a counter that starts at the microseconds of the clock and is slower than it.
 */
static void
open_ids(struct worker *w)
{
	w->id_prefix = (uint64_t)(w->child.generation & 0x3ff) << 54 |
	    (uint64_t)(w->child.instance & 0x3ff) << 44;
	w->next_id = ev_now(w->child.ev) / 1000;
}

static uint64_t
max_fds(const struct worker *w)
{
	if (w->max_waiting == 0)
		return ANY_FDS;
	return OTHER_FDS + w->npools + 2 * (uint64_t)w->max_waiting;
}

static bool
takes_headers(const struct worker *w)
{
	size_t	i;

	for (i = 0; i < w->child.conf->nlistener; i++)
		if (w->child.conf->listener[i].naccept_proxy > 0)
			return true;
	return false;
}

/* Draining ends when all are decided and sent; at its deadline if not. */
static void
worker_turn(void *arg)
{
	struct worker	*w = arg;

	handover_flush(w);
	if (w->child.draining && w->nwaiting == 0 && w->queued == 0)
		ev_timer_set(w->child.ev, &w->drained, ev_now(w->child.ev));
}

static void
worker_drain(void *arg)
{
	struct worker	*w = arg;

	listen_drain(w);
	arrival_drain(w);
}

int
main(int argc, char **argv)
{
	static struct worker	 w;
	struct child		*c = &w.child;
	struct child_jail	 jail = { .user = USER_WORKER, .cwd = -1,
		.patient = true };

	c->role = ROLE_WORKER;
	c->arg = &w;
	c->rules = handover_rules;
	c->nrules = handover_nrules;
	c->drain = worker_drain;
	c->sessions = &worker_sessions;
	child_open(c, argc, argv);

	w.routes = route_table_new(c->conf);
	open_ids(&w);
	handover_open(&w);
	arrival_open(&w);
	listen_open(&w);

	jail.policy = worker_policy(takes_headers(&w));
	jail.nofile = max_fds(&w);
	child_confine(c, &jail);

	ev_each_turn(c->ev, worker_turn, &w);
	child_ready(c);
	listen_start(&w);
	ev_run(c->ev);
	return 0;
}
