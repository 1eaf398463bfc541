#include <stdlib.h>

#include "common/l4.h"
#include "fuzz.h"
#include "tlsterm/h2_run.h"

/*
 * A whole HTTP/2 connection, with the socket, the clock, the site and the
 * upstream played by the input.  After each step what it holds is within the
 * limits; the last word is the last; nothing is left over.
 *
 * The input is a list of steps: OP ARG, and for the first two ARG bytes.
 */
enum op { OP_BYTES, OP_FRAME, OP_TIME, OP_BLOCK, OP_UPSTREAM, OP__MAX };

struct forward {
	struct forward_for	 whom;
	bool			 tunnel, headed;
	unsigned int		 reads;
};

/* The world; one run's. */
static struct {
	const uint8_t	*in;
	size_t		 inlen;
	uint8_t		 outhead[9 + 8];	/* of the frame being written */
	size_t		 outhave, outleft;
	bool		 last_word;
	bool		 blocked;
	uint8_t		 upstream;		/* what it does */
	struct forward	*fwd[H2_STREAMS_MAX + 1];
	size_t		 nfwd;
} w;

static struct h1_server	 h1;
static struct h2_server	*server;
static char		 text[5000];

/* The socket. */
bool
io_readable(const struct io *io)
{
	return w.inlen > 0 && !io->broken;
}

enum io_result
io_read(struct io *io, void *buf, size_t size, size_t *n)
{
	(void)io;
	if (w.inlen == 0)
		return IO_AGAIN;
	*n = size < w.inlen ? size : w.inlen;
	memcpy(buf, w.in, *n);
	w.in += *n;
	w.inlen -= *n;
	return IO_OK;
}

static void
out_frame(void)
{
	const uint8_t	*h = w.outhead;

	if (h[3] == NGHTTP2_GOAWAY && (h[13] | h[14] | h[15] | h[16]) != 0)
		w.last_word = true;
	w.outhave = 0;
}

enum io_result
io_write(struct io *io, const void *buf, size_t n)
{
	const uint8_t	*p = buf;
	size_t		 pass, want;

	(void)io;
	while (n > 0) {
		must(!w.last_word || w.outleft > 0,
		    "nothing after the last word");
		pass = n < w.outleft ? n : w.outleft;
		p += pass;
		n -= pass;
		w.outleft -= pass;
		if (n == 0)
			break;
		w.outhead[w.outhave++] = *p++;
		n--;
		want = w.outhave < 9 || w.outhead[3] != NGHTTP2_GOAWAY ?
		    9 : sizeof(w.outhead);
		if (w.outhave < want)
			continue;
		w.outleft = ((size_t)w.outhead[0] << 16 | w.outhead[1] << 8 |
		    w.outhead[2]) - (want - 9);
		out_frame();
	}
	return IO_OK;
}

enum io_result
io_flush(struct io *io)
{
	io->unsent.p = w.blocked ? (uint8_t *)text : NULL;
	return w.blocked ? IO_AGAIN : IO_OK;
}

/* The site. */
void
h1_clock(struct h1_server *s, time_t now)
{
	(void)s;
	(void)now;
}

void
h1_count(const struct h1_server *s, const struct origin *o, int status)
{
	(void)s;
	(void)o;
	must(status >= 100 && status < 600, "a status is one");
}

void
site_error(const struct sites *ss, const struct site *s, int status,
    struct response *res)
{
	(void)ss;
	(void)s;
	response_error(res, status);
}

void
site_forwarded(const struct site *s, struct response *res)
{
	(void)s;
	response_field(res, STR("X-Site"), STR("1"));
}

/* Texts are dear: more than two of them in a turn are one too many. */
size_t
h1_respond(struct h1_server *s, const struct origin *o,
    const struct request *req)
{
	struct response	*res = &s->res;

	(void)o;
	if (req->path.n > 1 && req->path.p[1] == 'u') {
		response_begin(res, 200);
		res->upstream = 0;
	} else if (req->path.n > 1 && req->path.p[1] == 't') {
		response_begin(res, 200);
		response_text(res, text, sizeof(text));
		return 200000;
	} else
		response_error(res, 404);
	return 0;
}

/* The upstream. */
struct forward *
forward_request(struct upstream *up, const struct request *req,
    bool websocket, const struct forward_for *whom, int *status)
{
	struct forward	*f;

	(void)up;
	(void)req;
	*status = 503;
	if ((w.upstream & 1) || (f = calloc(1, sizeof(*f))) == NULL)
		return NULL;
	f->whom = *whom;
	f->tunnel = websocket && (w.upstream & 2);
	must(w.nfwd < nitems(w.fwd), "no more forwards than streams");
	w.fwd[w.nfwd++] = f;
	return f;
}

void
forward_free(struct forward *f)
{
	size_t	i = 0;

	while (w.fwd[i] != f)
		must(++i < w.nfwd, "a forward is freed once");
	w.fwd[i] = w.fwd[--w.nfwd];
	free(f);
}

bool
forward_tunnel(const struct forward *f)
{
	return f->tunnel && f->headed;
}

bool
forward_gone(const struct forward *f)
{
	(void)f;
	return w.upstream & 4;
}

size_t
forward_room(const struct forward *f)
{
	(void)f;
	return w.upstream & 8 ? 0 : 65536;
}

void
forward_send(struct forward *f, const char *p, size_t n)
{
	must(forward_room(f) > 0 && n > 0 && p != NULL, "there was room");
}

void
forward_send_end(struct forward *f)
{
	(void)f;
}

