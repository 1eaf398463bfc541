#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_parts.h"

static CONF_LOADER(load_addresses);
static CONF_LOADER(load_upstream_processes);
static CONF_LOADER(load_drain);
static CONF_LOADER(load_terminated);

static const char *const	pp_words[] = { "none", "v1", "v2", NULL };
static const char *const	balance_words[] = {
	"round-robin", "least-conn", "hash", NULL
};

#define U(f)	offsetof(struct conf_upstream, f)
#define YEAR	31536000.0

static const struct conf_key health_keys[] = {
	{ .name = "interval", .load = conf_load_seconds,
	  .offset = U(health_interval), .min = 0.1, .max = 86400, .def = 10 },
	{ .name = "timeout", .load = conf_load_seconds,
	  .offset = U(health_timeout), .min = 0.1, .max = 3600, .def = 2 },
	{ .name = "rise", .load = conf_load_u32, .offset = U(health_rise),
	  .min = 1, .max = 1000, .def = 2 },
	{ .name = "fall", .load = conf_load_u32, .offset = U(health_fall),
	  .min = 1, .max = 1000, .def = 3 },
	{ .name = NULL }
};

const struct conf_key conf_upstream_keys[] = {
	{ .name = "address", .load = load_addresses, .required = true },
	{ .name = "send_proxy", .load = conf_load_enum,
	  .offset = U(send_proxy), .words = pp_words, .def = PP_NONE },
	{ .name = "balance", .load = conf_load_enum, .offset = U(balance),
	  .words = balance_words, .def = BALANCE_ROUND_ROBIN },
	{ .name = "connect_timeout", .load = conf_load_seconds,
	  .offset = U(connect_timeout), .max = 3600, .def = 5 },
	{ .name = "idle_timeout", .load = conf_load_seconds,
	  .offset = U(idle_timeout), .max = YEAR },
	{ .name = "keepalive", .load = conf_load_seconds,
	  .offset = U(keepalive), .max = 32767, .def = 60 },
	{ .name = "max_connections", .load = conf_load_u32,
	  .offset = U(max_connections), .max = INT32_MAX },
	{ .name = "tls_terminate", .load = conf_load_bool,
	  .offset = U(tls_terminate) },
	{ .name = "certificate", .load = load_terminated,
	  .sub = conf_cert_keys },
	{ .name = "alpn", .load = conf_load_strings, .offset = U(alpn),
	  .text = "http/1.1", .check = conf_check_alpn },
	{ .name = "health", .load = conf_load_optional, .offset = U(health),
	  .sub = health_keys },
	{ .name = "processes", .load = load_upstream_processes },
	{ .name = "drain", .load = load_drain, .max = YEAR },
	{ .name = NULL }
};

void
conf_load_processes(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	uint32_t	*n = (void *)((char *)base + k->offset);

	conf_load_u32(r, k, s, base);
	if (*n == 0)
		*n = r->text->cpus;
}

/* Without its own number an upstream has that of `processes`, which the root's
 * table has before the upstreams. */
static void
load_upstream_processes(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_key	own = *k;

	own.offset = U(processes);
	own.max = 1024;
	own.def = r->conf->processes.proxy;
	conf_load_processes(r, &own, s, base);
}

static void
load_terminated(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_upstream	*u = base;

	if (u->tls_terminate) {
		conf_load_certificate(r, k, s, &u->tls);
		return;
	}
	u->tls.cert_kind = CERT_FILES;
	if (s != NULL)
		conf_error(r, s, "is for an upstream with tls_terminate = "
		    "true; others bring their own");
}

static void
load_drain(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_upstream	*u = base;
	struct conf_key		 seconds = *k;
	char			 quoted[CONF_QUOTE_MAX];
	const char		*v;

	u->hand_over = s == NULL ||
	    (v = config_setting_get_string(s)) != NULL;
	if (u->hand_over) {
		if (s != NULL && strcmp(v, "hand-over") != 0)
			conf_error(r, s, "%s: must be \"hand-over\" or a "
			    "number of seconds", conf_quote(quoted, v));
		return;
	}
	seconds.offset = U(drain);
	conf_load_seconds(r, &seconds, s, base);
}

static void
load_tcp(struct conf_reader *r, const config_setting_t *s,
    struct conf_backend *b)
{
	char		 host[CONF_HOST_MAX], name[HELLO_NAME_MAX + 1],
			 quoted[CONF_QUOTE_MAX], other[CONF_QUOTE_MAX];
	const char	*own;
	struct addr	 a;

	if (!conf_host_port(r, s, b->name, host, &b->port))
		return;
	conf_quote(quoted, b->name);
	if (!addr_parse_ip(&a, host) &&
	    !hostname_normalize(name, host, strlen(host)))
		conf_error(r, s, "%s: needs a host: a name or an address",
		    quoted);
	else if ((own = conf_own_listener(r, host, b->port)) != NULL)
		conf_error(r, s, "%s: this is l4mux itself, which listens on "
		    "%s; connections would go round in a circle", quoted,
		    conf_quote(other, own));
	b->host = conf_strdup(r->arena, host);
}

