#include <string.h>
#include <unistd.h>

#include "generation.h"

/*
 * Where the live sessions of an old proxy go: into the inbox that its upstream
 * has in the generation in force.  It is told which before it is told to
 * drain, and again when another generation is in force, so that nobody writes
 * to the inbox of one that is to end: its proxies read it to the end of file.
 */

/* The descriptor of that inbox, or -1: they stay where they are. */
static int
handover_target(const struct proc *p)
{
	const struct master		*m = p->gen->master;
	const struct generation		*to = m->gen;
	const struct conf_upstream	*up =
	    &p->gen->conf->upstream[p->pool - 1];
	size_t				 i;

	if (to == NULL || to == p->gen || m->stopping || !up->hand_over)
		return -1;
	for (i = 0; i < to->conf->nupstream; i++)
		if (strcmp(to->conf->upstream[i].name, up->name) == 0)
			return to->pool[i + 1].wr;
	return -1;
}

static void
handover_tell(struct generation *g, enum proc_state state)
{
	struct proc	*p;

	for (p = g->proc; p < g->proc + g->nproc; p++)
		if (p->role == ROLE_PROXY && p->state == state)
			proc_hand_over(p, handover_target(p));
}

void
handover_begin(struct generation *g)
{
	size_t	i;

	handover_tell(g, PROC_RUNNING);
	for (i = 0; i < g->npool; i++) {
		if (g->pool[i].wr != -1)
			close(g->pool[i].wr);
		g->pool[i].wr = -1;
	}
}

void
handover_redirect(struct master *m)
{
	struct generation	*g;

	for (g = m->draining; g != NULL; g = g->next)
		handover_tell(g, PROC_DRAINING);
}
