#include <stdlib.h>
#include <string.h>

#include "l4.h"
#include "log.h"
#include "names.h"
#include "route.h"

/* Does it match, as far as is known? */
enum tri { TRI_NO, TRI_MAYBE, TRI_YES };

/* Name spaces of the index. */
enum { SPACE_SNI, SPACE_HOST, SPACE_SITE };

struct rule_list {
	uint32_t	*v;
	size_t		 n;
};

/*
 * Every rule is in exactly one of the three lists; those with a name are also
 * in the index under each of their names.
 */
struct route_table {
	const struct conf	*conf;
	struct name_index	*names;
	struct rule_list	 plain;		/* names neither sni nor host */
	struct rule_list	 sni;
	struct rule_list	 host;		/* host, not sni */
	bool			 site_names;	/* there are implied routes */
};

static enum tri
tri(bool yes)
{
	return yes ? TRI_YES : TRI_NO;
}

static bool
cidr_any(const struct cidr *list, size_t n, const struct addr *a)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (cidr_contains(&list[i], a))
			return true;
	return false;
}

static enum tri
key_listen(const struct conf_match *m, const struct facts *f)
{
	size_t	i;

	for (i = 0; i < m->nlisten; i++)
		if (m->listen[i] == f->listener)
			return TRI_YES;
	return tri(m->nlisten == 0);
}

static enum tri
key_from(const struct conf_match *m, const struct facts *f)
{
	return tri(m->nfrom == 0 || cidr_any(m->from, m->nfrom, &f->peer));
}

static enum tri
key_to_address(const struct conf_match *m, const struct facts *f)
{
	return tri(m->nto_address == 0 ||
	    cidr_any(m->to_address, m->nto_address, &f->local));
}

static enum tri
key_protocol(const struct conf_match *m, const struct facts *f)
{
	if (m->protocols == 0)
		return TRI_YES;
	if (f->malformed)
		return TRI_MAYBE;
	if (m->protocols & f->proto_yes)
		return TRI_YES;
	return m->protocols & f->proto_pending ? TRI_MAYBE : TRI_NO;
}

/* Of a key about a hello or head that is not there, or not yet. */
static enum tri
tri_of_fact(const struct facts *f, enum fact fact)
{
	return f->malformed || fact == FACT_PENDING ? TRI_MAYBE : TRI_NO;
}

static bool
strs_match(const struct conf_strs *s, const char *name)
{
	size_t	i;

	for (i = 0; i < s->n; i++)
		if (name_matches(s->v[i], name))
			return true;
	return false;
}

static enum tri
key_sni(const struct conf_match *m, const struct facts *f)
{
	if (m->sni.n == 0)
		return TRI_YES;
	if (f->malformed || f->hello != FACT_KNOWN)
		return tri_of_fact(f, f->hello);
	return tri(strs_match(&m->sni, f->tls.sni));
}

static bool
alpn_matches(const char *pattern, const struct hello *h)
{
	char	name[UINT8_MAX + 1];
	size_t	i, len;

	for (i = 0; i < h->alpnlen; i += 1 + len) {
		len = h->alpn[i];
		memcpy(name, h->alpn + i + 1, len);
		name[len] = '\0';
		if (strlen(name) == len && name_matches(pattern, name))
			return true;
	}
	return false;
}

static enum tri
key_alpn(const struct conf_match *m, const struct facts *f)
{
	size_t	i;

	if (m->alpn.n == 0)
		return TRI_YES;
	if (f->malformed || f->hello != FACT_KNOWN)
		return tri_of_fact(f, f->hello);
	for (i = 0; i < m->alpn.n; i++)
		if (alpn_matches(m->alpn.v[i], &f->tls))
			return TRI_YES;
	return TRI_NO;
}

static enum tri
key_host(const struct conf_match *m, const struct facts *f)
{
	if (m->host.n == 0)
		return TRI_YES;
	if (f->malformed || f->http != FACT_KNOWN)
		return tri_of_fact(f, f->http);
	return tri(strs_match(&m->host, f->host));
}

/* The keys of a rule; those that are known without payload come first. */
enum {
	KEY_LISTEN, KEY_FROM, KEY_TO_ADDRESS, KEY_PROTOCOL, KEY_ALPN, KEY_SNI,
	KEY_HOST
};

