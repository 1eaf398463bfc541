#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "generation.h"

/*
 * Certificates and keys as files.  Master opens them, keeps the descriptors for
 * children that start anew, and reads nothing: what needs OpenSSL is done by a
 * one-shot run of keys.
 */
static int
open_file(struct generation *g, const struct conf_cert *c, const char *path)
{
	struct stat	st;
	int		fd;

	fd = files_open(&g->pems, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd == -1) {
		gen_fail(g, "%s:%u: %s: %s", c->file, c->line, path,
		    strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		gen_fail(g, "%s:%u: %s: not a regular file", c->file, c->line,
		    path);
		return -1;
	}
	return fd;
}

static bool
same_names(const struct conf_site *a, const struct conf_site *b)
{
	size_t	i;

	if (strcmp(a->name, b->name) != 0 || a->names.n != b->names.n)
		return false;
	for (i = 0; i < a->names.n; i++)
		if (strcmp(a->names.v[i], b->names.v[i]) != 0)
			return false;
	return true;
}

/* What the running generation made for the same site and names, unless it is
 * time for another. */
static bool
cred_keep(struct generation *g, struct cred *c)
{
	const struct generation	*old = g->master->gen;
	const struct conf_site	*site = conf_holder(g->conf, c->site);
	const struct cred	*o;
	size_t			 i, n = old == NULL ? 0 : old->ncred;

	/* Most are where they were, or as far from there as the one before. */
	for (i = 0; i < n; i++) {
		o = &old->cred[(g->kept + i) % n];
		if (o->files != NULL || o->stored || !o->good ||
		    cert_age(&o->info, time(NULL)) != CERT_GOOD ||
		    !same_names(conf_holder(old->conf, o->site), site))
			continue;
		c->chain = fcntl(o->chain, F_DUPFD_CLOEXEC, 3);
		c->key = fcntl(o->key, F_DUPFD_CLOEXEC, 3);
		c->good = true;
		c->info = o->info;
		g->kept = (size_t)(o - old->cred) + 1;
		return true;
	}
	return false;
}

/* What a CA gave for it; the files change owner. */
static bool
cred_stored(const struct generation *g, struct cred *c)
{
	const struct conf_site	*site = conf_holder(g->conf, c->site);
	struct store_pair	 p;

	if (site->cert_kind != CERT_ACME ||
	    !store_open(g->conf->state, site->name, &p))
		return false;
	c->stored = true;
	c->chain = p.chain;
	c->key = p.key;
	c->name = p.name;
	c->nnames = p.nnames;
	return true;
}

static void
cred_self_sign(struct generation *g, struct cred *c)
{
	if (cred_keep(g, c))
		return;
	c->chain = memfd_create("l4mux-chain", MFD_CLOEXEC);
	c->key = memfd_create("l4mux-key", MFD_CLOEXEC);
}

static bool
cred_fill(struct generation *g, struct cred *c)
{
	if (c->files != NULL) {
		c->chain = open_file(g, c->files, c->files->chain);
		c->key = open_file(g, c->files, c->files->key);
	} else if (!cred_stored(g, c))
		cred_self_sign(g, c);
	if (c->chain != -1 && c->key != -1)
		return true;
	gen_fail(g, "certificate: %s", strerror(errno));
	return false;
}

static size_t
site_creds(const struct conf_site *s)
{
	return s->cert_kind == CERT_FILES ? s->ncert : 1;
}

/* Files are the same where their descriptors are. */
void
cred_link(struct generation *g)
{
	struct conf_names	 seen = { NULL, 0, 0 };
	struct cred		*c;
	uint32_t		 first;

	for (c = g->cred; c < g->cred + g->ncred; c++) {
		c->same = first = (uint32_t)(c - g->cred);
		if (c->files == NULL ||
		    conf_names_add(&seen, c->files->chain, &first))
			continue;
		if (g->cred[first].chain == c->chain &&
		    g->cred[first].key == c->key)
			c->same = first;
	}
	conf_names_free(&seen);
}

bool
cred_open(struct generation *g)
{
	const struct conf_site	*s;
	uint32_t		 i;
	size_t			 k, n = 0;

	for (i = 0; i < conf_nholders(g->conf); i++)
		n += site_creds(conf_holder(g->conf, i));
	if (n == 0)
		return true;
	if ((g->cred = calloc(n, sizeof(*g->cred))) == NULL)
		fatal("calloc");
	for (k = 0; k < n; k++)
		g->cred[k].chain = g->cred[k].key = -1;
	for (i = 0; i < conf_nholders(g->conf); i++) {
		s = conf_holder(g->conf, i);
		for (k = 0; k < site_creds(s); k++) {
			g->cred[g->ncred].site = i;
			if (s->cert_kind == CERT_FILES)
				g->cred[g->ncred].files = &s->cert[k];
			if (!cred_fill(g, &g->cred[g->ncred++]))
				return false;
		}
	}
	cred_link(g);
	return true;
}

static void
cred_drop(struct cred *c)
{
	if (c->chain != -1 && c->files == NULL)
		close(c->chain);
	if (c->key != -1 && c->files == NULL)
		close(c->key);
	while (c->nnames > 0)
		free(c->name[--c->nnames]);
	free(c->name);
	c->name = NULL;
	c->chain = c->key = -1;
}

void
cred_close(struct generation *g)
{
	while (g->ncred > 0)
		cred_drop(&g->cred[--g->ncred]);
	free(g->cred);
	g->cred = NULL;
}

/* On to the next that is not known to be good. */
static void
cred_next(struct generation *g)
{
	while (g->prepared < g->ncred && g->cred[g->prepared].good)
		g->prepared++;
}

void
cred_prepare(struct generation *g)
{
	cred_next(g);
	if (g->prepared == g->ncred) {
		gen_prepared(g);
		return;
	}
	if (proc_init(&g->prep, g, ROLE_KEYS, 0, 0) == -1) {
		gen_fail(g, "counters: %s", strerror(errno));
		memset(&g->prep, 0, sizeof(g->prep));
		gen_prepared(g);
		return;
	}
	g->prep.oneshot = true;
	proc_start(&g->prep);
}

/* What keys found wrong, with the place to mend it. */
static void
cred_fail(struct generation *g, const struct cred *c, const char *wrong)
{
	if (c->files != NULL)
		gen_fail(g, "%s:%u: %s: %s", c->files->file, c->files->line,
		    c->files->chain, wrong);
	else
		gen_fail(g, "%s: self-signed certificate: %s",
		    conf_holder(g->conf, c->site)->name, wrong);
}

/* TLS chooses by the kind of key: of two of a kind one would never be seen. */
static bool
cred_is_second(const struct generation *g, const struct cred *c)
{
	const struct cred	*o = c;

	while (o-- > g->cred && o->site == c->site)
		if (o->info.key == c->info.key)
			return true;
	return false;
}

int
cred_on_done(struct proc *p, const char *wrong, const struct cert_info *info)
{
	struct generation	*g = p->gen;
	struct cred		*c;

	if (g->state != GEN_PREPARING || g->prepared >= g->ncred)
		return -1;
	c = &g->cred[g->prepared];
	c->good = true;
	c->info = *info;
	cred_next(g);
	if (*wrong != '\0' && c->stored) {
		log_warnx("%s: the certificate of the CA: %s: one of our own "
		    "takes its place until there is another",
		    conf_holder(g->conf, c->site)->name, wrong);
		c->again = true;
		return 0;
	}
	if (*wrong != '\0')
		cred_fail(g, c, wrong);
	else if (cred_is_second(g, c))
		cred_fail(g, c, "this site has a certificate with a key of "
		    "that kind already");
	return 0;
}

bool
cred_again(struct generation *g)
{
	struct cred	*c;
	bool		 any = false;

	for (c = g->cred; c < g->cred + g->ncred; c++) {
		if (!c->again)
			continue;
		cred_drop(c);
		c->again = c->stored = c->good = false;
		cred_self_sign(g, c);
		if (c->chain == -1 || c->key == -1)
			gen_fail(g, "certificate: %s", strerror(errno));
		any = true;
	}
	if (!any || g->error[0] != '\0')
		return false;
	proc_close(&g->prep);
	g->prepared = 0;
	cred_prepare(g);
	return true;
}
