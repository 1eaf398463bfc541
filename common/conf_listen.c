#include <string.h>
#include <strings.h>

#include <libconfig.h>

#include "conf_parts.h"

static CONF_LOADER(load_address);

#define L(f)	offsetof(struct conf_listener, f)

const struct conf_key conf_listener_keys[] = {
	{ .name = "address", .load = load_address, .required = true },
	{ .name = "accept_proxy", .load = conf_load_cidrs,
	  .offset = L(accept_proxy), .count = L(naccept_proxy) },
	{ .name = "backlog", .load = conf_load_u32, .offset = L(backlog),
	  .min = 1, .max = 65535, .def = 4096 },
	{ .name = "defer_accept", .load = conf_load_bool,
	  .offset = L(defer_accept) },
	{ .name = NULL }
};

#define METRICS_BACKLOG	128
#define METRICS_BIND	UINT32_MAX	/* in binds, in place of an index */

static bool
is_any(const struct addr *a)
{
	static const uint8_t	zero[16];

	return memcmp(a->ip, zero, a->family == ADDR_V4 ? 4 : 16) == 0;
}

/* Names in the set of what is bound: an address and its port ... */
static const char *
bind_key(char key[ADDR_STRLEN], const struct addr *a)
{
	return addr_format(a, key);
}

/* ... the address that stands for all, */
static const char *
bind_any_key(char key[ADDR_STRLEN], const struct addr *a)
{
	struct addr	any = { .family = a->family, .port = a->port };

	return addr_format(&any, key);
}

/* ... and the port alone: is there any address? */
static const char *
bind_port_key(char key[ADDR_STRLEN], const struct addr *a)
{
	snprintf(key, ADDR_STRLEN, "%u/%u", a->family, a->port);
	return key;
}

/* Linux refuses a second listening socket whose address overlaps. */
static bool
bind_conflict(const struct conf_reader *r, const struct addr *a,
    uint32_t *with)
{
	char	key[ADDR_STRLEN];

	if (is_any(a))
		return conf_names_find(&r->binds, bind_port_key(key, a), with);
	return conf_names_find(&r->binds, bind_key(key, a), with) ||
	    conf_names_find(&r->binds, bind_any_key(key, a), with);
}

static bool
bind_add(struct conf_reader *r, const config_setting_t *s,
    const struct addr *a, uint32_t index)
{
	char		 key[ADDR_STRLEN], ours[CONF_QUOTE_MAX],
			 other[CONF_QUOTE_MAX];
	uint32_t	 with;
	struct conf	*c = r->conf;

	if (bind_conflict(r, a, &with)) {
		conf_quote(ours, index == METRICS_BIND ? c->metrics->name :
		    c->listener[index].name);
		if (with == METRICS_BIND)
			conf_error(r, s, "%s: metrics uses this address",
			    ours);
		else
			conf_error(r, s, "%s: this address is taken by %s "
			    "of line %u", ours, conf_quote(other,
			    c->listener[with].name), c->listener[with].line);
		return false;
	}
	with = index;
	conf_names_add(&r->binds, conf_strdup(r->arena, bind_key(key, a)),
	    &with);
	conf_names_add(&r->binds, conf_strdup(r->arena,
	    bind_port_key(key, a)), &with);
	return true;
}

/* The one or two addresses of "HOST:PORT". */
static size_t
bind_addresses(struct conf_reader *r, const config_setting_t *s,
    const char *text, struct addr addr[2])
{
	char		 host[CONF_HOST_MAX], quoted[CONF_QUOTE_MAX];
	uint16_t	 port = 0;
	size_t		 n = 1;

	if (!conf_host_port(r, s, text, host, &port))
		return 0;
	memset(addr, 0, 2 * sizeof(*addr));
	if (host[0] == '\0') {
		addr[0].family = ADDR_V4;
		addr[1].family = ADDR_V6;
		n = 2;
	} else if (!addr_parse_ip(&addr[0], host)) {
		conf_error(r, s, "%s: the host must be a numeric address, or "
		    "left out for all; names are not looked up here",
		    conf_quote(quoted, text));
		return 0;
	}
	addr[0].port = addr[1].port = port;
	return n;
}

static void
listener_bind(struct conf_reader *r, const config_setting_t *s,
    struct conf_listener *l, const char *text)
{
	uint32_t	 index = (uint32_t)(l - r->conf->listener), i;

