#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "generation.h"

/* `certificates` (docs/control.md), and what `status` says of them. */
static const char *
source_name(enum cert_kind kind)
{
	static const char *const names[] = {
		[CERT_ACME] = "acme", [CERT_SELF_SIGNED] = "self-signed",
		[CERT_FILES] = "files",
	};

	return names[kind];
}

/* The names of the certificate; they have a space between. */
static void
report_names(struct json *j, const struct cert_info *c)
{
	const char	*p = c->names;
	size_t		 len;

	json_array(j, "names");
	for (; *p != '\0'; p += len + (p[len] == ' ')) {
		len = strcspn(p, " ");
		json_strn(j, NULL, p, len);
	}
	json_end(j);
	json_uint(j, "names_total", c->nnames);
}

static void
report_warnings(struct json *j, const struct generation *g,
    const struct cred *c, int64_t now)
{
	char	text[EXPIRY_TEXT_MAX];

	if (cert_age(&c->info, now) != CERT_GOOD)
		json_str(j, NULL, expiry_text(g, c, now, text));
	if (c->info.note[0] != '\0' && c->files != NULL) {
		snprintf(text, sizeof(text), "%s: %s", c->files->chain,
		    c->info.note);
		json_str(j, NULL, text);
	}
}

static void
report_certificate(struct json *j, const struct generation *g,
    const struct cred *c, int64_t now)
{
	const struct conf_site	*holder = conf_holder(g->conf, c->site);
	const struct cert_info	*i = &c->info;
	char			 key[CERT_KEY_NAMELEN];

	json_object(j, NULL);
	json_str(j, "holder", holder->name);
	json_str(j, "kind", c->site < g->conf->nsite ? "site" : "upstream");
	json_str(j, "source", source_name(holder->cert_kind));
	json_str(j, "chain", c->files == NULL ? NULL : c->files->chain);
	json_str(j, "key", c->files == NULL ? NULL : c->files->key);
	json_str(j, "key_type", cert_key_name(i, key));
	json_str(j, "issuer", i->issuer);
	json_bool(j, "self_signed", i->self_signed);
	report_names(j, i);
	json_int(j, "not_before", i->from);
	json_int(j, "not_after", i->to);
	json_int(j, "days_left", cert_days_left(i, now));
	json_array(j, "warnings");
	report_warnings(j, g, c, now);
	json_end(j);
	json_end(j);
}

bool
report_certificates(struct request *r)
{
	const struct generation	*g = r->master->gen;
	int64_t			 now = time(NULL);
	size_t			 i;

	json_array(r->json, "certificates");
	for (i = 0; i < g->ncred; i++)
		report_certificate(r->json, g, &g->cred[i], now);
	json_end(r->json);
	return true;
}

void
report_cert_warnings(struct json *j, const struct generation *g)
{
	int64_t	now = time(NULL);
	size_t	i;

	for (i = 0; i < g->ncred; i++)
		report_warnings(j, g, &g->cred[i], now);
}
