#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "metrics.h"

/*
 * One request, one answer, and each step within its time: whoever is slower is
 * ended, and the longest there makes room for the next.
 */
static const uint64_t patience[CLIENT__MAX] = {
	[CLIENT_READING] = 5 * NSEC_PER_SEC,	/* since it came */
	[CLIENT_WAITING] = 6 * NSEC_PER_SEC,	/* then 503 */
	[CLIENT_WRITING] = 10 * NSEC_PER_SEC,	/* for all of the answer */
	[CLIENT_CLOSING] = 2 * NSEC_PER_SEC,
};

#define DRAIN_PATIENCE	(1 * NSEC_PER_SEC)	/* of a silent one, then */

/* Legal moves; client_enter() is the only writer of the state. */
#define TO(s)	(1u << (s))
static const uint8_t client_next[CLIENT__MAX] = {
	[CLIENT_FREE] = TO(CLIENT_READING),
	[CLIENT_READING] = TO(CLIENT_WAITING) | TO(CLIENT_WRITING) |
	    TO(CLIENT_FREE),
	[CLIENT_WAITING] = TO(CLIENT_WRITING) | TO(CLIENT_FREE),
	[CLIENT_WRITING] = TO(CLIENT_CLOSING) | TO(CLIENT_FREE),
	[CLIENT_CLOSING] = TO(CLIENT_FREE),
};

static void
client_enter(struct client *c, enum client_state to)
{
	struct ev	*ev = c->m->child.ev;

	if ((client_next[c->state] & TO(to)) == 0)
		fatalx("client: %d cannot become %d", c->state, to);
	c->state = to;
	if (to == CLIENT_FREE)
		ev_timer_cancel(ev, &c->late);
	else
		ev_timer_set(ev, &c->late, ev_now(ev) + patience[to]);
}

static void
client_end(struct client *c)
{
	struct metrics	*m = c->m;

	client_enter(c, CLIENT_FREE);
	body_drop(c->body);
	c->body = NULL;
	ev_forget(m->child.ev, &c->io);
	close(c->io.fd);
	stats_sub(&m->child.stats, STAT_LIVE, 1);
	stats_add(&m->child.stats, STAT_ENDED, 1);
	m->nclients--;
	if (m->child.draining && m->nclients == 0)
		ev_stop(m->child.ev);
}

