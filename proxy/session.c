#include <sys/socket.h>

#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "proxy.h"

#define SLAB_SESSIONS	63
#define FDS_OTHER	32	/* neither sessions nor pipes */
#define LOOP_WARN	(10 * NSEC_PER_SEC)

struct session_slab {
	struct session_slab	*next;
	struct session		 v[SLAB_SESSIONS];
};

static const uint8_t session_next[SESSION__MAX] = {
	[SESSION_FREE]	= 1u << SESSION_DIAL | 1u << SESSION_RELAY,
	[SESSION_DIAL]	= 1u << SESSION_DIAL | 1u << SESSION_WAIT |
			  1u << SESSION_RELAY | 1u << SESSION_FREE,
	[SESSION_WAIT]	= 1u << SESSION_DIAL | 1u << SESSION_FREE,
	[SESSION_RELAY]	= 1u << SESSION_FREE,
};

void
session_enter(struct session *s, enum session_state state)
{
	if ((session_next[s->state] & 1u << state) == 0)
		fatalx("session: state %d after %d", state, s->state);
	s->state = (uint8_t)state;
}

static void
leg_event(struct session *s, struct leg *l, uint32_t events)
{
	if (s->state == SESSION_RELAY || l == &s->leg[CLIENT])
		relay_event(s, l, events);
	else
		dial_event(s, events);
}

static void
client_event(struct ev_io *io, uint32_t events)
{
	struct session	*s = container_of(io, struct session, leg[CLIENT].io);

	leg_event(s, &s->leg[CLIENT], events);
}

static void
upstream_event(struct ev_io *io, uint32_t events)
{
	struct session	*s = container_of(io, struct session,
	    leg[UPSTREAM].io);

	leg_event(s, &s->leg[UPSTREAM], events);
}

static void
session_timer(struct ev_timer *t)
{
	struct session	*s = container_of(t, struct session, timer);

	if (s->state == SESSION_RELAY)
		relay_timer(s);
	else
		dial_timeout(s);
}

/*
 * Sessions that used up their share go on here, once around, with the events
 * of everybody else in between.
 */
static void
sessions_again(struct ev_timer *t)
{
	struct sessions	*ss = container_of(t, struct sessions, again);
	struct session	*s, *list = ss->ready;

	ss->ready = NULL;
	while ((s = list) != NULL) {
		list = s->next;
		s->flags &= (uint8_t)~SESSION_READY;
		if (s->state == SESSION_FREE) {
			s->next = ss->free;
			ss->free = s;
		} else
			relay_run(s);
	}
}

void
session_queue(struct session *s)
{
	struct sessions	*ss = &s->proxy->sessions;
	struct ev	*ev = s->proxy->child.ev;

	if (s->flags & SESSION_READY)
		return;
	s->flags |= SESSION_READY;
	s->next = ss->ready;
	ss->ready = s;
	/* Due in the next turn: a timer that is due now runs in this one. */
	if (ss->again.pos == 0)
		ev_timer_set(ev, &ss->again, ev_now(ev) + 1);
}

/*
 * Our part of max_connections: the parts of all processes make the whole.
 * At least one, for a process that may keep none would reset what another has
 * room for.
 */
static uint32_t
limit_share(const struct proxy *p)
{
	uint32_t	all = p->up->max_connections, n = p->up->processes;
	uint32_t	mine;

	mine = all / n + ((uint32_t)p->child.instance < all % n ? 1 : 0);
	return all > 0 && mine == 0 ? 1 : mine;
}

void
sessions_init(struct proxy *p, uint64_t nofile)
{
	struct sessions	*ss = &p->sessions;

	ss->nofile = nofile;
	ss->limit = limit_share(p);
	ss->again.cb = sessions_again;
}

bool
sessions_have_room(const struct proxy *p, unsigned int more)
{
	uint64_t	pairs = (uint64_t)p->sessions.live + p->pipes.n +
	    CONN_BATCH + more;

	return pairs * 2 + FDS_OTHER <= p->sessions.nofile;
}

