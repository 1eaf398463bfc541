#include <sys/resource.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/l4.h"
#include "common/log.h"
#include "proxy.h"

#define RESOLVE_AGAIN	(10 * NSEC_PER_SEC)

static int
on_inbox(void *arg, struct ipc_msg *m)
{
	struct proxy	*p = arg;
	struct rd	 r;

	rd_init(&r, m->data, m->len);
	p->inbox.pool = rd_u32(&r);
	if (!rd_done(&r) || p->inbox.io.fd != -1) {
		ipc_close_fds(m);
		return -1;
	}
	p->inbox.io.fd = m->fd[0];
	return 0;
}

static const struct ipc_rule rules[] = {
	/* type, phases, kind and number of fds, size, handler */
	{ IPC_INBOX_READ, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4, on_inbox },
	{ IPC_HAND_OVER, CHILD_RUN, IPC_FD_CHANNEL, 0, 1, 0, 0,
	    handover_on_channel },
};

static void
drain_over(struct ev_timer *t)
{
	struct proxy	*p = container_of(t, struct proxy, drain_timer);

	sessions_end(p, "drain");
}

void
proxy_check_over(struct proxy *p)
{
	if (p->draining && p->inbox.gone && p->sessions.live == 0)
		ev_stop(p->child.ev);
}

/*
 * Ends with the last session, or when its time is up.  What was taken for us
 * and waits in the inbox is served: those who write to it end before us, or
 * are told to stop.  Where nobody says so, it is left to others of the pool.
 */
static void
drain(void *arg)
{
	struct proxy	*p = arg;
	struct ev	*ev = p->child.ev;
	bool		 orphan = p->child.chan.slot == 0;

	p->draining = true;
	if (!p->handover.told && !orphan)
		inbox_close(p);
	health_stop(p);
	ev_timer_cancel(ev, &p->resolve_timer);
	handover_start(p);
	if (!p->up->hand_over) {
		p->drain_timer.cb = drain_over;
		ev_timer_set(ev, &p->drain_timer,
		    ev_now(ev) + sec_to_ns(p->up->drain));
	}
	proxy_check_over(p);
}

/*
 * Names are looked up before the sandbox closes and never again: where one did
 * not resolve, master's next instance of us tries anew.
 */
static void
resolve_again(struct ev_timer *t)
{
	struct proxy	*p = container_of(t, struct proxy, resolve_timer);

	if (p->sessions.live == 0)
		ev_stop(p->child.ev);
	else
		ev_timer_set(p->child.ev, t,
		    ev_now(p->child.ev) + RESOLVE_AGAIN);
}

static void
proxy_open(struct proxy *p)
{
	const struct conf	*conf = p->child.conf;
	struct rlimit		 rl;

	if (p->inbox.io.fd == -1 || p->inbox.pool == POOL_SITES ||
	    p->inbox.pool > conf->nupstream)
		fatalx("master sent no inbox of an upstream");
	p->up = &conf->upstream[p->inbox.pool - 1];
	if (p->child.stats.ncells < p->up->nbackend * PROXY_CELL__MAX)
		fatalx("master sent too few counters");
	p->balance.how = p->up->balance;
	if ((p->scratch = malloc(SCRATCH)) == NULL)
		fatal("malloc");
	/* A resolver that does not answer must not hold up a start for long. */
	if (setenv("RES_OPTIONS", "timeout:2 attempts:2", 0) == -1)
		fatal("setenv");
	members_open(&p->members, p->up, &p->child.stats);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	sessions_init(p, rl.rlim_max);
}

/* The ports of the members: all that Landlock lets us connect to. */
static void
proxy_confine(struct proxy *p)
{
	struct sb_landlock	 port[MEMBERS_MAX];
	struct child_jail	 jail = { .policy = &proxy_policy,
		.landlock = port, .user = USER_PROXY, .cwd = -1,
		.needs_network = true, .needs_mounts = true };
	const struct member	*m;
	struct rlimit		 rl;
	struct addr		 a;

	for (m = p->members.v; m < p->members.v + p->members.n; m++) {
		addr_from_sockaddr(&a, &m->sa);
		if (m->dir != -1)
			jail.cwd = m->dir;
		else
			port[jail.nlandlock++] = (struct sb_landlock){
			    .kind = SB_LL_CONNECT_PORT, .port = a.port };
	}
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	jail.nofile = rl.rlim_max;
	child_confine(&p->child, &jail);
}

int
main(int argc, char **argv)
{
	struct proxy	*p;
	struct child	*c;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		fatal("calloc");
	c = &p->child;
	c->role = ROLE_PROXY;
	c->arg = p;
	c->rules = rules;
	c->nrules = nitems(rules);
	c->drain = drain;
	c->sessions = &proxy_sessions;
	p->inbox.io.fd = -1;
	p->handover.fd = -1;
	child_open(c, argc, argv);
	proxy_open(p);
	proxy_confine(p);
	if (p->members.unresolved > 0) {
		p->resolve_timer.cb = resolve_again;
		ev_timer_set(c->ev, &p->resolve_timer,
		    ev_clock() + RESOLVE_AGAIN);
	}
	inbox_open(p);
	health_start(p);
	child_ready(c);
	ev_run(c->ev);
	return 0;
}