enum forward_result
forward_head(struct forward *f, struct response *res)
{
	must(!f->headed, "one head");
	if (w.upstream & 16)
		return FORWARD_WAIT;
	if (w.upstream & 32)
		return FORWARD_FAILED;
	f->headed = true;
	response_begin(res, f->tunnel ? 101 : 200);
	res->framed = false;
	response_field(res, STR("X-App"), STR("1"));
	return FORWARD_OK;
}

bool
forward_has_body(const struct forward *f)
{
	(void)f;
	return !(w.upstream & 64);
}

int
forward_status(const struct forward *f)
{
	(void)f;
	return 502;
}

enum forward_result
forward_read(struct forward *f, char *dst, size_t size, size_t *n)
{
	must(f->headed && size >= H2_DOWN_MIN, "room for a piece");
	if (w.upstream & 128)
		return FORWARD_WAIT;
	if (f->reads++ > 5)
		return w.upstream & 32 ? FORWARD_FAILED : FORWARD_END;
	*n = size - f->reads;
	memset(dst, 'u', *n);
	return FORWARD_OK;
}

/* The steps. */
static void
woken(void *arg)
{
	(void)arg;
}

static void
check(const struct h2 *h)
{
	const struct h2_stream	*st;
	size_t			 n = 0, nwoken = 0, nfwd = 0, nwait = 0;

	TAILQ_FOREACH(st, &h->streams, link) {
		n++;
		nwoken += st->woken;
		nfwd += st->fwd != NULL;
		nwait += st->waits != 0;
	}
	must(n <= H2_STREAMS_MAX, "streams are limited");
	must(nfwd == w.nfwd, "a forward belongs to a stream");
	must(nwoken == h->nwoken, "who is woken is counted");
	must(nwait == h->nwait, "who waits is counted");
	must(h->mem <= H2_MEMORY_MAX + 4096, "memory is limited");
	must(h->collecting == 0 || h->head.len <= HTTP2_HEAD_MAX,
	    "a head is limited");
	must(h->resets.level <= H2_RESETS && h->noise.level <= H2_NOISE,
	    "what is counted is limited");
}

static uint8_t	frame[9 + 255];

/* TYPE FLAGS STREAM and the data. */
static void
make_frame(const uint8_t *p, size_t n)
{
	if (n < 3)
		return;
	memset(frame, 0, 9);
	frame[2] = (uint8_t)(n - 3);
	frame[3] = p[0] % 11;
	frame[4] = p[1];
	frame[8] = p[2];
	memcpy(frame + 9, p + 3, n - 3);
	w.in = frame;
	w.inlen = 9 + n - 3;
}

static void
wake_all(void)
{
	size_t	i;

	for (i = 0; i < w.nfwd; i++)
		w.fwd[i]->whom.wake(w.fwd[i]->whom.arg);
}

/* What happens; the time goes on by `arg` eighths of a second, or the socket is
 * full if it is odd. */
static void
happen(uint8_t op, uint8_t arg, const uint8_t *p, size_t n, uint64_t *now)
{
	w.inlen = 0;
	switch (op) {
	case OP_BYTES:
		w.in = p;
		w.inlen = n;
		break;
	case OP_FRAME:
		make_frame(p, n);
		break;
	case OP_TIME:
		*now += arg * NSEC_PER_SEC / 8;
		break;
	case OP_BLOCK:
		w.blocked = arg & 1;
		break;
	case OP_UPSTREAM:
		w.upstream = arg;
		wake_all();
		break;
	}
}

/* True as long as it goes on. */
static bool
run(struct h2 *h, struct io *io, uint64_t now)
{
	enum h1_result	res;
	uint64_t	due;

	do
		res = h2_run(h, io, now);
	while (res == H1_READY);
	check(h);
	due = h2_due(h, io);
	if (res < H1_READY && due != 0 && due <= now) {
		while ((res = h2_late(h, io, now)) == H1_READY)
			;
		check(h);
		due = h2_due(h, io);
		must(res >= H1_READY || due == 0 || due > now,
		    "who was late is not late again");
	}
	return res < H1_READY;
}

static void
play(struct h2 *h, const uint8_t *p, size_t len)
{
	static const uint8_t	start[] =
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	struct io		io = { 0 };
	uint64_t		now = NSEC_PER_SEC;
	uint8_t			op;
	size_t			n;

	happen(OP_BYTES, 0, start, sizeof(start), &now);
	while (run(h, &io, now) && len >= 2) {
		op = p[0] % OP__MAX;
		n = op == OP_BYTES || op == OP_FRAME ? p[1] : 0;
		if (n > len - 2)
			n = len - 2;
		happen(op, p[1], p + 2, n, &now);
		p += 2 + n;
		len -= 2 + n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static struct conf	 conf = { .limits = { .header_timeout = 10,
		.idle_timeout = 30 } };
	static struct conf_site	 csite = { .nproxy = 1 };
	static struct site	 site = { .conf = &csite };
	static struct sites	 sites = { .conf = &conf, .v = &site, .n = 1 };
	static struct upstream	 up;
	static struct upstreams	 ups = { .v = &up, .n = 1 };
	struct origin		 o = { .site = &site, .tls = true };
	struct h2		*h;

	if (server == NULL) {
		h1.sites = &sites;
		h1.ups = &ups;
		response_init(&h1.res);
		memset(text, 't', sizeof(text));
		server = h2_server_new(&h1);
	}
	memset(&w, 0, sizeof(w));
	h1.draining = len > 0 && p[0] & 128;
	h = h2_new(server, &o, woken, NULL, NSEC_PER_SEC);
	must(h != NULL, "it begins");
	play(h, p, len);
	h2_free(h);
	must(w.nfwd == 0 && h1.nfiles == 0, "nothing is left");
	return 0;
}
