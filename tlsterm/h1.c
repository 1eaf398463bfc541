#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "h1_run.h"
#include "h1_write.h"

#define BUDGET		(512 * 1024)	/* bytes for one connection, then the
					   others */
#define REQUEST_COST	4096		/* of the budget */
#define FLUSH_AFTER	(64 * 1024)	/* bytes that make a send(2) worth it,
					   before the run ends */
#define SKIP_MAX	(1024 * 1024)	/* of a body that nobody wants */

struct h1_server *
h1_server_new(const struct sites *sites, const struct stats *stats)
{
	struct h1_server	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	s->sites = sites;
	s->stats = stats;
	response_init(&s->res);
	return s;
}

void
h1_init(struct h1 *h)
{
	memset(h, 0, sizeof(*h));
	body_init(&h->body);
}

static void
h1_body_end(struct h1_server *s, struct h1 *h)
{
	if (h->body.fd != -1)
		s->nfiles--;
	body_close(&h->body);
}

void
h1_free(struct h1_server *s, struct h1 *h)
{
	if (h->fwd != NULL)
		forward_free(h->fwd);
	h->fwd = NULL;
	h1_body_end(s, h);
	free(h->in);
	h->in = NULL;
}

static void
h1_load(struct h1_server *s, struct h1 *h)
{
	s->inoff = 0;
	s->inlen = h->inlen;
	if (h->in != NULL)
		memcpy(s->in, h->in, h->inlen);
	free(h->in);
	h->in = NULL;
	h->inlen = 0;
}

static bool
h1_save(struct h1_server *s, struct h1 *h)
{
	size_t	n = s->inlen - s->inoff;

	if (n == 0)
		return true;
	if ((h->in = malloc(n)) == NULL)
		return false;
	memcpy(h->in, s->in + s->inoff, n);
	h->inlen = (uint32_t)n;
	return true;
}

enum h1_result
h1_write(struct run *r, const char *p, size_t n)
{
	run_spend(r, n);
	if (io_write(r->io, p, n) != IO_OK)
		return H1_BROKEN;
	/* Small answers wait for what else this run brings. */
	return io_queued(r->io) < FLUSH_AFTER ? GO_ON : h1_flush(r);
}

/* n bytes of an answer. */
static enum h1_result
h1_put(struct run *r, const char *p, size_t n)
{
	enum h1_result	res = h1_write(r, p, n);

	if (r->h->body.left == 0)
		h1_body_end(r->s, r->h);
	return res;
}

static enum h1_result
h1_send_body(struct run *r)
{
	const char	*p;
	ssize_t		 n;

	n = body_next(&r->h->body, r->s->out, H1_BODY_PIECE, &p);
	return n == -1 ? H1_BROKEN : h1_put(r, p, (size_t)n);
}

/* The head in s->out, and in one record with it what fits of the body. */
static enum h1_result
h1_send_head(struct run *r)
{
	struct h1_server	*s = r->s;
	ssize_t			 n = 0;

	if (s->outlen < H1_BODY_PIECE)
		n = body_read(&r->h->body, s->out + s->outlen,
		    H1_BODY_PIECE - s->outlen);
	return n == -1 ? H1_BROKEN : h1_put(r, s->out, s->outlen + (size_t)n);
}

void
h1_count(const struct h1_server *s, const struct origin *o, int status)
{
	const struct stats	*st = s->stats;

	stats_add(st, STAT_REQUESTS, 1);
	if (o->site->requests != NULL)
		++*o->site->requests;
	stats_add(st, status < 300 ? STAT_2XX : status < 400 ? STAT_3XX :
	    status < 500 ? STAT_4XX : STAT_5XX, 1);
}

enum h1_result
h1_answer(struct run *r, const struct request *req)
{
	struct h1_server	*s = r->s;
	struct h1		*h = r->h;
	struct response		*res = &s->res;
	bool			 head = req != NULL &&
				    req->method == METHOD_HEAD;

	if (req == NULL || res->close || s->draining || !req->keepalive)
		h->close = true;
	h->served = true;
	h1_count(s, r->o, res->status);
	s->outlen = h1_write_head(s, res, req == NULL ? 1 : req->minor,
	    h->close);
	if (head)
		body_close(&res->body);
	body_move(&h->body, &res->body);
	if (h->body.fd != -1)
		s->nfiles++;
	return h1_send_head(r);
}

size_t
h1_respond(struct h1_server *s, const struct origin *o,
    const struct request *req)
{
	uint64_t	before = s->sites->cache->spent;

	site_respond(s->sites, o, req, &s->res);
	return (size_t)(s->sites->cache->spent - before);
}

static enum h1_result
h1_error(struct run *r, int status)
{
	r->h->error = true;
	r->s->inoff = r->s->inlen = 0;
	site_error(r->s->sites, r->o->site, status, &r->s->res);
	return h1_answer(r, NULL);
}

/* A site of files wants no body: it is read past, if that is short. */
static void
h1_skip_begin(struct run *r, const struct request *req)
{
	struct h1	*h = r->h;
	size_t		 i;

	if (!req->chunked && req->length == 0)
		return;
	h->skip = req->length;
	h->skip_chunked = req->chunked;
	h->skipped = 0;
	memset(&h->chunked, 0, sizeof(h->chunked));
	if (req->length > SKIP_MAX)
		r->s->res.close = true;
	/* Who waits for a 100 has our answer instead, and may or may not send
	 * the body: what follows could be either. */
	for (i = 0; i < req->nfields; i++)
		if (str_caseeq(req->field[i].name, STR("expect")))
			r->s->res.close = true;
}

