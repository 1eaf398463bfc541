#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "common/l4.h"
#include "proxy.h"

/*
 * Keepalive and idle time of sessions.  No event touches a timer: activity
 * leaves a stamp, and a timer that fires too early is set again.
 */
#define KEEPALIVE_AFTER		(10 * NSEC_PER_SEC)
#define KEEPALIVE_INTERVAL	30	/* s */
#define KEEPALIVE_PROBES	5
#define HALF_CLOSED_IDLE	(3600 * NSEC_PER_SEC)

static void
leg_keepalive(const struct leg *l, int seconds)
{
	const int	on = seconds > 0;
	const struct {
		int	level, name, value;
	} opt[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, on },
		{ IPPROTO_TCP, TCP_KEEPIDLE, seconds },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
	};
	size_t		i;

	/* UNIX sockets take only the first; no harm done. */
	for (i = 0; i < (on ? nitems(opt) : 1); i++)
		(void)setsockopt(l->io.fd, opt[i].level, opt[i].name,
		    &opt[i].value, sizeof(opt[i].value));
}

/*
 * Eight system calls that a session which is over by then never needs; it
 * would take longer than that until the first probe anyway.
 */
static uint64_t
keepalive_due(const struct session *s)
{
	uint64_t	half = sec_to_ns(s->proxy->up->keepalive) / 2;

	return s->accepted +
	    (half > 0 && half < KEEPALIVE_AFTER ? half : KEEPALIVE_AFTER);
}

static void
session_keepalive(struct session *s)
{
	double	sec = s->proxy->up->keepalive;
	int	n = sec <= 0 ? 0 : sec < 1 ? 1 : sec > 32767 ? 32767 :
	    (int)sec;

	leg_keepalive(&s->leg[CLIENT], n);
	leg_keepalive(&s->leg[UPSTREAM], n);
	s->flags |= SESSION_KEEPALIVE;
}

uint32_t
relay_keepalive_ms(const struct proxy *p)
{
	double	ms = p->up->keepalive * 1000;

	return ms >= UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* ns that the session has been idle, or one of its peers not reading. */
static uint64_t
session_idle(const struct session *s, uint64_t now)
{
	uint64_t	idle = now - s->active, stuck;
	unsigned int	i;

	for (i = 0; i < nitems(s->leg); i++) {
		if (s->leg[i].held == NULL)
			continue;
		stuck = (uint32_t)(session_ms(now) - s->leg[i].stuck_at) *
		    NSEC_PER_MSEC;
		if (stuck > idle)
			idle = stuck;
	}
	return idle;
}

/* ns it may be; 0 = for ever.  One that is half closed may not be for ever. */
static uint64_t
session_idle_limit(const struct session *s)
{
	uint64_t	limit = sec_to_ns(s->proxy->up->idle_timeout);

	if ((s->leg[CLIENT].flags | s->leg[UPSTREAM].flags) & LEG_DONE &&
	    (limit == 0 || limit > HALF_CLOSED_IDLE))
		return HALF_CLOSED_IDLE;
	return limit;
}

static void
session_idle_out(struct session *s)
{
	bool	stuck = s->leg[CLIENT].held != NULL ||
	    s->leg[UPSTREAM].held != NULL;

	/* What a peer never reads must not stay in the kernel either. */
	session_end(s, "idle", stuck ? SESSION_RST : SESSION_FIN);
}

void
relay_timer(struct session *s)
{
	struct ev	*ev = s->proxy->child.ev;
	uint64_t	 now = ev_now(ev), next = UINT64_MAX;
	uint64_t	 limit = session_idle_limit(s);
	uint64_t	 idle = session_idle(s, now);

	if (limit > 0 && idle >= limit) {
		session_idle_out(s);
		return;
	}
	if ((s->flags & SESSION_KEEPALIVE) == 0) {
		if (now >= keepalive_due(s))
			session_keepalive(s);
		else
			next = keepalive_due(s);
	}
	if (limit > 0 && now + (limit - idle) < next)
		next = now + (limit - idle);
	if (next != UINT64_MAX)
		ev_timer_set(ev, &s->timer, next);
}
