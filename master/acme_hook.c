#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/priv.h"
#include "acme.h"

/* A record that acme.dns_hook made. */
struct dns_value {
	struct dns_value *next;
	char		 name[HELLO_NAME_MAX + 1];
	char		 value[CHALLENGE_PROOF_MAX + 1];
};

static void	hook_next(struct acme *);

static void
hook_done(struct hook *h, bool ok)
{
	(void)ok;
	hook_next(container_of(h, struct acme, hook));
}

static bool
hook_run(struct acme *a, char *const argv[])
{
	a->hook.master = a->master;
	a->hook.user = acme_conf(a)->user[USER_HOOK];
	a->hook.done = hook_done;
	return hook_start(&a->hook, argv);
}

static void
clear_next(struct acme *a)
{
	const char		*program = acme_conf(a)->acme.dns_hook;
	struct dns_value	*v = a->clear;

	a->clear = v->next;
	if (program != NULL)
		hook_run(a, (char *[]){ (char *)program, "clear",
		    v->name, v->value, NULL });
	free(v);
}

static void
renewed_free(struct acme_cert *c)
{
	free(c->renewed[0]);
	free(c->renewed[1]);
	c->renewed[0] = c->renewed[1] = NULL;
}

/* False when there is none left. */
static bool
renewed_next(struct acme *a)
{
	const char		*program = acme_conf(a)->acme.on_renew;
	struct acme_cert	*c;

	for (c = a->certs; c != NULL && c->renewed[0] == NULL; c = c->next)
		;
	if (c == NULL)
		return false;
	if (program != NULL)
		hook_run(a, (char *[]){ (char *)program, c->name,
		    c->renewed[0], c->renewed[1], NULL });
	renewed_free(c);
	return true;
}

/* One at a time. */
static void
hook_next(struct acme *a)
{
	/* What is being tried may still need its records. */
	while (a->run == NULL && a->hook.pid == 0 && a->clear != NULL)
		clear_next(a);
	while (a->hook.pid == 0 && renewed_next(a))
		continue;
}

void
acme_hook_renewed(struct acme *a, struct acme_cert *c)
{
	const struct conf	*conf = acme_conf(a);
	char			 chain[4096], key[4096];
	uid_t			 uid = (uid_t)-1;
	gid_t			 gid = (gid_t)-1;

	if (conf->acme.on_renew == NULL)
		return;
	if ((a->master->privileged &&
	    !priv_lookup(conf->user[USER_HOOK], &uid, &gid)) ||
	    !store_copy(conf->state, c->name, uid, gid, chain, key)) {
		log_warn("acme.on_renew: %s: a copy for it cannot be made",
		    c->name);
		return;
	}
	renewed_free(c);
	c->renewed[0] = strdup(chain);
	c->renewed[1] = strdup(key);
	if (c->renewed[0] == NULL || c->renewed[1] == NULL)
		fatal("strdup");
	hook_next(a);
}

void
acme_hook_clear(struct acme *a, const struct challenge *c)
{
	struct dns_value	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		fatal("calloc");
	memcpy(v->name, c->name, sizeof(v->name));
	memcpy(v->value, c->proof, sizeof(v->value));
	v->next = a->clear;
	a->clear = v;
}

static void
set_done(struct hook *h, bool ok)
{
	struct acme_run	*r = container_of(h, struct acme_run, dns);

	acme_run_go(r, ok);
}

bool
acme_hook_set(struct acme_run *r)
{
	const struct conf	*conf = acme_conf(r->acme);

	if (conf->acme.dns_hook == NULL)
		return false;
	r->dns.master = r->acme->master;
	r->dns.user = conf->user[USER_HOOK];
	r->dns.done = set_done;
	return hook_start(&r->dns, (char *[]){ (char *)conf->acme.dns_hook,
	    "set", r->offered.name, r->offered.proof, NULL });
}

void
acme_hook_flush(struct acme *a)
{
	hook_next(a);
}

void
acme_hook_stop(struct acme *a)
{
	struct dns_value	*v;

	hook_stop(&a->hook);
	while ((v = a->clear) != NULL) {
		a->clear = v->next;
		free(v);
	}
}
