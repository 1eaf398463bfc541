#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_parts.h"
#include "log.h"

static CONF_LOADER(load_protocols);
static CONF_LOADER(load_listeners);
static CONF_LOADER(load_not);
static CONF_LOADER(load_to);

/* The keys of a match that is at `at` in its struct. */
#define MATCH_KEYS(type, at)						\
	{ .name = "sni", .load = conf_load_strings, .min = 1,		\
	  .offset = offsetof(type, at sni), .check = conf_check_sni },	\
	{ .name = "alpn", .load = conf_load_strings, .min = 1,		\
	  .offset = offsetof(type, at alpn), .check = conf_check_alpn },\
	{ .name = "host", .load = conf_load_strings, .min = 1,		\
	  .offset = offsetof(type, at host), .check = conf_check_host },\
	{ .name = "protocol", .load = load_protocols,			\
	  .offset = offsetof(type, at protocols) },			\
	{ .name = "from", .load = conf_load_cidrs, .min = 1,		\
	  .offset = offsetof(type, at from),				\
	  .count = offsetof(type, at nfrom) },				\
	{ .name = "to_address", .load = conf_load_cidrs, .min = 1,	\
	  .offset = offsetof(type, at to_address),			\
	  .count = offsetof(type, at nto_address) },			\
	{ .name = "listen", .load = load_listeners,			\
	  .offset = offsetof(type, at listen),				\
	  .count = offsetof(type, at nlisten) }

static const struct conf_key not_keys[] = {
	MATCH_KEYS(struct conf_match, ),
	{ .name = NULL }
};

const struct conf_key conf_route_keys[] = {
	MATCH_KEYS(struct conf_route, match.),
	{ .name = "not", .load = load_not, .sub = not_keys },
	{ .name = "to", .load = load_to, .required = true,
	  .offset = offsetof(struct conf_route, to) },
	{ .name = "log", .load = conf_load_bool, .def = true,
	  .offset = offsetof(struct conf_route, log) },
	{ .name = NULL }
};

#define FALLBACK_KEY(word, index)					\
	{ .name = word, .load = load_to,				\
	  .offset = (index) * sizeof(struct conf_target) }

const struct conf_key conf_fallback_keys[] = {
	FALLBACK_KEY("unknown", FALLBACK_UNKNOWN),
	FALLBACK_KEY("silent", FALLBACK_SILENT),
	FALLBACK_KEY("malformed", FALLBACK_MALFORMED),
	FALLBACK_KEY("oversized", FALLBACK_OVERSIZED),
	{ .name = NULL }
};

#define TARGET_SHIFT	28		/* kind above, index below */

static bool
target_reserved(const char *name, enum target_kind *kind)
{
	if (strcmp(name, "close") == 0)
		*kind = TARGET_CLOSE;
	else if (strcmp(name, "reset") == 0)
		*kind = TARGET_RESET;
	else
		return false;
	return true;
}

void
conf_target_add(struct conf_reader *r, const config_setting_t *s,
    enum target_kind kind, size_t index)
{
	const char	*name = kind == TARGET_SITE ?
	    r->conf->site[index].name : r->conf->upstream[index].name;
	uint32_t	 value = (uint32_t)kind << TARGET_SHIFT |
	    (uint32_t)index;
	enum target_kind reserved;

	if (target_reserved(name, &reserved))
		conf_error(r, s, "\"%s\" has a meaning of its own in routes; "
		    "take another name", name);
	else if (conf_names_add(&r->targets, name, &value))
		return;
	else if (value >> TARGET_SHIFT == (uint32_t)kind)
		conf_error(r, s, "duplicate setting name");
	else
		conf_error(r, s, "there is an upstream \"%s\" too (line %u); "
		    "routes could not tell them apart", name,
		    r->conf->upstream[value & ((1u << TARGET_SHIFT) - 1)].line);
}

bool
conf_target(struct conf_reader *r, const config_setting_t *s,
    struct conf_target *t)
{
	char		 quoted[CONF_QUOTE_MAX];
	const char	*v;
	uint32_t	 value;

	t->index = 0;
	if ((v = conf_string(r, s)) == NULL)
		return false;
	if (target_reserved(v, &t->kind))
		return true;
	if (!conf_names_find(&r->targets, v, &value)) {
		conf_error(r, s, "there is no site and no upstream %s",
		    conf_quote(quoted, v));
		return false;
	}
	t->kind = (enum target_kind)(value >> TARGET_SHIFT);
	t->index = value & ((1u << TARGET_SHIFT) - 1);
	return true;
}

/* Not given means close: the fallback's words; a route must have it. */
static void
load_to(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_target	*t = (void *)((char *)base + k->offset);

	t->kind = TARGET_CLOSE;
	if (s != NULL)
		conf_target(r, s, t);
}

static void
unknown_protocol(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX], list[256] = "";
	size_t	len = 0;
	int	i;

	for (i = PROTO_UNKNOWN + 1; i < PROTO__MAX && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len,
		    "%s\"%s\"", len > 0 ? ", " : "", proto_name(i));
	conf_error(r, s, "%s is not one of %s", conf_quote(quoted, v), list);
}

