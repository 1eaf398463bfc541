#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_parts.h"

static CONF_LOADER(load_names);
static CONF_LOADER(load_error_pages);
static CONF_LOADER(load_status);
static CONF_LOADER(load_proxy);
static CONF_LOADER(load_upstream);

static const char *const	encode_words[] = { "zstd", "br", "gzip", NULL };
static const char *const	http_words[] = {
	"redirect", "serve", "off", NULL
};
static const char *const	cert_words[] = { "acme", "self-signed", NULL };

#define S(f)	offsetof(struct conf_site, f)
#define C(f)	offsetof(struct conf_cert, f)
#define E(f)	offsetof(struct conf_error_page, f)
#define P(f)	offsetof(struct conf_site_proxy, f)

static const struct conf_key error_page_keys[] = {
	{ .name = "status", .load = conf_load_u32, .offset = E(status),
	  .min = 400, .max = 599, .required = true },
	{ .name = "file", .load = conf_load_string, .offset = E(file),
	  .text = "", .check = conf_check_url_path, .required = true },
	{ .name = NULL }
};

const struct conf_key conf_cert_keys[] = {
	{ .name = "chain", .load = conf_load_string, .offset = C(chain),
	  .text = "", .check = conf_check_path, .required = true },
	{ .name = "key", .load = conf_load_string, .offset = C(key),
	  .text = "", .check = conf_check_path, .required = true },
	{ .name = NULL }
};

static const struct conf_key proxy_keys[] = {
	{ .name = "path", .load = conf_load_string, .offset = P(path),
	  .text = "", .check = conf_check_url_path, .required = true },
	{ .name = "to", .load = load_upstream, .required = true },
	{ .name = NULL }
};

const struct conf_key conf_site_keys[] = {
	{ .name = "names", .load = load_names, .offset = S(names), .min = 1,
	  .check = conf_check_host, .required = true },
	{ .name = "root", .load = conf_load_string, .offset = S(root),
	  .check = conf_check_path },
	{ .name = "index", .load = conf_load_strings, .offset = S(index),
	  .text = "index.html", .check = conf_check_file_name },
	{ .name = "encode", .load = conf_load_enums, .offset = S(encode),
	  .count = S(nencode), .words = encode_words },
	{ .name = "error_pages", .load = load_error_pages,
	  .sub = error_page_keys },
	{ .name = "redirect", .load = conf_load_string, .offset = S(redirect),
	  .check = conf_check_redirect },
	{ .name = "redirect_status", .load = load_status,
	  .offset = S(redirect_status), .min = 300, .max = 399, .def = 302 },
	{ .name = "certificate", .load = conf_load_certificate,
	  .sub = conf_cert_keys },
	{ .name = "http", .load = conf_load_enum, .offset = S(http),
	  .words = http_words, .def = SITE_HTTP_REDIRECT },
	{ .name = "headers", .load = conf_load_strings, .offset = S(headers),
	  .check = conf_check_header },
	{ .name = "hide", .load = conf_load_strings, .offset = S(hide),
	  .text = ".*", .check = conf_check_plain },
	{ .name = "browse", .load = conf_load_bool, .offset = S(browse) },
	{ .name = "proxy", .load = load_proxy, .sub = proxy_keys },
	{ .name = NULL }
};

/* No two sites may have a name; hosts knows whose each is. */
static void
claim_name(struct conf_reader *r, const config_setting_t *s,
    struct conf_site *site, const char *name)
{
	uint32_t	 index = (uint32_t)(site - r->conf->site);
	struct conf_site *other;
	char		 quoted[CONF_QUOTE_MAX];

	if (conf_names_add(&r->hosts, name, &index))
		return;
	other = &r->conf->site[index];
	conf_quote(quoted, name);
	if (other == site)
		conf_error(r, s, "%s is there twice", quoted);
	else
		conf_error(r, s, "%s is a name of site \"%s\" too (line %u)",
		    quoted, other->name, other->line);
}

static void
load_names(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_site	*site = base;
	size_t			 i, n;

	conf_load_strings(r, k, s, base);
	n = s == NULL ? 0 : conf_items(s);
	for (i = 0; i < site->names.n; i++)
		/* With a bad name among them the lines no longer fit. */
		claim_name(r, n == site->names.n ? conf_item(s, i) : s, site,
		    site->names.v[i]);
}

static void
load_status(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	static const uint32_t	good[] = { 301, 302, 303, 307, 308 };
	uint32_t		v = (uint32_t)k->def;
	struct conf_site	*site = base;
	size_t			i;

	site->redirect_status = (int)v;
	if (s == NULL || !conf_integer(r, s, 0, UINT32_MAX, &v))
		return;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (v == good[i]) {
			site->redirect_status = (int)v;
			return;
		}
	conf_error(r, s, "%u is not one of 301, 302, 303, 307, 308", v);
}

