#include <sys/resource.h>
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/l4.h"
#include "common/sandbox.h"
#include "acme.h"
#include "control.h"
#include "generation.h"

/* The documents of docs/control.md. */
static double
seconds_since(uint64_t then)
{
	return (double)(ev_clock() - then) / (double)NSEC_PER_SEC;
}

/* From /proc/PID/stat: the fields after the name, which may hold anything. */
void
report_usage(pid_t pid, uint64_t *cpu_ms, uint64_t *rss_kib)
{
	unsigned long	 utime = 0, stime = 0;
	long		 rss = 0;
	char		 path[64], buf[1024], *p;
	FILE		*f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) != NULL) {
		if (fgets(buf, sizeof(buf), f) != NULL &&
		    (p = strrchr(buf, ')')) != NULL)
			(void)sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u "
			    "%*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d "
			    "%*d %*u %*u %ld", &utime, &stime, &rss);
		fclose(f);
	}
	*cpu_ms = (utime + stime) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	*rss_kib = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void
report_mechanisms(struct json *j, uint32_t bits)
{
	const char	*name;
	unsigned int	 i;

	json_array(j, "mechanisms");
	for (i = 0; i < 32; i++)
		if ((bits & (1u << i)) != 0 &&
		    (name = sandbox_mechanism_name(1u << i)) != NULL)
			json_str(j, NULL, name);
	json_end(j);
}

/* Which counters concern a role: those of everyone, and its own. */
bool
report_counts(enum role role, enum stat_id i)
{
	static const struct {
		enum stat_id	first, last;
	} own[ROLE__MAX] = {
		[ROLE_WORKER] = { STAT_ACCEPTED, STAT_PROXY_BAD },
		[ROLE_PROXY] = { STAT_CONNECTED, STAT_RELAYED_OUT },
		[ROLE_TLSTERM] = { STAT_HANDSHAKES, STAT_CACHE_BYTES },
		[ROLE_KEYS] = { STAT_SIGNED, STAT_SIGN_REFUSED },
		[ROLE_METRICS] = { STAT_ANSWERED, STAT_TURNED_AWAY },
	};

	return i <= STAT_FD_FULL ||
	    (i >= own[role].first && i <= own[role].last);
}

static void
report_counters(struct json *j, const struct proc *p)
{
	enum stat_id	i;

	json_object(j, "counters");
	for (i = 0; i < STAT__MAX; i++)
		if (report_counts(p->role, i))
			json_uint(j, stat_desc[i].name, p->stats.count[i]);
	json_end(j);
}

static uint64_t
proc_live(const struct proc *p)
{
	const volatile uint64_t	*c = p->stats.count;

	return p->role == ROLE_WORKER ? c[STAT_UNDECIDED] + c[STAT_QUEUED] :
	    c[STAT_LIVE];
}

static uint64_t
proc_total(const struct proc *p)
{
	static const enum stat_id total[ROLE__MAX] = {
		[ROLE_WORKER] = STAT_ACCEPTED, [ROLE_PROXY] = STAT_RECEIVED,
		[ROLE_TLSTERM] = STAT_RECEIVED, [ROLE_KEYS] = STAT_SIGNED,
		[ROLE_METRICS] = STAT_ANSWERED,
	};

	return p->stats.count[total[p->role]];
}

static void
report_exit(struct json *j, int status)
{
	char	text[32];

	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
	json_str(j, "last_exit", text);
}

static void
report_process(struct json *j, const struct proc *p)
{
	uint64_t	cpu, rss;

	report_usage(p->pid, &cpu, &rss);
	json_object(j, NULL);
	json_str(j, "role", role_name(p->role));
	json_str(j, "name", p->role == ROLE_PROXY ?
	    p->gen->conf->upstream[p->pool - 1].name : role_name(p->role));
	json_int(j, "instance", p->instance);
	json_int(j, "pid", p->pid);
	json_uint(j, "generation", p->gen->id);
	json_str(j, "state", proc_state_name(p->state));
	json_uint(j, "restarts", p->restarts);
	json_real(j, "uptime_s", p->pid == 0 ? 0 : seconds_since(p->since));
	json_uint(j, "live", proc_live(p));
	json_uint(j, "total", proc_total(p));
	json_uint(j, "cpu_ms", cpu);
	json_uint(j, "rss_kib", rss);
	report_mechanisms(j, p->mechanisms);
	json_int(j, "landlock_abi", p->landlock_abi);
	if (p->died)
		report_exit(j, p->last_exit);
	report_counters(j, p);
	json_end(j);
}

static void
report_master(struct json *j, const struct master *m)
{
	uint64_t	cpu, rss;

	report_usage(getpid(), &cpu, &rss);
	json_object(j, NULL);
	json_str(j, "role", role_name(ROLE_MASTER));
	json_str(j, "name", role_name(ROLE_MASTER));
	json_int(j, "instance", 0);
	json_int(j, "pid", getpid());
	json_uint(j, "generation", m->gen->id);
	json_str(j, "state", m->stopping ? "draining" : "running");
	json_uint(j, "restarts", 0);
	json_real(j, "uptime_s", seconds_since(m->started));
	json_uint(j, "live", 0);
	json_uint(j, "total", 0);
	json_uint(j, "cpu_ms", cpu);
	json_uint(j, "rss_kib", rss);
	report_mechanisms(j, 0);
	json_int(j, "landlock_abi", 0);
	json_object(j, "counters");
	json_uint(j, stat_desc[STAT_LOG_DROPPED].name, m->log_dropped);
	json_end(j);
	json_end(j);
}

