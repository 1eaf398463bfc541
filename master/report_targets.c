#include <math.h>
#include <string.h>

#include "common/conn.h"
#include "common/control.h"
#include "common/l4.h"
#include "control.h"
#include "generation.h"

/* The tables of targets, routes and upstreams: sums over processes. */
const char *
report_kind_name(enum target_kind kind)
{
	static const char *const names[] = {
		[TARGET_CLOSE] = "close", [TARGET_RESET] = "reset",
		[TARGET_SITE] = "site", [TARGET_UPSTREAM] = "upstream",
		[TARGET_CHALLENGE] = "acme",
	};

	return names[kind];
}

static uint64_t
sum_cell(const struct generation *g, enum role role, uint32_t pool,
    size_t cell)
{
	const struct proc	*p;
	uint64_t		 sum = 0;

	for (p = g->proc; p < g->proc + g->nproc; p++)
		if (p->role == role && p->pool == pool)
			sum += *stats_cell(&p->stats, cell);
	return sum;
}

static uint64_t
sum_stat(const struct generation *g, uint32_t pool, enum stat_id id)
{
	const struct proc	*p;
	uint64_t		 sum = 0;

	for (p = g->proc; p < g->proc + g->nproc; p++)
		if (p->role == ROLE_PROXY && p->pool == pool)
			sum += p->stats.count[id];
	return sum;
}

static uint64_t
hits(const struct generation *g, size_t cell)
{
	return sum_cell(g, ROLE_WORKER, 0, cell);
}

bool
report_target(const struct generation *g, uint32_t i, struct target_counts *t)
{
	const struct conf	*conf = g->conf;

	memset(t, 0, sizeof(*t));
	t->has[TARGET_COUNT_TOTAL] = true;
	if (i < conf->nsite) {
		t->name = conf->site[i].name;
		t->kind = report_kind_name(TARGET_SITE);
		t->count[TARGET_COUNT_TOTAL] = sum_cell(g, ROLE_TLSTERM,
		    POOL_SITES, i);
		return true;
	}
	i -= (uint32_t)conf->nsite;
	if (i >= conf->nupstream)
		return false;
	t->name = conf->upstream[i].name;
	t->kind = report_kind_name(TARGET_UPSTREAM);
	t->has[TARGET_COUNT_LIVE] = t->has[TARGET_COUNT_FAILED] = true;
	t->count[TARGET_COUNT_LIVE] = sum_stat(g, i + 1, STAT_LIVE);
	t->count[TARGET_COUNT_TOTAL] = sum_stat(g, i + 1, STAT_RECEIVED);
	t->count[TARGET_COUNT_FAILED] = sum_stat(g, i + 1,
	    STAT_CONNECT_FAILED);
	return true;
}

static void
report_count(struct json *j, const char *key, const struct target_counts *t,
    unsigned int which)
{
	if (t->has[which])
		json_uint(j, key, t->count[which]);
	else
		json_str(j, key, NULL);
}

/* How many of its addresses answer, of those it has. */
static void
report_health(struct json *j, const struct generation *g, uint32_t i)
{
	struct backend_counts	b;
	uint32_t		k, up = 0, unknown = 0;

	for (k = 0; k < g->conf->upstream[i].nbackend; k++) {
		report_backend(g, i, k, &b);
		up += b.state == BACKEND_UP;
		unknown += b.state == BACKEND_UNKNOWN;
	}
	json_uint(j, "backends", k);
	json_uint(j, "up", up);
	json_uint(j, "unknown", unknown);
}

void
report_targets(struct json *j, const struct generation *g)
{
	struct target_counts	t;
	uint32_t		i;

	json_array(j, "targets");
	for (i = 0; report_target(g, i, &t); i++) {
		json_object(j, NULL);
		json_str(j, "name", t.name);
		json_str(j, "kind", t.kind);
		report_count(j, "live", &t, TARGET_COUNT_LIVE);
		report_count(j, "total", &t, TARGET_COUNT_TOTAL);
		report_count(j, "failed", &t, TARGET_COUNT_FAILED);
		json_real(j, "rate", rates_get(g, i) < 0 ? NAN :
		    rates_get(g, i));
		if (i >= g->conf->nsite)
			report_health(j, g, i - (uint32_t)g->conf->nsite);
		json_end(j);
	}
	json_end(j);
}

bool
report_reason(const struct generation *g, uint32_t i, char why[24],
    const char **to, uint64_t *n)
{
	const struct conf	*conf = g->conf;
	uint32_t		 k = i;

	*n = i < conf->nroute + conf->nsite + FALLBACK__MAX ? hits(g, i) : 0;
	if (k < conf->nroute) {
		conn_reason_format(REASON_ROUTE, k, why);
		*to = conf_target_name(conf, conf->route[k].to);
		return true;
	}
	k -= (uint32_t)conf->nroute;
	if (k < conf->nsite) {
		conn_reason_format(REASON_NAME, k, why);
		*to = conf->site[k].name;
		return true;
	}
	k -= (uint32_t)conf->nsite;
	if (k >= FALLBACK__MAX)
		return false;
	conn_reason_format(REASON_FALLBACK, k, why);
	*to = conf_target_name(conf, conf->fallback[k]);
	return true;
}

