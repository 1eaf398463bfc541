#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "l4.h"

#define INFO_LOG	0x01
#define INFO_SAME_HOST	0x02
#define INFO_INNER	0x04

void
conn_addr_write(struct wr *w, const struct addr *a)
{
	wr_u8(w, a->family);
	if (a->family == ADDR_NONE)
		return;
	wr_u16(w, a->port);
	wr_bytes(w, a->ip, a->family == ADDR_V4 ? 4 : 16);
}

void
conn_addr_read(struct rd *r, struct addr *a)
{
	const uint8_t	*p;
	size_t		 n;

	memset(a, 0, sizeof(*a));
	a->family = rd_u8(r);
	if (a->family == ADDR_NONE)
		return;
	n = a->family == ADDR_V4 ? 4 : 16;
	if (a->family != ADDR_V4 && a->family != ADDR_V6)
		r->bad = true;
	a->port = rd_u16(r);
	if ((p = rd_bytes(r, n)) != NULL)
		memcpy(a->ip, p, n);
}

void
conn_write(struct wr *w, const struct conn_info *c)
{
	wr_u64(w, c->id);
	wr_u64(w, c->accepted);
	conn_addr_write(w, &c->peer);
	conn_addr_write(w, &c->local);
	wr_u8(w, (uint8_t)c->target.kind);
	wr_u32(w, c->target.index);
	wr_u8(w, (uint8_t)c->reason);
	wr_u32(w, c->rule);
	wr_u16(w, c->listener);
	wr_u8(w, (uint8_t)c->proto);
	wr_u8(w, (uint8_t)((c->log ? INFO_LOG : 0) |
	    (c->same_host ? INFO_SAME_HOST : 0) |
	    (c->inner ? INFO_INNER : 0)));
	wr_str(w, c->sni);
	wr_str(w, c->alpn);
}

static bool
target_valid(const struct conf *conf, struct conf_target t)
{
	return (t.kind == TARGET_CHALLENGE && conf->acme.on) ||
	    (t.kind == TARGET_SITE && t.index < conf->nsite) ||
	    (t.kind == TARGET_UPSTREAM && t.index < conf->nupstream);
}

static bool
rule_valid(const struct conf *conf, const struct conn_info *c)
{
	switch (c->reason) {
	case REASON_ROUTE:
		return c->rule < conf->nroute;
	case REASON_NAME:
		return c->rule < conf->nsite;
	case REASON_FALLBACK:
		return c->rule < FALLBACK__MAX;
	case REASON_CHALLENGE:
		return c->target.kind == TARGET_CHALLENGE;
	}
	return false;
}

/* Everything but the validity of the target and what led to it. */
static bool
conn_read_fields(struct rd *r, const struct conf *conf, struct conn_info *c)
{
	uint8_t	flags;

	c->id = rd_u64(r);
	c->accepted = rd_u64(r);
	conn_addr_read(r, &c->peer);
	conn_addr_read(r, &c->local);
	c->target.kind = rd_u8(r);
	c->target.index = rd_u32(r);
	c->reason = rd_u8(r);
	c->rule = rd_u32(r);
	c->listener = rd_u16(r);
	c->proto = rd_u8(r);
	flags = rd_u8(r);
	c->log = flags & INFO_LOG;
	c->same_host = flags & INFO_SAME_HOST;
	c->inner = flags & INFO_INNER;
	rd_str(r, c->sni, sizeof(c->sni));
	rd_str(r, c->alpn, sizeof(c->alpn));
	return !r->bad && c->listener < conf->nlistener &&
	    c->proto < PROTO__MAX;
}

uint32_t
conn_pool(const struct conf *conf, const struct conn_info *c)
{
	if (c->target.kind != TARGET_UPSTREAM || (c->proto == PROTO_TLS &&
	    conf->upstream[c->target.index].tls_terminate))
		return POOL_SITES;
	return conn_pool_of(c->target.index);
}

bool
conn_has_sites(const struct conf *conf)
{
	size_t	i;

	for (i = 0; i < conf->nupstream; i++)
		if (conf->upstream[i].tls_terminate)
			return true;
	/* Where nothing else does, challenges go there. */
	return conf->nsite > 0 || conf->acme.on;
}

