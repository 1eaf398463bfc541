#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/wire.h"
#include "control.h"
#include "generation.h"
#include "upgrade.h"

/*
 * What the program that is replaced hands to the one that replaces it.  One
 * walk over master's structures serves for writing, for reading, and for
 * telling the kernel which descriptors are to survive.
 */
#define STATE_MAX	(64u << 20)

enum walk { WALK_SAVE, WALK_LOAD, WALK_KEEP, WALK_DROP };

struct state {
	enum walk	 walk;
	struct wr	 w;
	struct rd	 r;
};

static void
st_u64(struct state *s, uint64_t *v)
{
	if (s->walk == WALK_SAVE)
		wr_u64(&s->w, *v);
	else if (s->walk == WALK_LOAD)
		*v = rd_u64(&s->r);
}

static void
st_u32(struct state *s, uint32_t *v)
{
	uint64_t	wide = *v;

	st_u64(s, &wide);
	*v = (uint32_t)wide;
}

static void
st_int(struct state *s, int *v)
{
	uint32_t	u = (uint32_t)*v;

	st_u32(s, &u);
	*v = (int)u;
}

static void
st_size(struct state *s, size_t *v)
{
	uint64_t	wide = *v;

	st_u64(s, &wide);
	*v = (size_t)wide;
}

/* Any small integer type that is no int: through one. */
#define ST_ENUM(s, field) do {						\
	int	value_ = (int)(field);					\
									\
	st_int(s, &value_);						\
	(field) = value_;						\
} while (0)

static void
st_fd(struct state *s, int *fd)
{
	st_int(s, fd);
	if (*fd == -1 || s->walk == WALK_SAVE)
		return;
	if (fcntl(*fd, F_SETFD, s->walk == WALK_KEEP ? 0 : FD_CLOEXEC) == -1)
		log_warn("descriptor %d of the state", *fd);
}

static void
st_bytes(struct state *s, void *p, size_t n)
{
	const uint8_t	*from;

	if (s->walk == WALK_SAVE)
		wr_bytes(&s->w, p, n);
	else if (s->walk == WALK_LOAD && (from = rd_bytes(&s->r, n)) != NULL)
		memcpy(p, from, n);
}

/* An array: its count, and when loading, its memory. */
static void *
st_array(struct state *s, void *p, size_t *n, size_t size)
{
	st_size(s, n);
	if (s->walk != WALK_LOAD)
		return p;
	if (s->r.bad || *n > s->r.left)
		*n = 0;			/* each element takes a byte or more */
	if ((p = calloc(*n + 1, size)) == NULL)
		fatal("calloc");
	return p;
}

static void
st_pools(struct state *s, struct pool **pool, size_t *n)
{
	size_t	i;

	*pool = st_array(s, *pool, n, sizeof(**pool));
	for (i = 0; i < *n; i++) {
		st_fd(s, &(*pool)[i].wr);
		st_fd(s, &(*pool)[i].rd);
	}
}

/* The file entry of the configuration that a credential came from. */
static void
st_cred_files(struct state *s, struct generation *g, struct cred *c)
{
	const struct conf_site	*site;
	uint32_t		 k = UINT32_MAX;

	if (c->site < conf_nholders(g->conf) && c->files != NULL)
		k = (uint32_t)(c->files - conf_holder(g->conf,
		    c->site)->cert);
	st_u32(s, &k);
	if (s->walk != WALK_LOAD || c->site >= conf_nholders(g->conf))
		return;
	site = conf_holder(g->conf, c->site);
	c->files = k < site->ncert ? &site->cert[k] : NULL;
}

static void
st_i64(struct state *s, int64_t *v)
{
	uint64_t	u = (uint64_t)*v;

	st_u64(s, &u);
	*v = (int64_t)u;
}

static void
st_cert_info(struct state *s, struct cert_info *c)
{
	ST_ENUM(s, c->key);
	ST_ENUM(s, c->bits);
	ST_ENUM(s, c->self_signed);
	st_i64(s, &c->from);
	st_i64(s, &c->to);
	st_bytes(s, c->issuer, sizeof(c->issuer));
	ST_ENUM(s, c->nnames);
	st_bytes(s, c->names, sizeof(c->names));
	st_bytes(s, c->note, sizeof(c->note));
}

