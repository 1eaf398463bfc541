#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "control.h"
#include "generation.h"

#define LOOK_MAX	60	/* s: the clock of the wall may be set */
#define LOOK_SOON	NSEC_PER_SEC	/* while a generation comes up */
#define SHOW_MAX	(60 * NSEC_PER_SEC)	/* pause between tries */

static void	acme_look(struct ev_timer *);

const struct conf *
acme_conf(const struct acme *a)
{
	return a->master->gen->conf;
}

static struct acme *
acme_get(struct master *m)
{
	struct acme	*a;

	if (m->acme != NULL)
		return m->acme;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		fatal("calloc");
	a->master = m;
	a->page_fd = a->hook.fd[0] = a->hook.fd[1] = -1;
	a->timer.cb = acme_look;
	m->acme = a;
	return a;
}

int
acme_page(struct master *m, const struct conf *conf)
{
	struct acme	*a;

	if (!conf->acme.on)
		return -1;
	a = acme_get(m);
	if (a->page_fd == -1)
		a->page_fd = challenges_create(&a->page);
	if (a->page_fd == -1)
		log_warn("challenges");
	return a->page_fd;
}

/* Those there are stay when acme is taken out of the configuration. */
static struct acme_cert *
certs_of(const struct master *m)
{
	return m->acme == NULL || m->gen == NULL ||
	    !m->gen->conf->acme.on ? NULL : m->acme->certs;
}

const struct acme_cert *
acme_list(const struct master *m)
{
	return certs_of(m);
}

struct acme_cert *
acme_find(const struct master *m, const char *name)
{
	struct acme_cert	*c;
	size_t			 i;

	for (c = certs_of(m); c != NULL; c = c->next) {
		if (strcmp(c->name, name) == 0)
			return c;
		for (i = 0; i < c->names.n; i++)
			if (strcmp(c->names.v[i], name) == 0)
				return c;
	}
	return NULL;
}

const struct proc *
acme_proc(const struct master *m)
{
	const struct acme_run	*r = m->acme == NULL ? NULL : m->acme->run;

	return r != NULL && r->proc.gen != NULL &&
	    r->proc.role == ROLE_ACME && r->proc.pid > 0 ? &r->proc : NULL;
}

static void
names_free(struct conf_strs *s)
{
	while (s->n > 0)
		free((char *)(uintptr_t)s->v[--s->n]);
	free(s->v);
	s->v = NULL;
}

/* Addresses without the brackets that they have in a Host field. */
static void
names_copy(struct conf_strs *dst, const struct conf_strs *src)
{
	size_t	i, len, skip;
	char	*s;

	if ((dst->v = calloc(src->n + 1, sizeof(*dst->v))) == NULL)
		fatal("calloc");
	for (i = 0; i < src->n; i++) {
		skip = src->v[i][0] == '[';
		len = strlen(src->v[i]) - 2 * skip;
		if ((s = strndup(src->v[i] + skip, len)) == NULL)
			fatal("strndup");
		dst->v[dst->n++] = s;
	}
}

static bool
names_same(const struct conf_strs *a, char *const *v, size_t n)
{
	size_t	i;

	for (i = 0; i < n && i < a->n; i++)
		if (strcmp(a->v[i], v[i]) != 0)
			return false;
	return a->n == n;
}

static void
ledger_name(const struct acme_cert *c, char dst[256])
{
	snprintf(dst, 256, "%.240s.state", c->name);
}

void
acme_save(const struct acme *a, const struct acme_cert *c)
{
	char	text[LEDGER_TEXT_MAX], file[256];
	size_t	len = ledger_format(&c->led, text);

	ledger_name(c, file);
	if (!store_write(acme_conf(a)->state, "acme", file, text, len))
		log_warn("%s/acme/%s: limits and pauses do not survive a "
		    "restart", acme_conf(a)->state, file);
}

static void
load(const struct acme *a, struct acme_cert *c)
{
	char	file[256], *text;

	ledger_name(c, file);
	text = store_read(acme_conf(a)->state, "acme", file);
	if (text != NULL && !ledger_parse(&c->led, text))
		log_warnx("%s/acme/%s: not a file of ours: ignored",
		    acme_conf(a)->state, file);
	free(text);
}

static void
cert_free(struct acme_cert *c)
{
	names_free(&c->names);
	free(c->name);
	free(c);
}

