#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "tlsterm.h"

#define LINGER_SECONDS	2.0
#define TLS_HANDSHAKE_BYTE	0x16	/* content type of a first record */

static void client_run(struct client *);
static void client_wake(void *);

/* Bits of the states that may follow. */
static const uint8_t client_next[CLIENT__MAX] = {
	[CLIENT_PEEK] = 1u << CLIENT_HANDSHAKE | 1u << CLIENT_OPEN |
	    1u << CLIENT_CLOSED,
	[CLIENT_HANDSHAKE] = 1u << CLIENT_OPEN | 1u << CLIENT_CLOSED,
	[CLIENT_OPEN] = 1u << CLIENT_LINGER | 1u << CLIENT_CLOSED,
	[CLIENT_LINGER] = 1u << CLIENT_CLOSED,
};

static void
client_enter(struct client *c, enum client_state to)
{
	if ((client_next[c->state] & 1u << to) == 0)
		fatalx("client: state %d after %d", (int)to, (int)c->state);
	c->state = to;
	c->reading = false;
}

/* 0 is never.  The timer is moved only when it would be late. */
static void
client_due(struct client *c, uint64_t due)
{
	struct ev	*ev = c->t->child.ev;

	c->due = due;
	if (c->due != 0 && (c->timer.pos == 0 || c->timer.due > c->due))
		ev_timer_set(ev, &c->timer, c->due);
}

/* From now on. */
static void
client_deadline(struct client *c, double seconds)
{
	client_due(c, seconds <= 0 ? 0 :
	    ev_now(c->t->child.ev) + sec_to_ns(seconds));
}

void
client_info(const struct client *c, struct conn_info *info)
{
	struct rd	r;

	rd_init(&r, c->info, c->infolen);
	if (!conn_read(&r, c->t->child.conf, info))
		fatalx("client: own record does not read back");
}

static void
client_log(const struct client *c)
{
	struct conn_info	 info;
	struct conn_end		 end = { c->end, c->io.in, c->io.out,
		ev_clock(), NULL };

	client_info(c, &info);
	conn_log(c->t->child.conf, &info, &end, NULL);
	if (c->t->child.addrs != NULL)
		addrlimit_leave(c->t->child.addrs, &info.peer);
}

void
client_close(struct client *c, const char *end)
{
	struct tlsterm		*t = c->t;
	const struct stats	*st = &t->child.stats;

	if (c->state == CLIENT_HANDSHAKE)
		stats_add(st, STAT_HANDSHAKE_FAILED, 1);
	client_enter(c, CLIENT_CLOSED);
	if (c->end == NULL)
		c->end = end;
	ev_timer_cancel(t->child.ev, &c->timer);
	if (t->listed == c)
		t->listed = TAILQ_NEXT(c, all);
	TAILQ_REMOVE(&t->clients, c, all);
	if (c->queued)
		TAILQ_REMOVE(&t->ready, c, ready);
	h1_free(t->h1, &c->h1);
	if (c->h2 != NULL)
		h2_free(c->h2);
	io_close(&c->io);
	stats_sub(st, STAT_LIVE, 1);
	stats_add(st, STAT_ENDED, 1);
	stats_add(st, STAT_BYTES_IN, c->io.in);
	stats_add(st, STAT_BYTES_OUT, c->io.out);
	client_log(c);
	free(c);
	t->nclients--;
	inbox_resume(t);
	tlsterm_check_over(t);
}

/* The word for a connection that cannot go on. */
static const char *
client_broken(const struct client *c)
{
	if (c->io.reset)
		return "reset";
	if (c->io.broken && c->io.ssl != NULL)
		return "tls-error";
	if (c->h2 != NULL)
		return h2_end_word(c->h2) != NULL ? h2_end_word(c->h2) :
		    "error";
	if (c->h1.lost)
		return "upstream";
	return c->io.broken ? "error" : "file-error";
}

/* We close first: not before the client has read what we sent. */
static void
client_linger(struct client *c, const char *end)
{
	io_finish(&c->io);
	c->end = end;
	if (c->io.eof || c->io.broken) {
		client_close(c, end);
		return;
	}
	client_enter(c, CLIENT_LINGER);
	client_deadline(c, LINGER_SECONDS);
	client_run(c);
}