bool
conn_is_inner(const struct conf *conf, uint32_t upstream)
{
	const struct conf_site	*s;
	size_t			 i;

	for (s = conf->site; s < conf->site + conf->nsite; s++)
		for (i = 0; i < s->nproxy; i++)
			if (s->proxy[i].upstream == upstream)
				return true;
	return conf->upstream[upstream].tls_terminate;
}

bool
conn_read(struct rd *r, const struct conf *conf, struct conn_info *c)
{
	return conn_read_fields(r, conf, c) && target_valid(conf, c->target) &&
	    rule_valid(conf, c);
}

const char *
conn_state_name(enum conn_state s)
{
	static const char *const names[CONN_STATE__MAX] = {
		[CONN_UNDECIDED] = "undecided",
		[CONN_CONNECTING] = "connecting", [CONN_RELAY] = "relay",
		[CONN_HANDSHAKE] = "handshake", [CONN_HTTP] = "http",
		[CONN_CLOSING] = "closing",
	};

	return names[s];
}

_Static_assert(sizeof(struct conn_row) + 16 <= CONN_ROW_MAX,
    "the names may not fit in a row");

void
conn_row_write(struct wr *w, const struct conn_row *row)
{
	wr_u8(w, (uint8_t)row->state);
	wr_u64(w, row->in);
	wr_u64(w, row->out);
	conn_write(w, &row->info);
	wr_str(w, row->listen);
	wr_str(w, row->why);
}

bool
conn_row_read(struct rd *r, const struct conf *conf, struct conn_row *row)
{
	row->state = rd_u8(r);
	row->in = rd_u64(r);
	row->out = rd_u64(r);
	if (!conn_read_fields(r, conf, &row->info))
		return false;
	rd_str(r, row->listen, sizeof(row->listen));
	rd_str(r, row->why, sizeof(row->why));
	if (r->bad || row->state >= CONN_STATE__MAX)
		return false;
	return row->state == CONN_UNDECIDED ||
	    (target_valid(conf, row->info.target) &&
	    (row->why[0] != '\0' || rule_valid(conf, &row->info)));
}

const char *
conn_reason_format(enum conn_reason reason, uint32_t rule, char dst[24])
{
	if (reason == REASON_ROUTE)
		snprintf(dst, 24, "route:%u", rule + 1);
	else if (reason == REASON_NAME)
		snprintf(dst, 24, "name");
	else if (reason == REASON_CHALLENGE)
		snprintf(dst, 24, "challenge");
	else
		snprintf(dst, 24, "fallback:%s", conf_fallback_name(rule));
	return dst;
}

#define CONN_FIELDS	11

/* Those that no rule of the configuration wanted come in floods. */
static void
conn_log_fields(const struct log_field f[CONN_FIELDS], const char *group,
    uint64_t now)
{
	if (group == NULL)
		log_event("conn", f, CONN_FIELDS);
	else
		log_event_limited(group, now, "conn", f, CONN_FIELDS);
}

void
conn_log(const struct conf *conf, const struct conn_info *c,
    const struct conn_end *e, const char *reason)
{
	char	from[ADDR_STRLEN], why[24];
	bool	limited;

	if (!conf->log.connections || !c->log)
		return;
	addr_format(&c->peer, from);
	limited = (reason != NULL && e->listen == NULL) ||
	    c->reason == REASON_FALLBACK ||
	    !target_valid(conf, c->target);
	if (reason == NULL)
		reason = conn_reason_format(c->reason, c->rule, why);
	conn_log_fields((const struct log_field[]){
	    { "id", NULL, c->id },
	    { "from", from, 0 },
	    { "listen", e->listen != NULL ? e->listen :
		conf->listener[c->listener].name, 0 },
	    { "to", conf_target_name(conf, c->target), 0 },
	    { "reason", reason, 0 },
	    { "sni", c->sni[0] == '\0' ? "-" : c->sni, 0 },
	    { "alpn", c->alpn[0] == '\0' ? "-" : c->alpn, 0 },
	    { "in", NULL, e->in },
	    { "out", NULL, e->out },
	    { "ms", NULL, (e->now - c->accepted) / NSEC_PER_MSEC },
	    { "end", e->end, 0 },
	}, limited ? reason : NULL, e->now);
}
