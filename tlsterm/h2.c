#include <stdlib.h>

#include "common/l4.h"
#include "common/log.h"
#include "h2_run.h"

#define BUDGET		(512 * 1024)	/* bytes for one connection, then the
					   others */
#define RECEIVE		H2_FRAME	/* bytes, before we answer */
#define FLUSH_AFTER	(32 * 1024)	/* that make a send(2) worth it */
#define NOTICE_TIME	(1 * NSEC_PER_SEC)

/* "Go on" beside what h2_run() returns. */
#define GO_ON		((enum h1_result)-1)

struct h2_server *
h2_server_new(struct h1_server *h1)
{
	struct h2_server	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	s->h1 = h1;
	TAILQ_INIT(&s->spare);
	h2_session_setup(s);
	return s;
}

struct h2 *
h2_new(struct h2_server *s, const struct origin *o, void (*wake)(void *),
    void *arg, uint64_t now)
{
	struct h2	*h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->s = s;
	h->o = o;
	h->wake = wake;
	h->arg = arg;
	h->now = h->began = h->since = h->sent = now;
	h->mem = sizeof(*h);
	h->scan.left = H2_PREFACE;
	TAILQ_INIT(&h->streams);
	if (h2_session_open(h) == -1) {
		h2_free(h);
		return NULL;
	}
	return h;
}

static void
h2_drop_streams(struct h2 *h)
{
	struct h2_stream	*st;

	while ((st = TAILQ_FIRST(&h->streams)) != NULL) {
		nghttp2_session_set_stream_user_data(h->session, st->id,
		    NULL);
		h2_stream_free(st);
	}
}

void
h2_free(struct h2 *h)
{
	h2_drop_streams(h);
	nghttp2_session_del(h->session);
	free(h->saved);
	free(h->rest);
	free(h);
}

const char *
h2_end_word(const struct h2 *h)
{
	if (h->late)
		return "timeout";
	return h->error ? "http-error" : NULL;
}

/* A head of which a part came in an earlier run. */
static void
h2_load(struct h2 *h)
{
	if (h->saved == NULL)
		return;
	memcpy(h->s->head, h->saved, h->head.len);
	free(h->saved);
	h->saved = NULL;
}

static bool
h2_save(struct h2 *h)
{
	if (h->collecting == 0 || h->head.len == 0)
		return true;
	if ((h->saved = malloc(h->head.len)) == NULL)
		return false;
	memcpy(h->saved, h->s->head, h->head.len);
	return true;
}

static enum h1_result
h2_flush(struct h2 *h, struct io *io)
{
	enum io_result	res = io_flush(io);

	if (io->out != h->bytes) {
		h->bytes = io->out;
		h->sent = h->now;
	}
	return res == IO_OK ? GO_ON : res == IO_AGAIN ? H1_SENDING :
	    H1_BROKEN;
}

/* Writes what is in out. */
static enum h1_result
h2_put(struct h2 *h, struct io *io)
{
	struct h1_server	*s = h->s->h1;
	size_t			 n = s->outlen;

	s->outlen = 0;
	h2_spend(h, n);
	if (n > 0 && io_write(io, s->out, n) != IO_OK)
		return H1_BROKEN;
	return n < FLUSH_AFTER ? GO_ON : h2_flush(h, io);
}

/*
 * The last that the client hears of us, written by hand: the library has no
 * say any more.
 */
static enum h1_result
h2_end(struct h2 *h, struct io *io, uint32_t error)
{
	uint32_t	last = 0;
	uint8_t		f[H2_HEAD + 8] = { 0, 0, 8, NGHTTP2_GOAWAY };

	last = (uint32_t)nghttp2_session_get_last_proc_stream_id(h->session);
	f[9] = (uint8_t)(last >> 24);
	f[10] = (uint8_t)(last >> 16);
	f[11] = (uint8_t)(last >> 8);
	f[12] = (uint8_t)last;
	f[15] = (uint8_t)(error >> 8);
	f[16] = (uint8_t)error;
	h->over = true;
	h->error = h->error || error != NGHTTP2_NO_ERROR;
	h2_drop_streams(h);
	return io_write(io, f, sizeof(f)) == IO_OK ? GO_ON : H1_BROKEN;
}

