#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/l4.h"
#include "forward.h"
#include "forward_head.h"
#include "http1.h"

#define REQUEST_MAX	(64 * 1024)	/* head, with what we add */
#define IN_FIRST	4096		/* of the answer's head, then more */
#define ROOM		(64 * 1024)	/* of a request's body at a time */
#define INTERIM_MAX	16		/* answers 1xx to one request */

enum framing { FRAME_NONE, FRAME_LENGTH, FRAME_CHUNKED, FRAME_CLOSE };

struct forward {
	struct upstream		*up;
	struct upconn		*conn;
	struct forward_for	 whom;
	struct ev_timer		 timer;
	uint64_t		 begun, progress;	/* ns */
	uint64_t		 patience;	/* ns; 0 = for ever */

	char			*request;	/* head, while it may have to be
						   sent again; or NULL */
	size_t			 requestlen;
	bool			 chunked;	/* body of the request */
	bool			 sent;		/* all of the request */
	bool			 websocket, is_head;
	bool			 extended;	/* by RFC 8441: no key came */
	bool			 reused;	/* its connection was */

	char			*in;		/* of the answer, not taken */
	size_t			 inoff, inlen, insize, scanned;
	int			 status;	/* it failed; 0 = it did not */
	unsigned int		 interims;
	bool			 headed;	/* the head has come */
	bool			 tunnel;
	bool			 keepalive;
	bool			 done;		/* the answer is complete */
	enum framing		 framing;
	uint64_t		 left;
	struct chunked		 dechunk;
};

static struct ev *
forward_ev(const struct forward *f)
{
	return f->up->all->child->ev;
}

static void
forward_touch(struct forward *f)
{
	f->progress = ev_now(forward_ev(f));
}

static void
forward_event(struct upconn *c)
{
	struct forward	*f = c->owner;

	f->whom.wake(f->whom.arg);
}

/* Nothing moved for long: the client is not to blame, it has its own clock. */
static void
forward_late(struct ev_timer *t)
{
	struct forward	*f = container_of(t, struct forward, timer);
	uint64_t	 due = f->progress + f->patience;

	if (f->tunnel)
		return;
	if (ev_now(forward_ev(f)) < due) {
		ev_timer_set(forward_ev(f), t, due);
		return;
	}
	f->status = 504;
	f->whom.wake(f->whom.arg);
}

static bool
forward_info(const struct forward_for *whom, const struct upstream *up,
    struct conn_info *info)
{
	struct rd	r;

	rd_init(&r, whom->origin->info, whom->origin->infolen);
	return conn_read(&r, up->all->child->conf, info);
}

static bool
forward_connect(struct forward *f, const struct conn_info *info)
{
	if ((f->conn = upconn_open(f->up, info)) == NULL)
		return false;
	f->conn->owner = f;
	f->conn->event = forward_event;
	return true;
}

static struct forward *
forward_new(struct upstream *up, const struct forward_for *whom)
{
	struct forward	*f = calloc(1, sizeof(*f));
	double		 sec = up->conf->idle_timeout;

	if (f == NULL)
		return NULL;
	f->up = up;
	f->whom = *whom;
	f->timer.cb = forward_late;
	if (sec <= 0)
		sec = up->all->child->conf->limits.idle_timeout;
	f->patience = sec_to_ns(sec);
	f->begun = f->progress = ev_now(forward_ev(f));
	return f;
}

void
forward_free(struct forward *f)
{
	ev_timer_cancel(forward_ev(f), &f->timer);
	if (f->conn != NULL && f->done && f->sent && f->keepalive &&
	    f->inoff == f->inlen)
		upconn_release(f->conn);
	else if (f->conn != NULL)
		upconn_close(f->conn);
	free(f->request);
	free(f->in);
	free(f);
}

/* May the request be sent twice (RFC 9110 9.2.2)?  Its body we do not keep. */
static bool
request_repeatable(const struct request *req, bool websocket)
{
	static const struct str	names[] = { { "GET", 3 }, { "HEAD", 4 },
		{ "OPTIONS", 7 }, { "PUT", 3 }, { "DELETE", 6 } };
	size_t			i;

	if (websocket || req->chunked || req->length > 0)
		return false;
	for (i = 0; i < nitems(names); i++)
		if (str_eq(req->method_name, names[i]))
			return true;
	return false;
}

