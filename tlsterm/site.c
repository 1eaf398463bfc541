#include <stdlib.h>

#include "common/l4.h"
#include "common/log.h"
#include "challenge.h"
#include "forward_head.h"
#include "redirect.h"
#include "site.h"

/* Framing is ours: a configured field of these names is left out. */
static bool
header_ours(struct str name)
{
	static const struct str	ours[] = { { "Connection", 10 },
		{ "Content-Length", 14 }, { "Transfer-Encoding", 17 },
		{ "Date", 4 }, { "Keep-Alive", 10 }, { "Upgrade", 7 } };
	size_t			i;

	for (i = 0; i < nitems(ours); i++)
		if (str_caseeq(name, ours[i]))
			return true;
	return false;
}

static void
site_headers(struct site *s)
{
	const struct conf_strs	*list = &s->conf->headers;
	const char		*colon;
	struct field		*f;
	size_t			 i;

	if (list->n == 0)
		return;
	if ((s->header = calloc(list->n, sizeof(*s->header))) == NULL)
		fatal("calloc");
	for (i = 0; i < list->n; i++) {
		if ((colon = strchr(list->v[i], ':')) == NULL)
			continue;
		f = &s->header[s->nheader];
		f->name = str_trim((struct str){ list->v[i],
		    (size_t)(colon - list->v[i]) });
		f->value = str_trim((struct str){ colon + 1,
		    strlen(colon + 1) });
		if (header_ours(f->name))
			log_warnx("site %s: header %.*s is not yours to set",
			    s->conf->name, (int)f->name.n, f->name.p);
		else
			s->nheader++;
	}
}

/* Where https is, for those who came without: port 443 if we listen there,
 * else the first listener, which by custom is the one for TLS. */
static uint16_t
https_port(const struct conf *conf)
{
	size_t	i;

	for (i = 0; i < conf->nlistener; i++)
		if (conf->listener[i].addr[0].port == 443)
			return 443;
	return conf->nlistener > 0 ? conf->listener[0].addr[0].port : 443;
}

void
sites_init(struct sites *ss, const struct conf *conf,
    const struct stats *stats)
{
	struct site	*s;
	size_t		 i;

	ss->conf = conf;
	ss->n = conf->nsite;
	ss->https_port = https_port(conf);
	if ((ss->v = calloc(ss->n + 1, sizeof(*ss->v))) == NULL)
		fatal("calloc");
	for (i = 0; i < ss->n; i++) {
		s = &ss->v[i];
		s->conf = &conf->site[i];
		s->index = (uint32_t)i;
		s->root = -1;
		if (i < stats->ncells)
			s->requests = stats_cell(stats, i);
		site_headers(s);
	}
	ss->names = route_table_new(conf);
	ss->mime = mime_load(MIME_FILE);
	if ((ss->cache = malloc(sizeof(*ss->cache))) == NULL)
		fatal("malloc");
	cache_init(ss->cache, conf->limits.cache, stats);
}

/*
 * May this connection ask for the host?  Its site is fixed by the name that
 * TLS was set up for; another name may have another certificate, and other
 * rules about who gets there at all.
 */
static bool
host_served(const struct sites *ss, const struct origin *o, const char *host)
{
	int	owner;

	if (host[0] == '\0' || strcmp(host, o->sni) == 0)
		return true;
	owner = route_site_by_name(ss->names, host);
	if (owner >= 0)
		return (uint32_t)owner == o->site->index;
	/* A name of nobody: whoever came by a name asks for that one. */
	return o->reason == REASON_FALLBACK ||
	    (o->reason == REASON_ROUTE && o->sni[0] == '\0');
}

/* Sends to the URL of len bytes at res->buf; 0: it did not fit. */
static void
respond_location(struct response *res, size_t len, int status)
{
	if (len == 0) {
		response_error(res, 414);
		return;
	}
	response_begin(res, status);
	res->used = len;
	response_field(res, STR("Location"), (struct str){ res->buf, len });
}

static void
respond_redirect(const struct origin *o, const struct request *req,
    struct response *res)
{
	const struct conf_site	*c = o->site->conf;
	size_t			 len;

	len = redirect_expand(res->buf, sizeof(res->buf), c->redirect, req);
	respond_location(res, len, c->redirect_status);
}

/* The name to send to when the request has none. */
static const char *
site_name(const struct site *s)
{
	size_t	i;

	for (i = 0; i < s->conf->names.n; i++)
		if (s->conf->names.v[i][0] != '*')
			return s->conf->names.v[i];
	return NULL;
}

static void
respond_https(const struct sites *ss, const struct origin *o,
    const struct request *req, struct response *res)
{
	const char	*host = req->host;
	size_t		 len;

	if (host[0] == '\0' && (host = site_name(o->site)) == NULL) {
		response_error(res, 400);
		return;
	}
	len = redirect_https(res->buf, sizeof(res->buf), host,
	    ss->https_port, req->uri);
	respond_location(res, len, 308);
	res->close = true;
}

static void
respond_options(struct response *res)
{
	response_begin(res, 204);
	response_field(res, STR("Allow"), STR("GET, HEAD"));
}

/* True when the path is an upstream's. */
static bool
respond_upstream(const struct sites *ss, const struct origin *o,
    const struct request *req, struct response *res)
{
	int64_t	to = forward_match(o->site->conf, req->path);

	if (to == -1)
		return false;
	/* It would show the fields that we add (RFC 9110 9.3.8). */
	if (to >= 0 && str_eq(req->method_name, STR("TRACE")))
		to = -405;
	if (to < 0) {
		site_error(ss, o->site, (int)-to, res);
		return true;
	}
	response_begin(res, 200);
	res->upstream = to;
	return true;
}

static void
respond(const struct sites *ss, const struct origin *o,
    const struct request *req, struct response *res)
{
	const struct conf_site	*c = o->site->conf;

	if (!host_served(ss, o, req->host))
		site_error(ss, o->site, 421, res);
	else if (!o->tls && c->http == SITE_HTTP_REDIRECT)
		respond_https(ss, o, req, res);
	else if (req->path.p[0] != '/')
		respond_options(res);
	else if (respond_upstream(ss, o, req, res))
		return;
	else if (c->redirect != NULL)
		respond_redirect(o, req, res);
	else if (o->site->root != -1)
		files_respond(ss, o, req, res);
	else
		site_error(ss, o->site, 404, res);
}

void
site_add_headers(const struct site *s, struct response *res)
{
	size_t	i;

	for (i = 0; i < s->nheader; i++)
		response_replace(res, s->header[i].name, s->header[i].value);
}

void
site_respond(const struct sites *ss, const struct origin *o,
    const struct request *req, struct response *res)
{
	if (o->site->challenges != NULL)
		challenge_respond(o->site, req, res);
	else
		respond(ss, o, req, res);
	if (res->upstream != -1)
		return;
	if (res->full)
		response_error(res, 500);
	if (!res->complete)
		site_add_headers(o->site, res);
}

void
site_forwarded(const struct site *s, struct response *res)
{
	site_add_headers(s, res);
}

void
site_error(const struct sites *ss, const struct site *s, int status,
    struct response *res)
{
	const struct conf_error_page	*e;
	size_t				 i;

	for (i = 0; i < s->conf->nerror_page; i++) {
		e = &s->conf->error_page[i];
		if (e->status != status || s->root == -1)
			continue;
		response_begin(res, status);
		if (files_error_page(ss, s, e->file, res))
			return;
	}
	response_error(res, status);
}
