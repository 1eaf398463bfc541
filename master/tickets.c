#include <sys/random.h>

#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "generation.h"

/*
 * Keys of TLS session tickets: random, in memory only, shared by all tlsterm
 * processes of all generations.  The newest seals, the others open.
 */
static void
ticket_make(uint8_t key[TICKET_KEY_LEN])
{
	if (getrandom(key, TICKET_KEY_LEN, 0) != TICKET_KEY_LEN)
		fatal("getrandom");
}

void
tickets_tell(struct proc *p)
{
	const struct master	*m = p->gen->master;
	struct ipc_msg		 msg = { .type = IPC_TICKETS,
		.data = m->tickets[0], .len = sizeof(m->tickets) };

	(void)ipc_send(p->chan.fd, &msg);
}

/* Who is only starting is told when it is ready. */
static void
tickets_tell_all(struct generation *g)
{
	size_t	i;

	for (i = 0; i < g->nproc; i++)
		if (g->proc[i].role == ROLE_TLSTERM &&
		    g->proc[i].state == PROC_RUNNING)
			tickets_tell(&g->proc[i]);
}

static void
tickets_schedule(struct master *m)
{
	uint64_t	period = sec_to_ns(m->gen->conf->tls.tickets);

	if (period > 0)
		ev_timer_set(m->ev, &m->ticket_timer, ev_now(m->ev) + period);
}

static void
tickets_rotate(struct ev_timer *t)
{
	struct master		*m = container_of(t, struct master,
				    ticket_timer);

	if (m->gen == NULL)
		return;		/* older generations drain, and nothing else */
	memmove(m->tickets[1], m->tickets[0],
	    sizeof(m->tickets) - TICKET_KEY_LEN);
	ticket_make(m->tickets[0]);
	tickets_tell_all(m->gen);
	if (m->starting != NULL)
		tickets_tell_all(m->starting);
	log_debug("tickets: a new key, and the oldest is gone");
	tickets_schedule(m);
}

void
tickets_start(struct master *m)
{
	m->ticket_timer.cb = tickets_rotate;
	tickets_schedule(m);
}

void
tickets_make(struct master *m)
{
	size_t	i;

	for (i = 0; i < TICKET_KEYS; i++)
		ticket_make(m->tickets[i]);
}