static void
load_backend(struct conf_reader *r, const config_setting_t *s,
    struct conf_backend *b)
{
	const char	*v;

	b->name = b->host = "";
	if ((v = conf_string(r, s)) == NULL)
		return;
	b->name = conf_strdup(r->arena, v);
	if (strncmp(v, "unix:", 5) != 0)
		load_tcp(r, s, b);
	else if (conf_check_socket(r, s, v + 5) != NULL)
		b->unix_path = b->name + 5;
}

static void
load_addresses(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_upstream	*u = base;
	size_t			 i;

	(void)k;
	if (s == NULL)
		return;
	u->nbackend = conf_items(s);
	if (u->nbackend == 0)
		conf_error(r, s, "must not be empty");
	u->backend = conf_alloc(r->arena, u->nbackend, sizeof(*u->backend));
	for (i = 0; i < u->nbackend; i++)
		load_backend(r, conf_item(s, i), &u->backend[i]);
}

void
conf_load_upstreams(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	const config_setting_t	**member, *group;
	struct conf_upstream	*u;
	struct conf		*c = base;
	size_t			 i;

	if (s == NULL || !conf_is_group(r, s))
		return;
	member = conf_members(r, s, &c->nupstream);
	c->upstream = conf_alloc(r->arena, c->nupstream, sizeof(*c->upstream));
	for (i = 0; i < c->nupstream; i++) {
		group = member[i];
		u = &c->upstream[i];
		u->name = conf_strdup(r->arena, config_setting_name(group));
		u->line = u->tls.line = conf_line(r, group);
		u->tls.name = u->name;
		conf_target_add(r, group, TARGET_UPSTREAM, i);
		if (conf_is_group(r, group))
			conf_walk(r, k->sub, group, u);
	}
	free(member);
}

/* The names of TLS that ends there which the route gives to an upstream; NULL
 * for other routes. */
static struct conf_strs *
route_names(const struct conf *c, const struct conf_route *route)
{
	struct conf_upstream	*u;

	if (route->to.kind != TARGET_UPSTREAM)
		return NULL;
	u = &c->upstream[route->to.index];
	return u->tls_terminate ? &u->tls.names : NULL;
}

/* Each once, in the order of the routes; "" is none. */
static void
drop_repeated(struct conf_strs *names)
{
	struct conf_names	 seen = { NULL, 0, 0 };
	uint32_t		 value = 0;
	size_t			 i, n = 0;

	for (i = 0; i < names->n; i++)
		if (names->v[i][0] != '\0' &&
		    conf_names_add(&seen, names->v[i], &value))
			names->v[n++] = names->v[i];
	names->n = n;
	conf_names_free(&seen);
}

/* Those of all routes to each. */
static void
collect_names(struct conf_reader *r)
{
	const struct conf	*c = r->conf;
	const struct conf_route	*route;
	struct conf_strs	*names;
	size_t			 i;

	for (route = c->route; route < c->route + c->nroute; route++)
		if ((names = route_names(c, route)) != NULL)
			names->n += route->match.sni.n;
	for (i = 0; i < c->nupstream; i++) {
		names = &c->upstream[i].tls.names;
		names->v = conf_alloc(r->arena, names->n, sizeof(*names->v));
		names->n = 0;
	}
	for (route = c->route; route < c->route + c->nroute; route++) {
		if ((names = route_names(c, route)) == NULL)
			continue;
		for (i = 0; i < route->match.sni.n; i++)
			names->v[names->n++] = route->match.sni.v[i];
	}
	for (i = 0; i < c->nupstream; i++)
		drop_repeated(&c->upstream[i].tls.names);
}

void
conf_upstream_names(struct conf_reader *r, const config_setting_t *root)
{
	const config_setting_t	*all, **member;
	const struct conf_site	*tls;
	size_t			 n;
	uint32_t		 i;

	all = config_setting_get_member(root, "upstreams");
	if (r->conf->nupstream == 0)
		return;
	member = conf_members(r, all, &n);
	collect_names(r);
	for (i = 0; i < r->conf->nupstream; i++) {
		tls = &r->conf->upstream[i].tls;
		if (!r->conf->upstream[i].tls_terminate)
			continue;
		if (tls->cert_kind == CERT_ACME)
			conf_acme_names(r, member[i], &tls->names);
		if (tls->names.n == 0 && tls->cert_kind != CERT_FILES)
			conf_error(r, member[i],
			    "no route with sni leads here: for which name "
			    "should the certificate be? Add one, or set "
			    "certificate");
	}
	free(member);
}