static void
sessions_grow(struct sessions *ss)
{
	struct session_slab	*slab;
	size_t			 i;

	if ((slab = calloc(1, sizeof(*slab))) == NULL)
		return;
	slab->next = ss->slabs;
	ss->slabs = slab;
	for (i = SLAB_SESSIONS; i-- > 0;) {
		slab->v[i].next = ss->free;
		ss->free = &slab->v[i];
	}
}

static struct session *
session_new(struct sessions *ss)
{
	struct session	*s;

	if (ss->free == NULL)
		sessions_grow(ss);
	if ((s = ss->free) == NULL)
		return NULL;
	ss->free = s->next;
	memset(s, 0, sizeof(*s));
	return s;
}

struct session *
sessions_next(const struct sessions *ss, struct session_walk *w)
{
	struct session	*s;

	if (w->slab == NULL) {
		w->slab = ss->slabs;
		w->i = 0;
	}
	while (w->slab != NULL) {
		for (; w->i < SLAB_SESSIONS; w->i++) {
			s = &w->slab->v[w->i];
			if (s->state != SESSION_FREE) {
				w->i++;
				return s;
			}
		}
		w->slab = w->slab->next;
		w->i = 0;
	}
	return NULL;
}

const char *
session_name(const struct session *s, enum session_text which)
{
	const char	*p = s->names;
	unsigned int	 i;

	if (p == NULL)
		return "";
	for (i = 0; i < (unsigned int)which; i++)
		p += strlen(p) + 1;
	return p;
}

bool
session_set_names(struct session *s, const char *const text[], unsigned int n)
{
	size_t		 len = 0;
	unsigned int	 i;
	char		*p;

	for (i = 0; i < n; i++)
		len += strlen(text[i]) + 1;
	if ((p = s->names = malloc(len)) == NULL)
		return false;
	for (i = 0; i < n; i++) {
		len = strlen(text[i]) + 1;
		memcpy(p, text[i], len);
		p += len;
	}
	return true;
}

/* What the log and the list of sessions say of it. */
static void
session_describe(struct session *s, const struct conn_info *c)
{
	const char	*names[] = { c->sni, c->alpn };

	s->id = c->id;
	s->accepted = c->accepted;
	s->local = c->local;
	s->rule = c->rule;
	s->listener = c->listener;
	s->reason = (uint8_t)c->reason;
	s->proto = (uint8_t)c->proto;
	s->flags = (uint8_t)((c->log ? SESSION_LOG : 0) |
	    (c->same_host ? SESSION_SAME_HOST : 0));
	if (c->sni[0] != '\0' || c->alpn[0] != '\0')
		(void)session_set_names(s, names, nitems(names));
}

static void
session_info(const struct session *s, struct conn_info *c)
{
	const struct proxy	*p = s->proxy;

	memset(c, 0, sizeof(*c));
	c->id = s->id;
	c->accepted = s->accepted;
	c->peer = s->peer;
	c->local = s->local;
	c->rule = s->rule;
	c->listener = s->listener;
	c->reason = s->reason;
	c->proto = s->proto;
	c->log = s->flags & SESSION_LOG;
	c->same_host = s->flags & SESSION_SAME_HOST;
	c->target.kind = TARGET_UPSTREAM;
	c->target.index = (uint32_t)(p->up - p->child.conf->upstream);
	strlcpy(c->sni, session_name(s, NAME_SNI), sizeof(c->sni));
	strlcpy(c->alpn, session_name(s, NAME_ALPN), sizeof(c->alpn));
}

static void
session_log(const struct session *s, const struct conn_end *end,
    const char *limit)
{
	struct proxy		*p = s->proxy;
	struct conn_end		 e = *end;
	struct conn_info	 c;

	if ((s->flags & SESSION_LOG) == 0 || !p->child.conf->log.connections)
		return;
	session_info(s, &c);
	if (s->flags & SESSION_FOREIGN) {
		e.listen = session_name(s, NAME_LISTEN);
		limit = session_name(s, NAME_REASON);
	}
	conn_log(p->child.conf, &c, &e, limit);
}

