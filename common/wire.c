#include <string.h>

#include "wire.h"

void
wr_init(struct wr *w, void *buf, size_t cap)
{
	w->buf = buf;
	w->len = 0;
	w->cap = cap;
	w->bad = false;
}

/* Room for n bytes, or NULL and the error sticks. */
static uint8_t *
wr_room(struct wr *w, size_t n)
{
	uint8_t	*p;

	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	p = w->buf + w->len;
	w->len += n;
	return p;
}

static void
wr_uint(struct wr *w, uint64_t v, size_t n)
{
	uint8_t	*p = wr_room(w, n);
	size_t	 i;

	for (i = 0; p != NULL && i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void
wr_u8(struct wr *w, uint8_t v)
{
	wr_uint(w, v, 1);
}

void
wr_u16(struct wr *w, uint16_t v)
{
	wr_uint(w, v, 2);
}

void
wr_u32(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 4);
}

void
wr_u64(struct wr *w, uint64_t v)
{
	wr_uint(w, v, 8);
}

void
wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t	*p = wr_room(w, n);

	if (p != NULL && n > 0)
		memcpy(p, src, n);
}

void
wr_blob(struct wr *w, const void *src, size_t n)
{
	if (n > UINT16_MAX) {
		w->bad = true;
		return;
	}
	wr_u16(w, (uint16_t)n);
	wr_bytes(w, src, n);
}

void
wr_str(struct wr *w, const char *s)
{
	wr_blob(w, s, strlen(s));
}

void
rd_init(struct rd *r, const void *buf, size_t len)
{
	r->p = buf;
	r->left = len;
	r->bad = false;
}

const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
	const uint8_t	*p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint64_t
rd_uint(struct rd *r, size_t n)
{
	const uint8_t	*p = rd_bytes(r, n);
	uint64_t	 v = 0;

	while (p != NULL && n > 0)
		v = v << 8 | p[--n];
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)rd_uint(r, 1);
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)rd_uint(r, 2);
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)rd_uint(r, 4);
}

uint64_t
rd_u64(struct rd *r)
{
	return rd_uint(r, 8);
}

const uint8_t *
rd_blob(struct rd *r, size_t *len)
{
	const uint8_t	*p;

	*len = rd_u16(r);
	p = rd_bytes(r, *len);
	if (p == NULL)
		*len = 0;
	return p;
}

void
rd_str(struct rd *r, char *dst, size_t dstsize)
{
	const uint8_t	*p;
	size_t		 len;

	p = rd_blob(r, &len);
	if (p == NULL || len >= dstsize || memchr(p, '\0', len) != NULL) {
		r->bad = true;
		len = 0;
	} else if (len > 0)
		memcpy(dst, p, len);
	if (dstsize > 0)
		dst[len] = '\0';
}

bool
rd_done(const struct rd *r)
{
	return !r->bad && r->left == 0;
}
