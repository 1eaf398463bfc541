#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include <bsd/string.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "common/pp.h"
#include "worker.h"

/* Every connection that was decided is counted where it went. */
static void
count_decision(const struct worker *w, const struct decision *d)
{
	const struct conf	*conf = w->child.conf;
	size_t			 cell = d->rule;

	if (d->reason == REASON_CHALLENGE)
		return;
	if (d->reason != REASON_ROUTE)
		cell += conf->nroute;
	if (d->reason == REASON_FALLBACK)
		cell += conf->nsite;
	if (cell < w->child.stats.ncells)
		*stats_cell(&w->child.stats, cell) += 1;
}

/* "h2,http/1.1": as many as fit. */
static void
format_alpn(char dst[HELLO_ALPN_MAX + 1], const struct hello *h)
{
	size_t	i, n = 0;

	for (i = 0; i < h->alpnlen; i += 1 + (size_t)h->alpn[i]) {
		if (i > 0 && n + 1 < HELLO_ALPN_MAX)
			dst[n++] = ',';
		n += log_escape(dst + n, HELLO_ALPN_MAX + 1 - n,
		    h->alpn + i + 1, h->alpn[i]);
	}
	dst[n] = '\0';
}

static enum proto
proto_of(const struct facts *f)
{
	enum proto	p;

	for (p = PROTO_UNKNOWN + 1; p < PROTO__MAX; p++)
		if (f->proto_yes & UINT32_C(1) << p)
			return p;
	return PROTO_UNKNOWN;
}

static void
fill_info(struct conn_info *info, const struct arrival *a,
    const struct facts *f, const struct decision *d)
{
	info->id = a->id;
	info->accepted = a->accepted;
	info->peer = a->peer;
	info->local = a->local;
	info->target = d->target;
	info->rule = d->rule;
	info->listener = a->listener;
	info->reason = d->reason;
	info->proto = proto_of(f);
	info->log = d->log;
	info->same_host = a->same_host;
	info->inner = false;
	info->sni[0] = info->alpn[0] = '\0';
	if (f->hello == FACT_KNOWN) {
		strlcpy(info->sni, f->tls.sni, sizeof(info->sni));
		format_alpn(info->alpn, &f->tls);
	} else if (f->http == FACT_KNOWN)
		strlcpy(info->sni, f->host, sizeof(info->sni));
}

/* Out of the loop, and as new: the descriptor will be another process's. */
static void
hand_over(struct arrival *a, const struct conn_info *info)
{
	int	one = 1;

	ev_del(a->w->child.ev, &a->io);
	if (a->lowat != 1)
		setsockopt(a->io.fd, SOL_SOCKET, SO_RCVLOWAT, &one,
		    sizeof(one));
	handover_add(a->w, info, a->io.fd);
}

static void
carry_out(struct arrival *a, const struct facts *f, const struct decision *d)
{
	struct worker		*w = a->w;
	struct conn_info	 info;

	count_decision(w, d);
	fill_info(&info, a, f, d);
	if (d->target.kind != TARGET_CLOSE && d->target.kind != TARGET_RESET) {
		hand_over(a, &info);
		return;
	}
	ev_forget(w->child.ev, &a->io);
	if (a->counted)
		addrlimit_leave(w->child.addrs, &a->peer);
	end_connection(w, a->io.fd, &info,
	    d->target.kind == TARGET_RESET ? END_RESET : END_CLOSE, NULL);
}

static enum step
fall_back(struct arrival *a, const struct facts *f, enum fallback why)
{
	struct decision	d;

	route_fallback(a->w->child.conf, why, &d);
	carry_out(a, f, &d);
	return STEP_DONE;
}

static enum step
wait_for(struct arrival *a, size_t need)
{
	a->need = need;
	return STEP_WAIT;
}

/* The address is known now: may it have another connection? */
static bool
admit(struct arrival *a)
{
	struct addrlimit	*l = a->w->child.addrs;
	enum addrlimit_verdict	 v;

	if (l == NULL || a->counted)
		return true;
	v = addrlimit_enter(l, &a->peer, ev_now(a->w->child.ev));
	a->counted = v == ADDRLIMIT_OK;
	if (a->counted)
		return true;
	stats_add(&a->w->child.stats, STAT_LIMITED, 1);
	end_arrival(a, END_RESET, addrlimit_reason(v));
	return false;
}