static void
client_later(struct client *c)
{
	struct tlsterm	*t = c->t;

	if (c->queued)
		return;
	c->queued = true;
	TAILQ_INSERT_TAIL(&t->ready, c, ready);
	/* After the events of the next turn: never in this one again. */
	ev_timer_set(t->child.ev, &t->ready_timer, ev_now(t->child.ev) + 1);
}

static const char *
client_end_word(const struct client *c)
{
	const char	*word = c->h2 != NULL ? h2_end_word(c->h2) : NULL;

	if (word != NULL)
		return word;
	if (c->h1.error)
		return "http-error";
	return c->t->h1->draining ? "drain" : "close";
}

/*
 * Is there a sign of life since the last time?  Records without data are none,
 * nor are bytes that wait to be read while the client takes no answer.
 */
static bool
client_moved(struct client *c, enum h1_result res)
{
	uint64_t	now = c->io.data + (res == H1_IDLE ? 0 : c->io.out);
	bool		moved = now != c->heard || res == H1_UPSTREAM;

	/* Without a deadline, whatever comes next is one. */
	c->heard = res == H1_UPSTREAM ? UINT64_MAX : now;
	return moved;
}

/* How long we wait for what. */
static void
client_wait(struct client *c, enum h1_result res)
{
	const struct conf	*conf = c->t->child.conf;

	if (c->h2 != NULL) {
		client_due(c, h2_due(c->h2, &c->io));
		return;
	}
	/* Who gives way in the middle of a request gains no time by it. */
	if (res == H1_READY && c->reading && c->io.out == c->said)
		return;
	if (res == H1_READING) {
		if (!c->reading)
			client_deadline(c, conf->limits.header_timeout);
		c->said = c->io.out;
	} else if (client_moved(c, res))
		client_deadline(c, res == H1_UPSTREAM ? 0 :
		    conf->limits.idle_timeout);
	c->reading = res == H1_READING;
}

static void
client_after(struct client *c, enum h1_result res)
{
	switch (res) {
	case H1_READY:
		client_later(c);
		/* FALLTHROUGH */
	case H1_READING:
	case H1_SENDING:
	case H1_UPSTREAM:
		client_wait(c, res);
		break;
	case H1_IDLE:
		client_wait(c, res);
		if (c->t->h1->draining && c->h2 == NULL)
			client_drain(c);
		break;
	case H1_LAST:
		client_linger(c, client_end_word(c));
		break;
	case H1_GONE:
		/* After close_notify alone it may still read. */
		if (!c->io.hangup)
			io_finish(&c->io);
		client_close(c, "fin");
		break;
	case H1_BROKEN:
		client_close(c, client_broken(c));
		break;
	}
}

static void
client_open(struct client *c)
{
	enum h1_result	res;

	/* A plain site that is off has nothing to say. */
	if (!c->origin.tls && c->origin.site->conf->http == SITE_HTTP_OFF) {
		client_linger(c, "off");
		return;
	}
	c->origin.now = time(NULL);
	res = c->h2 != NULL ? h2_run(c->h2, &c->io, ev_now(c->t->child.ev)) :
	    h1_run(c->t->h1, &c->h1, &c->io, &c->origin);
	io_park(&c->io);
	client_after(c, res);
}

/* False without memory or descriptors. */
static bool
client_relay(struct client *c)
{
	const uint8_t	*p;
	unsigned int	 len;
	char		 alpn[256];

	SSL_get0_alpn_selected(c->io.ssl, &p, &len);
	if (len > 0)
		memcpy(alpn, p, len);
	alpn[len] = '\0';
	return h1_relay(&c->h1, c->relay, &c->origin, alpn);
}

