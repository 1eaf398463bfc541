#include <stdlib.h>

#include "h2_run.h"

/*
 * A request that an upstream answers.  What the client sends goes there as it
 * comes; it is told to send more when that was taken, so that no more has to be
 * kept than its window.  What comes back goes when the client has room for it.
 */
void
h2_forward_drop(struct h2_stream *st)
{
	struct h2	*h = st->h;

	if (st->woken)
		h->nwoken--;
	st->woken = false;
	if (st->fwd != NULL)
		forward_free(st->fwd);
	st->fwd = NULL;
	/* The stream will not need it any more, the connection does. */
	if (h->session != NULL && st->uplen + st->owed > 0)
		nghttp2_session_consume_connection(h->session,
		    st->uplen + st->owed);
	h2_release(h, st->held);
	st->held = 0;
	free(st->up);
	free(st->down);
	st->up = st->down = NULL;
	st->uplen = st->owed = st->downoff = st->downlen = 0;
}

/* The upstream moved. */
static void
forward_wake(void *arg)
{
	struct h2_stream	*st = arg;
	struct h2		*h = st->h;

	if (!st->woken)
		h->nwoken++;
	st->woken = true;
	h->wake(h->arg);
}

static void
forward_fail(struct h2_stream *st, int status)
{
	h2_forward_drop(st);
	h2_answer_error(st, status);
}

static size_t
head_size(const struct request *req)
{
	size_t	i, n = 1024;

	for (i = 0; i < req->nfields; i++)
		n += req->field[i].name.n + req->field[i].value.n + 4;
	return n + req->uri.n;
}

