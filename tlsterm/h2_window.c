#include "common/l4.h"
#include "h2_run.h"

/*
 * A client that opens its window by every few bytes it has read would get the
 * rest of an answer in as small pieces, each with a frame and a record of its
 * own.  A small one waits until the window has room for a larger, as TCP does
 * it (RFC 1122 4.2.3.4); not for long, for a client that waits for an empty
 * window is within its rights.
 */
#define PIECE		1024		/* is large enough */
#define RETURNED	32		/* bytes: a window opens by fewer only
					   at the client's expense */
#define RETURNS_MAX	65536

void
h2_window_release(struct h2_stream *st)
{
	if (st->waits == 0)
		return;
	st->waits = 0;
	st->h->nwait--;
}

static size_t
window_of(const struct h2_stream *st)
{
	int32_t	own = nghttp2_session_get_stream_remote_window_size(
		    st->h->session, st->id);

	return own > 0 ? (size_t)own : 0;
}

bool
h2_window_waits(struct h2_stream *st, size_t n, uint64_t left)
{
	struct h2	*h = st->h;
	size_t		 own = n < PIECE ? window_of(st) : n;

	if (own > st->widest)
		st->widest = own;
	st->wants = st->widest / 2 < PIECE ? st->widest / 2 : PIECE;
	if (st->wants > left)
		st->wants = (size_t)left;
	if (n >= st->wants || st->waited) {
		st->waited = false;
		return false;
	}
	st->waits = h->now;
	h->nwait++;
	return true;
}

/* Others may have taken the window of the connection before it is their turn:
 * then they wait again. */
void
h2_window_look(struct h2 *h)
{
	int32_t			 all;
	struct h2_stream	*st;

	if (h->nwait == 0)
		return;
	all = nghttp2_session_get_remote_window_size(h->session);
	TAILQ_FOREACH(st, &h->streams, link) {
		if (st->waits == 0)
			continue;
		st->waited = h->now - st->waits >= H2_WAIT;
		if (!st->waited && (all < (int32_t)st->wants ||
		    window_of(st) < st->wants))
			continue;
		h2_window_release(st);
		nghttp2_session_resume_data(h->session, st->id);
	}
}

void
h2_window_sent(struct h2 *h, size_t n)
{
	h->returns += (uint32_t)n / RETURNED;
	if (h->returns > RETURNS_MAX)
		h->returns = RETURNS_MAX;
}

bool
h2_window_returns(struct h2 *h)
{
	if (h->returns == 0)
		return false;
	h->returns--;
	return true;
}