static void
report_rules(struct json *j, const struct generation *g)
{
	const struct conf_route	*rt;
	char			 text[CONTROL_TEXT_MAX];
	uint32_t		 i;

	json_array(j, "routes");
	for (i = 0; i < g->conf->nroute; i++) {
		rt = &g->conf->route[i];
		json_object(j, NULL);
		json_uint(j, "rule", i + 1);
		json_str(j, "text", control_route_text(g->conf, i, text));
		json_str(j, "to", conf_target_name(g->conf, rt->to));
		json_str(j, "kind", report_kind_name(rt->to.kind));
		json_uint(j, "line", rt->line);
		json_bool(j, "log", rt->log);
		json_uint(j, "hits", hits(g, i));
		json_end(j);
	}
	json_end(j);
}

static void
report_names(struct json *j, const struct generation *g)
{
	const struct conf_site	*s;
	size_t			 i, k;

	json_array(j, "names");
	for (i = 0; i < g->conf->nsite; i++) {
		s = &g->conf->site[i];
		json_object(j, NULL);
		json_str(j, "site", s->name);
		json_array(j, "names");
		for (k = 0; k < s->names.n; k++)
			json_str(j, NULL, s->names.v[k]);
		json_end(j);
		json_uint(j, "hits", hits(g, g->conf->nroute + i));
		json_end(j);
	}
	json_end(j);
}

bool
report_routes(struct request *r)
{
	const struct generation	*g = r->master->gen;
	const struct conf	*conf = g->conf;
	struct json		*j = r->json;
	int			 i;

	report_rules(j, g);
	report_names(j, g);
	json_object(j, "fallback");
	for (i = 0; i < FALLBACK__MAX; i++) {
		json_object(j, conf_fallback_name(i));
		json_str(j, "to", conf_target_name(conf, conf->fallback[i]));
		json_str(j, "kind", report_kind_name(conf->fallback[i].kind));
		json_uint(j, "hits", hits(g, conf->nroute + conf->nsite +
		    (size_t)i));
		json_end(j);
	}
	json_end(j);
	return true;
}

/* Processes may see a backend differently: up where any of them has it up. */
static uint64_t
backend_state(const struct generation *g, uint32_t pool, size_t cell)
{
	const struct proc	*p;
	uint64_t		 state = BACKEND_UNKNOWN, v;

	for (p = g->proc; p < g->proc + g->nproc; p++) {
		if (p->role != ROLE_PROXY || p->pool != pool)
			continue;
		v = *stats_cell(&p->stats, cell);
		if (v == BACKEND_UP || (v == BACKEND_DOWN &&
		    state == BACKEND_UNKNOWN))
			state = v;
	}
	return state;
}

void
report_backend(const struct generation *g, uint32_t i, uint32_t k,
    struct backend_counts *b)
{
	size_t	c = (size_t)k * PROXY_CELL__MAX;

	b->state = backend_state(g, i + 1, c + PROXY_CELL_STATE);
	b->count[BACKEND_COUNT_UP] = b->state == BACKEND_UP;
	b->count[BACKEND_COUNT_LIVE] = sum_cell(g, ROLE_PROXY, i + 1,
	    c + PROXY_CELL_LIVE);
	b->count[BACKEND_COUNT_TOTAL] = sum_cell(g, ROLE_PROXY, i + 1,
	    c + PROXY_CELL_TOTAL);
	b->count[BACKEND_COUNT_FAILED] = sum_cell(g, ROLE_PROXY, i + 1,
	    c + PROXY_CELL_FAILED);
}

static void
report_backends(struct json *j, const struct generation *g, uint32_t i)
{
	static const char *const names[] = {
		[BACKEND_UNKNOWN] = "unknown", [BACKEND_UP] = "up",
		[BACKEND_DOWN] = "down",
	};
	const struct conf_upstream	*u = &g->conf->upstream[i];
	struct backend_counts		 b;
	uint32_t			 k;

	json_array(j, "backends");
	for (k = 0; k < u->nbackend; k++) {
		report_backend(g, i, k, &b);
		json_object(j, NULL);
		json_str(j, "address", u->backend[k].name);
		json_str(j, "state", names[b.state]);
		json_uint(j, "live", b.count[BACKEND_COUNT_LIVE]);
		json_uint(j, "total", b.count[BACKEND_COUNT_TOTAL]);
		json_uint(j, "failed", b.count[BACKEND_COUNT_FAILED]);
		json_end(j);
	}
	json_end(j);
}

bool
report_upstreams(struct request *r)
{
	static const char *const pp[] = {
		[PP_NONE] = "none", [PP_V1] = "v1", [PP_V2] = "v2",
	};
	static const char *const balance[] = {
		[BALANCE_ROUND_ROBIN] = "round-robin",
		[BALANCE_LEAST_CONN] = "least-conn", [BALANCE_HASH] = "hash",
	};
	const struct generation		*g = r->master->gen;
	const struct conf_upstream	*u;
	struct json			*j = r->json;
	uint32_t			 i;

	json_array(j, "upstreams");
	for (i = 0; i < g->conf->nupstream; i++) {
		u = &g->conf->upstream[i];
		json_object(j, NULL);
		json_str(j, "name", u->name);
		json_str(j, "send_proxy", pp[u->send_proxy]);
		json_str(j, "balance", balance[u->balance]);
		json_uint(j, "processes", u->processes);
		json_uint(j, "live", sum_stat(g, i + 1, STAT_LIVE));
		json_uint(j, "total", sum_stat(g, i + 1, STAT_RECEIVED));
		json_uint(j, "failed", sum_stat(g, i + 1,
		    STAT_CONNECT_FAILED));
		report_backends(j, g, i);
		json_end(j);
	}
	json_end(j);
	return true;
}
