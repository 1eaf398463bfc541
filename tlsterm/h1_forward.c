#include <stdio.h>
#include <string.h>

#include "h1_run.h"
#include "h1_write.h"

/*
 * A request that an upstream answers: what the client sends of it goes there
 * as it comes, what comes back goes to the client.  Each way stops when the
 * other side takes no more.
 */
#define CHUNK_HEAD	8		/* "xxxxxx\r\n", before the data */

static bool
body_pending(const struct h1 *h)
{
	return h->skip > 0 || h->skip_chunked;
}

static enum h1_result
answer_error(struct run *r, const struct request *req, int status)
{
	struct response	*res = &r->s->res;

	site_error(r->s->sites, r->o->site, status, res);
	site_forwarded(r->o->site, res);
	/* The rest of the body would be taken for a request. */
	if (body_pending(r->h))
		res->close = true;
	return h1_answer(r, req);
}

enum h1_result
h1_forward_begin(struct run *r)
{
	struct h1			*h = r->h;
	const struct request		*req = &r->s->req;
	const struct forward_for	 whom = { r->o, h->wake, h };
	int				 status;

	h->skip = req->length;
	h->skip_chunked = req->chunked;
	memset(&h->chunked, 0, sizeof(h->chunked));
	h->fwd = forward_request(&r->s->ups->v[r->s->res.upstream], req,
	    false, &whom, &status);
	if (h->fwd == NULL)
		return answer_error(r, req, status);
	h->headed = h->up_done = h->down_done = h->chunk_out = false;
	h->is_head = req->method == METHOD_HEAD;
	h->minor = req->minor;
	h->keepalive = req->keepalive;
	return GO_ON;
}

bool
h1_relay(struct h1 *h, struct upstream *up, const struct origin *o,
    const char *alpn)
{
	const struct forward_for	whom = { o, h->wake, h };

	h->fwd = forward_relay(up, alpn, &whom);
	h->headed = true;
	return h->fwd != NULL;
}

static void
forward_drop(struct h1 *h)
{
	forward_free(h->fwd);
	h->fwd = NULL;
}

/* What is known of the request, which itself is gone from memory. */
static const struct request *
request_left(struct run *r)
{
	struct request	*req = &r->s->req;

	req->method = r->h->is_head ? METHOD_HEAD : METHOD_OTHER;
	req->minor = r->h->minor;
	req->keepalive = r->h->keepalive;
	return req;
}

static enum h1_result
client_broke_rules(struct run *r)
{
	r->h->error = true;
	if (r->h->headed)
		return H1_BROKEN;
	forward_drop(r->h);
	return answer_error(r, NULL, 400);
}

static enum h1_result
up_chunks(struct run *r)
{
	struct h1_server	*s = r->s;
	struct h1		*h = r->h;
	struct str		 data;

	s->inoff += chunked_next(&h->chunked, s->in + s->inoff,
	    s->inlen - s->inoff, &data);
	forward_send(h->fwd, data.p, data.n);
	if (h->chunked.state == CHUNK_BAD)
		return client_broke_rules(r);
	if (h->chunked.state == CHUNK_DONE) {
		h->skip_chunked = false;
		forward_send_end(h->fwd);
	}
	return GO_ON;
}

static enum h1_result
up_bytes(struct run *r)
{
	struct h1_server	*s = r->s;
	struct h1		*h = r->h;
	size_t			 n = s->inlen - s->inoff;

	if (!forward_tunnel(h->fwd) && n > h->skip)
		n = (size_t)h->skip;
	forward_send(h->fwd, s->in + s->inoff, n);
	s->inoff += n;
	if (forward_tunnel(h->fwd))
		return GO_ON;
	h->skip -= n;
	if (h->skip == 0)
		forward_send_end(h->fwd);
	return GO_ON;
}

/* The client has sent all it will. */
static enum h1_result
up_end(struct run *r)
{
	struct h1	*h = r->h;

	if (!forward_tunnel(h->fwd))
		return H1_GONE;
	h->up_done = true;
	forward_send_end(h->fwd);
	return h->down_done ? H1_GONE : GO_ON;
}

/* From the client to the upstream. */
static enum h1_result
step_up(struct run *r, bool *moved)
{
	struct h1	*h = r->h;
	enum h1_result	 res;

	if (h->up_done)
		return GO_ON;
	/* Whoever closes has no more interest in the answer: the upstream
	 * should not go on to work for it. */
	if (!forward_tunnel(h->fwd) && !body_pending(h))
		return r->io->hangup || r->io->eof ? H1_GONE : GO_ON;
	if (forward_room(h->fwd) == 0)
		return GO_ON;
	if (r->s->inoff < r->s->inlen) {
		*moved = true;
		return h->skip_chunked && !forward_tunnel(h->fwd) ?
		    up_chunks(r) : up_bytes(r);
	}
	res = h1_receive(r);
	if (res == GO_ON)
		*moved = true;
	else if (res == H1_GONE)
		return up_end(r);
	return res == H1_BROKEN ? res : GO_ON;
}

