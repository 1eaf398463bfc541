#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conn.h"
#include "common/l4.h"
#include "control.h"
#include "gather.h"

#define PATIENCE	(2 * NSEC_PER_SEC)	/* for one answer of a child */
#define RUN_MAX		(12 * NSEC_PER_SEC)	/* for all of them: who waits for
					   the one before as well has an
					   answer within 30 s */
#define ROWS_BYTES	(30u << 20)	/* of a document */

static void	gather_next(struct master *);
static void	gather_check(struct master *);

typedef void	each_proc(struct proc *, void *);

static void
each_in(struct generation *g, each_proc *fn, void *arg)
{
	struct proc	*p;

	for (p = g->proc; g->proc != NULL && p < g->proc + g->nproc; p++)
		fn(p, arg);
}

/* Every process that may have connections or will. */
static void
each(const struct master *m, each_proc *fn, void *arg)
{
	struct generation	*g;

	if (m->gen != NULL)
		each_in(m->gen, fn, arg);
	for (g = m->draining; g != NULL; g = g->next)
		each_in(g, fn, arg);
}

static bool
conf_has_target(const struct conf *conf, const char *name)
{
	size_t	i;

	for (i = 0; i < conf->nsite; i++)
		if (strcmp(conf->site[i].name, name) == 0)
			return true;
	for (i = 0; i < conf->nupstream; i++)
		if (strcmp(conf->upstream[i].name, name) == 0)
			return true;
	return false;
}

bool
gather_knows(const struct master *m, const char *target)
{
	const struct generation	*g;

	if (strcmp(target, conn_state_name(CONN_UNDECIDED)) == 0 ||
	    conf_has_target(m->gen->conf, target))
		return true;
	for (g = m->draining; g != NULL; g = g->next)
		if (conf_has_target(g->conf, target))
			return true;
	return false;
}

static bool
proc_has_connections(const struct proc *p)
{
	return p->role != ROLE_KEYS && p->role != ROLE_METRICS && p->chan.fd != -1 &&
	    (p->state == PROC_RUNNING || p->state == PROC_DRAINING);
}

/* The answer to one question; a later one is told from it by its number. */
static void
proc_ask(struct proc *p, uint16_t type, const struct wr *w)
{
	struct ipc_msg	m = { .type = type, .data = w->buf, .len = w->len,
		.id = p->gen->master->gathering.number };

	p->asked = 0;
	if (ipc_send(p->chan.fd, &m) != IPC_OK) {
		p->silent = true;
		return;
	}
	p->asked = m.id;
	p->asked_at = ev_clock();
}

static void
ask_rows(struct proc *p, bool first)
{
	uint8_t		buf[1];
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	wr_u8(&w, first);
	proc_ask(p, IPC_SESSIONS, &w);
}

static void
begin_rows(struct proc *p, void *arg)
{
	(void)arg;
	p->silent = false;
	p->asked = 0;
	if (proc_has_connections(p))
		ask_rows(p, true);
}

static void
begin_kill(struct proc *p, void *arg)
{
	const struct gather	*g = arg;
	uint8_t			 buf[8];
	struct wr		 w;

	p->silent = false;
	p->asked = 0;
	if (!proc_has_connections(p))
		return;
	wr_init(&w, buf, sizeof(buf));
	wr_u64(&w, g->id);
	proc_ask(p, IPC_KILL, &w);
}

static void
count_asked(struct proc *p, void *arg)
{
	unsigned int	*n = arg;

	*n += p->asked != 0;
}

/* Gives up on those who had their time. */
static void
expire(struct proc *p, void *arg)
{
	const uint64_t	*since = arg;

	if (p->asked != 0 && p->asked_at <= *since) {
		p->asked = 0;
		p->silent = true;
	}
}

static void
gather_late(struct ev_timer *t)
{
	struct master	*m = container_of(t, struct master, gathering.timer);
	uint64_t	 now = ev_clock(), since = now - PATIENCE;

	if (now - m->gathering.began >= RUN_MAX)
		since = now;
	each(m, expire, &since);
	ev_timer_set(m->ev, t, now + PATIENCE / 4);
	gather_check(m);
}

