#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "generation.h"

#define AUDIT_PERIOD	(60 * NSEC_PER_SEC)

static size_t
add_pages(const struct generation *g, int *own)
{
	size_t	i, n = 0;

	for (i = 0; g != NULL && i < g->nproc; i++)
		if (g->proc[i].pid > 0 && g->proc[i].addrs_fd != -1)
			own[n++] = g->proc[i].addrs_fd;
	return n;
}

static size_t
all_procs(const struct master *m)
{
	const struct generation	*g;
	size_t			 n = 0;

	n += m->gen != NULL ? m->gen->nproc : 0;
	n += m->starting != NULL ? m->starting->nproc : 0;
	for (g = m->draining; g != NULL; g = g->next)
		n += g->nproc;
	return n;
}

static void
limits_audit(struct ev_timer *t)
{
	struct master		*m = container_of(t, struct master,
				    audit_timer);
	const struct generation	*g;
	int64_t			 lost;
	size_t			 n;
	int			*own;

	if ((own = calloc(all_procs(m) + 1, sizeof(*own))) == NULL)
		fatal("calloc");
	n = add_pages(m->gen, own);
	n += add_pages(m->starting, own + n);
	for (g = m->draining; g != NULL; g = g->next)
		n += add_pages(g, own + n);
	lost = addrlimit_audit_look(m->audit, m->addrs, own, n);
	if (lost == -1)
		log_warn("limits: audit");
	else if (lost > 0)
		log_warnx("limits: %lld connections were counted that nobody "
		    "has", (long long)lost);
	free(own);
	ev_timer_set(m->ev, t, ev_now(m->ev) + AUDIT_PERIOD);
}

void
limits_start_audit(struct master *m)
{
	if (m->audit != NULL || m->addrs == -1)
		return;
	if ((m->audit = addrlimit_audit_new()) == NULL)
		fatal("calloc");
	m->audit_timer.cb = limits_audit;
	ev_timer_set(m->ev, &m->audit_timer, ev_clock() + AUDIT_PERIOD);
}

bool
limits_open(struct generation *g)
{
	const struct conf	*conf = g->conf;

	if (g->master->addrs != -1 || (conf->limits.connections == 0 &&
	    conf->limits.per_address == 0 &&
	    conf->limits.rate_per_address <= 0))
		return true;
	g->master->addrs = addrlimit_create_shared();
	if (g->master->addrs == -1) {
		gen_fail(g, "limits: %s", strerror(errno));
		return false;
	}
	limits_start_audit(g->master);
	return true;
}
