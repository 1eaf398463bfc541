#include "common/conn.h"
#include "common/l4.h"
#include "buf.h"
#include "record.h"
#include "session.h"

#define PIPE_MOST	(64u << 20)	/* no pipe holds more */

static void
leg_write(struct wr *w, const struct record_leg *l)
{
	wr_u64(w, l->moved);
	wr_u32(w, l->stuck_at);
	wr_u16(w, l->flags);
	wr_u8(w, l->held);
	wr_u32(w, l->len);
}

void
record_write(struct wr *w, const struct record *c)
{
	wr_u8(w, RECORD_VERSION);
	wr_u64(w, c->id);
	wr_u64(w, c->accepted);
	wr_u64(w, c->active);
	wr_u64(w, c->member);
	conn_addr_write(w, &c->peer);
	conn_addr_write(w, &c->local);
	wr_u32(w, c->keepalive);
	wr_u8(w, c->proto);
	wr_u8(w, c->flags);
	leg_write(w, &c->leg[CLIENT]);
	leg_write(w, &c->leg[UPSTREAM]);
	wr_str(w, c->listen);
	wr_str(w, c->reason);
	wr_str(w, c->sni);
	wr_str(w, c->alpn);
}

static bool
leg_valid(const struct record_leg *l)
{
	static const uint32_t	most[HELD__MAX] = {
		[HELD_NONE] = 0, [HELD_BUF] = BUF_MAX,
		[HELD_PIPE] = PIPE_MOST,
	};

	if (l->held >= HELD__MAX || l->len > most[l->held] ||
	    (l->held != HELD_NONE && l->len == 0))
		return false;
	if (l->flags & ~RECORD_LEG_FLAGS)
		return false;
	/* Its end was passed on: after all bytes. */
	return (l->flags & LEG_DONE) == 0 ||
	    (l->flags & LEG_EOF && l->held == HELD_NONE);
}

static void
leg_read(struct rd *r, struct record_leg *l)
{
	l->moved = rd_u64(r);
	l->stuck_at = rd_u32(r);
	l->flags = rd_u16(r);
	l->held = rd_u8(r);
	l->len = rd_u32(r);
}

static bool
record_valid(const struct record *c)
{
	/* With both ends passed on it would be over.  Only towards the client
	 * is all that is held payload. */
	return c->proto < PROTO__MAX && (c->flags & ~RECORD_FLAGS) == 0 &&
	    leg_valid(&c->leg[CLIENT]) && leg_valid(&c->leg[UPSTREAM]) &&
	    c->leg[UPSTREAM].len <= c->leg[UPSTREAM].moved &&
	    (c->leg[CLIENT].flags & c->leg[UPSTREAM].flags & LEG_DONE) == 0;
}

bool
record_read(struct rd *r, struct record *c)
{
	if (rd_u8(r) != RECORD_VERSION)
		return false;
	c->id = rd_u64(r);
	c->accepted = rd_u64(r);
	c->active = rd_u64(r);
	c->member = rd_u64(r);
	conn_addr_read(r, &c->peer);
	conn_addr_read(r, &c->local);
	c->keepalive = rd_u32(r);
	c->proto = rd_u8(r);
	c->flags = rd_u8(r);
	leg_read(r, &c->leg[CLIENT]);
	leg_read(r, &c->leg[UPSTREAM]);
	rd_str(r, c->listen, sizeof(c->listen));
	rd_str(r, c->reason, sizeof(c->reason));
	rd_str(r, c->sni, sizeof(c->sni));
	rd_str(r, c->alpn, sizeof(c->alpn));
	return rd_done(r) && record_valid(c);
}

unsigned int
record_nfds(const struct record *c)
{
	return 2 + (c->leg[CLIENT].held == HELD_NONE ? 0 : 2) +
	    (c->leg[UPSTREAM].held == HELD_NONE ? 0 : 2);
}
