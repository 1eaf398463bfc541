#include <stdio.h>
#include <string.h>
#include <time.h>

#include "acme.h"
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

/* What is happening with one that a CA gives. */
static void
report_acme(struct json *j, const struct master *m, const char *name)
{
	const struct acme_cert	*c = acme_find(m, name);
	const char		*what = NULL;
	int64_t			 when = 0;

	if (c != NULL)
		what = acme_next(m, c, &when);
	json_str(j, "next", what);
	json_int(j, "next_at", when);
	json_uint(j, "failures", c == NULL ? 0 : c->led.failures);
	json_str(j, "last_error", c == NULL ? "" : c->led.error);
}

static void
warn_acme(struct json *j, const struct acme_cert *c)
{
	char	text[ACME_TEXT_MAX + 256];

	if (c->led.failing == 0)
		return;
	snprintf(text, sizeof(text), "certificate %.128s: %u attempt%s in a "
	    "row failed: %s", c->name, c->led.failures,
	    c->led.failures == 1 ? "" : "s", c->led.error);
	json_str(j, NULL, text);
}

static void
report_warnings(struct json *j, const struct generation *g,
    const struct cred *c, int64_t now)
{
	enum cert_age	age = cert_age(&c->info, now);
	char		text[EXPIRY_TEXT_MAX];

	if (age != CERT_GOOD && !(age == CERT_SOON && c->stored))
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
	report_acme(j, g->master, holder->cert_kind == CERT_ACME ?
	    holder->name : "");
	json_array(j, "warnings");
	report_warnings(j, g, c, now);
	json_end(j);
	json_end(j);
}

/* One that nothing here shows: what is known of it is what we remember. */
static void
report_beside(struct json *j, const struct master *m,
    const struct acme_cert *c, int64_t now)
{
	size_t	i;

	json_object(j, NULL);
	json_str(j, "holder", c->name);
	json_str(j, "kind", "certificate");
	json_str(j, "source", "acme");
	json_array(j, "names");
	for (i = 0; i < c->names.n; i++)
		json_str(j, NULL, c->names.v[i]);
	json_end(j);
	json_uint(j, "names_total", c->names.n);
	json_int(j, "not_before", c->led.valid_from);
	json_int(j, "not_after", c->led.valid_to);
	json_int(j, "days_left", c->led.valid_to == 0 ? 0 :
	    (c->led.valid_to - now) / 86400);
	report_acme(j, m, c->name);
	json_end(j);
}

bool
report_certificates(struct request *r)
{
	const struct generation	*g = r->master->gen;
	const struct acme_cert	*c;
	int64_t			 now = time(NULL);
	size_t			 i;

	json_array(r->json, "certificates");
	for (i = 0; i < g->ncred; i++)
		report_certificate(r->json, g, &g->cred[i], now);
	for (c = acme_list(r->master); c != NULL; c = c->next)
		if (!c->held)
			report_beside(r->json, r->master, c, now);
	json_end(r->json);
	return true;
}

void
report_cert_warnings(struct json *j, const struct generation *g)
{
	const struct acme_cert	*c;
	int64_t			 now = time(NULL);
	size_t			 i;

	for (i = 0; i < g->ncred; i++)
		report_warnings(j, g, &g->cred[i], now);
	for (c = acme_list(g->master); c != NULL; c = c->next)
		warn_acme(j, c);
}
