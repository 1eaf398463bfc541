#ifndef L4_TEST_DECODE_H
#define L4_TEST_DECODE_H

#include <brotli/decode.h>
#include <check.h>
#include <zlib.h>
#include <zstd.h>

#include "common/conf.h"

/*
 * What the libraries make of encoded bytes: all of p, to dst, which has room
 * for size.  Returns the length.
 */
static inline size_t
decode_gzip(const char *p, size_t n, char *dst, size_t size)
{
	z_stream	z = { .next_in = (Bytef *)(uintptr_t)p,
		.avail_in = (uInt)n, .next_out = (Bytef *)dst,
		.avail_out = (uInt)size };

	ck_assert_int_eq(inflateInit2(&z, 31), Z_OK);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(z.avail_in, 0);
	inflateEnd(&z);
	return size - z.avail_out;
}

static inline size_t
decode_br(const char *p, size_t n, char *dst, size_t size)
{
	ck_assert_int_eq(BrotliDecoderDecompress(n, (const uint8_t *)p, &size,
	    (uint8_t *)dst), BROTLI_DECODER_RESULT_SUCCESS);
	return size;
}

static inline size_t
decode_zstd(const char *p, size_t n, char *dst, size_t size)
{
	size_t	len = ZSTD_decompress(dst, size, p, n);

	ck_assert(!ZSTD_isError(len));
	return len;
}

static inline size_t
decode(enum encoding e, const char *p, size_t n, char *dst, size_t size)
{
	static size_t	(*const with[ENC__MAX])(const char *, size_t, char *,
	    size_t) = {
		[ENC_ZSTD] = decode_zstd,
		[ENC_BR] = decode_br,
		[ENC_GZIP] = decode_gzip,
	};

	return with[e](p, n, dst, size);
}

#endif
