#include "tlsterm.h"

/* The connections here, for master, in the order in which they came. */
static void
list_begin(void *arg)
{
	struct tlsterm	*t = arg;

	t->listed = TAILQ_FIRST(&t->clients);
}

static bool
list_next(void *arg, struct conn_row *row)
{
	static const enum conn_state	 state[CLIENT__MAX] = {
		[CLIENT_PEEK] = CONN_HANDSHAKE,
		[CLIENT_HANDSHAKE] = CONN_HANDSHAKE,
		[CLIENT_OPEN] = CONN_HTTP, [CLIENT_LINGER] = CONN_CLOSING,
	};
	struct tlsterm			*t = arg;
	struct client			*c = t->listed;

	if (c == NULL)
		return false;
	t->listed = TAILQ_NEXT(c, all);
	client_info(c, &row->info);
	row->in = c->io.in;
	row->out = c->io.out;
	row->state = state[c->state];
	return true;
}

static bool
list_kill(void *arg, uint64_t id)
{
	struct tlsterm		*t = arg;
	struct conn_info	 info;
	struct client		*c;

	TAILQ_FOREACH(c, &t->clients, all) {
		client_info(c, &info);
		if (info.id == id) {
			client_close(c, "killed");
			return true;
		}
	}
	return false;
}

const struct child_sessions tlsterm_sessions = {
	list_begin, list_next, list_kill
};
