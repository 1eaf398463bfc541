#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conn.h"
#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "generation.h"

const char *
gen_state_name(enum gen_state s)
{
	static const char *const names[] = {
		[GEN_PREPARING] = "starting", [GEN_STARTING] = "starting",
		[GEN_RUNNING] = "running", [GEN_DRAINING] = "draining",
	};

	return names[s];
}

/* The first reason counts; the rest follows from it. */
void
gen_fail(struct generation *g, const char *fmt, ...)
{
	va_list	ap;

	if (g->error[0] != '\0' || g->state >= GEN_RUNNING)
		return;
	va_start(ap, fmt);
	vsnprintf(g->error, sizeof(g->error), fmt, ap);
	va_end(ap);
}

/* A pair whose both ends master keeps: what is queued outlives any child. */
static bool
pair_open(struct generation *g, struct pool *p)
{
	int	fd[2];

	p->wr = p->rd = -1;
	if (ipc_pair(fd) == -1) {
		gen_fail(g, "socketpair: %s", strerror(errno));
		return false;
	}
	p->wr = fd[0];
	p->rd = fd[1];
	return true;
}

static void
pairs_close(struct pool *p, size_t n)
{
	while (n-- > 0) {
		if (p[n].wr != -1)
			close(p[n].wr);
		if (p[n].rd != -1)
			close(p[n].rd);
	}
	free(p);
}

/* Bounded: keys may be answering at this moment. */
#define KEYCHAN_PACKETS	4096

static void
channel_clear(int fd)
{
	char	byte;
	int	i;

	for (i = 0; i < KEYCHAN_PACKETS; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) == -1)
			return;
}

void
gen_clear_keychan(struct generation *g, int instance)
{
	channel_clear(g->keychan[instance].rd);
	channel_clear(g->keychan[instance].wr);
}

static bool
gen_open_channels(struct generation *g)
{
	const struct conf	*conf = g->conf;
	size_t			 i;

	g->npool = 1 + conf->nupstream;
	g->nkeychan = conn_has_sites(conf) ? conf->processes.tlsterm : 0;
	g->pool = calloc(g->npool, sizeof(*g->pool));
	g->keychan = calloc(g->nkeychan + 1, sizeof(*g->keychan));
	if (g->pool == NULL || g->keychan == NULL)
		fatal("calloc");
	for (i = 0; i < g->npool; i++)
		g->pool[i].wr = g->pool[i].rd = -1;
	for (i = 0; i < g->nkeychan + 1; i++)
		g->keychan[i].wr = g->keychan[i].rd = -1;
	for (i = conn_has_sites(conf) ? 0 : 1; i < g->npool; i++)
		if (!pair_open(g, &g->pool[i]))
			return false;
	for (i = 0; i < g->nkeychan; i++)
		if (!pair_open(g, &g->keychan[i]))
			return false;
	return true;
}

static bool
gen_open_docroots(struct generation *g)
{
	const struct conf_site	*s;
	size_t			 i;

	g->docroot = calloc(g->conf->nsite + 1, sizeof(*g->docroot));
	if (g->docroot == NULL)
		fatal("calloc");
	for (i = 0; i < g->conf->nsite; i++)
		g->docroot[i] = -1;
	for (i = 0; i < g->conf->nsite; i++) {
		s = &g->conf->site[i];
		if (s->root == NULL)
			continue;
		g->docroot[i] = files_open(&g->roots, s->root,
		    O_PATH | O_DIRECTORY);
		if (g->docroot[i] == -1) {
			gen_fail(g, "%s:%u: site %s: root %s: %s",
			    g->conf->path, s->line, s->name, s->root,
			    strerror(errno));
			return false;
		}
	}
	return true;
}

static bool
gen_open_listeners(struct generation *g)
{
	const struct conf_listener	*l;
	uint32_t			 i, n = conf_nbound(g->conf);
	size_t				 k;
	int				 fd;

	if (!listen_open(g->master, g->conf, g->error, sizeof(g->error)))
		return false;
	g->sock = calloc((size_t)n * 2 + 1, sizeof(*g->sock));
	if (g->sock == NULL)
		fatal("calloc");
	for (i = 0; i < n; i++) {
		l = conf_bound(g->conf, i);
		for (k = 0; k < l->naddr; k++) {
			fd = listen_find(g->master, &l->addr[k]);
			if (fd == -1)
				continue;
			g->sock[g->nsock].fd = fd;
			g->sock[g->nsock++].listener = (uint16_t)i;
		}
	}
	return true;
}

static bool
gen_add(struct generation *g, enum role role, uint32_t count, uint32_t pool)
{
	uint32_t	i;

	for (i = 0; i < count; i++)
		if (proc_init(&g->proc[g->nproc++], g, role, (int)i, pool)
		    == -1) {
			gen_fail(g, "counters: %s", strerror(errno));
			g->nproc--;
			return false;
		}
	return true;
}