/* All that can be sent now, or as much as is our share. */
static enum h1_result
h2_send(struct h2 *h, struct io *io)
{
	struct h1_server	*s = h->s->h1;
	const uint8_t		*p;
	enum h1_result		 res;
	ssize_t			 n;

	do {
		h->blocked = false;
		n = nghttp2_session_mem_send(h->session, &p);
		if (n < 0)
			return h2_put(h, io) == H1_BROKEN ? H1_BROKEN :
			    h2_end(h, io, NGHTTP2_INTERNAL_ERROR);
		if (n > 0) {
			memcpy(s->out + s->outlen, p, (size_t)n);
			s->outlen += (size_t)n;
		}
		if (sizeof(s->out) - s->outlen >= 2 * H2_FRAME &&
		    !h->blocked)
			continue;
		if ((res = h2_put(h, io)) != GO_ON)
			return res;
		if (h->budget == 0)
			return H1_READY;
	} while (n > 0 || h->blocked);
	return h2_put(h, io);
}

/* The error to end a connection with when the library refuses its input. */
static uint32_t
h2_refusal(ssize_t error)
{
	switch (error) {
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		return NGHTTP2_PROTOCOL_ERROR;
	case NGHTTP2_ERR_CALLBACK_FAILURE:
		return NGHTTP2_INTERNAL_ERROR;
	default:
		return NGHTTP2_ENHANCE_YOUR_CALM;
	}
}

/* What an earlier run has left, or new bytes. */
static enum h1_result
h2_read(struct h2 *h, struct io *io, uint8_t *buf, size_t *len)
{
	if (h->rest != NULL) {
		*len = h->restlen;
		memcpy(buf, h->rest, *len);
		free(h->rest);
		h->rest = NULL;
		return GO_ON;
	}
	if (io->eof)
		return H1_GONE;
	if (!io_readable(io))
		return io->broken ? H1_BROKEN : H1_IDLE;
	switch (io_read(io, buf, RECEIVE, len)) {
	case IO_OK:
		h2_spend(h, *len + H1_READ_COST);
		return GO_ON;
	case IO_EOF:
		return H1_GONE;
	case IO_BROKEN:
		return H1_BROKEN;
	default:
		return H1_IDLE;
	}
}

static bool
h2_keep(struct h2 *h, const uint8_t *p, size_t n)
{
	if (n == 0)
		return true;
	if ((h->rest = malloc(n)) == NULL)
		return false;
	memcpy(h->rest, p, n);
	h->restlen = (uint32_t)n;
	return true;
}

/* A read may have more requests in it than is our share. */
static enum h1_result
h2_receive(struct h2 *h, struct io *io)
{
	uint8_t		*p = (uint8_t *)h->s->h1->in;
	enum h1_result	 res;
	size_t		 left, part;
	ssize_t		 n;

	if ((res = h2_read(h, io, p, &left)) != GO_ON)
		return res;
	do {
		part = h2_watch(h, p, left);
		if (h->doom == 0 && (n = nghttp2_session_mem_recv(h->session,
		    p, part)) < 0)
			h2_doom(h, h2_refusal(n));
		p += part;
		left -= part;
	} while (left > 0 && h->budget > 0 && h->doom == 0);
	h2_requests(h);
	if (h->doom != 0)
		return h2_end(h, io, h->doom);
	return h2_keep(h, p, left) ? GO_ON : H1_BROKEN;
}

/* GOAWAY twice (RFC 9113 6.8): requests that are on the way when the client
 * hears the first are still answered. */
static void
h2_drain(struct h2 *h)
{
	int32_t	last;

	if (h->drain == H2_SERVING && h->served) {
		nghttp2_submit_shutdown_notice(h->session);
		h->drain = H2_NOTICE;
		h->noticed = h->now;
	} else if (h->drain == H2_NOTICE && h->noticed == 0) {
		last = nghttp2_session_get_last_proc_stream_id(h->session);
		nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last,
		    NGHTTP2_NO_ERROR, NULL, 0);
		h->drain = H2_LAST_CALL;
	}
}

static void
h2_step_forwards(struct h2 *h)
{
	struct h2_stream	*st;

	if (h->nwoken == 0)
		return;
	TAILQ_FOREACH(st, &h->streams, link)
		if (st->woken) {
			st->woken = false;
			h2_forward_step(st);
		}
	h->nwoken = 0;
}

/* Is there nothing left to say or to hear? */
static bool
h2_is_over(const struct h2 *h)
{
	return h->over || (h->drain == H2_LAST_CALL &&
	    TAILQ_EMPTY(&h->streams)) ||
	    (nghttp2_session_want_read(h->session) == 0 &&
	    nghttp2_session_want_write(h->session) == 0);
}