static enum h1_result
h1_request(struct run *r, size_t len)
{
	struct h1_server	*s = r->s;

	s->inoff += len;
	r->h->scanned = 0;
	run_spend(r, REQUEST_COST);
	run_spend(r, h1_respond(s, r->o, &s->req));
	if (s->res.upstream != -1)
		return h1_forward_begin(r);
	h1_skip_begin(r, &s->req);
	return h1_answer(r, &s->req);
}

static enum h1_result
h1_skip_chunks(struct run *r)
{
	struct h1_server	*s = r->s;
	struct h1		*h = r->h;
	struct str		 data;

	while (s->inoff < s->inlen && h->chunked.state < CHUNK_DONE) {
		s->inoff += chunked_next(&h->chunked, s->in + s->inoff,
		    s->inlen - s->inoff, &data);
		h->skipped += (uint32_t)data.n;
	}
	if (h->chunked.state == CHUNK_DONE)
		h->skip_chunked = false;
	if (h->chunked.state == CHUNK_BAD || h->skipped > SKIP_MAX) {
		h->error = h->chunked.state == CHUNK_BAD;
		h->close = true;
	}
	return GO_ON;
}

static enum h1_result
h1_skip(struct run *r)
{
	struct h1_server	*s = r->s;
	size_t			 n = s->inlen - s->inoff;

	if (r->h->skip_chunked)
		return h1_skip_chunks(r);
	if (n > r->h->skip)
		n = (size_t)r->h->skip;
	s->inoff += n;
	r->h->skip -= n;
	return GO_ON;
}

enum h1_result
h1_receive(struct run *r)
{
	struct h1_server	*s = r->s;
	bool			 none = s->inoff == s->inlen;
	size_t			 n;

	if (none)
		s->inoff = s->inlen = 0;
	else if (s->inoff > 0) {
		memmove(s->in, s->in + s->inoff, s->inlen - s->inoff);
		s->inlen -= s->inoff;
		s->inoff = 0;
	}
	if (r->io->eof)
		return H1_GONE;
	none = none && r->h->skip == 0 && !r->h->skip_chunked;
	if (!io_readable(r->io))
		return r->io->broken ? H1_BROKEN :
		    none ? H1_IDLE : H1_READING;
	switch (io_read(r->io, s->in + s->inlen, sizeof(s->in) - s->inlen,
	    &n)) {
	case IO_OK:
		s->inlen += n;
		run_spend(r, n + H1_READ_COST);
		return GO_ON;
	case IO_EOF:
		return H1_GONE;
	case IO_BROKEN:
		return H1_BROKEN;
	default:
		return none ? H1_IDLE : H1_READING;
	}
}

enum h1_result
h1_flush(struct run *r)
{
	switch (io_flush(r->io)) {
	case IO_OK:
		return GO_ON;
	case IO_AGAIN:
		return H1_SENDING;
	default:
		return H1_BROKEN;
	}
}

static enum h1_result
h1_step(struct run *r)
{
	struct h1_server	*s = r->s;
	struct h1		*h = r->h;
	bool			 skipping = h->skip > 0 || h->skip_chunked;
	int			 n;

	if (h->fwd != NULL)
		return h1_forward_step(r);
	if (r->io->unsent.p != NULL)
		return h1_flush(r);
	if (h->body.left > 0)
		return h1_send_body(r);
	if (h->close)
		return H1_LAST;
	if (s->inoff == s->inlen)
		return h1_receive(r);
	if (skipping)
		return h1_skip(r);
	n = http1_parse(s->in + s->inoff, s->inlen - s->inoff, &h->scanned,
	    &s->req);
	if (n == 0)
		return h1_receive(r);
	return n > 0 ? h1_request(r, (size_t)n) : h1_error(r, -n);
}

/* What was written goes out; if it does not, that is what we wait for. */
static enum h1_result
h1_finish(struct run *r, enum h1_result res)
{
	enum h1_result	sent;

	if (!h1_save(r->s, r->h))
		return H1_BROKEN;
	if (res == H1_BROKEN || (sent = h1_flush(r)) == GO_ON)
		return res;
	if (sent == H1_SENDING && res == H1_GONE)
		r->h->close = true;
	return sent;
}

void
h1_clock(struct h1_server *s, time_t now)
{
	if (s->now != now) {
		s->now = now;
		httpdate_format(s->date, now);
	}
}

enum h1_result
h1_run(struct h1_server *s, struct h1 *h, struct io *io,
    const struct origin *o)
{
	struct run	r = { s, h, io, o, BUDGET };
	enum h1_result	res;

	h1_clock(s, o->now);
	h1_load(s, h);
	while ((res = h1_step(&r)) == GO_ON)
		if (r.budget == 0) {
			res = H1_READY;
			break;
		}
	return h1_finish(&r, res);
}

enum h1_result
h1_timeout(struct h1_server *s, struct h1 *h, struct io *io,
    const struct origin *o)
{
	struct run	r = { s, h, io, o, BUDGET };
	enum h1_result	res;

	h1_clock(s, o->now);
	h1_load(s, h);
	res = h->skip > 0 || h->skip_chunked ? H1_LAST : h1_error(&r, 408);
	return h1_finish(&r, res == GO_ON ? H1_LAST : res);
}

bool
h1_idle(const struct h1 *h, const struct io *io)
{
	return h->in == NULL && h->fwd == NULL && h->body.left == 0 &&
	    h->skip == 0 &&
	    !h->skip_chunked && io->unsent.p == NULL;
}