	l->name = conf_strdup(r->arena, text);
	/* A second one of the name is found by its address. */
	i = index;
	conf_names_add(&r->listeners, l->name, &i);
	if (s == NULL) {			/* a default */
		l->naddr = 2;
		l->addr[0].family = ADDR_V4;
		l->addr[1].family = ADDR_V6;
		l->addr[0].port = l->addr[1].port =
		    strcmp(text, ":80") == 0 ? 80 : 443;
	} else
		l->naddr = bind_addresses(r, s, text, l->addr);
	for (i = 0; i < l->naddr; i++)
		if (!bind_add(r, s, &l->addr[i], index))
			break;
}

static void
load_address(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_listener	*l = base;
	const char		*v;

	(void)k;
	l->name = "";
	if (s != NULL && (v = conf_string(r, s)) != NULL)
		listener_bind(r, s, l, v);
}

static void
load_listener(struct conf_reader *r, const config_setting_t *s,
    struct conf_listener *l)
{
	const char	*v;

	l->line = conf_line(r, s);
	if (config_setting_is_group(s)) {
		conf_walk(r, conf_listener_keys, s, l);
		return;
	}
	conf_walk(r, conf_listener_keys, NULL, l);
	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		conf_error(r, s, "an entry must be a string \"HOST:PORT\" or "
		    "a group { address = ...; }");
	else if ((v = conf_string(r, s)) != NULL)
		listener_bind(r, s, l, v);
}

void
conf_load_listen(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	static const char *const	standard[] = { ":443", ":80" };
	struct conf	*c = base;
	size_t		 i;

	(void)k;
	c->nlistener = s == NULL ? 2 : conf_items(s);
	if (c->nlistener < 1 || c->nlistener > CONF_LISTENERS_MAX) {
		conf_error(r, s, "must have 1 to %d entries",
		    CONF_LISTENERS_MAX);
		c->nlistener = 0;
	}
	c->listener = conf_alloc(r->arena, c->nlistener, sizeof(*c->listener));
	for (i = 0; i < c->nlistener; i++) {
		if (s != NULL) {
			load_listener(r, conf_item(s, i), &c->listener[i]);
			continue;
		}
		conf_walk(r, conf_listener_keys, NULL, &c->listener[i]);
		listener_bind(r, NULL, &c->listener[i], standard[i]);
	}
}

void
conf_load_metrics(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf		*c = base;
	struct conf_listener	*l;
	const char		*v;
	size_t			 i;

	(void)k;
	if (s == NULL || (v = conf_string(r, s)) == NULL)
		return;
	l = c->metrics = conf_alloc(r->arena, 1, sizeof(*l));
	l->name = conf_strdup(r->arena, v);
	l->line = conf_line(r, s);
	l->backlog = METRICS_BACKLOG;
	l->naddr = bind_addresses(r, s, v, l->addr);
	for (i = 0; i < l->naddr; i++)
		if (!bind_add(r, s, &l->addr[i], METRICS_BIND))
			break;
}

/* A loopback or any address reaches what listens on any, or on itself. */
static bool
own_address(struct conf_reader *r, const struct addr *a, uint32_t *index)
{
	char	key[ADDR_STRLEN];

	if (is_any(a))
		return conf_names_find(&r->binds, bind_port_key(key, a),
		    index);
	if (conf_names_find(&r->binds, bind_key(key, a), index))
		return true;
	return addr_is_loopback(a) &&
	    conf_names_find(&r->binds, bind_any_key(key, a), index);
}

const char *
conf_own_listener(struct conf_reader *r, const char *host, uint16_t port)
{
	static const char *const	localhost[] = { "127.0.0.1", "::1" };
	struct addr	 a;
	uint32_t	 index = METRICS_BIND;
	bool		 own = false;
	size_t		 i;

	if (addr_parse_ip(&a, host)) {
		a.port = port;
		own = own_address(r, &a, &index);
	} else if (strcasecmp(host, "localhost") == 0)
		for (i = 0; i < 2 && !own; i++) {
			addr_parse_ip(&a, localhost[i]);
			a.port = port;
			own = own_address(r, &a, &index);
		}
	if (!own)
		return NULL;
	return index == METRICS_BIND ? r->conf->metrics->name :
	    r->conf->listener[index].name;
}