/* A list of groups, one object each; NULL and reported for anything else. */
static void *
load_list(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, size_t size, size_t *n)
{
	const config_setting_t	*item;
	char			*objs;
	size_t			 i;

	*n = 0;
	if (s == NULL)
		return NULL;
	if (config_setting_is_array(s) ||
	    (!config_setting_is_list(s) && !config_setting_is_group(s))) {
		conf_error(r, s, "must be a list of groups: ( { ... }, "
		    "{ ... } )");
		return NULL;
	}
	*n = conf_items(s);
	objs = conf_alloc(r->arena, *n, size);
	for (i = 0; i < *n; i++) {
		item = conf_item(s, i);
		conf_walk(r, k->sub, conf_is_group(r, item) ? item : NULL,
		    objs + i * size);
	}
	return objs;
}

static void
load_error_pages(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_site	*site = base;
	bool			 seen[600] = { false };
	size_t			 i;
	int			 status;

	site->error_page = load_list(r, k, s, sizeof(*site->error_page),
	    &site->nerror_page);
	for (i = 0; i < site->nerror_page; i++) {
		status = site->error_page[i].status;
		if (status > 0 && seen[status])
			conf_error(r, conf_item(s, i), "there are two pages "
			    "for status %d", status);
		seen[status] = true;
	}
}

void
conf_load_certificate(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_site	*site = base;
	struct conf_seg		 place;
	size_t			 i;
	int			 word;

	site->cert_kind = r->conf->acme.on ? CERT_ACME : CERT_SELF_SIGNED;
	if (s == NULL)
		return;
	if (config_setting_type(s) != CONFIG_TYPE_STRING) {
		site->cert_kind = CERT_FILES;
		site->cert = load_list(r, k, s, sizeof(*site->cert),
		    &site->ncert);
		for (i = 0; i < site->ncert; i++) {
			place = conf_place(r, conf_item(s, i));
			site->cert[i].file = place.file;
			site->cert[i].line = place.line;
		}
		if (site->ncert == 0)
			conf_error(r, s, "no certificate: must be \"acme\", "
			    "\"self-signed\" or { chain = PATH; key = PATH; "
			    "}");
		return;
	}
	if ((word = conf_word(r, s, cert_words)) == -1)
		return;
	site->cert_kind = (enum cert_kind)word;
	if (site->cert_kind == CERT_ACME && !r->conf->acme.on)
		conf_error(r, s, "\"acme\" needs an acme group in this "
		    "configuration");
}

static void
load_upstream(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_site_proxy	*p = base;
	struct conf_target	 t;
	char			 quoted[CONF_QUOTE_MAX];

	(void)k;
	if (s == NULL || !conf_target(r, s, &t))
		return;
	if (t.kind == TARGET_UPSTREAM)
		p->upstream = t.index;
	else
		conf_error(r, s, "%s is not an upstream",
		    conf_quote(quoted, config_setting_get_string(s)));
}

static void
load_proxy(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_site	*site = base;
	struct conf_names	 paths = { NULL, 0, 0 };
	char			 quoted[CONF_QUOTE_MAX];
	uint32_t		 value;
	size_t			 i;

	site->proxy = load_list(r, k, s, sizeof(*site->proxy), &site->nproxy);
	for (i = 0; i < site->nproxy; i++) {
		value = (uint32_t)i;
		if (site->proxy[i].path[0] != '\0' &&
		    !conf_names_add(&paths, site->proxy[i].path, &value))
			conf_error(r, conf_item(s, i), "the path %s is there "
			    "twice", conf_quote(quoted, site->proxy[i].path));
	}
	conf_names_free(&paths);
}

/* What no key can know alone. */
static void
check_site(struct conf_reader *r, const config_setting_t *s,
    const struct conf_site *site)
{
	bool	root = config_setting_get_member(s, "root") != NULL,
		redirect = config_setting_get_member(s, "redirect") != NULL;

	if (!root && !redirect && config_setting_get_member(s, "proxy") == NULL)
		conf_error(r, s, "a site needs root, redirect or proxy");
	if (root && redirect)
		conf_error(r, s, "root and redirect exclude each other");
	if (!root && site->nerror_page > 0)
		conf_error(r, s, "error_pages are files below root, and there "
		    "is no root");
	if (site->cert_kind == CERT_ACME)
		conf_acme_names(r, s, &site->names);
}

void
conf_load_sites(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	const config_setting_t	**member, *group;
	struct conf_site	*site;
	struct conf		*c = base;
	size_t			 i;

	if (s == NULL || !conf_is_group(r, s))
		return;
	member = conf_members(r, s, &c->nsite);
	c->site = conf_alloc(r->arena, c->nsite, sizeof(*c->site));
	for (i = 0; i < c->nsite; i++) {
		group = member[i];
		site = &c->site[i];
		site->name = conf_strdup(r->arena, config_setting_name(group));
		site->line = conf_line(r, group);
		conf_target_add(r, group, TARGET_SITE, i);
		if (!conf_is_group(r, group))
			continue;
		conf_walk(r, k->sub, group, site);
		check_site(r, group, site);
	}
	free(member);
}