/* Is one of these names in force?  For a site: does it show it? */
static bool
cert_there(const struct acme *a, struct acme_cert *c, uint32_t holder)
{
	const struct generation	*g = a->master->gen;
	struct store_pair	 p;
	bool			 same;
	size_t			 i;

	if (!store_open(acme_conf(a)->state, c->name, &p))
		return false;
	same = names_same(&c->names, p.name, p.nnames);
	store_close(&p);
	if (!c->held)
		return same;
	for (i = 0; i < g->ncred; i++) {
		if (g->cred[i].site != holder || !g->cred[i].stored)
			continue;
		c->led.valid_from = g->cred[i].info.from;
		c->led.valid_to = g->cred[i].info.to;
		return same;
	}
	/* It was installed a moment ago, and is not shown yet. */
	return same && g->installs != a->installs;
}

/* The certificate of that name, taken from the old list or made. */
static void
want(struct acme *a, struct acme_cert **old, const char *name,
    const struct conf_strs *names, bool held, uint32_t holder)
{
	struct acme_cert	*c, **pp;

	for (pp = old; *pp != NULL && strcmp((*pp)->name, name) != 0;
	    pp = &(*pp)->next)
		;
	if ((c = *pp) != NULL)
		*pp = c->next;
	else if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (c->name = strdup(name)) == NULL)
		fatal("calloc");
	else
		load(a, c);
	names_free(&c->names);
	names_copy(&c->names, names);
	c->held = held;
	c->there = cert_there(a, c, holder);
	c->next = a->certs;
	a->certs = c;
}

static void
want_all(struct acme *a, struct acme_cert **old)
{
	const struct conf	*conf = acme_conf(a);
	const struct conf_site	*s;
	uint32_t		 i;

	for (i = 0; i < conf_nholders(conf); i++) {
		s = conf_holder(conf, i);
		if (s->cert_kind == CERT_ACME)
			want(a, old, s->name, &s->names, true, i);
	}
	for (i = 0; i < conf->ncertificate; i++)
		want(a, old, conf->certificate[i].name,
		    &conf->certificate[i].names, false, 0);
}

/* Does the run go on?  It has names of its certificate in its hands. */
static bool
run_survives(const struct acme *a, const struct acme_cert *gone,
    const struct conf_strs *before)
{
	for (; gone != NULL; gone = gone->next)
		if (gone == a->run->cert)
			return false;
	return names_same(&a->run->cert->names, (char **)(uintptr_t)before->v,
	    before->n);
}

static void
move_run(struct acme *a, const struct acme_cert *gone,
    const struct conf_strs *before)
{
	if (a->run == NULL)
		return;
	if (!run_survives(a, gone, before))
		acme_run_stop(a);
	else if (a->run->proc.gen != NULL)
		a->run->proc.gen = a->master->gen;
}

void
acme_up(struct master *m)
{
	struct acme		*a;
	struct acme_cert	*old, *c;
	struct conf_strs	 before = { NULL, 0 };

	if (!m->gen->conf->acme.on) {
		acme_stop(m, "the configuration has no acme any more");
		return;
	}
	a = acme_get(m);
	old = a->certs;
	a->certs = NULL;
	if (a->run != NULL)
		names_copy(&before, &a->run->cert->names);
	want_all(a, &old);
	move_run(a, old, &before);
	names_free(&before);
	while ((c = old) != NULL) {
		old = c->next;
		control_renewed(m->control, c, "the configuration does not "
		    "have it any more");
		cert_free(c);
	}
	acme_hook_renewed(a);
	acme_poke(m);
}

static int64_t
due(const struct acme *a, const struct acme_cert *c)
{
	return ledger_due(&c->led, c->there, acme_conf(a)->acme.renew_at);
}

/* The next piece of work and when it is due; NULL: there is none. */
static struct acme_cert *
first(const struct acme *a, enum acme_kind *kind, int64_t *when)
{
	struct acme_cert	*c, *best = NULL;
	int64_t			 t;

	for (c = a->certs; c != NULL; c = c->next) {
		if (best == NULL || due(a, c) < *when) {
			best = c;
			*when = due(a, c);
			*kind = ACME_ORDER;
		}
		t = c->led.ask > c->led.issued + LEDGER_HOUR ? c->led.ask :
		    c->led.issued + LEDGER_HOUR;
		if (c->there && c->led.failing == 0 && t < *when) {
			best = c;
			*when = t;
			*kind = ACME_ASK;
		}
	}
	return best;
}

static bool
is_busy(const struct master *m)
{
	return m->starting != NULL || m->switching != NULL || m->upgrading;
}