static void
forward_send_head(struct forward *f)
{
	struct iovec	iov = { f->request, f->requestlen };

	upconn_write(f->conn, &iov, 1);
}

/* The key proves nothing but that the server knows the protocol (RFC 6455
 * 1.3); a client of HTTP/2 does not send one. */
static bool
forward_key(char key[25])
{
	uint8_t	b[16];

	return RAND_bytes(b, sizeof(b)) == 1 &&
	    EVP_EncodeBlock((uint8_t *)key, b, sizeof(b)) == 24;
}

static bool
forward_write(struct forward *f, const struct request *req,
    const struct conn_info *info)
{
	char			 key[25], *p;
	struct forward_facts	 facts = { .peer = info->peer,
		.tls = f->whom.origin->tls, .websocket = f->websocket,
		.keepalive = f->up->shared };

	if (f->extended) {
		if (!forward_key(key))
			return false;
		facts.websocket_key = key;
	}
	if ((f->request = malloc(REQUEST_MAX)) == NULL)
		return false;
	f->requestlen = forward_write_head(f->request, REQUEST_MAX, req,
	    &facts);
	if ((p = realloc(f->request, f->requestlen + 1)) != NULL)
		f->request = p;
	return f->requestlen > 0;
}

static bool
forward_begin(struct forward *f, const struct request *req,
    const struct conn_info *info)
{
	bool	again = request_repeatable(req, f->websocket);

	/* What follows a WebSocket's request is no body of it. */
	f->chunked = req->chunked && !f->websocket;
	f->is_head = req->method == METHOD_HEAD;
	f->sent = !req->chunked && req->length == 0;
	if (!forward_write(f, req, info))
		return false;
	/* One that may have gone at this moment is for what can be repeated. */
	if (again && (f->conn = upconn_reuse(f->up)) != NULL) {
		f->reused = true;
		f->conn->owner = f;
		f->conn->event = forward_event;
	} else if (!forward_connect(f, info))
		return false;
	forward_send_head(f);
	if (!again) {
		free(f->request);
		f->request = NULL;
	}
	if (f->patience != 0)
		ev_timer_set(forward_ev(f), &f->timer,
		    f->begun + f->patience);
	return true;
}

struct forward *
forward_request(struct upstream *up, const struct request *req,
    bool websocket, const struct forward_for *whom, int *status)
{
	struct conn_info	 info;
	struct forward		*f = forward_new(up, whom);

	*status = 503;
	if (f == NULL || !forward_info(whom, up, &info))
		goto fail;
	f->extended = websocket;
	f->websocket = websocket || forward_is_websocket(req);
	if (forward_begin(f, req, &info))
		return f;
	if (f->requestlen == 0)
		*status = 431;
fail:
	if (f != NULL)
		forward_free(f);
	return NULL;
}

struct forward *
forward_relay(struct upstream *up, const char *alpn,
    const struct forward_for *whom)
{
	struct conn_info	 info;
	struct forward		*f = forward_new(up, whom);

	if (f == NULL || !forward_info(whom, up, &info))
		goto fail;
	snprintf(info.alpn, sizeof(info.alpn), "%s", alpn);
	f->tunnel = f->headed = true;
	if (forward_connect(f, &info))
		return f;
fail:
	if (f != NULL)
		forward_free(f);
	return NULL;
}

bool
forward_tunnel(const struct forward *f)
{
	return f->tunnel;
}

bool
forward_gone(const struct forward *f)
{
	return f->conn == NULL || f->conn->dead;
}

int
forward_status(const struct forward *f)
{
	return f->status;
}

bool
forward_has_body(const struct forward *f)
{
	return f->framing != FRAME_NONE;
}

size_t
forward_room(const struct forward *f)
{
	/* A WebSocket may not begin before it is agreed on. */
	if (f->conn == NULL || (f->websocket && !f->tunnel))
		return 0;
	return upconn_writable(f->conn) ? ROOM : 0;
}

void
forward_send(struct forward *f, const char *p, size_t n)
{
	char		head[20];
	struct iovec	iov[3] = {
		{ head, 0 }, { (char *)(uintptr_t)p, n },
		{ (char *)(uintptr_t)"\r\n", 2 } };

	if (n == 0)
		return;
	forward_touch(f);
	if (f->tunnel || !f->chunked) {
		upconn_write(f->conn, &iov[1], 1);
		return;
	}
	iov[0].iov_len = (size_t)snprintf(head, sizeof(head), "%zx\r\n", n);
	upconn_write(f->conn, iov, 3);
}