static bool
gen_add_procs(struct generation *g)
{
	const struct conf	*conf = g->conf;
	size_t			 i, n;
	bool			 sites = conn_has_sites(conf);

	n = (size_t)conf->processes.worker + conf->processes.tlsterm +
	    conf->processes.keys + (conf->metrics != NULL);
	for (i = 0; i < conf->nupstream; i++)
		n += conf->upstream[i].processes;
	if ((g->proc = calloc(n, sizeof(*g->proc))) == NULL)
		fatal("calloc");
	for (i = 0; i < conf->nupstream; i++)
		if (!gen_add(g, ROLE_PROXY, conf->upstream[i].processes,
		    (uint32_t)i + 1))
			return false;
	return gen_add(g, ROLE_KEYS, sites ? conf->processes.keys : 0, 0) &&
	    gen_add(g, ROLE_TLSTERM, sites ? conf->processes.tlsterm : 0,
	    POOL_SITES) &&
	    gen_add(g, ROLE_WORKER, conf->processes.worker, 0) &&
	    gen_add(g, ROLE_METRICS, conf->metrics != NULL, 0);
}

static void	gen_progress(struct ev_timer *);

struct generation *
gen_new(struct master *m, struct conf *conf)
{
	struct generation	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		fatal("calloc");
	g->master = m;
	g->id = ++m->last_generation;
	g->state = GEN_PREPARING;
	g->conf = conf;
	g->since = ev_clock();
	g->installs = m->acme == NULL ? 0 : m->acme->installs;
	g->snapshot = -1;
	g->prep.chan.fd = g->prep.stats_fd = g->prep.addrs_fd = -1;
	g->progress.cb = gen_progress;
	return g;
}

bool
gen_open(struct generation *g)
{
	if (!users_check(g->master, g->conf, g->error, sizeof(g->error)))
		return false;
	if ((g->snapshot = conf_snapshot(g->conf)) == -1) {
		gen_fail(g, "snapshot: %s", strerror(errno));
		return false;
	}
	return gen_open_docroots(g) && gen_open_channels(g) && limits_open(g) &&
	    publish_open(g);
}

void
gen_begin(struct generation *g)
{
	if (gen_open(g) && cred_open(g))
		cred_prepare(g);
	else
		life_failed(g);
}

void
gen_prepared(struct generation *g)
{
	size_t	i;

	if (g->error[0] != '\0') {
		life_failed(g);
		return;
	}
	g->state = GEN_STARTING;
	if (g->master->check_only)
		life_up(g);
	else if (!gen_open_listeners(g) || !gen_add_procs(g))
		life_failed(g);
	else
		for (i = 0; g->state == GEN_STARTING && i < g->nproc; i++)
			proc_start(&g->proc[i]);
}

void
gen_proc_ready(struct generation *g, struct proc *p)
{
	(void)p;
	if (g->state != GEN_STARTING || ++g->nready < g->nproc)
		return;
	g->state = GEN_RUNNING;
	g->since = ev_clock();
	life_up(g);
}

/*
 * Who takes connections ends first, then who is given them, last who serves
 * those: nothing that was taken is left in an inbox.
 */
static const uint32_t drain_order[] = {
	1u << ROLE_WORKER,
	1u << ROLE_TLSTERM,
	1u << ROLE_PROXY | 1u << ROLE_KEYS,
};

/* Tells those of one stage to end; true when all of them have. */
static bool
gen_drain_stage(struct generation *g, uint32_t roles)
{
	struct proc	*p;
	bool		 done = true;

	for (p = g->proc; p < g->proc + g->nproc; p++) {
		if ((roles & 1u << p->role) == 0)
			continue;
		proc_drain(p);
		if (p->state != PROC_GONE)
			done = false;
	}
	return done;
}

static void
gen_progress(struct ev_timer *t)
{
	struct generation	*g = container_of(t, struct generation,
				    progress);
	size_t			 i;
	bool			 aside;

	/* Whoever looks at us keeps nobody else waiting. */
	aside = gen_drain_stage(g, 1u << ROLE_METRICS);
	for (i = 0; i < nitems(drain_order); i++) {
		if (drain_order[i] & 1u << ROLE_PROXY)
			handover_begin(g);
		if (!gen_drain_stage(g, drain_order[i]))
			return;
	}
	if (aside && g->prep.pid == 0)
		life_over(g);
}

void
gen_proc_gone(struct generation *g, struct proc *p)
{
	if (p == &g->prep && g->state == GEN_PREPARING) {
		if (g->prepared < g->ncred)
			gen_fail(g, "the check of certificates ended early");
		else if (g->error[0] == '\0' && cred_again(g))
			return;
		gen_prepared(g);
	} else if (g->state == GEN_STARTING)
		life_failed(g);
	else {
		gen_drain(g);
		if (g->master->switching == g)
			life_check_switched(g->master);
	}
}

/* On the next turn of the loop, not under the feet of whoever asks. */
void
gen_drain(struct generation *g)
{
	g->state = GEN_DRAINING;
	ev_timer_set(g->master->ev, &g->progress, ev_clock());
}

void
gen_kill(struct generation *g)
{
	size_t	i;

	for (i = 0; i < g->nproc; i++)
		proc_kill(&g->proc[i]);
	if (g->prep.pid > 0)
		proc_kill(&g->prep);
}

void
gen_free(struct generation *g)
{
	size_t	i;

	ev_timer_cancel(g->master->ev, &g->progress);
	rates_stop(g);
	for (i = 0; i < g->nproc; i++)
		proc_close(&g->proc[i]);
	if (g->prep.gen != NULL)
		proc_close(&g->prep);
	free(g->proc);
	cred_close(g);
	pairs_close(g->pool, g->npool);
	pairs_close(g->keychan, g->nkeychan);
	free(g->docroot);
	files_close(&g->roots);
	files_close(&g->pems);
	free(g->sock);
	if (g->snapshot != -1)
		close(g->snapshot);
	conf_free(g->conf);
	free(g);
}