static bool
decided(struct arrival *a, const struct facts *f)
{
	struct decision	d;

	if (route_decide(a->w->routes, f, &d) != ROUTE_TAKE)
		return false;
	carry_out(a, f, &d);
	return true;
}

static void
answer_challenge(struct arrival *a, const struct facts *f)
{
	const struct decision	d = { .target = { TARGET_CHALLENGE, 0 },
		.reason = REASON_CHALLENGE, .log = true };

	carry_out(a, f, &d);
}

/* Before any rule; *wait is set where it may still turn out to be one. */
static bool
challenged(struct arrival *a, const struct facts *f, const uint8_t *p,
    size_t len, bool final, size_t *wait)
{
	switch (challenge_look(a->w, f, p, len, final, wait)) {
	case CHALLENGE_IS:
		answer_challenge(a, f);
		return true;
	case CHALLENGE_MAY_BE:
		a->held = true;
		break;
	case CHALLENGE_IS_NOT:
		a->held = false;
		break;
	}
	return false;
}

static enum step
decide(struct arrival *a, const uint8_t *p, size_t len, bool final)
{
	size_t		max = a->w->child.conf->limits.hello_bytes, wait = 0;
	struct facts	f = { .listener = a->listener, .peer = a->peer,
		.local = a->local };

	if (!admit(a))
		return STEP_DONE;
	if (len > max)
		len = max;
	facts_learn(&f, p, len, false);
	if (challenged(a, &f, p, len, final, &wait))
		return STEP_DONE;
	if (a->held)
		return wait_for(a, wait);
	if (decided(a, &f))
		return STEP_DONE;
	/* Too large is what it says itself, whether or not it goes on. */
	if (f.need > max)
		return fall_back(a, &f, FALLBACK_OVERSIZED);
	if (!final)
		return wait_for(a, f.need);
	if (len > 0) {
		facts_learn(&f, p, len, true);
		if (decided(a, &f))
			return STEP_DONE;
	}
	return fall_back(a, &f, FALLBACK_SILENT);
}

static enum step
header_bad(struct arrival *a)
{
	stats_add(&a->w->child.stats, STAT_PROXY_BAD, 1);
	end_arrival(a, END_CLOSE, "proxy");
	return STEP_DONE;
}

/* Exactly its bytes, and no others, are read from the socket. */
static bool
header_consume(struct arrival *a, size_t len, const struct addr *src,
    const struct addr *dst)
{
	ssize_t	n;

	n = recv(a->io.fd, a->w->peek, len, MSG_DONTWAIT);
	if (n != (ssize_t)len)
		return false;
	stats_add(&a->w->child.stats, STAT_PROXY_HEADERS, 1);
	a->wants_header = false;
	if (src->family == ADDR_NONE)
		return true;
	a->peer = *src;
	a->local = *dst;
	return true;
}

static enum step
take_header(struct arrival *a, size_t len, bool final)
{
	const uint8_t	*p = a->w->peek;
	struct addr	 src, dst;
	size_t		 hdrlen = 0, need = 0;

	switch (pp_parse(p, len, &src, &dst, &hdrlen, &need)) {
	case VERDICT_NEED_MORE:
		if (final)
			break;
		return wait_for(a, need);
	case VERDICT_MATCH:
		if (!header_consume(a, hdrlen, &src, &dst))
			break;
		return decide(a, p + hdrlen, len - hdrlen, final);
	case VERDICT_NO_MATCH:
	case VERDICT_MALFORMED:
		break;
	}
	return header_bad(a);
}

enum step
classify(struct arrival *a, bool final)
{
	struct worker	*w = a->w;
	size_t		 max = w->child.conf->limits.hello_bytes;
	ssize_t		 n;

	if (a->wants_header)
		max += PP_V2_IN_MAX;
	n = recv(a->io.fd, w->peek, max, MSG_PEEK | MSG_DONTWAIT);
	if (n == -1 && errno != EAGAIN) {
		end_arrival(a, END_LOST, NULL);
		return STEP_DONE;
	}
	if (n == 0)
		final = true;
	else if (n == -1)
		n = 0;
	if (a->wants_header)
		return take_header(a, (size_t)n, final);
	return decide(a, w->peek, (size_t)n, final);
}

void
classify_expired(struct arrival *a)
{
	struct facts	f = { .listener = a->listener };

	if (a->wants_header)
		header_bad(a);
	else if (a->held)
		classify(a, true);
	else
		fall_back(a, &f, FALLBACK_SILENT);
}