static void
load_protocols(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	uint32_t		*bits = (void *)((char *)base + k->offset);
	const config_setting_t	*item;
	enum proto		 proto;
	const char		*v;
	size_t			 i, n = s == NULL ? 0 : conf_items(s);

	*bits = 0;
	if (s != NULL && n == 0)
		conf_error(r, s, "must not be empty");
	for (i = 0; i < n; i++) {
		item = conf_item(s, i);
		if ((v = conf_string(r, item)) == NULL)
			continue;
		if ((proto = proto_by_name(v)) == PROTO_UNKNOWN)
			unknown_protocol(r, item, v);
		else
			*bits |= 1u << proto;
	}
}

static void
load_listeners(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	uint32_t	**dst = (void *)((char *)base + k->offset);
	size_t		 *n = (void *)((char *)base + k->count), i, max;
	const config_setting_t *item;
	char		  quoted[CONF_QUOTE_MAX];
	const char	 *v;

	max = s == NULL ? 0 : conf_items(s);
	if (s != NULL && max == 0)
		conf_error(r, s, "must not be empty");
	*dst = conf_alloc(r->arena, max, sizeof(**dst));
	for (*n = 0, i = 0; i < max; i++) {
		item = conf_item(s, i);
		if ((v = conf_string(r, item)) == NULL)
			continue;
		if (conf_names_find(&r->listeners, v, &(*dst)[*n]))
			(*n)++;
		else
			conf_error(r, item, "no entry of listen is written "
			    "%s", conf_quote(quoted, v));
	}
}

static void
load_not(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_route	*route = base;

	route->unless = NULL;
	if (s == NULL || !conf_is_group(r, s))
		return;
	if (config_setting_length(s) == 0)
		conf_error(r, s, "needs a key: what is it that must not be?");
	route->unless = conf_alloc(r->arena, 1, sizeof(*route->unless));
	conf_walk(r, k->sub, s, route->unless);
}

static void
describe_strs(FILE *f, const struct conf_strs *l)
{
	size_t	i;

	for (i = 0; i < l->n; i++)
		fprintf(f, "%zu:%s", strlen(l->v[i]), l->v[i]);
	putc(';', f);
}

static void
describe_cidrs(FILE *f, const struct cidr *c, size_t n)
{
	char	buf[ADDR_STRLEN];
	size_t	i;

	for (i = 0; i < n; i++)
		fprintf(f, "%s/%u ", addr_format_ip(&c[i].net, buf),
		    c[i].bits);
	putc(';', f);
}

/* All that a match tests, in one line. */
static void
describe_match(FILE *f, const struct conf_match *m)
{
	size_t	i;

	describe_strs(f, &m->sni);
	describe_strs(f, &m->alpn);
	describe_strs(f, &m->host);
	fprintf(f, "%x;", m->protocols);
	describe_cidrs(f, m->from, m->nfrom);
	describe_cidrs(f, m->to_address, m->nto_address);
	for (i = 0; i < m->nlisten; i++)
		fprintf(f, "%u ", m->listen[i]);
}

/* A second rule that tests the same is one that nothing can reach. */
static void
check_repeated(struct conf_reader *r, const config_setting_t *s,
    const struct conf_route *route)
{
	uint32_t	 line = route->line;
	char		*text = NULL;
	size_t		 len;
	FILE		*f;

	if ((f = open_memstream(&text, &len)) == NULL)
		fatal("open_memstream");
	describe_match(f, &route->match);
	if (route->unless != NULL) {
		putc('!', f);
		describe_match(f, route->unless);
	}
	if (fclose(f) != 0)
		fatal("open_memstream");
	if (!conf_names_add(&r->rules, conf_strdup(r->arena, text), &line))
		conf_error(r, s, "this rule tests the same as the one of line "
		    "%u, which comes first", line);
	free(text);
}

void
conf_load_routes(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	const config_setting_t	*item;
	struct conf		*c = base;
	struct conf_route	*route;
	size_t			 i, errors;

	if (s == NULL)
		return;
	if (!config_setting_is_list(s)) {
		conf_error(r, s, "must be a list of groups: ( { ... }, "
		    "{ ... } )");
		return;
	}
	c->nroute = (size_t)config_setting_length(s);
	c->route = conf_alloc(r->arena, c->nroute, sizeof(*c->route));
	for (i = 0; i < c->nroute; i++) {
		item = config_setting_get_elem(s, (unsigned int)i);
		route = &c->route[i];
		route->line = conf_line(r, item);
		if (!conf_is_group(r, item))
			continue;
		errors = r->nerror;
		conf_walk(r, k->sub, item, route);
		if (r->nerror == errors)
			check_repeated(r, item, route);
	}
}

void
conf_load_fallback(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf		*c = base;
	struct conf_target	 t = { TARGET_CLOSE, 0 };
	size_t			 i;

	if (s != NULL && config_setting_is_group(s)) {
		conf_walk(r, k->sub, s, c->fallback);
		return;
	}
	if (s != NULL)
		conf_target(r, s, &t);
	else if (c->nsite + c->nupstream == 1)
		t.kind = c->nsite == 1 ? TARGET_SITE : TARGET_UPSTREAM;
	for (i = 0; i < FALLBACK__MAX; i++)
		c->fallback[i] = t;
}