/* A limit ended it before anything was done for it. */
static void
session_refuse(struct session *s, const char *word, const char *limit)
{
	stats_add(&s->proxy->child.stats, STAT_REFUSED, 1);
	session_log(s, &(struct conn_end){ .end = word,
	    .now = ev_now(s->proxy->child.ev) }, limit);
	s->flags &= (uint8_t)~SESSION_LOG;
	session_end(s, word, SESSION_RST);
}

/*
 * An upstream that connects back to us makes a ring that grows until something
 * is exhausted; none of its sessions ever gets an answer.
 */
static bool
loop_suspected(struct proxy *p)
{
	struct sessions	*ss = &p->sessions;
	uint32_t	 max = p->child.conf->limits.loop;
	uint64_t	 now = ev_now(p->child.ev);

	if (max == 0 || ss->unanswered < max)
		return false;
	if (ss->loop_warned == 0 || now - ss->loop_warned >= LOOP_WARN) {
		ss->loop_warned = now;
		log_warnx("upstream %s: %u connections from this host wait "
		    "for an answer: does the upstream connect back to l4mux?",
		    p->up->name, ss->unanswered);
	}
	return true;
}

struct session *
session_make(struct proxy *p, int client, int upstream, bool inner,
    const struct addr *peer)
{
	struct session	*s;

	stats_add(&p->child.stats, STAT_LIVE, 1);
	if (p->child.addrs != NULL && !inner)
		addrlimit_hold(p->child.addrs, peer);
	if ((s = session_new(&p->sessions)) == NULL)
		fatalx("no memory for sessions");
	p->sessions.live++;
	s->proxy = p;
	s->peer = *peer;
	s->timer.cb = session_timer;
	s->leg[CLIENT].io.fd = client;
	s->leg[CLIENT].io.cb = client_event;
	s->leg[UPSTREAM].io.fd = upstream;
	s->leg[UPSTREAM].io.cb = upstream_event;
	return s;
}

void
session_open(struct proxy *p, int fd, const struct conn_info *c)
{
	struct sessions	*ss = &p->sessions;
	struct session	*s;

	stats_add(&p->child.stats, STAT_RECEIVED, 1);
	s = session_make(p, fd, -1, c->inner, &c->peer);
	s->leg[CLIENT].flags = LEG_READABLE | LEG_WRITABLE | LEG_NODELAY;
	/* A UNIX socket may give less than it has. */
	if (c->inner)
		s->leg[CLIENT].flags |= LEG_INNER | LEG_EXACT;
	session_describe(s, c);
	session_enter(s, SESSION_DIAL);
	if (ss->limit > 0 && ss->live > ss->limit) {
		session_refuse(s, "refused", "max_connections");
		return;
	}
	if (s->flags & SESSION_SAME_HOST) {
		if (loop_suspected(p)) {
			session_refuse(s, "loop", "limits.loop");
			return;
		}
		s->flags |= SESSION_UNANSWERED;
		ss->unanswered++;
	}
	dial_start(s);
}

void
session_connected(struct session *s)
{
	struct proxy	*p = s->proxy;
	struct member	*m = &p->members.v[s->member];

	ev_timer_cancel(p->child.ev, &s->timer);
	member_worked(&p->members, m);
	member_session(&p->members, m, true);
	s->flags |= SESSION_CONNECTED;
	stats_add(&p->child.stats, STAT_CONNECTED, 1);
	stats_time(&p->child.stats, TIME_CONNECT,
	    ev_now(p->child.ev) - s->active);
	s->active = ev_now(p->child.ev);
	session_enter(s, SESSION_RELAY);
	relay_start(s);
}

