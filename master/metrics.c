#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "common/conn.h"
#include "common/l4.h"
#include "common/sandbox.h"
#include "acme.h"
#include "control.h"
#include "generation.h"

/*
 * The families of OpenMetrics 1.0, as a document; l4muxctl writes the text.
 * What a process counted keeps the number of its generation as a label, so that
 * no series ever falls when a generation ends.
 */
struct label {
	const char	*name, *value;
};

static void
family(struct json *j, const char *name, const char *type, const char *help)
{
	json_object(j, NULL);
	json_str(j, "name", name);
	json_str(j, "type", type);
	json_str(j, "help", help);
	json_array(j, "samples");
}

static void
family_end(struct json *j)
{
	json_end(j);
	json_end(j);
}

static void
sample_labels(struct json *j, const struct label *l)
{
	json_object(j, NULL);
	json_object(j, "labels");
	for (; l->name != NULL; l++)
		json_str(j, l->name, l->value);
	json_end(j);
}

static void
sample(struct json *j, const struct label *l, uint64_t value)
{
	sample_labels(j, l);
	json_uint(j, "value", value);
	json_end(j);
}

static void
sample_real(struct json *j, const struct label *l, double value)
{
	sample_labels(j, l);
	json_real(j, "value", value);
	json_end(j);
}

/* Generations that have processes. */
static const struct generation *
next_generation(const struct master *m, const struct generation *g)
{
	return g == m->gen ? m->draining : g->next;
}

#define EACH_GENERATION(m, g)						\
	for ((g) = (m)->gen; (g) != NULL;			\
	    (g) = next_generation(m, g))

/* One value of each process; false: it has none. */
struct proc_metric {
	const char	*name, *type, *help;
	bool		(*get)(const struct proc *, double *);
};

static bool
get_up(const struct proc *p, double *v)
{
	*v = p->state == PROC_RUNNING || p->state == PROC_DRAINING;
	return p->state != PROC_GONE;
}

static bool
get_restarts(const struct proc *p, double *v)
{
	*v = p->restarts;
	return true;
}

static bool
get_uptime(const struct proc *p, double *v)
{
	*v = (double)(ev_clock() - p->since) / (double)NSEC_PER_SEC;
	return p->pid > 0;
}

static bool
get_cpu(const struct proc *p, double *v)
{
	uint64_t	cpu, rss;

	report_usage(p->pid, &cpu, &rss);
	*v = (double)cpu / 1000;
	return p->pid > 0;
}

static bool
get_memory(const struct proc *p, double *v)
{
	uint64_t	cpu, rss;

	report_usage(p->pid, &cpu, &rss);
	*v = (double)rss * 1024;
	return p->pid > 0;
}

static const struct proc_metric proc_metrics[] = {
	{ "l4mux_process_up", "gauge", "Whether the process runs.", get_up },
	{ "l4mux_process_restarts", "counter", "How often it died and was "
	    "started again.", get_restarts },
	{ "l4mux_process_uptime_seconds", "gauge", "Time since its start.",
	    get_uptime },
	{ "l4mux_process_cpu_seconds", "counter", "User and system time.",
	    get_cpu },
	{ "l4mux_process_resident_memory_bytes", "gauge", "Resident memory.",
	    get_memory },
};

#define PROC_LABELS	5	/* one of them free for more, one the end */

/* Fills the labels that name a process; text must outlive them. */
struct proc_label {
	char		name[320], generation[16];
	struct label	label[PROC_LABELS];
};

