#include <stdlib.h>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "common/l4.h"
#include "encoder.h"

#define KIB		((size_t)1024)
#define WHOLE		SIZE_MAX
#define BR_WINDOW	22
#define BR_BLOCK	16	/* 64 KiB are worked on at a time */
#define GZIP_WINDOW	(15 + 16)
#define GZIP_MEMORY	9

/*
 * Up to which size which level, in pieces of which size.  A library works when
 * it has a block together, whatever it was given at a time: where a block of
 * the level is more than some ten milliseconds of work, each piece is flushed,
 * which costs a few percent of the result.
 */
static const struct plan {
	enum encoding	encoding;
	enum effort	effort;
	size_t		up_to;
	int		level;
	size_t		piece;
	bool		flush;
} plans[] = {
	{ ENC_ZSTD, EFFORT_FAST, WHOLE, 3, WHOLE, false },
	{ ENC_ZSTD, EFFORT_BEST, 1024 * KIB, 19, 32 * KIB, true },
	{ ENC_ZSTD, EFFORT_BEST, WHOLE, 12, 128 * KIB, false },
	{ ENC_BR, EFFORT_FAST, WHOLE, 4, WHOLE, false },
	{ ENC_BR, EFFORT_BEST, 128 * KIB, 11, 16 * KIB, true },
	{ ENC_BR, EFFORT_BEST, WHOLE, 9, 64 * KIB, false },
	{ ENC_GZIP, EFFORT_FAST, WHOLE, 5, WHOLE, false },
	{ ENC_GZIP, EFFORT_BEST, WHOLE, 9, 64 * KIB, false },
};

/* A piece of input for one of the libraries, and what is to be done with it. */
struct feed {
	const char	*p;
	size_t		 n;
	bool		 flush, end;
};

struct encoder {
	const struct plan	*plan;
	size_t			 left;	/* of the input */
	struct blob		*out;
	union {
		ZSTD_CCtx		*zstd;
		BrotliEncoderState	*br;
		z_stream		*gzip;
	} lib;
};

static bool
zstd_open(struct encoder *e)
{
	ZSTD_CCtx	*c = e->lib.zstd = ZSTD_createCCtx();

	/* The window is never larger than what there is, and none of our
	 * levels needs more than the 8 MiB that RFC 9659 allows. */
	return c != NULL && !ZSTD_isError(ZSTD_CCtx_setParameter(c,
	    ZSTD_c_compressionLevel, e->plan->level)) &&
	    !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c, e->left));
}

static bool
zstd_feed(struct encoder *e, const struct feed *f)
{
	ZSTD_inBuffer		in = { f->p, f->n, 0 };
	ZSTD_outBuffer		out = { e->out->p, e->out->size,
		e->out->len };
	ZSTD_EndDirective	op = f->end ? ZSTD_e_end :
				    f->flush ? ZSTD_e_flush : ZSTD_e_continue;
	size_t			rest;

	do {
		rest = ZSTD_compressStream2(e->lib.zstd, &out, &in, op);
		if (ZSTD_isError(rest) || out.pos == out.size)
			return false;
	} while (op == ZSTD_e_continue ? in.pos < in.size : rest > 0);
	e->out->len = out.pos;
	return true;
}

static void
zstd_close(struct encoder *e)
{
	ZSTD_freeCCtx(e->lib.zstd);
}

static bool
br_open(struct encoder *e)
{
	BrotliEncoderState	*s;
	uint32_t		 hint = e->left > UINT32_MAX ? UINT32_MAX :
				    (uint32_t)e->left;

	s = e->lib.br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	return s != NULL &&
	    BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY,
	    (uint32_t)e->plan->level) &&
	    BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, BR_WINDOW) &&
	    BrotliEncoderSetParameter(s, BROTLI_PARAM_LGBLOCK, BR_BLOCK) &&
	    BrotliEncoderSetParameter(s, BROTLI_PARAM_SIZE_HINT, hint);
}

