#include <stddef.h>
#include <stdlib.h>

#include "common/l4.h"
#include "common/log.h"
#include "h2_run.h"

/*
 * What libnghttp2 tells us, and what a client may make it do.  It is not to be
 * called from its callbacks to end a connection, nor to be given more input
 * after it was ended: they only leave word.
 */
#define CREDIT		4	/* frames that go with one that moves us on */
#define SMALL		1024	/* bytes of data */
#define TINY		256

void
h2_doom(struct h2 *h, uint32_t error)
{
	if (h->doom == 0)
		h->doom = error;
}

static void
count(struct h2 *h, struct h2_limit *limit, uint32_t max)
{
	if (!h2_limit_take(limit, h->now, max, H2_PERIOD * NSEC_PER_SEC))
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
}

void
h2_count_reset(struct h2 *h)
{
	count(h, &h->resets, H2_RESETS);
}

/* Windows that open by a byte make work for one (CVE-2019-9511). */
void
h2_count_data(struct h2 *h, size_t n, size_t room)
{
	if (n == room && n < TINY)
		count(h, &h->dribble, H2_DRIBBLE);
}

static size_t
mem_left(const struct h2 *h, size_t max)
{
	return h->mem < max ? max - h->mem : 0;
}

bool
h2_hold(struct h2 *h, size_t n)
{
	if (n > mem_left(h, H2_MEMORY_MAX - H2_MEMORY_LIB))
		return false;
	h->mem += n;
	return true;
}

void
h2_release(struct h2 *h, size_t n)
{
	h->mem -= n;
}

/* The library's memory, on the connection's account; size is of all of it. */
struct mem {
	size_t	size;
	_Alignas(max_align_t) uint8_t p[];
};

static void *
mem_resize(void *old, size_t n, void *arg)
{
	struct h2	*h = arg;
	struct mem	*m = NULL;
	size_t		 was = 0, left = mem_left(h, H2_MEMORY_MAX);

	if (old != NULL) {
		m = container_of(old, struct mem, p);
		was = m->size;
	}
	if (n > left + was || n + sizeof(*m) > left + was ||
	    (m = realloc(m, n + sizeof(*m))) == NULL)
		return NULL;
	m->size = n + sizeof(*m);
	h->mem = h->mem - was + m->size;
	return m->p;
}

static void *
mem_alloc(size_t n, void *arg)
{
	return mem_resize(NULL, n, arg);
}

static void *
mem_zeroed(size_t n, size_t size, void *arg)
{
	void	*p;

	if (size > 0 && n > H2_MEMORY_MAX / size)
		return NULL;
	if ((p = mem_alloc(n * size, arg)) != NULL)
		memset(p, 0, n * size);
	return p;
}

static void
mem_free(void *p, void *arg)
{
	struct h2	*h = arg;
	struct mem	*m;

	if (p == NULL)
		return;
	m = container_of(p, struct mem, p);
	h->mem -= m->size;
	free(m);
}

/* The first or a further piece of a head. */
static void
head_piece(struct h2 *h, const nghttp2_frame_hd *hd)
{
	if (hd->type == NGHTTP2_HEADERS) {
		h->block = h->continuations = h->decoded = 0;
		h->heading = h->now;
	} else if (++h->continuations >= H2_CONTINUATIONS)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
	h->block += (uint32_t)hd->length;
	if (h->block > H2_BLOCK_MAX)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
}

/*
 * Is it for a stream that is over (RFC 9113 5.1)?  It may have been under way
 * when we reset the stream, or when we said that we take no more of them.
 */
static bool
stream_is_over(const struct h2 *h, int32_t id)
{
	return id % 2 == 1 && id <= h->newest &&
	    nghttp2_session_find_stream(h->session, id) == NULL &&
	    h->drain != H2_LAST_CALL && (h->reset == 0 ||
	    h->now - h->reset >= H2_PERIOD * NSEC_PER_SEC);
}