static void
leg_close(struct proxy *p, struct leg *l, enum session_how how)
{
	struct linger	hard = { .l_onoff = 1, .l_linger = 0 };

	if (l->io.fd == -1)
		return;
	if (how == SESSION_RST)
		(void)setsockopt(l->io.fd, SOL_SOCKET, SO_LINGER, &hard,
		    sizeof(hard));
	ev_forget(p->child.ev, &l->io);
	close(l->io.fd);
	l->io.fd = -1;
	if (l->flags & LEG_PIPED)
		pipe_put(&p->pipes, l->pipe);
	else
		buf_release(&p->bufs, l->buf);
}

/* Bytes the client was given, without what waits and the PROXY header, which
 * goes the other way. */
static uint64_t
session_out(const struct session *s)
{
	const struct leg	*l = &s->leg[UPSTREAM];

	return l->moved - (l->flags & LEG_PIPED ? pipe_len(l->pipe) :
	    buf_len(l->buf));
}

/* It is not among the live ones of this process any more. */
static void
session_uncount(struct session *s)
{
	struct proxy	*p = s->proxy;
	struct member	*m = &p->members.v[s->member];

	stats_sub(&p->child.stats, STAT_LIVE, 1);
	if (s->flags & SESSION_ON_MEMBER)
		m->live--;
	if (s->flags & SESSION_CONNECTED)
		member_session(&p->members, m, false);
	if (s->flags & SESSION_UNANSWERED)
		p->sessions.unanswered--;
}

static void
session_account(struct session *s, const char *word)
{
	struct proxy		*p = s->proxy;
	const struct stats	*st = &p->child.stats;
	struct conn_end		 e = { .end = word,
		.in = s->leg[CLIENT].moved, .out = session_out(s),
		.now = ev_now(p->child.ev) };

	stats_add(st, STAT_ENDED, 1);
	stats_add(st, STAT_BYTES_IN, e.in);
	stats_add(st, STAT_BYTES_OUT, e.out);
	session_uncount(s);
	if (p->child.addrs != NULL &&
	    (s->leg[CLIENT].flags & LEG_INNER) == 0)
		addrlimit_leave(p->child.addrs, &s->peer);
	session_log(s, &e, NULL);
}

static void
session_free(struct session *s, enum session_how how)
{
	struct proxy	*p = s->proxy;
	struct sessions	*ss = &p->sessions;

	ev_timer_cancel(p->child.ev, &s->timer);
	leg_close(p, &s->leg[CLIENT], how);
	leg_close(p, &s->leg[UPSTREAM], how);
	free(s->names);
	s->names = NULL;
	session_enter(s, SESSION_FREE);
	/* One in the ready list is freed when its turn comes. */
	if ((s->flags & SESSION_READY) == 0) {
		s->next = ss->free;
		ss->free = s;
	}
	ss->live--;
	if (p->inbox.paused)
		inbox_resume(p);
	proxy_check_over(p);
}

void
session_end(struct session *s, const char *word, enum session_how how)
{
	session_account(s, word);
	session_free(s, how);
}

void
session_handed_on(struct session *s)
{
	struct proxy	*p = s->proxy;

	stats_add(&p->child.stats, STAT_HANDED_ON, 1);
	session_uncount(s);
	if (p->child.addrs != NULL &&
	    (s->leg[CLIENT].flags & LEG_INNER) == 0)
		addrlimit_pass(p->child.addrs, &s->peer);
	session_free(s, SESSION_FIN);
}

void
session_row(const struct session *s, struct conn_row *row)
{
	session_info(s, &row->info);
	if (s->flags & SESSION_FOREIGN) {
		strlcpy(row->listen, session_name(s, NAME_LISTEN),
		    sizeof(row->listen));
		strlcpy(row->why, session_name(s, NAME_REASON),
		    sizeof(row->why));
	}
	row->in = s->leg[CLIENT].moved;
	row->out = session_out(s);
	row->state = s->state == SESSION_RELAY ? CONN_RELAY : CONN_CONNECTING;
}

void
sessions_end(struct proxy *p, const char *word)
{
	struct session_walk	 w = { NULL, 0 };
	struct session		*s;

	while ((s = sessions_next(&p->sessions, &w)) != NULL)
		session_end(s, word, SESSION_RST);
}