static const struct {
	const char	*name;
	enum tri	(*eval)(const struct conf_match *,
			    const struct facts *);
} keys[] = {
	[KEY_LISTEN]	 = { "listen", key_listen },
	[KEY_FROM]	 = { "from", key_from },
	[KEY_TO_ADDRESS] = { "to_address", key_to_address },
	[KEY_PROTOCOL]	 = { "protocol", key_protocol },
	[KEY_ALPN]	 = { "alpn", key_alpn },
	[KEY_SNI]	 = { "sni", key_sni },
	[KEY_HOST]	 = { "host", key_host },
};

/* skip: bits 1 << KEY_* of keys that are known to match. */
static enum tri
match_eval(const struct conf_match *m, const struct facts *f,
    unsigned int skip)
{
	enum tri	t, all = TRI_YES;
	size_t		i;

	for (i = 0; i < nitems(keys); i++) {
		if (skip & 1u << i)
			continue;
		if ((t = keys[i].eval(m, f)) == TRI_NO)
			return TRI_NO;
		if (t == TRI_MAYBE)
			all = TRI_MAYBE;
	}
	return all;
}

static enum tri
rule_eval(const struct conf_route *r, const struct facts *f,
    unsigned int skip)
{
	enum tri	t = match_eval(&r->match, f, skip), u;

	if (t == TRI_NO || r->unless == NULL)
		return t;
	if ((u = match_eval(r->unless, f, 0)) == TRI_YES)
		return TRI_NO;
	return u == TRI_MAYBE ? TRI_MAYBE : t;
}

static void
list_add(struct rule_list *l, const struct conf *conf, uint32_t rule)
{
	if (l->v == NULL)
		l->v = calloc(conf->nroute, sizeof(*l->v));
	if (l->v == NULL)
		fatal("calloc");
	l->v[l->n++] = rule;
}

static void
table_add_names(struct route_table *t, unsigned int space,
    const struct conf_strs *s, size_t value)
{
	size_t	i;

	for (i = 0; i < s->n; i++)
		name_index_add(t->names, space, s->v[i], (uint32_t)value);
}

static void
table_add(struct route_table *t, size_t rule)
{
	const struct conf_match	*m = &t->conf->route[rule].match;
	struct rule_list	*l = &t->plain;

	if (m->sni.n > 0) {
		table_add_names(t, SPACE_SNI, &m->sni, rule);
		l = &t->sni;
	} else if (m->host.n > 0) {
		table_add_names(t, SPACE_HOST, &m->host, rule);
		l = &t->host;
	}
	list_add(l, t->conf, (uint32_t)rule);
}

struct route_table *
route_table_new(const struct conf *conf)
{
	struct route_table	*t;
	size_t			 i;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("calloc");
	t->conf = conf;
	t->names = name_index_new();
	for (i = 0; i < conf->nroute; i++)
		table_add(t, i);
	for (i = 0; i < conf->nsite; i++) {
		t->site_names |= conf->site[i].names.n > 0;
		table_add_names(t, SPACE_SITE, &conf->site[i].names, i);
	}
	name_index_seal(t->names);
	return t;
}

void
route_table_free(struct route_table *t)
{
	if (t == NULL)
		return;
	name_index_free(t->names);
	free(t->plain.v);
	free(t->sni.v);
	free(t->host.v);
	free(t);
}

/* Ascending lists of the rules that can still match, read as one. */
struct merge {
	struct {
		struct name_list	list;
		unsigned int		skip;
	} part[5];
	size_t	n;
};

static void
merge_add(struct merge *m, const uint32_t *v, size_t n, unsigned int skip)
{
	if (n == 0)
		return;
	m->part[m->n].list = (struct name_list){ v, n };
	m->part[m->n++].skip = skip;
}

/* Rules of one space: all while the name is open, those of the name, none. */
static void
merge_named(struct merge *m, const struct route_table *t,
    const struct rule_list *all, unsigned int space, enum tri known,
    const char *name)
{
	unsigned int		skip;
	struct name_list	l;

	if (known == TRI_MAYBE)
		merge_add(m, all->v, all->n, 0);
	if (known != TRI_YES || all->n == 0)
		return;
	skip = 1u << (space == SPACE_SNI ? KEY_SNI : KEY_HOST);
	l = name_index_exact(t->names, space, name);
	merge_add(m, l.v, l.n, skip);
	l = name_index_wildcard(t->names, space, name);
	merge_add(m, l.v, l.n, skip);
}

