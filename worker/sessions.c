#include "worker.h"

/* The connections that are not decided yet, oldest first. */
static void
sessions_begin(void *arg)
{
	struct worker	*w = arg;

	w->listed = TAILQ_FIRST(&w->waiting);
}

static bool
sessions_next(void *arg, struct conn_row *row)
{
	struct worker	*w = arg;
	struct arrival	*a = w->listed;

	if (a == NULL)
		return false;
	w->listed = TAILQ_NEXT(a, link);
	row->state = CONN_UNDECIDED;
	row->info.id = a->id;
	row->info.accepted = a->accepted;
	row->info.peer = a->peer;
	row->info.local = a->local;
	row->info.listener = a->listener;
	return true;
}

static bool
sessions_kill(void *arg, uint64_t id)
{
	struct worker	*w = arg;
	struct arrival	*a;

	TAILQ_FOREACH(a, &w->waiting, link)
		if (a->id == id) {
			arrival_end(a, "killed");
			return true;
		}
	return false;
}

const struct child_sessions worker_sessions = {
	sessions_begin, sessions_next, sessions_kill
};