void
forward_send_end(struct forward *f)
{
	struct iovec	iov = { (char *)(uintptr_t)"0\r\n\r\n", 5 };

	f->sent = true;
	if (f->tunnel)
		upconn_finish(f->conn);
	else if (f->chunked)
		upconn_write(f->conn, &iov, 1);
}

/*
 * Did the proxy process give up waiting, for a connection or for a byte?  It
 * does not say; but it has the same patience, and began when we did or a bit
 * later.
 */
static bool
forward_was_late(const struct forward *f)
{
	uint64_t	now = ev_now(forward_ev(f));
	uint64_t	connect = sec_to_ns(f->up->conf->connect_timeout);

	return (connect > 0 && f->progress == f->begun &&
	    now - f->begun >= connect) || (f->patience > 0 &&
	    now - f->progress >= f->patience - f->patience / 10);
}

/*
 * The connection ended before an answer.  One that was idle before may have
 * been closed by the upstream at the same moment (RFC 9112 9.3.1).
 */
static enum forward_result
forward_lost(struct forward *f)
{
	struct conn_info	info;

	if (f->reused && f->request != NULL && f->inlen == 0) {
		upconn_close(f->conn);
		f->conn = NULL;
		f->reused = false;
		if (forward_info(&f->whom, f->up, &info) &&
		    forward_connect(f, &info)) {
			f->begun = ev_now(forward_ev(f));
			forward_send_head(f);
			return FORWARD_WAIT;
		}
	}
	f->status = forward_was_late(f) ? 504 : 502;
	return FORWARD_FAILED;
}

static enum forward_result
forward_fail(struct forward *f)
{
	f->status = 502;
	return FORWARD_FAILED;
}

/* More of the head. */
static enum forward_result
forward_receive(struct forward *f)
{
	size_t	 size;
	ssize_t	 n;
	char	*p;

	if (f->inoff > 0) {
		memmove(f->in, f->in + f->inoff, f->inlen - f->inoff);
		f->inlen -= f->inoff;
		f->inoff = 0;
	}
	if (f->inlen == f->insize) {
		size = f->insize == 0 ? IN_FIRST : f->insize * 2;
		if ((p = realloc(f->in, size)) == NULL)
			return forward_fail(f);
		f->in = p;
		f->insize = size;
	}
	n = upconn_read(f->conn, f->in + f->inlen, f->insize - f->inlen);
	if (n == -1)
		return FORWARD_WAIT;
	if (n == 0)
		return forward_lost(f);
	forward_touch(f);
	f->inlen += (size_t)n;
	return FORWARD_OK;
}

static enum framing
forward_framing(const struct forward *f, const struct uphead *h)
{
	if (f->is_head || h->status == 204 || h->status == 304)
		return FRAME_NONE;
	if (h->chunked)
		return FRAME_CHUNKED;
	if (!h->has_length)
		return FRAME_CLOSE;
	return h->length > 0 ? FRAME_LENGTH : FRAME_NONE;
}

static void
forward_fields(struct response *res, const struct uphead *h)
{
	size_t	i;

	for (i = 0; i < h->nfields; i++)
		if (forward_field(h, &h->field[i]))
			response_field(res, h->field[i].name,
			    h->field[i].value);
}

static enum forward_result
forward_switch(struct forward *f, const struct uphead *h,
    struct response *res)
{
	if (!f->websocket || !h->websocket)
		return forward_fail(f);
	f->tunnel = f->headed = true;
	response_begin(res, 101);
	forward_fields(res, h);
	return res->full ? forward_fail(f) : FORWARD_OK;
}

/* A whole head is there. */
static enum forward_result
forward_accept(struct forward *f, const struct uphead *h,
    struct response *res)
{
	free(f->request);
	f->request = NULL;
	if (h->status == 101)
		return forward_switch(f, h, res);
	if (h->status < 200 && ++f->interims > INTERIM_MAX)
		return forward_fail(f);
	response_begin(res, h->status);
	forward_fields(res, h);
	res->framed = false;
	if (res->full)
		return forward_fail(f);
	if (h->status < 200)
		return FORWARD_INTERIM;
	f->headed = true;
	f->framing = forward_framing(f, h);
	f->left = h->length;
	f->keepalive = h->keepalive && f->framing != FRAME_CLOSE;
	f->done = f->framing == FRAME_NONE;
	if (h->has_length && h->status != 204 && h->status != 304) {
		res->framed = true;
		res->length = h->length;
	}
	return FORWARD_OK;
}

