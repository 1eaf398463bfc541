#include <string.h>

#include "common/bytes.h"
#include "h2_limit.h"

#define HEAD		9	/* of a frame */
#define TYPE_PRIORITY	2
#define PRIORITY_LEN	5
#define STREAM_BITS	0x7fffffffu

static void
leak(struct h2_limit *l, uint64_t now, uint32_t max, uint64_t period)
{
	uint64_t	step = period / max;
	uint64_t	n = now > l->at ? (now - l->at) / step : 0;

	if (n >= l->level) {
		l->level = 0;
		l->at = now;
	} else {
		l->level -= (uint32_t)n;
		l->at += n * step;
	}
}

bool
h2_limit_take(struct h2_limit *l, uint64_t now, uint32_t max,
    uint64_t period)
{
	leak(l, now, max, period);
	if (l->level >= max)
		return false;
	l->level++;
	return true;
}

void
h2_limit_give(struct h2_limit *l, uint32_t n)
{
	l->level -= n < l->level ? n : l->level;
}

/* Where buf is as full as it gets for this frame. */
static bool
scan_frame(struct h2_scan *s, struct h2_seen *f)
{
	bool	more;

	if (s->have < HEAD)
		return false;
	f->len = be32(s->buf) >> 8;
	f->type = s->buf[3];
	f->stream = (int32_t)(be32(s->buf + 5) & STREAM_BITS);
	f->depends = -1;
	more = f->type == TYPE_PRIORITY && f->len == PRIORITY_LEN;
	if (more && s->have < sizeof(s->buf))
		return false;
	if (more)
		f->depends = (int32_t)(be32(s->buf + HEAD) & STREAM_BITS);
	s->left = f->len - (uint32_t)(s->have - HEAD);
	s->have = 0;
	return true;
}

bool
h2_scan_next(struct h2_scan *s, const uint8_t **p, size_t *n,
    struct h2_seen *f)
{
	size_t	pass, want;

	do {
		pass = *n < s->left ? *n : s->left;
		s->left -= (uint32_t)pass;
		*p += pass;
		*n -= pass;
		want = (s->have < HEAD ? HEAD : sizeof(s->buf)) - s->have;
		if (want > *n)
			want = *n;
		memcpy(s->buf + s->have, *p, want);
		s->have += (uint8_t)want;
		*p += want;
		*n -= want;
		if (scan_frame(s, f))
			return true;
	} while (*n > 0);
	return false;
}
