#include <stdlib.h>

#include "common/l4.h"
#include "h2_run.h"

#define REQUEST_COST	4096		/* of the budget */
#define SPARE_MAX	64		/* streams kept for others */
#define SKIP_MAX	(1024 * 1024)	/* of a body that nobody wants */

void
h2_reset(struct h2 *h, int32_t id, uint32_t error)
{
	if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id,
	    error) != 0)
		h2_doom(h, NGHTTP2_INTERNAL_ERROR);
}

static struct h2_stream *
stream_alloc(struct h2_server *s)
{
	struct h2_stream	*st = TAILQ_FIRST(&s->spare);

	if (st == NULL)
		return calloc(1, sizeof(*st));
	TAILQ_REMOVE(&s->spare, st, link);
	s->nspare--;
	memset(st, 0, sizeof(*st));
	return st;
}

static void
stream_dealloc(struct h2_server *s, struct h2_stream *st)
{
	if (s->nspare == SPARE_MAX) {
		free(st);
		return;
	}
	TAILQ_INSERT_HEAD(&s->spare, st, link);
	s->nspare++;
}

static struct h2_stream *
stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream	*st;

	if (!h2_hold(h, sizeof(*st)))
		return NULL;
	if ((st = stream_alloc(h->s)) == NULL) {
		h2_release(h, sizeof(*st));
		return NULL;
	}
	st->h = h;
	st->id = id;
	st->begun = st->moved = h->now;
	body_init(&st->body);
	nghttp2_session_set_stream_user_data(h->session, id, st);
	TAILQ_INSERT_TAIL(&h->streams, st, link);
	return st;
}

static void
stream_body_end(struct h2_stream *st)
{
	if (st->body.fd != -1)
		st->h->s->h1->nfiles--;
	body_close(&st->body);
	free(st->text);
	st->text = NULL;
}

void
h2_stream_free(struct h2_stream *st)
{
	struct h2	*h = st->h;

	h2_forward_drop(st);
	h2_window_release(st);
	stream_body_end(st);
	blob_drop(st->strings);
	TAILQ_REMOVE(&h->streams, st, link);
	if (TAILQ_EMPTY(&h->streams))
		h->since = h->now;
	h2_release(h, st->held + sizeof(*st));
	stream_dealloc(h->s, st);
}

/*
 * Takes the body over.  Text that is not in a blob lives only until the next
 * answer is made, and this one may have to wait for the client.
 */
static bool
stream_take_body(struct h2_stream *st, struct body *src)
{
	size_t	n = (size_t)src->left;

	body_move(&st->body, src);
	if (st->body.fd != -1)
		st->h->s->h1->nfiles++;
	if (st->body.fd != -1 || st->body.blob != NULL || n == 0)
		return true;
	if (!h2_hold(st->h, n))
		return false;
	st->held += n;
	if ((st->text = malloc(n)) == NULL ||
	    body_read(&st->body, st->text, n) != (ssize_t)n)
		return false;
	body_close(&st->body);
	st->body.text = st->text;
	st->body.left = n;
	return true;
}

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t n,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream	*st = source->ptr;

	(void)session;
	(void)id;
	(void)buf;
	(void)arg;
	if (h2_window_waits(st, n, st->body.left))
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (n >= st->body.left) {
		n = (size_t)st->body.left;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	} else
		h2_count_data(st->h, n, n);
	return (ssize_t)n;
}