/* After the handshake: what is spoken inside?  False as above. */
static bool
client_choose(struct client *c)
{
	const uint8_t	*p;
	unsigned int	 len;

	if (c->relay != NULL)
		return client_relay(c);
	SSL_get0_alpn_selected(c->io.ssl, &p, &len);
	if (len != 2 || memcmp(p, "h2", 2) != 0)
		return true;
	c->h2 = h2_new(c->t->h2, &c->origin, client_wake, &c->h1,
	    ev_now(c->t->child.ev));
	return c->h2 != NULL;
}

static void
client_handshake(struct client *c)
{
	const struct stats	*st = &c->t->child.stats;

	switch (io_handshake(&c->io)) {
	case IO_OK:
		break;
	case IO_WAIT:
		c->waiting = true;
		/* FALLTHROUGH */
	case IO_AGAIN:
		io_flush(&c->io);
		io_park(&c->io);
		if (c->io.broken)
			client_close(c, client_broken(c));
		return;
	case IO_EOF:
		client_close(c, "fin");
		return;
	default:
		client_close(c, client_broken(c));
		return;
	}
	stats_add(st, STAT_HANDSHAKES, 1);
	stats_time(st, TIME_HANDSHAKE, ev_now(c->t->child.ev) - c->since);
	if (SSL_session_reused(c->io.ssl))
		stats_add(st, STAT_RESUMED, 1);
	client_enter(c, CLIENT_OPEN);
	if (!client_choose(c)) {
		client_close(c, "refused");
		return;
	}
	client_open(c);
}

static void
client_resume(struct keywait *w)
{
	struct client	*c = container_of(w, struct client, io.key);

	c->waiting = false;
	client_run(c);
}

/* -1 without a certificate, or memory. */
static int
client_start_tls(struct client *c)
{
	struct tlsterm	*t = c->t;
	SSL_CTX		*ctx = c->relay != NULL ? c->relay->ctx :
			    c->origin.site->ctx;
	int		 fd = c->io.watch.fd;

	if (ctx == NULL || io_open(&c->io, t->bufs, fd, ctx) == -1)
		return -1;
	c->origin.tls = true;
	c->io.key.chan = t->keychan;
	c->io.key.resume = client_resume;
	client_enter(c, CLIENT_HANDSHAKE);
	return 0;
}

static void
client_start(struct client *c, bool tls)
{
	if (!tls)
		client_enter(c, CLIENT_OPEN);
	else if (client_start_tls(c) == -1) {
		client_close(c, "no-tls");
		return;
	}
	client_run(c);
}

/* By fallback, whatever it speaks. */
static void
client_peek(struct client *c)
{
	uint8_t	b;
	ssize_t	n;

	n = recv(c->io.watch.fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 1)
		client_start(c, b == TLS_HANDSHAKE_BYTE);
	else if (n == 0)
		client_close(c, "fin");
	else if (c->io.broken)
		client_close(c, client_broken(c));
}

static void
client_discard(struct client *c)
{
	if (io_discard(&c->io) != IO_AGAIN)
		client_close(c, c->end);
}

static void
client_run(struct client *c)
{
	static void	(*const run[CLIENT__MAX])(struct client *) = {
		[CLIENT_PEEK] = client_peek,
		[CLIENT_HANDSHAKE] = client_handshake,
		[CLIENT_OPEN] = client_open,
		[CLIENT_LINGER] = client_discard,
	};

	run[c->state](c);
}

static void
client_event(struct ev_io *watch, uint32_t events)
{
	struct client	*c = container_of(watch, struct client, io.watch);

	io_events(&c->io, events);
	if (c->waiting) {
		if (c->io.broken)
			client_close(c, client_broken(c));
		return;
	}
	/* Its turn comes. */
	if (c->queued && !c->io.broken)
		return;
	client_run(c);
}

void
client_run_ready(struct tlsterm *t)
{
	struct clients	 now = TAILQ_HEAD_INITIALIZER(now);
	struct client	*c;

	/* Those that give way again wait for the next turn. */
	TAILQ_CONCAT(&now, &t->ready, ready);
	while ((c = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, c, ready);
		c->queued = false;
		client_run(c);
	}
}

