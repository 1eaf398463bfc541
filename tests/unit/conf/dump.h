#ifndef L4_CONF_DUMP_H
#define L4_CONF_DUMP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* Every value of a configuration as text, exact: two are equal if and only if
 * these are. */

static void
dump_str(FILE *f, const char *key, const char *v)
{
	fprintf(f, "%s=", key);
	if (v == NULL)
		fprintf(f, "NULL");
	else
		fprintf(f, "%zu:%s", strlen(v), v);
	putc('\n', f);
}

static void
dump_strs(FILE *f, const char *key, const struct conf_strs *l)
{
	size_t	i;

	fprintf(f, "%s: %zu\n", key, l->n);
	for (i = 0; i < l->n; i++)
		dump_str(f, "-", l->v[i]);
}

static void
dump_num(FILE *f, const char *key, double v)
{
	fprintf(f, "%s=%a\n", key, v);
}

static void
dump_cidrs(FILE *f, const char *key, const struct cidr *c, size_t n)
{
	char	buf[ADDR_STRLEN];
	size_t	i;

	fprintf(f, "%s: %zu\n", key, n);
	for (i = 0; i < n; i++)
		fprintf(f, "- %s/%u\n", addr_format_ip(&c[i].net, buf),
		    c[i].bits);
}

static void
dump_listener(FILE *f, const struct conf_listener *l)
{
	char	buf[ADDR_STRLEN];
	size_t	i;

	dump_str(f, "listener", l->name);
	for (i = 0; i < l->naddr; i++)
		dump_str(f, "addr", addr_format(&l->addr[i], buf));
	dump_cidrs(f, "accept_proxy", l->accept_proxy, l->naccept_proxy);
	fprintf(f, "%d %d line %u\n", l->backlog, l->defer_accept, l->line);
}

static void
dump_site(FILE *f, const struct conf_site *s)
{
	size_t	i;

	dump_str(f, "site", s->name);
	dump_strs(f, "names", &s->names);
	dump_str(f, "root", s->root);
	dump_strs(f, "index", &s->index);
	for (i = 0; i < s->nencode; i++)
		fprintf(f, "encode %d\n", s->encode[i]);
	for (i = 0; i < s->nerror_page; i++)
		fprintf(f, "error_page %d %s\n", s->error_page[i].status,
		    s->error_page[i].file);
	dump_str(f, "redirect", s->redirect);
	fprintf(f, "%d cert %d http %d browse %d line %u\n",
	    s->redirect_status, s->cert_kind, s->http, s->browse, s->line);
	for (i = 0; i < s->ncert; i++) {
		dump_str(f, "chain", s->cert[i].chain);
		dump_str(f, "key", s->cert[i].key);
		fprintf(f, "line %u\n", s->cert[i].line);
	}
	dump_strs(f, "headers", &s->headers);
	dump_strs(f, "hide", &s->hide);
	for (i = 0; i < s->nproxy; i++)
		fprintf(f, "proxy %s %u\n", s->proxy[i].path,
		    s->proxy[i].upstream);
}

static void
dump_upstream(FILE *f, const struct conf_upstream *u)
{
	size_t	i;

	dump_str(f, "upstream", u->name);
	for (i = 0; i < u->nbackend; i++) {
		dump_str(f, "backend", u->backend[i].name);
		dump_str(f, "unix", u->backend[i].unix_path);
		dump_str(f, "host", u->backend[i].host);
		fprintf(f, "port %u\n", u->backend[i].port);
	}
	fprintf(f, "%d %d %d %d %d line %u\n", u->send_proxy, u->balance,
	    u->tls_terminate, u->health, u->hand_over, u->line);
	fprintf(f, "certificate %d %zu\n", u->tls.cert_kind, u->tls.ncert);
	for (i = 0; i < u->tls.ncert; i++) {
		dump_str(f, "chain", u->tls.cert[i].chain);
		dump_str(f, "key", u->tls.cert[i].key);
	}
	dump_strs(f, "names", &u->tls.names);
	dump_strs(f, "alpn", &u->alpn);
	dump_num(f, "connect_timeout", u->connect_timeout);
	dump_num(f, "idle_timeout", u->idle_timeout);
	dump_num(f, "keepalive", u->keepalive);
	dump_num(f, "interval", u->health_interval);
	dump_num(f, "timeout", u->health_timeout);
	dump_num(f, "drain", u->drain);
	fprintf(f, "%u %u %u %u\n", u->max_connections, u->health_rise,
	    u->health_fall, u->processes);
}

