#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "acme_wire.h"
#include "conf_parts.h"

/*
 * Certificates of a CA: the group `acme`, and those that no site of ours shows.
 */
#define LETS_ENCRYPT_STAGING						\
	"https://acme-staging-v02.api.letsencrypt.org/directory"

#define A(f)	offsetof(struct conf_certificate, f)

const struct conf_key conf_certificate_keys[] = {
	{ .name = "names", .load = conf_load_strings, .offset = A(names),
	  .min = 1, .check = conf_check_host, .required = true },
	{ .name = NULL }
};

static bool
has_challenge(const struct conf *c, const char *name)
{
	size_t	i;

	for (i = 0; i < c->acme.challenges.n; i++)
		if (strcmp(c->acme.challenges.v[i], name) == 0)
			return true;
	return false;
}

void
conf_load_acme(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf	*c = base;

	conf_load_optional(r, k, s, base);
	if (s == NULL)
		return;
	if (c->acme.staging == NULL &&
	    strcmp(c->acme.directory, CONF_ACME_DIRECTORY) == 0)
		c->acme.staging = LETS_ENCRYPT_STAGING;
	if ((c->acme.eab_kid == NULL) != (c->acme.eab_key_file == NULL))
		conf_error(r, s, "eab_kid and eab_key_file go together: the "
		    "CA gives both");
	if (has_challenge(c, "dns-01") && c->acme.dns_hook == NULL)
		conf_error(r, s, "the challenge dns-01 needs dns_hook");
}

void
conf_acme_names(struct conf_reader *r, const config_setting_t *s,
    const struct conf_strs *names)
{
	size_t	i;

	if (names->n > ACME_NAMES_MAX)
		conf_error(r, s, "%zu names: a CA puts at most %d into a "
		    "certificate", names->n, ACME_NAMES_MAX);
	for (i = 0; i < names->n; i++)
		if (names->v[i][0] == '*' && r->conf->acme.dns_hook == NULL)
			conf_error(r, s, "a certificate for \"%s\" can be had "
			    "from a CA with acme.dns_hook only; set that, or "
			    "certificate", names->v[i]);
}

static void
check_certificate(struct conf_reader *r, const config_setting_t *s,
    const struct conf_certificate *cert)
{
	struct conf	*c = r->conf;
	uint32_t	 i;

	for (i = 0; i < conf_nholders(c); i++)
		if (strcmp(conf_holder(c, i)->name, cert->name) == 0)
			conf_error(r, s, "there is a site or upstream of this "
			    "name too (line %u)", conf_holder(c, i)->line);
	conf_acme_names(r, s, &cert->names);
}

void
conf_load_certificates(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf		*c = base;
	struct conf_certificate	*cert;
	const config_setting_t	**member, *group;
	struct conf_names	 names = { NULL, 0, 0 };
	uint32_t		 line;
	size_t			 i;

	if (s == NULL || !conf_is_group(r, s))
		return;
	if (!c->acme.on)
		conf_error(r, s, "needs an acme group in this configuration");
	member = conf_members(r, s, &c->ncertificate);
	c->certificate = conf_alloc(r->arena, c->ncertificate,
	    sizeof(*c->certificate));
	for (i = 0; i < c->ncertificate; i++) {
		group = member[i];
		cert = &c->certificate[i];
		cert->name = conf_strdup(r->arena, config_setting_name(group));
		cert->line = line = conf_line(r, group);
		if (!conf_names_add(&names, cert->name, &line))
			conf_error(r, group, "duplicate setting name");
		if (!conf_is_group(r, group))
			continue;
		conf_walk(r, k->sub, group, cert);
		check_certificate(r, group, cert);
	}
	conf_names_free(&names);
	free(member);
}