static void
st_creds(struct state *s, struct generation *g)
{
	size_t	i;

	g->cred = st_array(s, g->cred, &g->ncred, sizeof(*g->cred));
	for (i = 0; i < g->ncred; i++) {
		st_u32(s, &g->cred[i].site);
		st_cred_files(s, g, &g->cred[i]);
		st_fd(s, &g->cred[i].chain);
		st_fd(s, &g->cred[i].key);
		ST_ENUM(s, g->cred[i].stored);
		ST_ENUM(s, g->cred[i].good);
		st_cert_info(s, &g->cred[i].info);
		ST_ENUM(s, g->cred[i].said);
		st_u64(s, &g->cred[i].said_at);
		if (s->walk == WALK_LOAD && g->cred[i].files != NULL) {
			files_adopt(&g->pems, g->cred[i].chain);
			files_adopt(&g->pems, g->cred[i].key);
		}
	}
	if (s->walk == WALK_LOAD)
		cred_link(g);
}

/* Counters of a program with other counters are not read. */
static void
st_stats(struct state *s, struct proc *p)
{
	struct stat	st;
	size_t		ncells = p->stats.ncells;
	uint32_t	fixed = STAT_FIXED;

	st_size(s, &ncells);
	st_u32(s, &fixed);
	st_fd(s, &p->stats_fd);
	if (s->walk != WALK_LOAD)
		return;
	if (fixed != STAT_FIXED || fstat(p->stats_fd, &st) == -1 ||
	    (uint64_t)st.st_size != (fixed + ncells) * sizeof(uint64_t)) {
		close(p->stats_fd);
		p->stats_fd = stats_create(ncells);
	}
	if (stats_map(&p->stats, p->stats_fd, ncells, 1) == -1)
		fatal("counters");
}

static void
st_proc(struct state *s, struct generation *g, struct proc *p)
{
	ST_ENUM(s, p->role);
	st_int(s, &p->instance);
	st_u32(s, &p->pool);
	ST_ENUM(s, p->state);
	ST_ENUM(s, p->pid);
	st_fd(s, &p->chan.fd);
	st_u64(s, &p->since);
	st_stats(s, p);
	st_fd(s, &p->addrs_fd);
	st_u32(s, &p->mechanisms);
	st_int(s, &p->landlock_abi);
	ST_ENUM(s, p->restarts);
	ST_ENUM(s, p->failures);
	st_int(s, &p->last_exit);
	ST_ENUM(s, p->died);
	ST_ENUM(s, p->took_last);
	if (s->walk == WALK_LOAD)
		proc_adopt(p, g);
}

static void
st_procs(struct state *s, struct generation *g)
{
	size_t	i;

	g->proc = st_array(s, g->proc, &g->nproc, sizeof(*g->proc));
	for (i = 0; i < g->nproc; i++)
		st_proc(s, g, &g->proc[i]);
	g->nready = g->nproc;
}

static void
st_gen_socks(struct state *s, struct generation *g)
{
	size_t	i;

	g->sock = st_array(s, g->sock, &g->nsock, sizeof(*g->sock));
	for (i = 0; i < g->nsock; i++) {
		st_int(s, &g->sock[i].fd);	/* kept as master's */
		ST_ENUM(s, g->sock[i].listener);
	}
}

static void
st_generation(struct state *s, struct master *m, struct generation *g)
{
	size_t	i, n;

	st_u32(s, &g->id);
	ST_ENUM(s, g->state);
	st_u64(s, &g->since);
	st_fd(s, &g->snapshot);
	if (s->walk == WALK_LOAD) {
		g->conf = conf_load_fd(g->snapshot, m->path, stderr);
		if (g->conf == NULL)
			fatalx("the configuration in force does not load");
	}
	st_gen_socks(s, g);
	st_pools(s, &g->pool, &g->npool);
	st_pools(s, &g->keychan, &g->nkeychan);
	n = g->conf->nsite;
	g->docroot = st_array(s, g->docroot, &n, sizeof(*g->docroot));
	for (i = 0; i < n; i++) {
		st_fd(s, &g->docroot[i]);
		if (s->walk == WALK_LOAD)
			files_adopt(&g->roots, g->docroot[i]);
	}
	st_creds(s, g);
	st_procs(s, g);
}

