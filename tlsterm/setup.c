#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "tlsterm.h"

static int
on_inbox(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;
	struct rd	 r;

	rd_init(&r, m->data, m->len);
	if (rd_u32(&r) != POOL_SITES || t->inbox.fd != -1) {
		ipc_close_fds(m);
		return -1;
	}
	t->inbox.fd = m->fd[0];
	return 0;
}

static int
on_upstream(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;
	struct rd	 r;
	uint32_t	 pool;

	rd_init(&r, m->data, m->len);
	pool = rd_u32(&r);
	if (t->child.conf != NULL && t->ups.v == NULL)
		upstreams_init(&t->ups, &t->child);
	if (pool == POOL_SITES || pool > t->ups.n ||
	    t->ups.v[pool - 1].inbox != -1) {
		ipc_close_fds(m);
		return -1;
	}
	t->ups.v[pool - 1].inbox = m->fd[0];
	return 0;
}

static int
on_docroot(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;
	struct rd	 r;
	uint32_t	 site;
	size_t		 i;

	rd_init(&r, m->data, m->len);
	site = rd_u32(&r);
	if (t->child.conf == NULL || site >= t->child.conf->nsite) {
		ipc_close_fds(m);
		return -1;
	}
	if (t->root == NULL) {
		t->root = calloc(t->child.conf->nsite, sizeof(*t->root));
		if (t->root == NULL)
			fatal("calloc");
		for (i = 0; i < t->child.conf->nsite; i++)
			t->root[i] = -1;
	}
	if (t->root[site] != -1)
		close(t->root[site]);
	t->root[site] = m->fd[0];
	return 0;
}

/* Where the index of the first certificate of a key is noted. */
static size_t *
cert_of_key(struct tlsterm *t, uint32_t key)
{
	size_t	n = (size_t)key + 1;

	if (n > t->nkeys) {
		t->cert_of_key = reallocarray(t->cert_of_key, n,
		    sizeof(*t->cert_of_key));
		if (t->cert_of_key == NULL)
			fatal("reallocarray");
		memset(t->cert_of_key + t->nkeys, 0, (n - t->nkeys) *
		    sizeof(*t->cert_of_key));
		t->nkeys = n;
	}
	return &t->cert_of_key[key];
}

/* Thousands of sites may have one certificate: it is read once. */
static bool
cert_get(struct tlsterm *t, struct cert *c, int fd)
{
	size_t	*first = cert_of_key(t, c->key);

	if (*first > 0) {
		cert_share(c, &t->cert[*first - 1]);
		return true;
	}
	if (cert_read(c, fd) == -1) {
		cert_free(c);
		return false;
	}
	*first = t->ncert + 1;
	return true;
}

static int
on_cert(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;
	struct rd	 r;
	struct cert	*v, *c;
	int		 rc = -1;

	v = reallocarray(t->cert, t->ncert + 1, sizeof(*v));
	if (v == NULL)
		fatal("reallocarray");
	t->cert = v;
	c = &v[t->ncert];
	rd_init(&r, m->data, m->len);
	c->site = rd_u32(&r);
	c->key = rd_u32(&r);
	if (t->child.conf != NULL && c->site < conf_nholders(t->child.conf)) {
		rc = 0;
		if (cert_get(t, c, m->fd[0]))
			t->ncert++;
	}
	ipc_close_fds(m);
	return rc;
}

static int
on_keys(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;

	if (t->keys_fd != -1) {
		ipc_close_fds(m);
		return -1;
	}
	t->keys_fd = m->fd[0];
	return 0;
}

static int
on_tickets(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;

	tickets_set(&t->tickets, m->data);
	explicit_bzero(t->child.buf, CHILD_BUFSIZE);
	return 0;
}

static int
on_challenges(void *arg, struct ipc_msg *m)
{
	struct tlsterm	*t = arg;

	if (t->challenges == NULL)
		t->challenges = challenges_map(m->fd[0]);
	ipc_close_fds(m);
	return t->challenges != NULL ? 0 : -1;
}

const struct ipc_rule tlsterm_rules[] = {
	/* type, phases, descriptors, payload, handler */
	{ IPC_INBOX_READ, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4, on_inbox },
	{ IPC_INBOX_WRITE, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4,
	    on_upstream },
	{ IPC_DOCROOT,	CHILD_SETUP, IPC_FD_DIR, 1, 1, 4, 4, on_docroot },
	{ IPC_CERT,	CHILD_SETUP, IPC_FD_FILE, 1, 1, 8, 8, on_cert },
	{ IPC_CHALLENGES, CHILD_SETUP, IPC_FD_FILE, 1, 1, 0, 0,
	    on_challenges },
	{ IPC_KEYS,	CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 0, 0, on_keys },
	{ IPC_TICKETS,	CHILD_SETUP | CHILD_RUN, IPC_FD_NONE, 0, 0,
	    TICKETS_LEN, TICKETS_LEN, on_tickets },
};
const size_t tlsterm_nrules = nitems(tlsterm_rules);

static void
setup_cert(struct tlsterm *t, const struct cert *c)
{
	const char	*name = conf_holder(t->child.conf, c->site)->name;
	struct upstream	*up = c->site < t->sites.n ? NULL :
			    &t->ups.v[c->site - t->sites.n];
	SSL_CTX		**ctx = up != NULL ? &up->ctx :
			    &t->sites.v[c->site].ctx;
	const char	*err;

	if (*ctx == NULL) {
		*ctx = tls_context(t->child.conf, name, &t->tickets, &err);
		if (*ctx != NULL && up != NULL)
			upstream_use_tls(up);
	}
	if (*ctx == NULL || tls_add_cert(*ctx, c, t->keyprov, t->keychan,
	    &err) == -1)
		child_fail(&t->child, "%s: %s", name, err);
}

static void
setup_responder(struct tlsterm *t)
{
	const char	*err;

	if (t->challenges == NULL)
		return;
	t->responder = challenge_site(t->child.conf, t->challenges,
	    &t->tickets, &err);
	if (t->responder == NULL)
		child_fail(&t->child, "acme: %s", err);
}

void
setup_finish(struct tlsterm *t)
{
	size_t	i;

	if (t->inbox.fd == -1)
		child_fail(&t->child, "master sent no inbox");
	if (t->ups.v == NULL)
		upstreams_init(&t->ups, &t->child);
	sites_init(&t->sites, t->child.conf, &t->child.stats);
	for (i = 0; t->root != NULL && i < t->sites.n; i++)
		t->sites.v[i].root = t->root[i];
	if (t->ncert > 0 || t->challenges != NULL) {
		if (t->keys_fd == -1)
			child_fail(&t->child, "master sent no keys");
		t->keychan = keychan_new(t->child.ev, t->keys_fd);
		if ((t->keyprov = keyprov_new()) == NULL)
			child_fail(&t->child, "provider: %s", tls_error());
	}
	for (i = 0; i < t->ncert; i++) {
		setup_cert(t, &t->cert[i]);
		cert_free(&t->cert[i]);
	}
	free(t->cert);
	free(t->cert_of_key);
	t->cert = NULL;
	t->cert_of_key = NULL;
	t->ncert = t->nkeys = 0;
	setup_responder(t);
}