int
h2_stream_send(struct h2_stream *st, const uint8_t *head, size_t n)
{
	struct h1_server	*s = st->h->s->h1;
	char			*p = s->out + s->outlen;

	if (sizeof(s->out) - s->outlen < H2_HEAD + n) {
		st->h->blocked = true;
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	/* It became shorter: all that is left is to say so. */
	if (body_read(&st->body, p + H2_HEAD, n) != (ssize_t)n)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	memcpy(p, head, H2_HEAD);
	s->outlen += H2_HEAD + n;
	st->moved = st->h->now;
	if (st->body.left == 0)
		stream_body_end(st);
	return 0;
}

/* For one hop, and not of this version. */
static bool
field_is_framing(struct str name)
{
	static const struct str	names[] = { { "connection", 10 },
		{ "keep-alive", 10 }, { "proxy-connection", 16 },
		{ "transfer-encoding", 17 }, { "upgrade", 7 },
		{ "sec-websocket-accept", 20 } };
	size_t			i;

	for (i = 0; i < nitems(names); i++)
		if (str_caseeq(name, names[i]))
			return true;
	return false;
}

struct nva {
	nghttp2_nv	 nv[RESPONSE_FIELDS_MAX + 4];
	size_t		 n;
	char		 status[20], length[20];
};

/* In decimal, at the end of the buffer. */
static struct str
number(char buf[20], uint64_t n)
{
	size_t	i = 20;

	do {
		buf[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return (struct str){ buf + i, 20 - i };
}

/* What the library need not copy. */
#define LASTING_NAME	NGHTTP2_NV_FLAG_NO_COPY_NAME
#define LASTING		(LASTING_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

static void
nva_add(struct nva *a, struct str name, struct str value, uint8_t lasting)
{
	a->nv[a->n++] = (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p,
		(uint8_t *)(uintptr_t)value.p, name.n, value.n, lasting };
}

static void
nva_add_fields(struct nva *a, const struct response *res)
{
	size_t	i;

	for (i = 0; i < res->nfields; i++)
		if (res->strings != NULL)
			nva_add(a, res->field[i].name, res->field[i].value,
			    LASTING);
		else if (!field_is_framing(res->field[i].name))
			nva_add(a, res->field[i].name, res->field[i].value,
			    NGHTTP2_NV_FLAG_NONE);
}

static void
nva_fill(struct nva *a, const struct response *res)
{
	a->n = 0;
	nva_add(a, STR(":status"), number(a->status, (uint64_t)res->status),
	    LASTING_NAME);
	nva_add_fields(a, res);
	if (res->framed && res->status >= 200 && res->strings == NULL)
		nva_add(a, STR("content-length"), number(a->length,
		    res->length), LASTING_NAME);
}

int
h2_submit_head(struct h2_stream *st, const nghttp2_data_provider *source)
{
	struct h1_server	*s = st->h->s->h1;
	const struct response	*res = &s->res;
	struct nva		 a L4_UNSET;

	nva_fill(&a, res);
	if (res->strings != NULL)
		st->strings = blob_hold(res->strings);
	else if (!response_has(res, STR("server")))
		nva_add(&a, STR("server"), STR("l4mux"), LASTING);
	if (res->strings != NULL || !response_has(res, STR("date")))
		nva_add(&a, STR("date"), (struct str){ s->date,
		    HTTPDATE_LEN }, LASTING_NAME);
	st->answered = true;
	st->moved = st->h->now;
	return nghttp2_submit_response(st->h->session, st->id, a.nv, a.n,
	    source);
}

int
h2_submit_interim(struct h2_stream *st)
{
	struct nva	a L4_UNSET;

	nva_fill(&a, &st->h->s->h1->res);
	return nghttp2_submit_headers(st->h->session, NGHTTP2_FLAG_NONE,
	    st->id, NULL, a.nv, a.n, NULL);
}

void
h2_answer(struct h2_stream *st)
{
	struct h2		*h = st->h;
	struct response		*res = &h->s->h1->res;
	nghttp2_data_provider	 source = { { .ptr = st }, read_body };
	bool			 body;

	h1_count(h->s->h1, h->o, res->status);
	if (st->is_head)
		body_close(&res->body);
	if (!stream_take_body(st, &res->body)) {
		h2_reset(h, st->id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	body = st->body.left > 0;
	if (h2_submit_head(st, body ? &source : NULL) != 0)
		h2_doom(h, NGHTTP2_ENHANCE_YOUR_CALM);
}

void
h2_answer_error(struct h2_stream *st, int status)
{
	struct h2	*h = st->h;

	site_error(h->s->h1->sites, h->o->site, status, &h->s->h1->res);
	site_forwarded(h->o->site, &h->s->h1->res);
	h2_answer(st);
}

/* Streams of one client share what there is, unless it says otherwise (RFC
 * 9218): without a word it would be one after the other. */
static void
stream_share(struct h2 *h, int32_t id, const struct request *req)
{
	nghttp2_extpri	pri = { NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1 };
	size_t		i;

	for (i = 0; i < req->nfields; i++)
		if (str_eq(req->field[i].name, STR("priority")))
			return;
	nghttp2_session_change_extpri_stream_priority(h->session, id, &pri,
	    0);
}

static void
stream_respond(struct h2_stream *st, const struct request *req,
    bool websocket)
{
	struct h2		*h = st->h;
	struct h1_server	*s = h->s->h1;

	st->is_head = req->method == METHOD_HEAD;
	h2_spend(h, h1_respond(s, h->o, req));
	if (s->res.upstream != -1)
		h2_forward_begin(st, websocket);
	else
		h2_answer(st);
}

static void
request(struct h2 *h, const struct http2_head *head, int32_t id, bool end)
{
	struct request		*req = &h->s->h1->req;
	struct h2_stream	*st;
	bool			 websocket;
	int			 rc;

	h->served = true;
	h2_spend(h, REQUEST_COST);
	rc = http2_parse(head, h->s->cookies, end, req, &websocket);
	if (rc == HTTP2_MALFORMED) {
		h2_reset(h, id, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	if ((st = stream_new(h, id)) == NULL) {
		h2_reset(h, id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	st->more = !end;
	if (rc < 0) {
		h2_answer_error(st, -rc);
		return;
	}
	stream_share(h, id, req);
	stream_respond(st, req, websocket);
}

void
h2_requests(struct h2 *h)
{
	struct h2_server	*s = h->s;
	unsigned int		 i;

	for (i = 0; i < s->npending && h->doom == 0; i++)
		request(h, &s->pending[i].head, s->pending[i].id, true);
	s->npending = 0;
	s->headslen = 0;
}

/* Heads that follow each other are read first and answered then: each of the
 * two needs most of the CPU's nearest cache for its code. */
void
h2_request(struct h2 *h, int32_t id, bool end)
{
	struct h2_server	*s = h->s;
	struct h2_pending	*p;

	h->collecting = 0;
	if (s->npending == H2_PENDING_MAX ||
	    h->head.len > sizeof(s->heads) - s->headslen)
		h2_requests(h);
	if (!end) {
		h2_requests(h);
		request(h, &h->head, id, false);
		return;
	}
	p = &s->pending[s->npending++];
	p->id = id;
	p->head = h->head;
	p->head.buf = s->heads + s->headslen;
	memcpy(p->head.buf, h->head.buf, h->head.len);
	s->headslen += h->head.len;
}

void
h2_body(struct h2_stream *st, const char *p, size_t n)
{
	struct h2	*h = st->h;

	st->moved = h->now;
	if (st->fwd != NULL) {
		h2_forward_body(st, p, n);
		return;
	}
	nghttp2_session_consume(h->session, st->id, n);
	st->skipped += (uint32_t)n;
	if (st->skipped > SKIP_MAX)
		h2_reset(h, st->id, NGHTTP2_NO_ERROR);
}

void
h2_body_end(struct h2_stream *st)
{
	st->more = false;
	st->moved = st->h->now;
	if (st->fwd != NULL)
		h2_forward_body_end(st);
}

/* A body that nobody wants is read past while that is short; what an upstream
 * has answered goes no further (RFC 9113 8.1). */
void
h2_stream_sent(struct h2_stream *st)
{
	if (st->fwd == NULL)
		return;
	if (forward_tunnel(st->fwd) && !forward_gone(st->fwd))
		return;
	h2_forward_drop(st);
	if (st->more)
		h2_reset(st->h, st->id, NGHTTP2_NO_ERROR);
}