static void
dump_match(FILE *f, const struct conf_match *m)
{
	size_t	i;

	dump_strs(f, "sni", &m->sni);
	dump_strs(f, "alpn", &m->alpn);
	dump_strs(f, "host", &m->host);
	fprintf(f, "protocols %x\n", m->protocols);
	dump_cidrs(f, "from", m->from, m->nfrom);
	dump_cidrs(f, "to_address", m->to_address, m->nto_address);
	for (i = 0; i < m->nlisten; i++)
		fprintf(f, "listen %u\n", m->listen[i]);
}

static void
dump_route(FILE *f, const struct conf_route *r)
{
	fprintf(f, "route line %u to %d %u log %d\n", r->line, r->to.kind,
	    r->to.index, r->log);
	dump_match(f, &r->match);
	if (r->unless != NULL) {
		fprintf(f, "unless\n");
		dump_match(f, r->unless);
	}
}

static void
dump_globals(FILE *f, const struct conf *c)
{
	size_t	i;

	fprintf(f, "processes %u %u %u %u\n", c->processes.worker,
	    c->processes.tlsterm, c->processes.keys, c->processes.proxy);
	fprintf(f, "limits %u %u %u %u %u %u\n", c->limits.connections,
	    c->limits.undecided, c->limits.per_address, c->limits.hello_bytes,
	    c->limits.loop, c->limits.cache);
	dump_num(f, "rate_per_address", c->limits.rate_per_address);
	dump_num(f, "hello_timeout", c->limits.hello_timeout);
	dump_num(f, "handshake_timeout", c->limits.handshake_timeout);
	dump_num(f, "header_timeout", c->limits.header_timeout);
	dump_num(f, "idle_timeout", c->limits.idle_timeout);
	for (i = 0; i < USER__MAX; i++)
		dump_str(f, "user", c->user[i]);
	fprintf(f, "strict %d log %d %d %d %d\n", c->strict, c->log.target,
	    c->log.format, c->log.level, c->log.connections);
	dump_num(f, "drain", c->drain);
	dump_str(f, "control", c->control);
	dump_str(f, "state", c->state);
	dump_str(f, "metrics", c->metrics != NULL ? c->metrics->name : NULL);
	dump_str(f, "tls.min", c->tls.min);
	dump_strs(f, "tls.groups", &c->tls.groups);
	dump_num(f, "tls.tickets", c->tls.tickets);
}

static void
dump_acme(FILE *f, const struct conf *c)
{
	size_t	i;

	fprintf(f, "acme %d agree %d\n", c->acme.on, c->acme.agree_to_terms);
	dump_str(f, "email", c->acme.email);
	dump_str(f, "directory", c->acme.directory);
	dump_strs(f, "challenges", &c->acme.challenges);
	dump_str(f, "ca_file", c->acme.ca_file);
	dump_str(f, "profile", c->acme.profile);
	dump_num(f, "renew_at", c->acme.renew_at);
	dump_str(f, "fallback", c->acme.fallback);
	dump_str(f, "staging", c->acme.staging);
	dump_str(f, "eab_kid", c->acme.eab_kid);
	dump_str(f, "eab_key_file", c->acme.eab_key_file);
	dump_str(f, "dns_hook", c->acme.dns_hook);
	dump_str(f, "on_renew", c->acme.on_renew);
	for (i = 0; i < c->ncertificate; i++)
		dump_strs(f, c->certificate[i].name, &c->certificate[i].names);
}

/* To be freed by the caller. */
static char *
conf_dump(const struct conf *c)
{
	char	*text = NULL;
	size_t	 len, i;
	FILE	*f = open_memstream(&text, &len);

	if (f == NULL)
		abort();
	for (i = 0; i < c->nlistener; i++)
		dump_listener(f, &c->listener[i]);
	for (i = 0; i < c->nsite; i++)
		dump_site(f, &c->site[i]);
	for (i = 0; i < c->nupstream; i++)
		dump_upstream(f, &c->upstream[i]);
	for (i = 0; i < c->nroute; i++)
		dump_route(f, &c->route[i]);
	for (i = 0; i < FALLBACK__MAX; i++)
		fprintf(f, "fallback %d %u\n", c->fallback[i].kind,
		    c->fallback[i].index);
	dump_globals(f, c);
	dump_acme(f, c);
	fclose(f);
	return text;
}

#endif
