#include "http1.h"

#define CHUNK_DIGITS_MAX	15	/* 2^60: more than any body */
#define CHUNK_OVERHEAD_MAX	4096	/* extensions, trailer */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* In the line with the size: digits, then an extension that is skipped. */
static enum chunk_state
size_byte(struct chunked *c, char b)
{
	int	v = hex(b);

	if (b == '\r')
		return c->digits > 0 ? CHUNK_SIZE_LF : CHUNK_BAD;
	if (c->ext)
		return b == '\t' || (unsigned char)b >= ' ' ? CHUNK_SIZE :
		    CHUNK_BAD;
	if (v == -1) {
		c->ext = true;
		return b == ';' && c->digits > 0 ? CHUNK_SIZE : CHUNK_BAD;
	}
	if (++c->digits > CHUNK_DIGITS_MAX)
		return CHUNK_BAD;
	c->left = c->left << 4 | (uint64_t)v;
	return CHUNK_SIZE;
}

static enum chunk_state
after_size(struct chunked *c, char b)
{
	if (b != '\n')
		return CHUNK_BAD;
	c->digits = 0;
	c->ext = false;
	return c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
}

static enum chunk_state
trailer_byte(const struct chunked *c, char b)
{
	if (b == '\r')
		return c->state == CHUNK_TRAILER ? CHUNK_END_LF :
		    CHUNK_TRAILER_LF;
	if (b != '\t' && (unsigned char)b < ' ')
		return CHUNK_BAD;
	return CHUNK_TRAILER_LINE;
}

static enum chunk_state
step(struct chunked *c, char b)
{
	switch (c->state) {
	case CHUNK_SIZE:
		return size_byte(c, b);
	case CHUNK_SIZE_LF:
		return after_size(c, b);
	case CHUNK_DATA_CR:
		return b == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
	case CHUNK_DATA_LF:
		return b == '\n' ? CHUNK_SIZE : CHUNK_BAD;
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_LINE:
		return trailer_byte(c, b);
	case CHUNK_TRAILER_LF:
		return b == '\n' ? CHUNK_TRAILER : CHUNK_BAD;
	case CHUNK_END_LF:
		return b == '\n' ? CHUNK_DONE : CHUNK_BAD;
	default:
		return CHUNK_BAD;
	}
}

size_t
chunked_next(struct chunked *c, const char *p, size_t len, struct str *data)
{
	size_t	i;

	*data = (struct str){ p, 0 };
	for (i = 0; i < len && c->state < CHUNK_DONE; i++) {
		if (c->state == CHUNK_DATA) {
			data->p = p + i;
			data->n = len - i < c->left ? len - i :
			    (size_t)c->left;
			c->left -= data->n;
			c->overhead = 0;
			if (c->left == 0)
				c->state = CHUNK_DATA_CR;
			return i + data->n;
		}
		c->state = step(c, p[i]);
		if (++c->overhead > CHUNK_OVERHEAD_MAX)
			c->state = CHUNK_BAD;
	}
	return i;
}