enum forward_result
forward_head(struct forward *f, struct response *res)
{
	struct uphead		 h;
	enum forward_result	 got;
	int			 n = 0;

	for (;;) {
		if (f->status != 0)
			return FORWARD_FAILED;
		if (f->inlen > f->inoff)
			n = uphead_parse(f->in + f->inoff,
			    f->inlen - f->inoff, &f->scanned, &h);
		if (n < 0)
			return forward_fail(f);
		if (n > 0) {
			f->inoff += (size_t)n;
			f->scanned = 0;
			return forward_accept(f, &h, res);
		}
		if ((got = forward_receive(f)) != FORWARD_OK)
			return got;
	}
}

/* Bytes as the upstream sent them: those that came with the head first. */
static enum forward_result
forward_raw(struct forward *f, char *dst, size_t size, size_t *n)
{
	ssize_t	got;

	if (f->inoff < f->inlen) {
		*n = size < f->inlen - f->inoff ? size : f->inlen - f->inoff;
		memcpy(dst, f->in + f->inoff, *n);
		f->inoff += *n;
		return FORWARD_OK;
	}
	if (f->in != NULL) {
		free(f->in);
		f->in = NULL;
		f->inoff = f->inlen = f->insize = 0;
	}
	if ((got = upconn_read(f->conn, dst, size)) == -1)
		return FORWARD_WAIT;
	if (got == 0)
		return FORWARD_END;
	forward_touch(f);
	*n = (size_t)got;
	return FORWARD_OK;
}

/* Takes the framing out of the len bytes at p, in place. */
static enum forward_result
forward_dechunk(struct forward *f, char *p, size_t len, size_t *n)
{
	struct str	data;
	size_t		off = 0;

	*n = 0;
	while (off < len && f->dechunk.state < CHUNK_DONE) {
		off += chunked_next(&f->dechunk, p + off, len - off, &data);
		memmove(p + *n, data.p, data.n);
		*n += data.n;
	}
	if (f->dechunk.state == CHUNK_BAD)
		return FORWARD_FAILED;
	if (f->dechunk.state == CHUNK_DONE) {
		f->done = true;
		/* It goes on after the end: what is that the answer to? */
		if (off < len)
			f->keepalive = false;
	}
	return FORWARD_OK;
}

static enum forward_result
forward_read_chunked(struct forward *f, char *dst, size_t size, size_t *n)
{
	enum forward_result	got;

	do {
		if (f->done)
			return FORWARD_END;
		if ((got = forward_raw(f, dst, size, n)) != FORWARD_OK)
			return got == FORWARD_END ? FORWARD_FAILED : got;
		if (forward_dechunk(f, dst, *n, n) != FORWARD_OK)
			return FORWARD_FAILED;
	} while (*n == 0);
	return FORWARD_OK;
}

static enum forward_result
forward_read_length(struct forward *f, char *dst, size_t size, size_t *n)
{
	enum forward_result	got;

	if (f->left == 0) {
		f->done = true;
		return FORWARD_END;
	}
	if (size > f->left)
		size = (size_t)f->left;
	if ((got = forward_raw(f, dst, size, n)) != FORWARD_OK)
		return got == FORWARD_END ? FORWARD_FAILED : got;
	f->left -= *n;
	return FORWARD_OK;
}

enum forward_result
forward_read(struct forward *f, char *dst, size_t size, size_t *n)
{
	if (f->tunnel)
		return forward_raw(f, dst, size, n);
	if (f->status != 0)
		return FORWARD_FAILED;
	switch (f->framing) {
	case FRAME_LENGTH:
		return forward_read_length(f, dst, size, n);
	case FRAME_CHUNKED:
		return forward_read_chunked(f, dst, size, n);
	case FRAME_CLOSE:
		return forward_raw(f, dst, size, n);
	default:
		return FORWARD_END;
	}
}