static const struct label *
proc_labels(const struct proc *p, struct proc_label *l, const char *extra,
    const char *value)
{
	if (p->role == ROLE_PROXY)
		snprintf(l->name, sizeof(l->name), "proxy.%s.%d",
		    p->gen->conf->upstream[p->pool - 1].name, p->instance);
	else
		snprintf(l->name, sizeof(l->name), "%s.%d",
		    role_name(p->role), p->instance);
	snprintf(l->generation, sizeof(l->generation), "%u", p->gen->id);
	l->label[0] = (struct label){ "process", l->name };
	l->label[1] = (struct label){ "role", role_name(p->role) };
	l->label[2] = (struct label){ "generation", l->generation };
	l->label[3] = (struct label){ extra, value };
	l->label[4] = (struct label){ NULL, NULL };
	return l->label;
}

static void
metrics_process(struct json *j, const struct master *m,
    const struct proc_metric *pm)
{
	const struct generation	*g;
	struct proc_label	 l;
	double			 v;
	size_t			 i;

	family(j, pm->name, pm->type, pm->help);
	EACH_GENERATION(m, g)
		for (i = 0; i < g->nproc; i++)
			if (pm->get(&g->proc[i], &v))
				sample_real(j, proc_labels(&g->proc[i], &l,
				    NULL, NULL), v);
	family_end(j);
}

/* One family for each counter of common/stats.h. */
static void
metrics_counter(struct json *j, const struct master *m, enum stat_id id)
{
	const struct generation	*g;
	struct proc_label	 l;
	char			 name[64], help[96];
	size_t			 i;

	snprintf(name, sizeof(name), "l4mux_process_%s", stat_desc[id].name);
	snprintf(help, sizeof(help), "The counter %s of the process.",
	    stat_desc[id].name);
	family(j, name, stat_desc[id].gauge ? "gauge" : "counter", help);
	EACH_GENERATION(m, g)
		for (i = 0; i < g->nproc; i++)
			if (report_counts(g->proc[i].role, id))
				sample(j, proc_labels(&g->proc[i], &l, NULL,
				    NULL), g->proc[i].stats.count[id]);
	family_end(j);
}

static void
metrics_sandbox(struct json *j, const struct master *m)
{
	const struct generation	*g;
	const char		*name;
	struct proc_label	 l;
	uint32_t		 bit;
	size_t			 i;

	family(j, "l4mux_process_sandbox", "gauge",
	    "Whether a means of confinement is in force.");
	EACH_GENERATION(m, g)
		for (i = 0; i < g->nproc; i++)
			for (bit = 1; bit != 0; bit <<= 1)
				if (g->proc[i].pid > 0 && (name =
				    sandbox_mechanism_name(bit)) != NULL)
					sample(j, proc_labels(&g->proc[i], &l,
					    "mechanism", name),
					    (g->proc[i].mechanisms & bit) != 0);
	family_end(j);
}

/* The samples of one generation, from the tables of report_targets.c. */
struct table_metric {
	const char	*name, *type, *help;
	void		(*each)(struct json *, const struct generation *,
			    const char *id, unsigned int which);
	unsigned int	 which;
};

static void
each_target(struct json *j, const struct generation *g, const char *id,
    unsigned int which)
{
	struct target_counts	t;
	uint32_t		i;
	struct label		l[] = { { "target", NULL }, { "kind", NULL },
				    { "generation", id }, { NULL, NULL } };

	for (i = 0; report_target(g, i, &t); i++) {
		l[0].value = t.name;
		l[1].value = t.kind;
		if (t.has[which])
			sample(j, l, t.count[which]);
	}
}

static void
each_reason(struct json *j, const struct generation *g, const char *id,
    unsigned int which)
{
	const char	*to;
	char		 why[24];
	uint64_t	 hits;
	uint32_t	 i;
	struct label	 l[] = { { "reason", why }, { "target", NULL },
			    { "generation", id }, { NULL, NULL } };

	(void)which;
	for (i = 0; report_reason(g, i, why, &to, &hits); i++) {
		l[1].value = to;
		sample(j, l, hits);
	}
}