static void
client_late(struct client *c)
{
	enum h1_result	res;

	if (c->state == CLIENT_OPEN && c->h2 != NULL) {
		c->origin.now = time(NULL);
		res = h2_late(c->h2, &c->io, ev_now(c->t->child.ev));
		io_park(&c->io);
		client_after(c, res);
		return;
	}
	if (c->state == CLIENT_OPEN && c->reading) {
		c->origin.now = time(NULL);
		res = h1_timeout(c->t->h1, &c->h1, &c->io, &c->origin);
		io_park(&c->io);
		c->end = "timeout";
		if (res == H1_LAST) {
			client_linger(c, "timeout");
			return;
		}
	} else if (c->state == CLIENT_OPEN)
		io_finish(&c->io);
	client_close(c, "timeout");
}

static void
client_timer(struct ev_timer *timer)
{
	struct client	*c = container_of(timer, struct client, timer);
	struct ev	*ev = c->t->child.ev;

	if (c->due == 0)
		return;
	if (c->due > ev_now(ev))
		ev_timer_set(ev, &c->timer, c->due);
	else
		client_late(c);
}

void
client_drain(struct client *c)
{
	if (c->state == CLIENT_PEEK)
		client_close(c, "drain");
	else if (c->state == CLIENT_OPEN && c->h2 != NULL && !c->queued)
		client_run(c);
	else if (c->state == CLIENT_OPEN && !c->queued && c->h1.served &&
	    h1_idle(&c->h1, &c->io) && c->io.unread.p == NULL)
		client_linger(c, "drain");
}

/* The upstream that it waits for moved. */
static void
client_wake(void *arg)
{
	struct client	*c = container_of(arg, struct client, h1);

	if (!c->queued)
		client_run(c);
}

static struct client *
client_alloc(const struct conn_info *info)
{
	uint8_t		 buf[2 * (HELLO_NAME_MAX + HELLO_ALPN_MAX) + 256];
	size_t		 snilen = strlen(info->sni) + 1;
	struct wr	 w;
	struct client	*c;

	wr_init(&w, buf, sizeof(buf));
	conn_write(&w, info);
	if (w.bad || (c = calloc(1, sizeof(*c) + w.len + snilen)) == NULL)
		return NULL;
	c->infolen = w.len;
	memcpy(c->info, buf, w.len);
	memcpy(c->info + w.len, info->sni, snilen);
	c->origin.sni = (const char *)c->info + w.len;
	c->origin.listener = info->listener;
	c->origin.reason = info->reason;
	c->origin.info = c->info;
	c->origin.infolen = c->infolen;
	h1_init(&c->h1);
	c->h1.wake = client_wake;
	return c;
}

void
client_new(struct tlsterm *t, int fd, const struct conn_info *info)
{
	const struct stats	*st = &t->child.stats;
	struct client		*c;

	stats_add(st, STAT_RECEIVED, 1);
	if ((c = client_alloc(info)) == NULL) {
		log_warn("calloc");
		stats_add(st, STAT_ENDED, 1);
		close(fd);
		return;
	}
	if (t->child.addrs != NULL)
		addrlimit_hold(t->child.addrs, &info->peer);
	stats_add(st, STAT_LIVE, 1);
	c->t = t;
	c->since = ev_now(t->child.ev);
	if (info->target.kind == TARGET_CHALLENGE)
		c->origin.site = t->responder;
	else if (info->target.kind == TARGET_UPSTREAM)
		c->relay = &t->ups.v[info->target.index];
	else
		c->origin.site = &t->sites.v[info->target.index];
	c->timer.cb = client_timer;
	c->io.watch.cb = client_event;
	c->state = CLIENT_PEEK;
	c->heard = UINT64_MAX;
	io_open(&c->io, t->bufs, fd, NULL);
	TAILQ_INSERT_TAIL(&t->clients, c, all);
	t->nclients++;
	if (io_watch(&c->io) == -1) {
		log_warn("epoll_ctl");
		client_close(c, "error");
		return;
	}
	client_deadline(c, t->child.conf->limits.handshake_timeout);
	/* What was seen can be read: that needs no event. */
	if (info->proto == PROTO_TLS)
		client_start(c, true);
	else if (info->proto == PROTO_HTTP)
		client_start(c, false);
}