void
h2_forward_begin(struct h2_stream *st, bool websocket)
{
	struct h2			*h = st->h;
	struct h1_server		*s = h->s->h1;
	const struct forward_for	 whom = { h->o, forward_wake, st };
	size_t				 n = head_size(&s->req);
	int				 status;

	/* It may have to be sent again. */
	if (!h2_hold(h, n)) {
		h2_reset(h, st->id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	st->held = n;
	st->fwd = forward_request(&s->ups->v[s->res.upstream], &s->req,
	    websocket, &whom, &status);
	if (st->fwd == NULL) {
		forward_fail(st, status);
		return;
	}
	st->ending = websocket && !st->more;
	if (st->more)
		nghttp2_session_set_local_window_size(h->session,
		    NGHTTP2_FLAG_NONE, st->id, H2_WINDOW);
}

/* What the upstream has room for, the client may send anew. */
static void
up_credit(struct h2_stream *st)
{
	if (st->owed == 0 || st->uplen > 0 || forward_room(st->fwd) == 0)
		return;
	nghttp2_session_consume(st->h->session, st->id, st->owed);
	st->owed = 0;
}

static bool
up_keep(struct h2_stream *st, const char *p, size_t n)
{
	char	*up;

	if (!h2_hold(st->h, n))
		return false;
	st->held += n;
	if ((up = realloc(st->up, st->uplen + n)) == NULL)
		return false;
	memcpy(up + st->uplen, p, n);
	st->up = up;
	st->uplen += (uint32_t)n;
	return true;
}

void
h2_forward_body(struct h2_stream *st, const char *p, size_t n)
{
	if (st->uplen == 0 && forward_room(st->fwd) > 0) {
		forward_send(st->fwd, p, n);
		st->owed += (uint32_t)n;
		up_credit(st);
	} else if (!up_keep(st, p, n)) {
		nghttp2_session_consume_connection(st->h->session, n);
		h2_reset(st->h, st->id, NGHTTP2_ENHANCE_YOUR_CALM);
	}
}

/* After all of the body; and a WebSocket ends only after it was agreed on. */
void
h2_forward_body_end(struct h2_stream *st)
{
	st->ending = st->uplen > 0 || forward_room(st->fwd) == 0;
	if (!st->ending)
		forward_send_end(st->fwd);
}

/* From the client, what had to wait. */
static void
step_up(struct h2_stream *st)
{
	size_t	n = st->uplen;

	if (n > 0 && forward_room(st->fwd) > 0) {
		forward_send(st->fwd, st->up, n);
		free(st->up);
		st->up = NULL;
		st->uplen = 0;
		st->owed += (uint32_t)n;
		h2_release(st->h, n);
		st->held -= n;
	}
	if (st->ending)
		h2_forward_body_end(st);
	up_credit(st);
}

/* What was read and does not fit the client's window waits. */
static bool
down_keep(struct h2_stream *st, const char *p, size_t n)
{
	if ((st->down = malloc(n)) == NULL)
		return false;
	memcpy(st->down, p, n);
	st->downlen = (uint32_t)n;
	st->downoff = 0;
	return true;
}

static size_t
down_kept(struct h2_stream *st, char *buf, size_t n)
{
	if (n > st->downlen - st->downoff)
		n = st->downlen - st->downoff;
	memcpy(buf, st->down + st->downoff, n);
	st->downoff += (uint32_t)n;
	if (st->downoff == st->downlen) {
		free(st->down);
		st->down = NULL;
		st->downoff = st->downlen = 0;
	}
	return n;
}

/* Up to `room` bytes for the client; or libnghttp2's error. */
static ssize_t
down_read(struct h2_stream *st, char *buf, size_t room, uint32_t *flags)
{
	bool	 direct = room >= H2_DOWN_MIN;
	char	*p = direct ? buf : st->h->s->down;
	size_t	 n;

	switch (forward_read(st->fwd, p, direct ? room : H2_DOWN_MIN, &n)) {
	case FORWARD_OK:
		break;
	case FORWARD_WAIT:
		st->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	case FORWARD_END:
		st->down_done = true;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return 0;
	default:
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (h2_window_waits(st, room, n))	/* never where it is direct */
		return down_keep(st, p, n) ? NGHTTP2_ERR_DEFERRED :
		    NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (direct)
		return (ssize_t)n;
	if (n > room && !down_keep(st, p + room, n - room))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = n < room ? n : room;
	memcpy(buf, p, n);
	return (ssize_t)n;
}

static ssize_t
read_forward(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream	*st = source->ptr;
	ssize_t			 n;

	(void)session;
	(void)id;
	(void)arg;
	if (st->down != NULL && h2_window_waits(st, room,
	    st->downlen - st->downoff))
		return NGHTTP2_ERR_DEFERRED;
	st->moved = st->h->now;
	if (st->down != NULL)
		n = (ssize_t)down_kept(st, (char *)buf, room);
	else
		n = down_read(st, (char *)buf, room, flags);
	if (n > 0)
		h2_count_data(st->h, (size_t)n, room);
	return n;
}

/* The answer's head. */
static void
down_answer(struct h2_stream *st)
{
	struct h2		*h = st->h;
	struct response		*res = &h->s->h1->res;
	nghttp2_data_provider	 source = { { .ptr = st }, read_forward };
	bool			 tunnel = forward_tunnel(st->fwd);
	bool			 body = tunnel || forward_has_body(st->fwd);

	if (tunnel)
		res->status = 200;	/* RFC 8441 5 */
	else
		site_forwarded(h->o->site, res);
	if (tunnel)
		res->framed = false;
	if (res->full) {
		forward_fail(st, 502);
		return;
	}
	st->headed = true;
	st->down_done = !body;
	h1_count(h->s->h1, h->o, tunnel ? 101 : res->status);
	if (h2_submit_head(st, body ? &source : NULL) != 0)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void
step_head(struct h2_stream *st)
{
	struct h2	*h = st->h;

	for (;;)
		switch (forward_head(st->fwd, &h->s->h1->res)) {
		case FORWARD_INTERIM:
			if (h2_submit_interim(st) != 0)
				h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
			break;
		case FORWARD_OK:
			down_answer(st);
			return;
		case FORWARD_FAILED:
			forward_fail(st, forward_status(st->fwd));
			return;
		default:
			return;
		}
}

void
h2_forward_step(struct h2_stream *st)
{
	if (!st->headed)
		step_head(st);
	if (st->fwd == NULL)
		return;
	step_up(st);
	if (st->deferred) {
		st->deferred = false;
		nghttp2_session_resume_data(st->h->session, st->id);
	}
	/* Of a tunnel both ends are gone, and one has not said so. */
	if (st->down_done && st->more && forward_tunnel(st->fwd) &&
	    forward_gone(st->fwd))
		h2_reset(st->h, st->id, NGHTTP2_NO_ERROR);
}

bool
h2_forward_waits(const struct h2_stream *st)
{
	return st->fwd != NULL && !st->down_done &&
	    (!st->headed || st->deferred);
}