static void
each_backend(struct json *j, const struct generation *g, const char *id,
    unsigned int which)
{
	const struct conf_upstream	*u;
	struct backend_counts		 b;
	uint32_t			 i, k;
	struct label			 l[] = { { "upstream", NULL },
					    { "address", NULL },
					    { "generation", id },
					    { NULL, NULL } };

	for (i = 0; i < g->conf->nupstream; i++) {
		u = &g->conf->upstream[i];
		for (k = 0; k < u->nbackend; k++) {
			report_backend(g, i, k, &b);
			if (which == BACKEND_COUNT_UP &&
			    b.state == BACKEND_UNKNOWN)
				continue;
			l[0].value = u->name;
			l[1].value = u->backend[k].name;
			sample(j, l, b.count[which]);
		}
	}
}

static const struct table_metric table_metrics[] = {
	{ "l4mux_target_live", "gauge", "Connections of a target now.",
	    each_target, TARGET_COUNT_LIVE },
	{ "l4mux_target_connections", "counter", "Connections of an upstream, "
	    "requests of a site.", each_target, TARGET_COUNT_TOTAL },
	{ "l4mux_target_failed", "counter", "Connections that no address of "
	    "the upstream took.", each_target, TARGET_COUNT_FAILED },
	{ "l4mux_decisions", "counter", "Connections by what decided where "
	    "they went.", each_reason, 0 },
	{ "l4mux_backend_up", "gauge", "Whether the address answers; absent "
	    "until it was tried.", each_backend, BACKEND_COUNT_UP },
	{ "l4mux_backend_live", "gauge", "Connections to the address now.",
	    each_backend, BACKEND_COUNT_LIVE },
	{ "l4mux_backend_connections", "counter", "Connections made to the "
	    "address.", each_backend, BACKEND_COUNT_TOTAL },
	{ "l4mux_backend_failed", "counter", "Connections to the address that "
	    "could not be made.", each_backend, BACKEND_COUNT_FAILED },
};

static void
metrics_table(struct json *j, const struct master *m,
    const struct table_metric *t)
{
	const struct generation	*g;
	char			 id[16];

	family(j, t->name, t->type, t->help);
	EACH_GENERATION(m, g) {
		snprintf(id, sizeof(id), "%u", g->id);
		t->each(j, g, id, t->which);
	}
	family_end(j);
}

/* The sum over the processes of a role, or of one upstream (pool). */
static void
sample_times(struct json *j, const struct generation *g,
    const struct label *l, enum stat_time what, enum role role, uint32_t pool)
{
	uint64_t	 sum[TIME_CELLS] = { 0 }, count = 0;
	const struct proc *p;
	size_t		 i;

	for (p = g->proc; p < g->proc + g->nproc; p++)
		for (i = 0; i < TIME_CELLS && p->role == role &&
		    p->pool == pool; i++)
			sum[i] += stats_times(&p->stats, what)[i];
	sample_labels(j, l);
	json_array(j, "buckets");
	for (i = 0; i <= TIME_BOUNDS; i++) {
		count += sum[i];
		json_object(j, NULL);
		json_str(j, "le", i < TIME_BOUNDS ? stat_bound[i].seconds :
		    "+Inf");
		json_uint(j, "count", count);
		json_end(j);
	}
	json_end(j);
	json_uint(j, "count", count);
	json_real(j, "sum", (double)sum[TIME_CELLS - 1] / 1e6);
	json_end(j);
}

static void
metrics_times(struct json *j, const struct master *m)
{
	const struct generation	*g;
	char			 id[16];
	uint32_t		 i;
	struct label		 l[] = { { "generation", id }, { NULL, NULL },
				    { NULL, NULL } };

	family(j, "l4mux_handshake_seconds", "histogram", "How long TLS "
	    "handshakes took, once they were done.");
	EACH_GENERATION(m, g) {
		snprintf(id, sizeof(id), "%u", g->id);
		sample_times(j, g, l, TIME_HANDSHAKE, ROLE_TLSTERM,
		    POOL_SITES);
	}
	family_end(j);
	family(j, "l4mux_connect_seconds", "histogram", "How long it took to "
	    "connect to the address that took the connection.");
	EACH_GENERATION(m, g) {
		snprintf(id, sizeof(id), "%u", g->id);
		for (i = 0; i < g->conf->nupstream; i++) {
			l[1] = (struct label){ "upstream",
			    g->conf->upstream[i].name };
			sample_times(j, g, l, TIME_CONNECT, ROLE_PROXY, i + 1);
		}
	}
	family_end(j);
}

