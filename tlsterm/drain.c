#include "common/l4.h"
#include "common/log.h"
#include "tlsterm.h"

/*
 * The end of a generation.  Answers under way are finished, each the last of
 * its connection; what still comes through the inbox is served like that too.
 */
void
tlsterm_check_over(struct tlsterm *t)
{
	struct ev	*ev = t->child.ev;

	/* Not at once: whoever calls may be in the middle of the inbox. */
	if (t->h1->draining && t->nclients == 0)
		ev_timer_set(ev, &t->over_timer, ev_now(ev) + 1);
}

static void
drain_look(struct ev_timer *timer)
{
	struct tlsterm	*t = container_of(timer, struct tlsterm, over_timer);

	if (t->inbox.fd != -1)
		inbox_read(t, 0);
	if (t->nclients == 0)
		ev_stop(t->child.ev);
}

static void
drain_over(struct ev_timer *timer)
{
	struct tlsterm	*t = container_of(timer, struct tlsterm, drain_timer);

	log_info("%zu connections did not end in time", t->nclients);
	ev_stop(t->child.ev);
}

void
tlsterm_drain(void *arg)
{
	struct tlsterm	*t = arg;
	struct ev	*ev = t->child.ev;
	struct client	*c, *next;
	uint64_t	 patience = sec_to_ns(t->child.conf->drain);

	t->h1->draining = true;
	/* Nobody would be there for long to have it. */
	compressor_free(t->compressor);
	t->compressor = NULL;
	t->drain_timer.cb = drain_over;
	t->over_timer.cb = drain_look;
	if (patience > 0)
		ev_timer_set(ev, &t->drain_timer, ev_now(ev) + patience);
	for (c = TAILQ_FIRST(&t->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, all);
		client_drain(c);
	}
	tlsterm_check_over(t);
}