static void
each_generation(const struct master *m, struct json *j,
    void (*fn)(struct json *, const struct generation *))
{
	const struct generation	*g;

	fn(j, m->gen);
	if (m->starting != NULL)
		fn(j, m->starting);
	for (g = m->draining; g != NULL; g = g->next)
		fn(j, g);
}

static void
report_generation(struct json *j, const struct generation *g)
{
	json_object(j, NULL);
	json_uint(j, "id", g->id);
	json_str(j, "state", gen_state_name(g->state));
	json_real(j, "age_s", seconds_since(g->since));
	json_uint(j, "processes", g->nproc);
	json_end(j);
}

/* By role and instance, as docs/control.md has it. */
static void
report_processes(struct json *j, const struct generation *g)
{
	static const enum role order[] = {
		ROLE_WORKER, ROLE_TLSTERM, ROLE_KEYS, ROLE_METRICS, ROLE_PROXY,
	};
	size_t	i, k;

	for (k = 0; k < nitems(order); k++)
		for (i = 0; i < g->nproc; i++)
			if (g->proc[i].role == order[k])
				report_process(j, &g->proc[i]);
	/* While a certificate is being had. */
	if (acme_proc(g->master) != NULL)
		report_process(j, acme_proc(g->master));
}

static bool
gen_degraded(const struct generation *g)
{
	size_t	i;

	for (i = 0; i < g->nproc; i++)
		if (g->proc[i].failures >= PROC_DEGRADED)
			return true;
	return false;
}

static bool
metrics_is_private(const struct conf *conf)
{
	size_t	i;

	for (i = 0; conf->metrics != NULL && i < conf->metrics->naddr; i++)
		if (!addr_is_loopback(&conf->metrics->addr[i]))
			return false;
	return true;
}

static void
report_warnings(struct json *j, const struct master *m)
{
	const struct generation	*g = m->gen;
	char			 text[160], name[PROC_NAMELEN];
	size_t			 i;

	json_array(j, "warnings");
	if (!m->privileged)
		json_str(j, NULL, "not started as root: no users, no empty "
		    "root directory, no namespaces of their own for the "
		    "processes");
	if (!metrics_is_private(g->conf))
		json_str(j, NULL, "metrics: the address is none of loopback: "
		    "whoever reaches it reads names and addresses of clients");
	report_cert_warnings(j, g);
	if (m->log_lost)
		json_str(j, NULL, "nobody reads /dev/log: lines of the log are "
		    "dropped");
	if (!g->conf->strict)
		json_str(j, NULL, "sandbox = \"best-effort\": see each "
		    "process for what is in force");
	for (i = 0; i < g->nproc; i++) {
		if (g->proc[i].failures < PROC_DEGRADED)
			continue;
		snprintf(text, sizeof(text), "%s keeps ending: %u times in "
		    "a row", proc_name(&g->proc[i], name),
		    g->proc[i].failures);
		json_str(j, NULL, text);
	}
	json_end(j);
}

static void
report_limits(struct json *j, const struct conf *conf)
{
	struct rlimit	rl = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &rl);
	json_object(j, "limits");
	json_uint(j, "connections", conf->limits.connections);
	json_uint(j, "undecided", conf->limits.undecided);
	json_uint(j, "per_address", conf->limits.per_address);
	json_real(j, "rate_per_address", conf->limits.rate_per_address);
	json_real(j, "hello_timeout_s", conf->limits.hello_timeout);
	json_uint(j, "hello_bytes", conf->limits.hello_bytes);
	json_uint(j, "nofile", rl.rlim_cur);
	json_end(j);
}

static void
report_cidr(struct json *j, const struct cidr *c)
{
	char	ip[ADDR_STRLEN], text[ADDR_STRLEN + 8];

	snprintf(text, sizeof(text), "%s/%u", addr_format_ip(&c->net, ip),
	    c->bits);
	json_str(j, NULL, text);
}

static void
report_listeners(struct json *j, const struct conf *conf)
{
	const struct conf_listener	*l;
	char				 text[ADDR_STRLEN];
	size_t				 i, k;

	json_array(j, "listeners");
	for (i = 0; i < conf->nlistener; i++) {
		l = &conf->listener[i];
		json_object(j, NULL);
		json_str(j, "name", l->name);
		json_array(j, "addresses");
		for (k = 0; k < l->naddr; k++)
			json_str(j, NULL, addr_format(&l->addr[k], text));
		json_end(j);
		json_array(j, "accept_proxy");
		for (k = 0; k < l->naccept_proxy; k++)
			report_cidr(j, &l->accept_proxy[k]);
		json_end(j);
		json_end(j);
	}
	json_end(j);
}

const char *
report_state(const struct master *m)
{
	if (m->stopping)
		return "stopping";
	return gen_degraded(m->gen) ? "degraded" : "running";
}

bool
report_status(struct request *r)
{
	const struct master	*m = r->master;
	const struct conf	*conf = m->gen->conf;
	struct json		*j = r->json;

	json_str(j, "version", L4_VERSION);
	json_int(j, "pid", getpid());
	json_real(j, "uptime_s", seconds_since(m->started));
	json_str(j, "state", report_state(m));
	json_bool(j, "privileged", m->privileged);
	json_str(j, "sandbox", conf->strict ? "strict" : "best-effort");
	json_str(j, "config", m->path);
	json_uint(j, "generation", m->gen->id);
	json_array(j, "generations");
	each_generation(m, j, report_generation);
	json_end(j);
	report_warnings(j, m);
	report_limits(j, conf);
	report_listeners(j, conf);
	json_str(j, "metrics", conf->metrics == NULL ? NULL :
	    conf->metrics->name);
	report_targets(j, m->gen);
	json_array(j, "processes");
	report_master(j, m);
	each_generation(m, j, report_processes);
	json_end(j);
	return true;
}