/* Only of those that are shown to new connections. */
static void
metrics_certificates(struct json *j, const struct generation *g)
{
	const struct cred	*c;
	char			 key[CERT_KEY_NAMELEN];
	struct label		 l[] = { { "target", NULL }, { "kind", NULL },
				    { "key", key }, { NULL, NULL } };

	family(j, "l4mux_certificate_expiry_timestamp_seconds", "gauge",
	    "When the certificate expires, in seconds since 1970.");
	for (c = g->cred; c < g->cred + g->ncred; c++) {
		l[0].value = conf_holder(g->conf, c->site)->name;
		l[1].value = c->site < g->conf->nsite ? "site" : "upstream";
		cert_key_name(&c->info, key);
		sample(j, l, (uint64_t)c->info.to);
	}
	family_end(j);
}

static void
metrics_acme(struct json *j, const struct master *m)
{
	const struct acme_cert	*c;
	struct label		 l[] = { { "certificate", NULL },
				    { NULL, NULL } };

	family(j, "l4mux_acme_failures", "gauge",
	    "Attempts in a row at a certificate of a CA that failed.");
	for (c = acme_list(m); c != NULL; c = c->next) {
		l[0].value = c->name;
		sample(j, l, c->led.failures);
	}
	family_end(j);
}

static void
metrics_daemon(struct json *j, const struct master *m)
{
	static const char *const	 states[] = { "running", "degraded",
					    "stopping" };
	static const struct label	 none[] = { { NULL, NULL } };
	const struct generation		*g;
	uint64_t			 n = 0;
	size_t				 i;

	EACH_GENERATION(m, g)
		n++;
	family(j, "l4mux_build", "info", "The program.");
	sample(j, (const struct label[]){ { "version", L4_VERSION },
	    { NULL, NULL } }, 1);
	family_end(j);
	family(j, "l4mux_state", "stateset", "What the daemon does.");
	for (i = 0; i < nitems(states); i++)
		sample(j, (const struct label[]){ { "l4mux_state", states[i] },
		    { NULL, NULL } }, strcmp(report_state(m), states[i]) == 0);
	family_end(j);
	family(j, "l4mux_uptime_seconds", "gauge", "Time since the start.");
	sample_real(j, none, (double)(ev_clock() - m->started) /
	    (double)NSEC_PER_SEC);
	family_end(j);
	family(j, "l4mux_generation", "gauge", "The generation that takes new "
	    "connections.");
	sample(j, none, m->gen->id);
	family_end(j);
	family(j, "l4mux_generations", "gauge", "Generations that have "
	    "processes.");
	sample(j, none, n);
	family_end(j);
}

bool
report_metrics(struct request *r)
{
	const struct master	*m = r->master;
	struct json		*j = r->json;
	size_t			 i;

	json_array(j, "families");
	metrics_daemon(j, m);
	metrics_certificates(j, m->gen);
	metrics_acme(j, m);
	for (i = 0; i < nitems(table_metrics); i++)
		metrics_table(j, m, &table_metrics[i]);
	for (i = 0; i < nitems(proc_metrics); i++)
		metrics_process(j, m, &proc_metrics[i]);
	metrics_times(j, m);
	metrics_sandbox(j, m);
	for (i = 0; i < STAT__MAX; i++)
		metrics_counter(j, m, (enum stat_id)i);
	json_end(j);
	return true;
}
