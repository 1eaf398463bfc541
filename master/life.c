#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "control.h"
#include "generation.h"
#include "upgrade.h"

#define WATCH_PERIOD	(2 * NSEC_PER_SEC)

/* Tells who started us in the background how it went: nothing, or why not. */
static void
life_tell(struct master *m, const char *text)
{
	if (m->ready_fd == -1)
		return;
	if (write(m->ready_fd, text, strlen(text)) == -1)
		log_warn("who started us");
	close(m->ready_fd);
	m->ready_fd = -1;
}

void
life_start(struct master *m, struct conf *conf)
{
	m->starting = gen_new(m, conf);
	gen_begin(m->starting);
}

static void
life_retire(struct master *m, struct generation *g)
{
	g->next = m->draining;
	m->draining = g;
	gen_drain(g);
}

/* A start, reload or upgrade is over: all who wait are told how it went. */
static void
life_outcome(struct master *m, const char *error)
{
	char	text[32];

	if (m->gen != NULL && !m->stopping)
		notify_send("READY=1");
	if (m->gen != NULL && m->reloads_done++ == 0) {
		tickets_start(m);
		snprintf(text, sizeof(text), "%d\n", (int)getpid());
		life_tell(m, text);
	}
	control_outcome(m->control, m->reloads_begun, error);
	acme_poke(m);
	if (m->upgrade_after) {
		m->upgrade_after = m->reload_again = false;
		life_upgrade(m);
	} else if (m->reload_again) {
		m->reload_again = false;
		life_reload(m);
	}
}

void
life_up(struct generation *g)
{
	struct master		*m = g->master;
	struct generation	*old = m->gen;

	m->starting = NULL;
	m->gen = g;
	if (m->check_only) {
		puts("configuration OK");
		life_stop(m);
		return;
	}
	rates_start(g);
	if (old != NULL) {
		logs_change(m, g->conf);
		life_retire(m, old);
	}
	handover_redirect(m);
	acme_up(m);
	m->switching = old;
	life_check_switched(m);
}

static void
life_report(const struct generation *g)
{
	size_t	i;

	for (i = 0; i < g->conf->nlistener; i++)
		log_info("listening on %s", g->conf->listener[i].name);
	if (g->conf->metrics != NULL)
		log_info("metrics on %s", g->conf->metrics->name);
	log_info("ready: generation %u, %zu processes", g->id, g->nproc);
	expiry_start(g->master);
}

void
life_check_switched(struct master *m)
{
	const struct generation	*old = m->switching;
	const struct proc	*p;

	if (m->gen == NULL || m->gen->state != GEN_RUNNING ||
	    m->starting != NULL)
		return;
	for (p = old == NULL ? NULL : old->proc;
	    p != NULL && p < old->proc + old->nproc; p++)
		if (p->role == ROLE_WORKER && !p->took_last &&
		    p->state != PROC_GONE)
			return;
	m->switching = NULL;
	listen_close(m, m->gen->conf);
	life_report(m->gen);
	acme_shown(m);
	life_outcome(m, NULL);
}

void
life_failed(struct generation *g)
{
	struct master	*m = g->master;

	if (g->state == GEN_DRAINING)
		return;
	if (m->check_only)
		fprintf(stderr, "%s\n", g->error);
	else
		log_errorx("%s", g->error);
	if (m->gen != NULL) {
		log_errorx("reload: the running configuration goes on");
		listen_close(m, m->gen->conf);
	} else
		m->status = 1;
	m->starting = NULL;
	acme_not_shown(m, g);
	gen_kill(g);
	life_retire(m, g);
	life_outcome(m, g->error);
}

void
life_over(struct generation *g)
{
	struct master		*m = g->master;
	struct generation	**pp;

	if (m->gen == g)
		m->gen = NULL;
	if (m->starting == g)
		m->starting = NULL;
	if (m->switching == g)
		m->switching = NULL;
	for (pp = &m->draining; *pp != NULL; pp = &(*pp)->next) {
		if (*pp == g) {
			*pp = g->next;
			break;
		}
	}
	log_debug("generation %u has ended", g->id);
	gen_free(g);
	if (m->gen == NULL && m->starting == NULL && m->draining == NULL)
		ev_stop(m->ev);
}

/* Each line of the loader's errors is an event of its own. */
static void
log_lines(const char *text)
{
	size_t	len;

	for (; *text != '\0'; text += len + (text[len] != '\0')) {
		len = strcspn(text, "\n");
		log_errorx("%.*s", (int)len, text);
	}
}

/* What is opened once: the key that asks for another one, or NULL. */
static const char *
life_fixed(const struct conf *old, const struct conf *new)
{
	/* Descriptor 2 is what all processes were started with. */
	if (new->log.target != old->log.target)
		return "log.target";
	if (strcmp(new->control, old->control) != 0)
		return "control";
	return NULL;
}

static void
life_load(struct master *m)
{
	struct conf	*conf;
	const char	*fixed;
	char		*errors = NULL;
	size_t		 len = 0;
	FILE		*f;

	if ((f = open_memstream(&errors, &len)) == NULL)
		fatal("open_memstream");
	conf = conf_load(m->path, f);
	if (conf != NULL && m->gen != NULL &&
	    (fixed = life_fixed(m->gen->conf, conf)) != NULL) {
		fprintf(f, "%s: %s does not change while the daemon runs: "
		    "stop and start it\n", m->path, fixed);
		conf_free(conf);
		conf = NULL;
	}
	fclose(f);
	if (conf != NULL)
		life_start(m, conf);
	else {
		if (len > 0 && errors[len - 1] == '\n')
			errors[len - 1] = '\0';
		log_lines(errors);
		log_errorx("reload: the running configuration goes on");
		life_outcome(m, errors);
	}
	free(errors);
}

