#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/proto.h"
#include "common/wire.h"
#include "keys.h"

/*
 * Packets taken from one channel before the others get a turn.  Every packet
 * is answered before the next is taken: one that waits in the channel is free
 * for another keys process.
 */
#define BURST		4

/* Draining: how long after its start, and after the last request, none may
 * follow any more.  tlsterm signs as soon as it has a connection. */
#define GRACE_MS	200
#define IDLE_MS		500

/* Drops a channel here; tlsterm and the other keys processes keep theirs. */
static void
chan_close(struct keys_chan *c)
{
	struct keys_chan	**p = &c->keys->chans;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	ev_del(c->keys->child.ev, &c->io);
	close(c->io.fd);
	free(c);
}

/*
 * Honest ones do not send that.  The channel stays: the process that is
 * started in its place gets the same, and its requests wait behind what is
 * still in it.
 */
static void
accuse(const struct keys_chan *c)
{
	uint8_t		buf[4];
	struct wr	w;
	struct ipc_msg	m = { .type = IPC_ACCUSE, .data = buf };

	wr_init(&w, buf, sizeof(buf));
	wr_u32(&w, c->instance);
	m.len = w.len;
	/* A channel that is full holds accusations enough. */
	ipc_send(FD_CHANNEL, &m);
}

/* A captured tlsterm can cause as many of these as it likes. */
static void
refused(struct keys *k, const struct sign_request *q)
{
	uint64_t	now = ev_now(k->child.ev);

	stats_add(&k->child.stats, STAT_SIGN_REFUSED, 1);
	if (k->warned != 0 && now - k->warned < NSEC_PER_SEC) {
		k->unsaid++;
		return;
	}
	log_warnx("refused to sign: key %u, scheme 0x%04x, %zu bytes "
	    "(%llu more since the last such line)", q->key, q->scheme, q->len,
	    (unsigned long long)k->unsaid);
	k->warned = now;
	k->unsaid = 0;
}

static void
answer(struct keys_chan *c, const struct sign_request *q, struct wr *w)
{
	struct keys		*k = c->keys;
	struct signer_key	*key = keys_find(k, q->key);
	struct sign_answer	 a = { .id = q->id, .status = SIGN_NO_KEY,
		.sig = k->sig };

	if (key != NULL)
		a.status = signer_sign(key, q, k->sig, &a.len);
	if (a.status != SIGN_OK)
		a.len = 0;
	if (a.status == SIGN_OK)
		stats_add(&k->child.stats, STAT_SIGNED, 1);
	else
		refused(k, q);
	if (sign_shape(q->tbs, q->len) == SIGN_SHAPE_NONE)
		accuse(c);
	sign_answer_write(w, &a);
}

/* Nothing is signed before the whole packet is known to be well-formed. */
static int
read_requests(struct sign_request q[SIGN_BATCH], const struct ipc_msg *m)
{
	struct rd	r;
	int		i, n;

	rd_init(&r, m->data, m->len);
	n = rd_u8(&r);
	if (n == 0 || n > SIGN_BATCH)
		return -1;
	for (i = 0; i < n; i++)
		if (!sign_request_read(&r, &q[i]))
			return -1;
	return rd_done(&r) ? n : -1;
}

static int
on_sign(void *arg, struct ipc_msg *m)
{
	struct keys_chan	*c = arg;
	struct keys		*k = c->keys;
	struct sign_request	 q[SIGN_BATCH];
	struct ipc_msg		 reply = { .type = IPC_SIGNED,
		.id = m->id, .data = k->out };
	struct wr		 w;
	int			 i, n;

	if ((n = read_requests(q, m)) == -1)
		return -1;
	k->served = ev_now(k->child.ev);
	wr_init(&w, k->out, sizeof(k->out));
	wr_u8(&w, (uint8_t)n);
	for (i = 0; i < n; i++)
		answer(c, &q[i], &w);
	reply.len = w.len;
	/* Who does not read its answers does without. */
	if (ipc_send(c->io.fd, &reply) == IPC_AGAIN)
		stats_add(&k->child.stats, STAT_IPC_LOST, 1);
	return 0;
}

static const struct ipc_rule chan_rules[] = {
	{ IPC_SIGN, 1, IPC_FD_NONE, 0, 0, SIGN_PACKET_MIN, SIGN_PACKET_MAX,
	    on_sign },
};

/* False when the channel is not to be read any more.  An empty packet looks
 * like the end of a channel, but that epoll knows. */
static bool
chan_recv(struct keys_chan *c, uint32_t events, bool *more)
{
	struct child	*child = &c->keys->child;
	struct ipc_msg	 m;

	switch (ipc_recv(c->io.fd, child->buf, CHILD_BUFSIZE, &m)) {
	case IPC_OK:
		if (ipc_dispatch(chan_rules, nitems(chan_rules), 1, &m, c) ==
		    -1)
			break;
		/* One that is not full was the last of its turn. */
		*more = m.data[0] == SIGN_BATCH;
		return true;
	case IPC_AGAIN:
		*more = false;
		return true;
	case IPC_GONE:
		if (events & (EPOLLHUP | EPOLLERR))
			return false;
		break;
	case IPC_BAD:
	case IPC_LOST:
		break;
	}
	stats_add(&child->stats, STAT_IPC_BAD, 1);
	accuse(c);
	return true;
}

static void
keys_leave_if_done(struct keys *k)
{
	uint64_t	due = k->served + IDLE_MS * NSEC_PER_MSEC;

	if (due < k->grace)
		due = k->grace;
	if (due > k->deadline)
		due = k->deadline;
	if (k->chans == NULL || ev_now(k->child.ev) >= due)
		ev_stop(k->child.ev);
	else
		ev_timer_set(k->child.ev, &k->leave, due);
}

static void
chan_event(struct ev_io *io, uint32_t events)
{
	struct keys_chan	*c = container_of(io, struct keys_chan, io);
	struct keys		*k = c->keys;
	bool			 more = true;
	int			 i;

	for (i = 0; more && i < BURST; i++)
		if (!chan_recv(c, events, &more)) {
			chan_close(c);
			break;
		}
	if (k->child.draining && k->chans == NULL)
		keys_leave_if_done(k);
}

void
keys_add_channel(struct keys *k, int fd)
{
	struct keys_chan	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatal("calloc");
	c->io.fd = fd;
	c->io.cb = chan_event;
	c->keys = k;
	c->instance = k->nchans++;
	c->next = k->chans;
	k->chans = c;
}

int
keys_on_channel(void *arg, struct ipc_msg *m)
{
	keys_add_channel(arg, m->fd[0]);
	return 0;
}

/* A packet wakes one keys process that has nothing to do, not all of them. */
void
keys_serve(struct keys *k)
{
	struct keys_chan	*c;

	for (c = k->chans; c != NULL; c = c->next)
		if (ev_add(k->child.ev, &c->io, EPOLLIN | EPOLLEXCLUSIVE) ==
		    -1)
			fatal("epoll_ctl: channel");
}

static void
keys_on_leave(struct ev_timer *t)
{
	keys_leave_if_done(container_of(t, struct keys, leave));
}

/*
 * The tlsterm processes of this generation may have handshakes to finish:
 * stays until their channels are gone or none has asked for a while.
 */
void
keys_drain(void *arg)
{
	struct keys	*k = arg;
	uint64_t	 now = ev_now(k->child.ev);

	k->leave.cb = keys_on_leave;
	k->grace = now + GRACE_MS * NSEC_PER_MSEC;
	k->deadline = now + sec_to_ns(k->child.conf->drain);
	keys_leave_if_done(k);
}