/* A new request, or trailers. */
static void
check_headers(struct h2 *h, int32_t id)
{
	if (id > h->newest)
		h->newest = id;
	else if (stream_is_over(h, id))
		h2_doom(h, id < h->newest ? NGHTTP2_PROTOCOL_ERROR :
		    NGHTTP2_STREAM_CLOSED);
}

/*
 * The library does not tell of all frames: not of data for nobody, priorities
 * of a kind that it ignores, types that it does not know.  Data is noise until
 * it was looked into.  What is before a frame the library must have read when
 * its head is judged: it may be what opens the stream.
 */
size_t
h2_watch(struct h2 *h, const uint8_t *p, size_t n)
{
	struct h2_seen	f;
	size_t		all, left;

	all = h->scan.left > 0 && h->scan.left < n ? h->scan.left : n;
	left = all;
	if (!h2_scan_next(&h->scan, &p, &left, &f))
		return all;
	if (f.type == NGHTTP2_RST_STREAM)
		h2_count_reset(h);
	else if (f.type != NGHTTP2_HEADERS && f.type !=
	    NGHTTP2_CONTINUATION && (f.type != NGHTTP2_WINDOW_UPDATE ||
	    !h2_window_returns(h)))
		count(h, &h->noise, H2_NOISE);
	if (f.type == NGHTTP2_DATA && stream_is_over(h, f.stream))
		h2_doom(h, NGHTTP2_STREAM_CLOSED);
	if (f.type == NGHTTP2_PRIORITY && (f.stream == 0 ||
	    f.stream == f.depends))
		h2_doom(h, NGHTTP2_PROTOCOL_ERROR);
	return all - left;
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd,
    void *arg)
{
	struct h2	*h = arg;

	(void)session;
	h->settled = true;
	if (hd->type == NGHTTP2_HEADERS)
		check_headers(h, hd->stream_id);
	if (hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION)
		head_piece(h, hd);
	else {
		h->heading = 0;
		h2_requests(h);
	}
	return 0;
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2	*h = arg;

	(void)session;
	h->collecting = 0;
	/* Trailers are nobody's. */
	if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	h->collecting = f->hd.stream_id;
	http2_head_init(&h->head, h->s->head);
	return 0;
}

/* True where it is to be looked at. */
static bool
on_any_header(struct h2 *h, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	size_t	n = nghttp2_rcbuf_get_buf(name).len +
		    nghttp2_rcbuf_get_buf(value).len + 32;

	if (h->doom != 0)
		return false;
	h->decoded += (uint32_t)n;
	if (h->decoded > H2_DECODED_MAX)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
	return h->collecting != 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *f,
    nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2	*h = arg;
	nghttp2_vec	 n = nghttp2_rcbuf_get_buf(name);
	nghttp2_vec	 v = nghttp2_rcbuf_get_buf(value);

	(void)session;
	(void)f;
	(void)flags;
	if (on_any_header(h, name, value))
		http2_head_add(&h->head,
		    (struct str){ (const char *)n.base, n.len },
		    (struct str){ (const char *)v.base, v.len });
	return 0;
}

/* The library would leave it out. */
static int
on_invalid_header(nghttp2_session *session, const nghttp2_frame *f,
    nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2	*h = arg;

	(void)session;
	(void)f;
	(void)flags;
	if (on_any_header(h, name, value))
		h->head.bad = true;
	return 0;
}

/* The client has read what we said of the end: requests that it sent before
 * are here. */
static void
on_ping(struct h2 *h, const nghttp2_frame *f)
{
	if ((f->hd.flags & NGHTTP2_FLAG_ACK) && h->drain == H2_NOTICE)
		h->noticed = 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2		*h = arg;
	struct h2_stream	*st;
	bool			 end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (h->doom != 0)
		return 0;
	switch (f->hd.type) {
	case NGHTTP2_HEADERS:
		h->heading = 0;
		if (h->collecting != 0)
			h2_request(h, f->hd.stream_id, end);
		else if (end && (st = nghttp2_session_get_stream_user_data(
		    session, f->hd.stream_id)) != NULL)
			h2_body_end(st);
		break;
	case NGHTTP2_DATA:
		if (end && (st = nghttp2_session_get_stream_user_data(
		    session, f->hd.stream_id)) != NULL)
			h2_body_end(st);
		break;
	case NGHTTP2_PING:
		on_ping(h, f);
		break;
	case NGHTTP2_SETTINGS:
		if (f->hd.flags & NGHTTP2_FLAG_ACK)
			h->acked = true;
		break;
	default:
		break;
	}
	return 0;
}

