#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
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
	struct acme		*a = container_of(h, struct acme, hook);
	struct acme_cert	*c = a->told == NULL ? NULL :
				    acme_find(a->master, a->told);

	if (c != NULL && ok) {
		c->led.untold = false;
		acme_save(a, c);
	} else if (c != NULL)
		log_warnx("certificate %s: acme.on_renew failed: it is called "
		    "again at the next reload or start", c->name);
	free(a->told);
	a->told = NULL;
	hook_next(a);
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

/* The pair as files in memory, that it may open by name and nobody else. */
static bool
renewed_open(struct acme *a, const char *name)
{
	struct store_pair	p;

	if (!store_open(acme_conf(a)->state, name, &p))
		return false;
	a->hook.fd[0] = store_copy(p.chain);
	a->hook.fd[1] = store_copy(p.key);
	store_close(&p);
	return a->hook.fd[0] != -1 && a->hook.fd[1] != -1;
}

static void
renewed_close(struct acme *a)
{
	int	i;

	for (i = 0; i < 2; i++) {
		if (a->hook.fd[i] != -1)
			close(a->hook.fd[i]);
		a->hook.fd[i] = -1;
	}
}

/* False when there is none left. */
static bool
renewed_next(struct acme *a)
{
	const char		*program = acme_conf(a)->acme.on_renew;
	struct acme_cert	*c;

	for (c = a->certs; c != NULL && !c->renewed; c = c->next)
		;
	if (c == NULL)
		return false;
	c->renewed = false;
	if (program == NULL)
		return true;
	if (renewed_open(a, c->name)) {
		if (hook_run(a, (char *[]){ (char *)program, c->name,
		    HOOK_FILE_0, HOOK_FILE_1, NULL }) &&
		    (a->told = strdup(c->name)) == NULL)
			fatal("strdup");
	} else
		log_warn("acme.on_renew: %s: its files", c->name);
	renewed_close(a);
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
acme_hook_renewed(struct acme *a)
{
	struct acme_cert	*c;

	for (c = a->certs; c != NULL; c = c->next)
		c->renewed = c->led.untold && c->there;
	if (acme_conf(a)->acme.on_renew != NULL)
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
	r->dns.fd[0] = r->dns.fd[1] = -1;
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
	free(a->told);
	a->told = NULL;
	while ((v = a->clear) != NULL) {
		a->clear = v->next;
		free(v);
	}
}
