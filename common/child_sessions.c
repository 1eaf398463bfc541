#include <string.h>

#include "child.h"
#include "child_sessions.h"
#include "conn.h"
#include "wire.h"

/*
 * Master asks for the next piece when it has read this one, so there is always
 * room in the channel; were there none, master would miss the answer and say
 * so.
 */
static void
answer(const struct ipc_msg *question, uint16_t type, const struct wr *w)
{
	struct ipc_msg	m = { .type = type, .id = question->id,
		.data = w->buf, .len = w->len };

	(void)ipc_send(FD_CHANNEL, &m);
}

/* Fills the message; true when nothing is left to list. */
static bool
fill(const struct child *c, struct wr *w, uint16_t *count)
{
	struct conn_row	row;

	while (w->cap - w->len >= CONN_ROW_MAX) {
		memset(&row, 0, sizeof(row));
		if (!c->sessions->next(c->arg, &row))
			return true;
		conn_row_write(w, &row);
		++*count;
	}
	return false;
}

int
child_on_sessions(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;
	uint8_t		 buf[IPC_DATA_MAX];
	uint16_t	 count = 0;
	struct wr	 w, head;
	bool		 last;

	if (c->sessions == NULL || m->data[0] > 1)
		return -1;
	if (m->data[0] == 1)
		c->sessions->begin(c->arg);
	wr_init(&w, buf, sizeof(buf));
	w.len = 3;
	last = fill(c, &w, &count);
	wr_init(&head, buf, 3);
	wr_u8(&head, last);
	wr_u16(&head, count);
	answer(m, IPC_SESSION_ROWS, &w);
	return 0;
}

int
child_on_kill(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;
	uint8_t		 buf[1];
	struct rd	 r;
	struct wr	 w;

	if (c->sessions == NULL)
		return -1;
	rd_init(&r, m->data, m->len);
	wr_init(&w, buf, sizeof(buf));
	wr_u8(&w, c->sessions->kill(c->arg, rd_u64(&r)));
	answer(m, IPC_KILLED, &w);
	return 0;
}