/* What nothing is to come of. */
static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *f, int error,
    void *arg)
{
	struct h2	*h = arg;

	(void)session;
	(void)error;
	if (f->hd.type == NGHTTP2_HEADERS)
		h->heading = 0;
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *arg)
{
	struct h2		*h = arg;
	struct h2_stream	*st;

	(void)flags;
	h2_limit_give(&h->noise, n < SMALL ? 1 : CREDIT);
	st = nghttp2_session_get_stream_user_data(session, id);
	if (st == NULL || h->doom != 0)
		nghttp2_session_consume(session, id, n);
	else
		h2_body(st, (const char *)p, n);
	return 0;
}

/* An answer goes out.  For its frames come some in return: windows that open,
 * for it and for the connection. */
static void
sent_answer(struct h2 *h, const nghttp2_frame *f)
{
	struct h2_stream	*st;

	h2_limit_give(&h->noise, CREDIT);
	if (f->hd.type == NGHTTP2_DATA)
		h2_window_sent(h, f->hd.length);
	if ((f->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    (st = nghttp2_session_get_stream_user_data(h->session,
	    f->hd.stream_id)) != NULL)
		h2_stream_sent(st);
}

static int
on_sent(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2	*h = arg;

	switch (f->hd.type) {
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		sent_answer(h, f);
		break;
	case NGHTTP2_RST_STREAM:
		h->reset = h->now;
		h2_count_reset(h);
		break;
	case NGHTTP2_GOAWAY:
		if (f->goaway.error_code != NGHTTP2_NO_ERROR)
			h->error = true;
		/* Not before it: the library would let it overtake. */
		if (h->drain == H2_NOTICE)
			nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL);
		break;
	default:
		break;
	}
	return 0;
}

static int
on_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct h2		*h = arg;
	struct h2_stream	*st;

	(void)error;
	if (h->collecting == id)
		h->collecting = 0;
	st = nghttp2_session_get_stream_user_data(session, id);
	if (st != NULL)
		h2_stream_free(st);
	return 0;
}

static int
on_send_data(nghttp2_session *session, nghttp2_frame *f, const uint8_t *head,
    size_t n, nghttp2_data_source *source, void *arg)
{
	(void)session;
	(void)f;
	(void)arg;
	return h2_stream_send(source->ptr, head, n);
}

void
h2_session_setup(struct h2_server *s)
{
	nghttp2_session_callbacks	*c;
	nghttp2_option			*o;

	if (nghttp2_session_callbacks_new(&c) != 0 ||
	    nghttp2_option_new(&o) != 0)
		fatalx("libnghttp2: out of memory");
	nghttp2_session_callbacks_set_on_begin_frame_callback(c,
	    on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c,
	    on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(c,
	    on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c,
	    on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
	nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
	/* The client may go on when its body was taken, not when it came. */
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_builtin_recv_extension_type(o,
	    NGHTTP2_PRIORITY_UPDATE);
	s->calls = c;
	s->option = o;
}

int
h2_session_open(struct h2 *h)
{
	nghttp2_mem		 mem = { h, mem_alloc, mem_free, mem_zeroed,
		mem_resize };
	nghttp2_settings_entry	 set[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEAD_MAX },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
	};
	size_t			 n = nitems(set);

	/* Where there is nobody to connect to it is not offered. */
	if (h->o->site->conf->nproxy == 0)
		n--;
	return nghttp2_session_server_new3(&h->session, h->s->calls, h,
	    h->s->option, &mem) == 0 &&
	    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, set, n) ==
	    0 && nghttp2_session_set_local_window_size(h->session,
	    NGHTTP2_FLAG_NONE, 0, H2_WINDOW) == 0 ? 0 : -1;
}