static void
st_sock(struct state *s, struct master *m, size_t i)
{
	struct addr	a = { .family = ADDR_NONE };
	int		fd = -1;

	if (s->walk != WALK_LOAD) {
		a = m->sock[i]->addr;
		fd = m->sock[i]->io.fd;
	}
	ST_ENUM(s, a.family);
	ST_ENUM(s, a.port);
	st_bytes(s, a.ip, sizeof(a.ip));
	st_fd(s, &fd);
	if (s->walk == WALK_LOAD && !s->r.bad)
		listen_adopt(m, &a, fd);
}

static void
st_socks(struct state *s, struct master *m)
{
	size_t	i, n = m->nsock;

	st_size(s, &n);
	for (i = 0; i < n && !s->r.bad; i++)
		st_sock(s, m, i);
}

/* The listening socket, and clients that wait for the outcome. */
static void
st_control(struct state *s, struct master *m)
{
	int		fds[CONTROL_WAITING_MAX + 1];
	size_t		i, n = 0;

	if (s->walk != WALK_LOAD)
		n = control_fds(m->control, fds, nitems(fds));
	st_size(s, &n);
	for (i = 0; i < n && i < nitems(fds); i++)
		st_fd(s, &fds[i]);
	if (s->walk == WALK_LOAD && i > 0 && !s->r.bad)
		m->control = control_adopt(m, m->gen->conf->control, fds, i);
}

static void
st_generations(struct state *s, struct master *m)
{
	struct generation	*g, **end = &m->draining;
	size_t			 i, n = 0;

	st_generation(s, m, m->gen);
	for (g = m->draining; g != NULL; g = g->next)
		n++;
	st_size(s, &n);
	for (i = 0; i < n && !s->r.bad; i++) {
		if (s->walk == WALK_LOAD)
			*end = gen_new(m, NULL);
		st_generation(s, m, *end);
		end = &(*end)->next;
	}
}

static void
st_master(struct state *s, struct master *m)
{
	uint32_t	last;

	st_u64(s, &m->started);
	st_u32(s, &m->last_generation);
	st_u64(s, &m->reloads_begun);
	st_u64(s, &m->reloads_done);
	st_bytes(s, m->tickets, sizeof(m->tickets));
	st_fd(s, &m->addrs);
	st_fd(s, &m->history);
	st_socks(s, m);
	last = m->last_generation;	/* gen_new() counts */
	if (s->walk == WALK_LOAD)
		m->gen = gen_new(m, NULL);
	st_generations(s, m);
	m->last_generation = last;
	st_control(s, m);
}

int
state_save(struct master *m)
{
	struct state	 s = { .walk = WALK_SAVE };
	uint8_t		*buf;
	int		 fd = -1;

	if ((buf = malloc(STATE_MAX)) == NULL)
		return -1;
	wr_init(&s.w, buf, STATE_MAX);
	wr_bytes(&s.w, UPGRADE_FORMAT, strlen(UPGRADE_FORMAT));
	st_master(&s, m);
	if (s.w.bad)
		errno = EFBIG;
	else if ((fd = memfd_create("l4mux-state", MFD_CLOEXEC)) != -1 &&
	    pwrite(fd, buf, s.w.len, 0) != (ssize_t)s.w.len) {
		close(fd);
		fd = -1;
	}
	explicit_bzero(buf, s.w.len);	/* ticket keys */
	free(buf);
	return fd;
}

bool
state_load(struct master *m, int fd)
{
	struct state	 s = { .walk = WALK_LOAD };
	struct stat	 st;
	const uint8_t	*head;
	uint8_t		*buf;
	bool		 good;

	if (fstat(fd, &st) == -1 || st.st_size > STATE_MAX ||
	    (buf = malloc((size_t)st.st_size + 1)) == NULL)
		return false;
	if (pread(fd, buf, (size_t)st.st_size, 0) != st.st_size)
		st.st_size = 0;
	rd_init(&s.r, buf, (size_t)st.st_size);
	head = rd_bytes(&s.r, strlen(UPGRADE_FORMAT));
	good = head != NULL &&
	    memcmp(head, UPGRADE_FORMAT, strlen(UPGRADE_FORMAT)) == 0;
	if (good)
		st_master(&s, m);
	good = good && rd_done(&s.r);
	explicit_bzero(buf, (size_t)st.st_size);
	free(buf);
	return good;
}

void
state_keep(struct master *m, bool keep)
{
	struct state	s = { .walk = keep ? WALK_KEEP : WALK_DROP };

	st_master(&s, m);
}