static bool
br_feed(struct encoder *e, const struct feed *f)
{
	BrotliEncoderState	*s = e->lib.br;
	BrotliEncoderOperation	 op = f->end ? BROTLI_OPERATION_FINISH :
				    f->flush ? BROTLI_OPERATION_FLUSH :
				    BROTLI_OPERATION_PROCESS;
	const uint8_t		*in = (const uint8_t *)f->p;
	uint8_t			*out = (uint8_t *)e->out->p + e->out->len;
	size_t			 n = f->n, room = e->out->size - e->out->len;

	do {
		if (!BrotliEncoderCompressStream(s, op, &n, &in, &room, &out,
		    NULL) || room == 0)
			return false;
	} while (n > 0 || BrotliEncoderHasMoreOutput(s));
	e->out->len = e->out->size - room;
	return true;
}

static void
br_close(struct encoder *e)
{
	if (e->lib.br != NULL)
		BrotliEncoderDestroyInstance(e->lib.br);
}

static bool
gzip_open(struct encoder *e)
{
	e->lib.gzip = calloc(1, sizeof(*e->lib.gzip));
	return e->lib.gzip != NULL && deflateInit2(e->lib.gzip,
	    e->plan->level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
	    Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool
gzip_feed(struct encoder *e, const struct feed *f)
{
	z_stream	*z = e->lib.gzip;
	int		 rc;

	z->next_in = (Bytef *)(uintptr_t)f->p;
	z->avail_in = (uInt)f->n;
	z->next_out = (Bytef *)e->out->p + e->out->len;
	z->avail_out = (uInt)(e->out->size - e->out->len);
	rc = deflate(z, f->end ? Z_FINISH : Z_NO_FLUSH);
	e->out->len = e->out->size - z->avail_out;
	return f->end ? rc == Z_STREAM_END :
	    rc == Z_OK && z->avail_in == 0 && z->avail_out > 0;
}

static void
gzip_close(struct encoder *e)
{
	if (e->lib.gzip != NULL)
		deflateEnd(e->lib.gzip);
	free(e->lib.gzip);
}

static const struct library {
	bool	(*open)(struct encoder *);
	bool	(*feed)(struct encoder *, const struct feed *);
	void	(*close)(struct encoder *);
} libraries[ENC__MAX] = {
	[ENC_ZSTD] = { zstd_open, zstd_feed, zstd_close },
	[ENC_BR] = { br_open, br_feed, br_close },
	[ENC_GZIP] = { gzip_open, gzip_feed, gzip_close },
};

static const struct plan *
plan_find(enum encoding encoding, enum effort effort, size_t len)
{
	size_t	i;

	for (i = 0; i < nitems(plans); i++)
		if (plans[i].encoding == encoding &&
		    plans[i].effort == effort && len <= plans[i].up_to)
			return &plans[i];
	return NULL;
}

struct encoder *
encoder_new(enum encoding encoding, enum effort effort, struct budget *budget,
    size_t len, size_t room)
{
	struct encoder	*e;

	/* zlib counts in unsigned int. */
	if (len > UINT32_MAX / 2 || room > UINT32_MAX / 2 ||
	    (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->plan = plan_find(encoding, effort, len);
	e->left = len;
	if ((e->out = blob_new(budget, room)) == NULL ||
	    !libraries[encoding].open(e)) {
		encoder_free(e);
		return NULL;
	}
	return e;
}

size_t
encoder_piece(const struct encoder *e)
{
	return e->left < e->plan->piece ? e->left : e->plan->piece;
}

enum encoder_result
encoder_step(struct encoder *e, const char *p, size_t n)
{
	struct feed	f = { p, n, e->plan->flush, n == e->left };

	e->left -= n;
	if (!libraries[e->plan->encoding].feed(e, &f))
		return ENCODER_FAILED;
	return e->left == 0 ? ENCODER_DONE : ENCODER_MORE;
}

struct blob *
encoder_take(struct encoder *e)
{
	struct blob	*b = blob_fit(e->out);

	e->out = NULL;
	return b;
}

void
encoder_free(struct encoder *e)
{
	libraries[e->plan->encoding].close(e);
	blob_drop(e->out);
	free(e);
}
