/* HTTP/1.1 and HTTP/2 of minitls: what the bench's load programs say, answered
 * with as little work as can be. */
#ifndef MINI_HTTP_H
#define MINI_HTTP_H
#include "mini_file.h"
#include "mini_io.h"

struct h1 {
	char in[2048];
	size_t n;
	const file *f; /* being sent */
	size_t off;    /* of head and body */
};
struct h2 {
	nghttp2_session *ss;
	cn *c;
};
typedef struct {
	char path[64], accept[64];
	const file *f;
	size_t off;
} stream;

static unsigned char plain[4 * RECORD]; /* of HTTP/2, before a record */
static size_t nplain;
static int full;

/* 1: all of it is out. */
static int
h1_send(cn *c)
{
	struct h1 *h = c->h1;
	unsigned char b[RECORD];
	const file *f;
	size_t n, m;
	int r = !c->unsent;

	while (r > 0 && (f = h->f) != NULL) {
		n = m = 0;
		if (h->off == 0)
			memcpy(b, f->hdr, n = (size_t)f->hn);
		else
			m = h->off - (size_t)f->hn;
		if (f->p && n == 0) { /* from where it is */
			n = f->n - m < RECORD ? f->n - m : RECORD;
			r = wr(c, f->p + m, n);
		} else {
			size_t k = f->n - m < RECORD - n ? f->n - m
							 : RECORD - n;
			if (piece(f, m, b + n, k))
				return -1;
			r = wr(c, b, n += k);
		}
		h->off += n;
		if (h->off == (size_t)f->hn + f->n)
			h->f = NULL;
	}
	return r;
}
/* A request, when it is whole. */
static int
h1_ask(struct h1 *h)
{
	char *e, *accept, path[64] = "";
	size_t used;

	h->in[h->n] = 0;
	if (!(e = strstr(h->in, "\r\n\r\n")))
		return h->n < sizeof h->in - 1 ? 0 : -1;
	*e = 0;
	sscanf(h->in, "GET /%63[^ ?]", path);
	accept = strcasestr(h->in, "accept-encoding:");
	h->f = choose(path, accept);
	h->off = 0;
	used = (size_t)(e - h->in) + 4;
	memmove(h->in, h->in + used, h->n - used);
	h->n -= used;
	return h->f ? 1 : -1;
}
static int
h1_run(cn *c)
{
	struct h1 *h = c->h1;
	ssize_t k;
	int r;

	while ((r = h1_send(c)) > 0) {
		if (h->n && (r = h1_ask(h)) != 0) {
			if (r < 0)
				return -1;
			continue;
		}
		k = rd(c, h->in + h->n, sizeof h->in - 1 - h->n);
		if (k == AGAIN)
			return 0;
		if (k <= 0)
			return -1;
		h->n += (size_t)k;
	}
	return r;
}

static int
on_begin(nghttp2_session *ss, const nghttp2_frame *f, void *arg)
{
	(void)arg;
	if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	nghttp2_session_set_stream_user_data(
	    ss, f->hd.stream_id, calloc(1, sizeof(stream)));
	return 0;
}
static int
on_header(nghttp2_session *ss, const nghttp2_frame *f, const uint8_t *name,
    size_t nn, const uint8_t *v, size_t n, uint8_t flags, void *arg)
{
	stream *st;

	(void)flags, (void)arg;
	if (n > 63 || (nn != 5 && nn != 15))
		return 0;
	st = nghttp2_session_get_stream_user_data(ss, f->hd.stream_id);
	if (nn == 5 && !memcmp(name, ":path", 5))
		memcpy(st->path, v, n);
	if (nn == 15 && !memcmp(name, "accept-encoding", 15))
		memcpy(st->accept, v, n);
	return 0;
}
static ssize_t
on_read(nghttp2_session *ss, int32_t id, uint8_t *b, size_t n, uint32_t *flags,
    nghttp2_data_source *src, void *arg)
{
	stream *st = src->ptr;
	size_t left = st->f->n - st->off;

	(void)ss, (void)id, (void)b, (void)arg;
	*flags = NGHTTP2_DATA_FLAG_NO_COPY;
	if (n >= left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(n < left ? n : left);
}
static int
on_data(nghttp2_session *ss, nghttp2_frame *fr, const uint8_t *head, size_t n,
    nghttp2_data_source *src, void *arg)
{
	stream *st = src->ptr;

	(void)ss, (void)fr, (void)arg;
	if (sizeof plain - nplain < 9 + n) {
		full = 1;
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	memcpy(plain + nplain, head, 9);
	if (piece(st->f, st->off, plain + nplain + 9, n))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	nplain += 9 + n;
	st->off += n;
	return 0;
}
static int
on_frame(nghttp2_session *ss, const nghttp2_frame *f, void *arg)
{
	nghttp2_data_provider p = { .read_callback = on_read };
	stream *st;

	(void)arg;
	if (f->hd.type != NGHTTP2_HEADERS)
		return 0;
	st = nghttp2_session_get_stream_user_data(ss, f->hd.stream_id);
	if (!st || st->f || !(st->f = choose(st->path + 1, st->accept)))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	p.source.ptr = st;
	return nghttp2_submit_response(
	    ss, f->hd.stream_id, st->f->nv, st->f->nnv, &p);
}
static int
on_close(nghttp2_session *ss, int32_t id, uint32_t error, void *arg)
{
	(void)error, (void)arg;
	free(nghttp2_session_get_stream_user_data(ss, id));
	return 0;
}
static void
h2_open(cn *c)
{
	static nghttp2_session_callbacks *cb;
	nghttp2_settings_entry max = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		100 };

	if (!cb) {
		nghttp2_session_callbacks_new(&cb);
		nghttp2_session_callbacks_set_on_begin_headers_callback(
		    cb, on_begin);
		nghttp2_session_callbacks_set_on_header_callback(
		    cb, on_header);
		nghttp2_session_callbacks_set_on_frame_recv_callback(
		    cb, on_frame);
		nghttp2_session_callbacks_set_on_stream_close_callback(
		    cb, on_close);
		nghttp2_session_callbacks_set_send_data_callback(cb, on_data);
	}
	c->h2 = calloc(1, sizeof *c->h2);
	c->h2->c = c;
	if (nghttp2_session_server_new(&c->h2->ss, cb, c->h2))
		die("nghttp2");
	nghttp2_submit_settings(c->h2->ss, NGHTTP2_FLAG_NONE, &max, 1);
}
static int
h2_put(cn *c)
{
	size_t n = nplain;

	nplain = 0;
	return n ? wr(c, plain, n) : !c->unsent;
}
static int
h2_send(cn *c)
{
	const uint8_t *p;
	ssize_t n;
	int r;

	do {
		full = 0;
		n = nghttp2_session_mem_send(c->h2->ss, &p);
		if (n < 0)
			return -1;
		memcpy(plain + nplain, p, (size_t)n);
		nplain += (size_t)n;
		if (!full && sizeof plain - nplain > 2 * RECORD)
			continue;
		if ((r = h2_put(c)) <= 0)
			return r;
	} while (n > 0 || full);
	return h2_put(c);
}
static int
h2_run(cn *c)
{
	static unsigned char b[RECORD];
	ssize_t k;
	int r;

	while ((r = h2_send(c)) > 0) {
		k = rd(c, b, sizeof b);
		if (k == AGAIN)
			return 0;
		if (k <= 0)
			return -1;
		if (nghttp2_session_mem_recv(c->h2->ss, b, (size_t)k) < 0)
			return -1;
	}
	return r;
}
#endif