/* Certificates are there that the generation in force does not show.  One that
 * would may fail for another reason, and again: each time all processes start
 * anew. */
static void
acme_show(struct acme *a)
{
	struct master	*m = a->master;
	uint64_t	 now = ev_clock();

	if (now >= a->again) {
		a->pause = a->pause == 0 ? LOOK_SOON : 2 * a->pause;
		if (a->pause > SHOW_MAX)
			a->pause = SHOW_MAX;
		a->again = now + a->pause;
		life_renew(m);
	}
	ev_timer_set(m->ev, &a->timer, a->again);
}

static void
acme_look(struct ev_timer *t)
{
	struct acme		*a = container_of(t, struct acme, timer);
	struct master		*m = a->master;
	enum acme_kind		 kind = ACME_ORDER;
	int64_t			 when = 0, now = time(NULL);
	struct acme_cert	*c;

	if (m->gen == NULL || m->stopping || !m->gen->conf->acme.on)
		return;
	if (is_busy(m)) {
		ev_timer_set(m->ev, t, ev_clock() + LOOK_SOON);
		return;
	}
	if (m->gen->installs != a->installs) {
		acme_show(a);
		return;
	}
	a->again = a->pause = 0;
	for (c = a->certs; c != NULL; c = c->next)
		ledger_mend(&c->led, now);
	if (a->run != NULL || (c = first(a, &kind, &when)) == NULL)
		return;
	if (when <= now)
		acme_run_start(a, c, kind);
	else
		ev_timer_set(m->ev, t, ev_clock() + NSEC_PER_SEC *
		    (uint64_t)(when - now < LOOK_MAX ? when - now : LOOK_MAX));
}

void
acme_poke(struct master *m)
{
	if (m->acme != NULL)
		ev_timer_set(m->ev, &m->acme->timer, ev_clock());
}

void
acme_stop(struct master *m, const char *why)
{
	struct acme		*a = m->acme;
	struct acme_cert	*c;

	if (a == NULL)
		return;
	acme_run_stop(a);
	acme_hook_stop(a);
	ev_timer_cancel(m->ev, &a->timer);
	for (c = a->certs; c != NULL; c = c->next)
		control_renewed(m->control, c, why);
}

void
acme_shown(struct master *m)
{
	struct acme_cert	*c;

	for (c = certs_of(m); c != NULL; c = c->next) {
		if (c->install == 0 || c->install > m->gen->installs)
			continue;
		c->install = 0;
		control_renewed(m->control, c, NULL);
	}
}

void
acme_not_shown(struct master *m, const struct generation *g)
{
	char			 why[sizeof(g->error) + 64];
	struct acme_cert	*c;

	snprintf(why, sizeof(why), "installed, but it cannot be shown: %s",
	    g->error);
	for (c = certs_of(m); c != NULL; c = c->next)
		if (c->install != 0 && c->install <= g->installs)
			control_renewed(m->control, c, why);
}

bool
acme_reaped(struct master *m, pid_t pid, int status)
{
	struct acme	*a = m->acme;

	if (a == NULL)
		return false;
	if (hook_reaped(&a->hook, pid, status) ||
	    (a->run != NULL && hook_reaped(&a->run->dns, pid, status)))
		return true;
	if (a->run == NULL || a->run->proc.pid != pid)
		return false;
	proc_reaped(&a->run->proc, status);
	return true;
}

const char *
acme_next(const struct master *m, const struct acme_cert *c, int64_t *when)
{
	const struct acme	*a = m->acme;

	*when = 0;
	if (a->run != NULL && a->run->cert == c && a->run->kind == ACME_ORDER)
		return "being had";
	*when = due(a, c);
	if (c->led.failing != 0)
		return "try again";
	return c->there ? "renew" : "have";
}

const char *
acme_renew(struct master *m, struct acme_cert *c)
{
	const char	*why;

	if (c == NULL)
		return "no certificate of a CA has that name";
	if ((why = ledger_refuses(&c->led, time(NULL))) != NULL)
		return why;
	c->led.wanted = true;
	acme_save(m->acme, c);
	acme_poke(m);
	return NULL;
}

const char *
acme_revoke(struct master *m, const char *name)
{
	struct acme_cert	*c = acme_find(m, name);

	if (c == NULL || c->led.issued == 0)
		return "no certificate of a CA has that name";
	if (m->acme->run != NULL)
		return "another certificate is being had: try again";
	acme_run_start(m->acme, c, ACME_REVOKE);
	return NULL;
}