/* Sends from the head, then from the body; false: not all, or never. */
static bool
client_send(struct client *c)
{
	size_t		 body = c->body != NULL && !c->req.head ?
			    c->body->len : 0;
	const char	*p;
	size_t		 n;
	ssize_t		 got;

	while (c->sent < c->head_len + body) {
		if (c->sent < c->head_len) {
			p = c->head + c->sent;
			n = c->head_len - c->sent;
		} else {
			p = c->body->data + (c->sent - c->head_len);
			n = body - (c->sent - c->head_len);
		}
		got = send(c->io.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (got <= 0)
			return false;
		c->sent += (size_t)got;
		stats_add(&c->m->child.stats, STAT_BYTES_OUT, (uint64_t)got);
	}
	return true;
}

/* What is not read yet would turn the end into a reset, and take the answer
 * along: its end is waited for. */
static void
client_write(struct client *c)
{
	if (client_send(c)) {
		client_enter(c, CLIENT_CLOSING);
		shutdown(c->io.fd, SHUT_WR);
		ev_mod(c->m->child.ev, &c->io, EPOLLIN);
	} else if (errno == EAGAIN)
		ev_mod(c->m->child.ev, &c->io, EPOLLOUT);
	else
		client_end(c);
}

static void
client_answer(struct client *c, int status)
{
	if (status == 200 &&
	    (c->body = answer_body(c->m, c->req.content)) == NULL)
		status = 503;
	stats_add(&c->m->child.stats, STAT_ANSWERED, 1);
	c->head_len = answer_head(c->head, status, &c->req, c->body);
	c->sent = 0;
	client_enter(c, CLIENT_WRITING);
	client_write(c);
}

static void
client_request(struct client *c)
{
	int	status;

	status = request_parse(c->buf, c->len, &c->req);
	if (status == 0)
		return;
	if (status != 200) {
		client_answer(c, status);
		return;
	}
	c->since = ev_now(c->m->child.ev);
	client_enter(c, CLIENT_WAITING);
	if (report_ready(c->m, c->req.content, c->since))
		client_answer(c, 200);
	else
		ev_mod(c->m->child.ev, &c->io, 0);	/* hang-up only */
}

static void
client_read(struct client *c)
{
	char	rest[4096];
	bool	reading = c->state == CLIENT_READING;
	ssize_t	n;

	if (reading)
		n = recv(c->io.fd, c->buf + c->len, sizeof(c->buf) - c->len,
		    MSG_DONTWAIT);
	else
		n = recv(c->io.fd, rest, sizeof(rest), MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_end(c);
		return;
	}
	stats_add(&c->m->child.stats, STAT_BYTES_IN, (uint64_t)n);
	if (reading) {
		c->len += (size_t)n;
		client_request(c);
	}
}

static void
client_event(struct ev_io *io, uint32_t events)
{
	struct client	*c = container_of(io, struct client, io);

	if (c->state == CLIENT_WRITING && (events & EPOLLERR) == 0)
		client_write(c);
	else if (c->state == CLIENT_WRITING || c->state == CLIENT_WAITING)
		client_end(c);		/* it has gone */
	else
		client_read(c);
}

static void
client_late(struct ev_timer *t)
{
	struct client	*c = container_of(t, struct client, late);

	if (c->state == CLIENT_WAITING) {
		client_answer(c, 503);
		return;
	}
	if (c->state != CLIENT_CLOSING)
		stats_add(&c->m->child.stats, STAT_TURNED_AWAY, 1);
	client_end(c);
}

static bool
client_is_idle(const struct client *c)
{
	return c->state == CLIENT_READING || c->state == CLIENT_CLOSING;
}

/* A free place, or that of the one who has been at it for longest; those whose
 * request came are left alone as long as there are others. */
static struct client *
client_place(struct metrics *m)
{
	struct client	*c, *oldest = m->client;

	for (c = m->client; c < m->client + CLIENTS_MAX; c++) {
		if (c->state == CLIENT_FREE)
			return c;
		if (client_is_idle(c) == client_is_idle(oldest) ?
		    c->since < oldest->since : client_is_idle(c))
			oldest = c;
	}
	stats_add(&m->child.stats, STAT_TURNED_AWAY, 1);
	client_end(oldest);
	return oldest;
}

void
client_start(struct metrics *m, int fd)
{
	struct client	*c = client_place(m);

	c->m = m;
	c->io.fd = fd;
	c->io.cb = client_event;
	c->late.cb = client_late;
	c->len = 0;
	c->since = ev_now(m->child.ev);
	m->nclients++;
	stats_add(&m->child.stats, STAT_RECEIVED, 1);
	stats_add(&m->child.stats, STAT_LIVE, 1);
	client_enter(c, CLIENT_READING);
	if (ev_add(m->child.ev, &c->io, EPOLLIN) == -1)
		client_end(c);
	else
		client_read(c);		/* it is often there */
}

void
clients_go_on(struct metrics *m)
{
	struct client	*c;

	for (c = m->client; c < m->client + CLIENTS_MAX; c++)
		if (c->state == CLIENT_WAITING &&
		    report_ready(m, c->req.content, c->since))
			client_answer(c, 200);
}

/* Who just came is about to ask. */
void
clients_drain(struct metrics *m)
{
	struct ev	*ev = m->child.ev;
	struct client	*c;

	for (c = m->client; c < m->client + CLIENTS_MAX; c++)
		if (c->state == CLIENT_READING && c->len == 0)
			ev_timer_set(ev, &c->late, ev_now(ev) + DRAIN_PATIENCE);
	if (m->nclients == 0)
		ev_stop(m->child.ev);
}