/* n bytes at p, with the framing the client was told of, where there is room
 * around them. */
static enum h1_result
down_put(struct run *r, char *p, size_t n)
{
	char	head[CHUNK_HEAD + 1];
	int	len;

	if (r->h->chunk_out) {
		len = snprintf(head, sizeof(head), "%zx\r\n", n);
		p -= len;
		memcpy(p, head, (size_t)len);
		memcpy(p + len + n, "\r\n", 2);
		n += (size_t)len + 2;
	}
	return h1_write(r, p, n) == H1_BROKEN ? H1_BROKEN : GO_ON;
}

static enum h1_result
down_end(struct run *r)
{
	struct h1	*h = r->h;

	if (forward_tunnel(h->fwd)) {
		/* FIN goes only after all that came before it. */
		if (h1_flush(r) != GO_ON)
			return GO_ON;
		h->down_done = true;
		io_finish(r->io);
		return h->up_done || forward_gone(h->fwd) ? H1_GONE : GO_ON;
	}
	if (h->chunk_out && io_write(r->io, "0\r\n\r\n", 5) != IO_OK)
		return H1_BROKEN;
	if (body_pending(h))
		h->close = true;
	forward_drop(h);
	return GO_ON;
}

/* Is there room in s->out, and in the list, for all that the answer says? */
static bool
head_fits(const struct response *res)
{
	size_t	i, n = 1024;		/* the first line, and our fields */

	for (i = 0; i < res->nfields; i++)
		n += res->field[i].name.n + res->field[i].value.n + 4;
	return !res->full && n <= H1_HEAD_ROOM;
}

/* The answer's head: how its body goes to the client. */
static enum h1_result
down_answer(struct run *r)
{
	struct h1	*h = r->h;
	struct response	*res = &r->s->res;
	bool		 body = forward_has_body(h->fwd);
	enum h1_result	 ret;

	h->headed = true;
	if (forward_tunnel(h->fwd)) {
		h->skip = 0;
		return h1_answer(r, request_left(r));
	}
	site_forwarded(r->o->site, res);
	if (body && !res->framed && h->minor > 0) {
		h->chunk_out = true;
		response_field(res, STR("Transfer-Encoding"), STR("chunked"));
	} else if (body && !res->framed)
		res->close = true;
	if (!head_fits(res)) {
		forward_drop(h);
		return answer_error(r, request_left(r), 502);
	}
	ret = h1_answer(r, request_left(r));
	return ret != GO_ON || body ? ret : down_end(r);
}

static enum h1_result
down_interim(struct run *r)
{
	struct h1_server	*s = r->s;

	/* HTTP/1.0 does not know of such answers. */
	if (r->h->minor == 0)
		return GO_ON;
	s->outlen = h1_write_head(s, &s->res, r->h->minor, false);
	return io_write(r->io, s->out, s->outlen) == IO_OK ? GO_ON :
	    H1_BROKEN;
}

static enum h1_result
down_head(struct run *r, bool *moved)
{
	struct h1	*h = r->h;
	int		 status;

	switch (forward_head(h->fwd, &r->s->res)) {
	case FORWARD_WAIT:
		return GO_ON;
	case FORWARD_INTERIM:
		*moved = true;
		return down_interim(r);
	case FORWARD_OK:
		*moved = true;
		return down_answer(r);
	default:
		status = forward_status(h->fwd);
		forward_drop(h);
		return answer_error(r, request_left(r), status);
	}
}

/* From the upstream to the client. */
static enum h1_result
step_down(struct run *r, bool *moved)
{
	struct h1	*h = r->h;
	char		*p = r->s->out + CHUNK_HEAD;
	size_t		 n;

	if (h->down_done || r->io->unsent.p != NULL)
		return GO_ON;
	if (!h->headed)
		return down_head(r, moved);
	switch (forward_read(h->fwd, p, H1_BODY_PIECE, &n)) {
	case FORWARD_OK:
		*moved = true;
		return down_put(r, p, n);
	case FORWARD_END:
		return down_end(r);
	case FORWARD_WAIT:
		return GO_ON;
	default:
		h->lost = true;
		return H1_BROKEN;
	}
}

enum h1_result
h1_forward_step(struct run *r)
{
	struct h1	*h = r->h;
	bool		 moved = false;
	enum h1_result	 res;

	if (r->io->unsent.p != NULL && h1_flush(r) == H1_BROKEN)
		return H1_BROKEN;
	if (h->down_done && forward_gone(h->fwd))
		return H1_GONE;
	if ((res = step_up(r, &moved)) != GO_ON || h->fwd == NULL ||
	    (res = step_down(r, &moved)) != GO_ON || h->fwd == NULL || moved)
		return res;
	/* The upstream has a clock of its own; not so who reads no more, or
	 * leaves a direction open that nobody will use. */
	return r->io->unsent.p != NULL || h->up_done || h->down_done ?
	    H1_SENDING : H1_UPSTREAM;
}