uint64_t
life_next_reload(const struct master *m)
{
	return m->reloads_begun + 1;
}

static void
life_begin_reload(struct master *m)
{
	char	text[64];

	m->reloads_begun++;
	if (m->stopping)
		return;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)(ev_clock() / 1000));
	notify_send(text);
}

void
life_reload(struct master *m)
{
	if (m->stopping)
		return;
	if (m->starting != NULL || m->switching != NULL || m->upgrading) {
		m->reload_again = true;
		return;
	}
	life_begin_reload(m);
	life_load(m);
}

void
life_renew(struct master *m)
{
	struct conf	*conf;

	if (m->stopping || m->starting != NULL || m->switching != NULL ||
	    m->upgrading)
		return;
	conf = conf_load_fd(m->gen->snapshot, m->path, stderr);
	if (conf == NULL) {
		log_errorx("the configuration in force does not load");
		return;
	}
	life_begin_reload(m);
	life_start(m, conf);
}

/* The new program begins the reload that those who wait are waiting for. */
void
life_upgrade(struct master *m)
{
	if (m->stopping || m->upgrading)
		return;
	if (m->starting != NULL || m->switching != NULL)
		m->upgrade_after = true;
	else
		upgrade_begin(m);
}

void
life_upgrade_failed(struct master *m, const char *error)
{
	life_begin_reload(m);
	life_outcome(m, error);
}

/* Every process of every generation. */
static void
ping_generation(struct generation *g)
{
	struct proc	*p;

	for (p = g->proc; p < g->proc + g->nproc; p++)
		proc_ping(p);
}

static void	life_each(struct master *, void (*)(struct generation *));

static void
life_watch(struct ev_timer *t)
{
	struct master	*m = container_of(t, struct master, watch);

	life_each(m, ping_generation);
	ev_timer_set(m->ev, t, ev_now(m->ev) + WATCH_PERIOD);
}

void
life_start_watch(struct master *m)
{
	m->watch.cb = life_watch;
	ev_timer_set(m->ev, &m->watch, ev_clock() + WATCH_PERIOD);
}

static void
life_each(struct master *m, void (*fn)(struct generation *))
{
	struct generation	*g, *next;

	for (g = m->draining; g != NULL; g = next) {
		next = g->next;
		fn(g);
	}
	if (m->starting != NULL)
		fn(m->starting);
	if (m->gen != NULL)
		fn(m->gen);
}

static void
life_enough(struct ev_timer *t)
{
	struct master	*m = container_of(t, struct master, stop_timer);

	log_warnx("still busy after the time to drain: ending all");
	life_each(m, gen_kill);
}

static void
life_end(struct master *m)
{
	m->stopping = true;
	acme_stop(m, "the daemon was told to stop: it goes on when it starts");
	handover_redirect(m);
	life_each(m, gen_drain);
	listen_close(m, NULL);
}

/* STOPPING=1 would start the manager's own patience: it is kept for stop. */
void
life_drain(struct master *m)
{
	if (m->stopping)
		return;
	log_info("draining");
	notify_send("STATUS=draining");
	life_end(m);
}

void
life_stop(struct master *m)
{
	double	patience = m->gen == NULL ? 0 : m->gen->conf->drain;

	if (m->stopping && m->stop_timer.cb != NULL) {
		life_each(m, gen_kill);
		return;
	}
	if (!m->check_only) {
		log_info("stopping");
		notify_send("STOPPING=1");
	}
	m->stop_timer.cb = life_enough;
	ev_timer_set(m->ev, &m->stop_timer, ev_clock() + sec_to_ns(patience));
	if (!m->stopping)
		life_end(m);
}

static void
tell_log_level(struct generation *g)
{
	size_t	i;

	for (i = 0; i < g->nproc; i++)
		proc_tell_log_level(&g->proc[i]);
}

void
life_log_level(struct master *m, enum log_level level)
{
	log_set_level(level);
	m->log_changed = true;
	life_each(m, tell_log_level);
}

static struct proc *
gen_proc_by_pid(struct generation *g, pid_t pid)
{
	size_t	i;

	if (g == NULL)
		return NULL;
	if (g->prep.pid == pid)
		return &g->prep;
	for (i = 0; i < g->nproc; i++)
		if (g->proc[i].pid == pid)
			return &g->proc[i];
	return NULL;
}

static struct proc *
proc_by_pid(const struct master *m, pid_t pid)
{
	struct generation	*g;
	struct proc		*p;

	if ((p = gen_proc_by_pid(m->gen, pid)) != NULL ||
	    (p = gen_proc_by_pid(m->starting, pid)) != NULL)
		return p;
	for (g = m->draining; g != NULL; g = g->next)
		if ((p = gen_proc_by_pid(g, pid)) != NULL)
			return p;
	return NULL;
}

void
life_reap(struct master *m)
{
	struct proc	*p;
	pid_t		 pid;
	int		 status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!acme_reaped(m, pid, status) &&
		    (p = proc_by_pid(m, pid)) != NULL)
			proc_reaped(p, status);
}