static void
merge_start(struct merge *m, const struct route_table *t,
    const struct facts *f)
{
	m->n = 0;
	merge_add(m, t->plain.v, t->plain.n, 0);
	merge_named(m, t, &t->sni, SPACE_SNI,
	    !f->malformed && f->hello == FACT_KNOWN ? TRI_YES :
	    tri_of_fact(f, f->hello), f->tls.sni);
	merge_named(m, t, &t->host, SPACE_HOST,
	    !f->malformed && f->http == FACT_KNOWN ? TRI_YES :
	    tri_of_fact(f, f->http), f->host);
}

/* The next rule in order, each once; false at the end. */
static bool
merge_next(struct merge *m, uint32_t *rule, unsigned int *skip)
{
	uint32_t	least = UINT32_MAX;
	size_t		i;

	for (i = 0; i < m->n; i++)
		if (m->part[i].list.n > 0 && m->part[i].list.v[0] < least) {
			least = m->part[i].list.v[0];
			*skip = m->part[i].skip;
		}
	for (i = 0; i < m->n; i++)
		while (m->part[i].list.n > 0 &&
		    m->part[i].list.v[0] == least) {
			m->part[i].list.v++;
			m->part[i].list.n--;
		}
	*rule = least;
	return least != UINT32_MAX;
}

void
route_fallback(const struct conf *conf, enum fallback why, struct decision *d)
{
	d->target = conf->fallback[why];
	d->reason = REASON_FALLBACK;
	d->rule = why;
	d->log = true;
}

int
route_site_by_name(const struct route_table *t, const char *name)
{
	struct name_list	l;

	if ((l = name_index_exact(t->names, SPACE_SITE, name)).n == 0)
		l = name_index_wildcard(t->names, SPACE_SITE, name);
	return l.n == 0 ? -1 : (int)l.v[0];
}

/* After all rules: the names of the sites. */
static enum route_verdict
decide_by_name(const struct route_table *t, const struct facts *f,
    struct decision *d)
{
	int	site = -1;

	if (t->site_names &&
	    (f->hello == FACT_PENDING || f->http == FACT_PENDING))
		return ROUTE_WAIT;
	if (f->hello == FACT_KNOWN)
		site = route_site_by_name(t, f->tls.sni);
	else if (f->http == FACT_KNOWN)
		site = route_site_by_name(t, f->host);
	if (site == -1) {
		route_fallback(t->conf, FALLBACK_UNKNOWN, d);
		return ROUTE_TAKE;
	}
	d->target.kind = TARGET_SITE;
	d->target.index = (uint32_t)site;
	d->reason = REASON_NAME;
	d->rule = (uint32_t)site;
	d->log = true;
	return ROUTE_TAKE;
}

static void
decide_by_rule(const struct conf *conf, uint32_t rule, struct decision *d)
{
	d->target = conf->route[rule].to;
	d->reason = REASON_ROUTE;
	d->rule = rule;
	d->log = conf->route[rule].log;
}

enum route_verdict
route_decide(const struct route_table *t, const struct facts *f,
    struct decision *d)
{
	const struct conf	*conf = t->conf;
	struct merge		 m;
	uint32_t		 rule;
	unsigned int		 skip = 0;
	enum tri		 v = TRI_NO;

	merge_start(&m, t, f);
	while (v == TRI_NO && merge_next(&m, &rule, &skip))
		v = rule_eval(&conf->route[rule], f, skip);
	if (v == TRI_YES) {
		decide_by_rule(conf, rule, d);
		return ROUTE_TAKE;
	}
	/*
	 * What a broken hello says is unknown for ever: no rule that asks for
	 * it takes the connection, and none behind it may.
	 */
	if (f->malformed) {
		route_fallback(conf, FALLBACK_MALFORMED, d);
		return ROUTE_TAKE;
	}
	return v == TRI_MAYBE ? ROUTE_WAIT : decide_by_name(t, f, d);
}

const char *
route_explain(const struct conf *conf, uint32_t i, const struct facts *f)
{
	const struct conf_route	*r = &conf->route[i];
	size_t			 k;

	for (k = 0; k < nitems(keys); k++)
		if (keys[k].eval(&r->match, f) != TRI_YES)
			return keys[k].name;
	if (r->unless != NULL && match_eval(r->unless, f, 0) != TRI_NO)
		return "not";
	return "";
}