static enum h1_result
h2_step(struct h2 *h, struct io *io)
{
	enum h1_result	res;

	h2_window_look(h);
	if (io->unsent.p != NULL && (res = h2_flush(h, io)) != GO_ON)
		return res;
	if (h->over)
		return H1_LAST;
	h2_step_forwards(h);
	if (h->s->h1->draining)
		h2_drain(h);
	if ((res = h2_send(h, io)) != GO_ON)
		return res;
	if (h->doom != 0 && !h->over && (res = h2_end(h, io, h->doom)) !=
	    GO_ON)
		return res;
	if (h2_is_over(h))
		return H1_LAST;
	return h->budget == 0 ? H1_READY : h2_receive(h, io);
}

enum h1_result
h2_run(struct h2 *h, struct io *io, uint64_t now)
{
	enum h1_result	res, sent;

	h1_clock(h->s->h1, h->o->now);
	h->now = now;
	h->budget = BUDGET;
	h->s->h1->outlen = 0;
	h2_load(h);
	while ((res = h2_step(h, io)) == GO_ON)
		;
	if (!h2_save(h))
		return H1_BROKEN;
	if (res == H1_BROKEN || (sent = h2_flush(h, io)) == GO_ON)
		return res;
	return sent;
}

static uint64_t
earlier(uint64_t due, uint64_t since, uint64_t patience)
{
	uint64_t	at = since + patience;

	return patience > 0 && (due == 0 || at < due) ? at : due;
}

/* When a stream has waited too long for the client; 0: it does not. */
static uint64_t
stream_due(const struct h2_stream *st)
{
	const struct conf	*conf = st->h->s->h1->sites->conf;

	if (h2_forward_waits(st))
		return 0;
	if (st->more && st->fwd == NULL)
		return earlier(0, st->begun,
		    sec_to_ns(conf->limits.header_timeout));
	return earlier(0, st->moved, sec_to_ns(conf->limits.idle_timeout));
}

/* The same for the connection as a whole. */
static uint64_t
connection_due(const struct h2 *h, const struct io *io)
{
	const struct conf	*conf = h->s->h1->sites->conf;
	uint64_t		 head, idle, due = 0;

	head = sec_to_ns(conf->limits.header_timeout);
	idle = sec_to_ns(conf->limits.idle_timeout);
	if (!h->settled || !h->acked)
		due = earlier(due, h->began, head);
	if (h->heading != 0)
		due = earlier(due, h->heading, head);
	if (io->unsent.p != NULL)
		due = earlier(due, h->sent, idle);
	if (TAILQ_EMPTY(&h->streams))
		due = earlier(due, h->since, idle);
	return due;
}

uint64_t
h2_due(const struct h2 *h, const struct io *io)
{
	const struct h2_stream	*st;
	uint64_t		 due = connection_due(h, io), at;

	if (h->noticed != 0)
		due = earlier(due, h->noticed, NOTICE_TIME);
	TAILQ_FOREACH(st, &h->streams, link) {
		if ((at = stream_due(st)) != 0 && (due == 0 || at < due))
			due = at;
		if (st->waits != 0)
			due = earlier(due, st->waits, H2_WAIT);
	}
	return due;
}

/* RFC 9113 6.5.3; not where nothing came at all. */
static uint32_t
late_error(const struct h2 *h)
{
	double	patience = h->s->h1->sites->conf->limits.header_timeout;

	return h->settled && !h->acked && patience > 0 &&
	    h->now >= h->began + sec_to_ns(patience) ?
	    NGHTTP2_SETTINGS_TIMEOUT : NGHTTP2_NO_ERROR;
}

enum h1_result
h2_late(struct h2 *h, struct io *io, uint64_t now)
{
	struct h2_stream	*st;
	uint64_t		 due = connection_due(h, io), at;

	h->now = now;
	if (due != 0 && due <= now) {
		h->late = true;
		return io->unsent.p != NULL || h->over ||
		    h2_end(h, io, late_error(h)) != GO_ON ? H1_BROKEN :
		    h2_run(h, io, now);
	}
	if (h->noticed != 0 && h->noticed + NOTICE_TIME <= now)
		h->noticed = 0;
	TAILQ_FOREACH(st, &h->streams, link)
		if ((at = stream_due(st)) != 0 && at <= now) {
			h2_reset(h, st->id, NGHTTP2_CANCEL);
			st->moved = st->begun = now;
		}
	return h2_run(h, io, now);
}