/* The first who waits, and with a list all who wait for one. */
static void
gather_next(struct master *m)
{
	struct gathering	*r = &m->gathering;
	struct gather		*g = r->list;

	if (r->running || g == NULL)
		return;
	r->running = true;
	r->began = ev_clock();
	if (++r->number == 0)
		r->number = 1;
	r->timer.cb = gather_late;
	ev_timer_set(m->ev, &r->timer, r->began + PATIENCE);
	if (g->kind == GATHER_KILL) {
		g->active = true;
		each(m, begin_kill, g);
	} else {
		for (; g != NULL; g = g->next)
			g->active = g->kind == GATHER_SESSIONS;
		each(m, begin_rows, NULL);
	}
	gather_check(m);
}

static void
list_silent(struct proc *p, void *arg)
{
	struct json	*j = arg;
	char		 name[PROC_NAMELEN];

	if (p->silent)
		json_str(j, NULL, proc_name(p, name));
}

struct words {
	char	*buf;
	size_t	 size, len;
};

static void
name_silent(struct proc *p, void *arg)
{
	struct words	*w = arg;
	char		 name[PROC_NAMELEN];
	int		 n;

	if (!p->silent || w->len >= w->size)
		return;
	n = snprintf(w->buf + w->len, w->size - w->len, "%s%s",
	    w->len == 0 ? "" : ", ", proc_name(p, name));
	if (n > 0)
		w->len += (size_t)n;
}

static void
finish_sessions(struct gather *g)
{
	json_end(g->json);
	json_array(g->json, "silent");
	each(g->master, list_silent, g->json);
	json_end(g->json);
	json_uint(g->json, "left_out", g->left_out);
	g->done(g, NULL);
}

static void
finish_kill(struct gather *g, bool found)
{
	char		text[256], names[160] = "";
	struct words	w = { names, sizeof(names), 0 };

	each(g->master, name_silent, &w);
	if (found)
		g->done(g, NULL);
	else if (w.len > 0) {
		snprintf(text, sizeof(text), "not found; no answer from %s",
		    names);
		g->done(g, text);
	} else
		g->done(g, "no connection has this id");
}

/* Takes the active ones off the list and answers them. */
static void
gather_finish(struct master *m, bool found)
{
	struct gathering	*r = &m->gathering;
	struct gather		*g, **pp;

	r->running = false;
	ev_timer_cancel(m->ev, &r->timer);
	for (pp = &r->list; (g = *pp) != NULL;) {
		if (!g->active) {
			pp = &g->next;
			continue;
		}
		*pp = g->next;
		g->active = false;
		free(g->target);
		g->target = NULL;
		if (g->kind == GATHER_KILL)
			finish_kill(g, found);
		else
			finish_sessions(g);
	}
	gather_next(m);
}

static void
gather_check(struct master *m)
{
	unsigned int	n = 0;

	if (!m->gathering.running)
		return;
	each(m, count_asked, &n);
	if (n == 0)
		gather_finish(m, false);
}

void
gather_start(struct gather *g)
{
	struct gather	**pp;

	g->next = NULL;
	g->active = false;
	g->left_out = 0;
	g->rows = 0;
	for (pp = &g->master->gathering.list; *pp != NULL; pp = &(*pp)->next)
		;
	*pp = g;
	if (g->kind == GATHER_SESSIONS)
		json_array(g->json, "sessions");
	gather_next(g->master);
}

/* The run goes on, for whoever else wants it. */
void
gather_cancel(struct gather *g)
{
	struct gather	**pp;

	if (g->master == NULL)
		return;
	for (pp = &g->master->gathering.list; *pp != NULL; pp = &(*pp)->next)
		if (*pp == g) {
			*pp = g->next;
			break;
		}
	free(g->target);
	g->target = NULL;
}

