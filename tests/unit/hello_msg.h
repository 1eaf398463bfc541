#ifndef L4_TEST_HELLO_MSG_H
#define L4_TEST_HELLO_MSG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HELLO_MSG_MAX	(4 + 131396)	/* all vectors at their largest */
#define HELLO_LENS_MAX	32

/* The message while it is made, and where its lengths are. */
struct hello_msg {
	uint8_t		 b[HELLO_MSG_MAX];
	size_t		 len;
	struct { size_t off, width; } lens[HELLO_LENS_MAX];
	size_t		 nlens;
};

static inline void
hm_int(struct hello_msg *m, uint32_t v, size_t width)
{
	while (width-- > 0)
		m->b[m->len++] = (uint8_t)(v >> (8 * width));
}

static inline void
hm_fill(struct hello_msg *m, uint8_t c, size_t n)
{
	memset(m->b + m->len, c, n);
	m->len += n;
}

static inline void
hm_bytes(struct hello_msg *m, const void *p, size_t n)
{
	memcpy(m->b + m->len, p, n);
	m->len += n;
}

/* Begins a vector with a length of `width` bytes; hm_close() fills it in. */
static inline size_t
hm_open(struct hello_msg *m, size_t width)
{
	if (m->nlens < HELLO_LENS_MAX) {
		m->lens[m->nlens].off = m->len;
		m->lens[m->nlens++].width = width;
	}
	hm_int(m, 0, width);
	return m->len;
}

static inline void
hm_close(struct hello_msg *m, size_t start, size_t width)
{
	size_t	end = m->len, n = end - start;

	m->len = start - width;
	hm_int(m, (uint32_t)n, width);
	m->len = end;
}

static inline void
hm_ext_fill(struct hello_msg *m, uint16_t type, uint8_t c, size_t n)
{
	hm_int(m, type, 2);
	hm_int(m, (uint32_t)n, 2);
	hm_fill(m, c, n);
}

static inline void
hm_ext_sni(struct hello_msg *m, const char *name, size_t len)
{
	size_t	ext, list, host;

	hm_int(m, 0, 2);
	ext = hm_open(m, 2);
	list = hm_open(m, 2);
	hm_int(m, 0, 1);
	host = hm_open(m, 2);
	hm_bytes(m, name, len);
	hm_close(m, host, 2);
	hm_close(m, list, 2);
	hm_close(m, ext, 2);
}

static inline void
hm_ext_alpn(struct hello_msg *m, const char *const *alpn)
{
	size_t	ext, list, name;

	hm_int(m, 16, 2);
	ext = hm_open(m, 2);
	list = hm_open(m, 2);
	for (; *alpn != NULL; alpn++) {
		name = hm_open(m, 1);
		hm_bytes(m, *alpn, strlen(*alpn));
		hm_close(m, name, 1);
	}
	hm_close(m, list, 2);
	hm_close(m, ext, 2);
}

#endif
