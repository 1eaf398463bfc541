#include <stdlib.h>

#include "common/l4.h"
#include "common/log.h"
#include "control.h"
#include "generation.h"

#define PERIOD	(5 * NSEC_PER_SEC)

/*
 * How many connections a second each target got, over the last minute: totals
 * are noted now and then, in a ring.
 */
static uint64_t
target_total(const struct generation *g, uint32_t i)
{
	struct target_counts	t;

	return report_target(g, i, &t) ? t.count[TARGET_COUNT_TOTAL] : 0;
}

static void
rates_note(struct ev_timer *timer)
{
	struct generation	*g = container_of(timer, struct generation,
				    rates.timer);
	struct rates		*r = &g->rates;
	size_t			 slot = r->n % RATES_NOTES;
	uint32_t		 i;

	r->at[slot] = ev_clock();
	for (i = 0; i < r->ntargets; i++)
		r->total[slot * r->ntargets + i] = target_total(g, i);
	r->n++;
	ev_timer_set(g->master->ev, timer, r->at[slot] + PERIOD);
}

void
rates_start(struct generation *g)
{
	struct rates	*r = &g->rates;

	r->ntargets = g->conf->nsite + g->conf->nupstream;
	r->total = calloc(RATES_NOTES * r->ntargets + 1, sizeof(*r->total));
	if (r->total == NULL)
		fatal("calloc");
	r->timer.cb = rates_note;
	rates_note(&r->timer);
}

void
rates_stop(struct generation *g)
{
	ev_timer_cancel(g->master->ev, &g->rates.timer);
	free(g->rates.total);
	g->rates.total = NULL;
}

double
rates_get(const struct generation *g, uint32_t i)
{
	const struct rates	*r = &g->rates;
	size_t			 oldest;
	uint64_t		 total = target_total(g, i), was, span;

	if (r->total == NULL || r->n == 0 || i >= r->ntargets)
		return -1;
	oldest = r->n < RATES_NOTES ? 0 : r->n % RATES_NOTES;
	was = r->total[oldest * r->ntargets + i];
	span = ev_clock() - r->at[oldest];
	if (span == 0 || total < was)
		return -1;
	return (double)(total - was) * (double)NSEC_PER_SEC / (double)span;
}