static void
row_report(struct json *j, const struct proc *p, const struct conn_row *row)
{
	const struct conn_info	*c = &row->info;
	const struct conf	*conf = p->gen->conf;
	bool			 decided = row->state != CONN_UNDECIDED;
	char			 text[ADDR_STRLEN], why[24];
	uint64_t		 now = ev_clock();

	json_object(j, NULL);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)c->id);
	json_str(j, "id", text);
	json_real(j, "age_s", now < c->accepted ? 0 :
	    (double)(now - c->accepted) / (double)NSEC_PER_SEC);
	json_str(j, "client", addr_format(&c->peer, text));
	json_str(j, "listen", row->listen[0] != '\0' ? row->listen :
	    conf->listener[c->listener].name);
	json_str(j, "target", decided ? conf_target_name(conf, c->target) :
	    NULL);
	json_str(j, "kind", decided ? report_kind_name(c->target.kind) : NULL);
	json_str(j, "reason", !decided ? NULL : row->why[0] != '\0' ?
	    row->why : conn_reason_format(c->reason, c->rule, why));
	json_str(j, "sni", c->sni);
	json_str(j, "alpn", c->alpn);
	json_uint(j, "in", row->in);
	json_uint(j, "out", row->out);
	json_str(j, "state", conn_state_name(row->state));
	json_str(j, "role", role_name(p->role));
	json_int(j, "pid", p->pid);
	json_uint(j, "generation", p->gen->id);
	json_end(j);
}

static bool
row_wanted(const struct gather *g, const struct proc *p,
    const struct conn_row *row)
{
	const char	*name = conn_state_name(CONN_UNDECIDED);

	if (!g->active || g->kind != GATHER_SESSIONS)
		return false;
	if (row->state != CONN_UNDECIDED)
		name = conf_target_name(p->gen->conf, row->info.target);
	return g->any || strcmp(g->target, name) == 0;
}

static bool
gather_full(const struct gather *g)
{
	return (g->most != 0 && g->rows >= g->most) ||
	    g->json->len > ROWS_BYTES;
}

/* Does anybody want more than there is? All is counted for who asked for all. */
static bool
rows_missing(const struct master *m)
{
	const struct gather	*g;

	for (g = m->gathering.list; g != NULL; g = g->next)
		if (g->active && g->kind == GATHER_SESSIONS &&
		    (g->most == 0 || !gather_full(g)))
			return true;
	return false;
}

static void
row_give(const struct proc *p, const struct conn_row *row)
{
	struct gather	*g;

	for (g = p->gen->master->gathering.list; g != NULL; g = g->next) {
		if (!row_wanted(g, p, row))
			continue;
		if (gather_full(g)) {
			g->left_out++;
			continue;
		}
		row_report(g->json, p, row);
		g->rows++;
	}
}

/* What is late, for a question that is over, is read and forgotten. */
static bool
is_current(const struct proc *p, const struct ipc_msg *m)
{
	return p->asked != 0 && p->asked == m->id &&
	    p->gen->master->gathering.running;
}

int
gather_on_rows(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;
	struct conn_row	 row;
	struct rd	 r;
	uint16_t	 n;
	uint8_t		 last;
	bool		 current = is_current(p, m);

	rd_init(&r, m->data, m->len);
	last = rd_u8(&r);
	for (n = rd_u16(&r); n > 0; n--) {
		if (!conn_row_read(&r, p->gen->conf, &row) ||
		    (row.state == CONN_UNDECIDED) != (p->role == ROLE_WORKER))
			return -1;
		if (current)
			row_give(p, &row);
	}
	if (!rd_done(&r) || last > 1)
		return -1;
	if (!current)
		return 0;
	if (last || !rows_missing(p->gen->master))
		p->asked = 0;
	else
		ask_rows(p, false);
	gather_check(p->gen->master);
	return 0;
}

int
gather_on_killed(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;

	if (m->data[0] > 1)
		return -1;
	if (!is_current(p, m))
		return 0;
	p->asked = 0;
	if (m->data[0] == 1)
		gather_finish(p->gen->master, true);
	else
		gather_check(p->gen->master);
	return 0;
}

void
gather_proc_gone(struct proc *p)
{
	p->silent = false;
	if (p->asked == 0)
		return;
	p->asked = 0;
	gather_check(p->gen->master);
}
