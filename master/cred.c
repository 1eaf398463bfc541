#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
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

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		gen_fail(g, "%s:%u: %s: %s", g->conf->path, c->line, path,
		    strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		gen_fail(g, "%s:%u: %s: not a regular file", g->conf->path,
		    c->line, path);
		close(fd);
		return -1;
	}
	return fd;
}

/* A self-signed certificate is kept over reloads for so long. */
#define KEEP_NS		(UINT64_C(30) * 24 * 3600 * NSEC_PER_SEC)

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

/* What the running generation made for the same site and names. */
static bool
cred_keep(const struct generation *g, struct cred *c)
{
	const struct generation	*old = g->master->gen;
	const struct conf_site	*site = conf_holder(g->conf, c->site);
	const struct cred	*o;

	for (o = old == NULL ? NULL : old->cred;
	    o != NULL && o < old->cred + old->ncred; o++) {
		if (o->files != NULL || o->made == 0 ||
		    ev_clock() - o->made > KEEP_NS ||
		    !same_names(conf_holder(old->conf, o->site), site))
			continue;
		c->chain = fcntl(o->chain, F_DUPFD_CLOEXEC, 3);
		c->key = fcntl(o->key, F_DUPFD_CLOEXEC, 3);
		c->made = o->made;
		return true;
	}
	return false;
}

static bool
cred_fill(struct generation *g, struct cred *c)
{
	if (c->files != NULL) {
		c->chain = open_file(g, c->files, c->files->chain);
		c->key = open_file(g, c->files, c->files->key);
	} else if (!cred_keep(g, c)) {
		c->chain = memfd_create("l4mux-chain", MFD_CLOEXEC);
		c->key = memfd_create("l4mux-key", MFD_CLOEXEC);
	}
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
	return true;
}

void
cred_close(struct generation *g)
{
	while (g->ncred-- > 0) {
		close(g->cred[g->ncred].chain);
		close(g->cred[g->ncred].key);
	}
	g->ncred = 0;
	free(g->cred);
	g->cred = NULL;
}

/* On to the next that is not known to be good. */
static void
cred_next(struct generation *g)
{
	while (g->prepared < g->ncred && g->cred[g->prepared].made != 0)
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
	if (proc_init(&g->prep, g, ROLE_KEYS, 0, 0) == -1)
		fatal("counters");
	g->prep.oneshot = true;
	proc_start(&g->prep);
}

int
cred_on_done(struct proc *p, const char *found)
{
	struct generation	*g = p->gen;
	struct cred		*c;

	if (g->state != GEN_PREPARING || g->prepared >= g->ncred)
		return -1;
	c = &g->cred[g->prepared];
	c->made = ev_clock();
	cred_next(g);
	if (*found != '\0' && c->files != NULL)
		gen_fail(g, "%s:%u: %s: %s", g->conf->path, c->files->line,
		    c->files->chain, found);
	else if (*found != '\0')
		gen_fail(g, "%s: self-signed certificate: %s",
		    conf_holder(g->conf, c->site)->name, found);
	return 0;
}
