#include <string.h>

#include "ipc.h"
#include "l4.h"
#include "sign.h"

#define RANDOMS		64	/* client and server random; also the padding
				   of TLS 1.3 */

_Static_assert(SIGN_PACKET_MAX <= IPC_DATA_MAX, "requests fit a packet");
_Static_assert(SIGNED_PACKET_MAX <= IPC_DATA_MAX, "answers fit a packet");

void
sign_request_write(struct wr *w, const struct sign_request *q)
{
	wr_u32(w, q->id);
	wr_u32(w, q->key);
	wr_u16(w, q->scheme);
	wr_blob(w, q->tbs, q->len);
}

bool
sign_request_read(struct rd *r, struct sign_request *q)
{
	q->id = rd_u32(r);
	q->key = rd_u32(r);
	q->scheme = rd_u16(r);
	q->tbs = rd_blob(r, &q->len);
	return !r->bad;
}

void
sign_answer_write(struct wr *w, const struct sign_answer *a)
{
	wr_u32(w, a->id);
	wr_u8(w, (uint8_t)a->status);
	wr_blob(w, a->sig, a->len);
}

bool
sign_answer_read(struct rd *r, struct sign_answer *a)
{
	uint8_t	status;

	a->id = rd_u32(r);
	status = rd_u8(r);
	a->sig = rd_blob(r, &a->len);
	if (r->bad || status >= SIGN__MAX ||
	    (status == SIGN_OK) != (a->len > 0))
		return false;
	a->status = status;
	return true;
}

/* 64 spaces, the context with its NUL, a hash of the suite's length. */
static const char context13[] = "TLS 1.3, server CertificateVerify";

_Static_assert(SIGN_TBS13_MIN == RANDOMS + sizeof(context13) + 32, "");

static bool
is_tls13(const uint8_t *p, size_t len)
{
	size_t	i;

	if (len != SIGN_TBS13_MIN && len != SIGN_TBS13_MIN + 16)
		return false;
	for (i = 0; i < RANDOMS; i++)
		if (p[i] != ' ')
			return false;
	return memcmp(p + RANDOMS, context13, sizeof(context13)) == 0;
}

/* The randoms, named_curve (3), the group, one point of exactly its size. */
static bool
is_tls12(const uint8_t *p, size_t len)
{
	static const struct {
		unsigned int	group;
		size_t		len;
		bool		uncompressed;	/* begins with 4 */
	} points[] = {
		{ 23, 65, true }, { 24, 97, true }, { 25, 133, true },
		{ 29, 32, false }, { 30, 56, false },
	};
	unsigned int	group;
	size_t		i;

	if (len <= RANDOMS + 4 || p[RANDOMS] != 3)
		return false;
	group = (unsigned int)p[RANDOMS + 1] << 8 | p[RANDOMS + 2];
	for (i = 0; i < nitems(points); i++)
		if (points[i].group == group)
			return p[RANDOMS + 3] == points[i].len &&
			    len == RANDOMS + 4 + points[i].len &&
			    (!points[i].uncompressed || p[RANDOMS + 4] == 4);
	return false;
}

/* The byte after the first 64 is 'T' in one and 3 in the other. */
enum sign_shape
sign_shape(const uint8_t *tbs, size_t len)
{
	if (is_tls13(tbs, len))
		return SIGN_SHAPE_TLS13;
	return is_tls12(tbs, len) ? SIGN_SHAPE_TLS12 : SIGN_SHAPE_NONE;
}

void
sign_fill_tls13(uint8_t tbs[SIGN_TBS13_MIN])
{
	memset(tbs, ' ', SIGN_TBS13_MIN);
	memcpy(tbs + RANDOMS, context13, sizeof(context13));
}
