#ifndef L4_BYTES_H
#define L4_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hello.h"

/*
 * Network order, and the beginning of what a client sent: shared by the
 * parsers of foreign protocols.
 */
static inline uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static inline void
put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* token, RFC 9110 5.6.2: methods, field names */
static inline bool
is_tchar(uint8_t c)
{
	return c > ' ' && c < 0x7f &&
	    strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

/* The verdict can change with n bytes, not before. */
static inline enum verdict
need_more(size_t *need, size_t n)
{
	*need = n;
	return VERDICT_NEED_MORE;
}

/*
 * Does p begin with the n bytes at lit?  Any next byte may say no, so *need is
 * always one more than there are; `at` is where p begins in the connection.
 */
static inline enum verdict
begins_with(const uint8_t *p, size_t len, const void *lit, size_t n,
    size_t at, size_t *need)
{
	if (len > 0 && memcmp(p, lit, len < n ? len : n) != 0)
		return VERDICT_NO_MATCH;
	if (len < n)
		return need_more(need, at + len + 1);
	return VERDICT_MATCH;
}

#endif
