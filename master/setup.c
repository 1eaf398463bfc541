#include "common/conn.h"
#include "common/l4.h"
#include "common/wire.h"
#include "acme.h"
#include "generation.h"

/*
 * What a child is told before it starts: a table of steps, walked as fast as
 * the channel takes it.  Listeners come first (proto.h), IPC_START last.
 */
#define ROLE(r)		(1u << (r))
#define ONESHOT		(1u << 31)	/* keys working for master */
#define EVERY		(ROLE(ROLE_WORKER) | ROLE(ROLE_PROXY) |		\
			 ROLE(ROLE_TLSTERM) | ROLE(ROLE_KEYS) |		\
			 ROLE(ROLE_METRICS) | ROLE(ROLE_ACME) | ONESHOT)

struct step {
	uint32_t	 roles;
	uint16_t	 type;
	size_t		(*count)(const struct proc *);
	/* Fills the payload, and m->fd with descriptors that stay ours; false
	 * leaves the message out. */
	bool		(*make)(const struct proc *, size_t i, struct wr *,
			    struct ipc_msg *);
};

static size_t
count_one(const struct proc *p)
{
	(void)p;
	return 1;
}

static void
carry(struct ipc_msg *m, int fd)
{
	m->fd[m->nfds++] = fd;
}

static size_t
count_listeners(const struct proc *p)
{
	return p->gen->nsock;
}

/* Those of connections are for workers, that of metrics for its process. */
static bool
make_listener(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	bool	metrics = p->gen->sock[i].listener >= p->gen->conf->nlistener;

	if (metrics != (p->role == ROLE_METRICS))
		return false;
	wr_u16(w, p->gen->sock[i].listener);
	carry(m, p->gen->sock[i].fd);
	return true;
}

static bool
make_conf(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	wr_u32(w, p->gen->id);
	wr_str(w, p->gen->conf->path);
	carry(m, p->gen->snapshot);
	return true;
}

static bool
make_stats(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	wr_u32(w, (uint32_t)p->stats.ncells);
	carry(m, p->stats_fd);
	return true;
}

static bool
make_addrs(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	(void)w;
	if (p->gen->master->addrs == -1)
		return false;
	carry(m, p->gen->master->addrs);
	carry(m, p->addrs_fd);
	return true;
}

static size_t
count_pools(const struct proc *p)
{
	return p->gen->npool;
}

static bool
make_inner_inbox(const struct proc *p, size_t i, struct wr *w,
    struct ipc_msg *m)
{
	if (!conn_is_inner(p->gen->conf, (uint32_t)i))
		return false;
	wr_u32(w, conn_pool_of((uint32_t)i));
	carry(m, p->gen->pool[conn_pool_of((uint32_t)i)].wr);
	return true;
}

static bool
make_inbox_write(const struct proc *p, size_t i, struct wr *w,
    struct ipc_msg *m)
{
	if (p->gen->pool[i].wr == -1)
		return false;
	wr_u32(w, (uint32_t)i);
	carry(m, p->gen->pool[i].wr);
	return true;
}

static bool
make_inbox_read(const struct proc *p, size_t i, struct wr *w,
    struct ipc_msg *m)
{
	(void)i;
	wr_u32(w, p->pool);
	carry(m, p->gen->pool[p->pool].rd);
	return true;
}

static size_t
count_upstreams(const struct proc *p)
{
	return p->gen->conf->nupstream;
}

static size_t
count_sites(const struct proc *p)
{
	return p->gen->conf->nsite;
}

static bool
make_docroot(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	if (p->gen->docroot[i] == -1)
		return false;
	wr_u32(w, (uint32_t)i);
	carry(m, p->gen->docroot[i]);
	return true;
}

static size_t
count_creds(const struct proc *p)
{
	return p->gen->ncred;
}

static bool
make_cert(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	wr_u32(w, p->gen->cred[i].site);
	wr_u32(w, p->gen->cred[i].same);
	carry(m, p->gen->cred[i].chain);
	return true;
}

static bool
make_key(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	if (p->gen->cred[i].same != i)
		return false;
	wr_u32(w, (uint32_t)i);
	carry(m, p->gen->cred[i].key);
	return true;
}

/* Has it the files of the one before, which the child was sent as well? */
static bool
job_as_before(const struct cred *c, size_t i)
{
	return i > 0 && c->same != i && c[-1].same == c->same && !c[-1].good;
}

/* The names of a site, and two files to be checked or to be written. */
static bool
make_job(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	const struct cred	*c = &p->gen->cred[i];
	const struct conf_strs	*names = 
	    &conf_holder(p->gen->conf, c->site)->names;
	size_t			 k;

	if (c->good)
		return false;
	wr_u16(w, (uint16_t)(c->stored ? c->nnames : names->n));
	for (k = 0; k < (c->stored ? c->nnames : names->n); k++)
		wr_str(w, c->stored ? c->name[k] : names->v[k]);
	if (job_as_before(c, i))
		return true;
	carry(m, c->chain);
	carry(m, c->key);
	if (c->files == NULL && !c->stored)
		m->type = IPC_SELF_SIGN;
	return true;
}

/* Those of a generation; a certificate that is being had is one of its own. */
static size_t
count_jobs(const struct proc *p)
{
	return p->run == NULL ? p->gen->ncred : 0;
}

/* The type is that of the step. */
static bool
make_run(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	return p->run != NULL && acme_run_setup(p, w, m);
}

static bool
make_challenges(const struct proc *p, size_t i, struct wr *w,
    struct ipc_msg *m)
{
	int	fd = acme_page(p->gen->master, p->gen->conf);

	(void)i;
	(void)w;
	if (fd == -1)
		return false;
	carry(m, fd);
	return true;
}

static bool
make_keys_end(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)w;
	carry(m, p->gen->keychan[i].rd);
	return true;
}

static size_t
count_keychans(const struct proc *p)
{
	return p->gen->nkeychan;
}

static bool
make_tls_end(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)w;
	(void)i;
	carry(m, p->gen->keychan[p->instance].wr);
	return true;
}

static bool
make_tickets(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	(void)m;
	wr_bytes(w, p->gen->master->tickets, sizeof(p->gen->master->tickets));
	return true;
}

static bool
make_history(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	(void)w;
	carry(m, p->gen->master->history);
	return true;
}

static bool
make_start(const struct proc *p, size_t i, struct wr *w, struct ipc_msg *m)
{
	(void)i;
	(void)m;
	wr_u8(w, p->gen->master->privileged);
	wr_u8(w, p->gen->conf->strict);
	return true;
}

static const struct step steps[] = {
	{ ROLE(ROLE_WORKER) | ROLE(ROLE_METRICS), IPC_LISTENER, count_listeners, make_listener },
	{ EVERY, IPC_CONF, count_one, make_conf },
	{ EVERY, IPC_STATS, count_one, make_stats },
	{ EVERY & ~(ROLE(ROLE_KEYS) | ROLE(ROLE_METRICS) | ROLE(ROLE_ACME) |
	    ONESHOT), IPC_ADDRS, count_one, make_addrs },
	{ ROLE(ROLE_WORKER), IPC_INBOX_WRITE, count_pools, make_inbox_write },
	{ ROLE(ROLE_PROXY) | ROLE(ROLE_TLSTERM), IPC_INBOX_READ, count_one,
	    make_inbox_read },
	{ ROLE(ROLE_TLSTERM), IPC_INBOX_WRITE, count_upstreams,
	    make_inner_inbox },
	{ ROLE(ROLE_TLSTERM), IPC_DOCROOT, count_sites, make_docroot },
	{ ROLE(ROLE_TLSTERM), IPC_CERT, count_creds, make_cert },
	{ ROLE(ROLE_TLSTERM), IPC_KEYS, count_one, make_tls_end },
	{ ROLE(ROLE_TLSTERM), IPC_TICKETS, count_one, make_tickets },
	{ ROLE(ROLE_KEYS), IPC_KEY, count_creds, make_key },
	{ ROLE(ROLE_KEYS), IPC_KEYS, count_keychans, make_keys_end },
	{ ROLE(ROLE_WORKER) | ROLE(ROLE_TLSTERM), IPC_CHALLENGES, count_one,
	    make_challenges },
	{ ONESHOT, IPC_CHECK_PAIR, count_jobs, make_job },
	{ ROLE(ROLE_ACME) | ONESHOT, IPC_ACME_JOB, count_one, make_run },
	{ ROLE(ROLE_METRICS), IPC_HISTORY, count_one, make_history },
	{ EVERY, IPC_START, count_one, make_start },
};

static int
setup_item(struct proc *p, const struct step *s)
{
	uint8_t		buf[IPC_DATA_MAX];
	struct wr	w;
	struct ipc_msg	m = { .type = s->type };

	wr_init(&w, buf, sizeof(buf));
	if (!s->make(p, p->item, &w, &m))
		return 1;
	if (w.bad) {
		gen_fail(p->gen, "too many names for one message");
		return -1;
	}
	m.data = buf;
	m.len = w.len;
	switch (ipc_send(p->chan.fd, &m)) {
	case IPC_OK:
		return 1;
	case IPC_AGAIN:
		return 0;
	default:
		return -1;
	}
}

int
setup_send(struct proc *p)
{
	uint32_t	mine = p->oneshot && p->role == ROLE_KEYS ? ONESHOT :
			    ROLE(p->role);
	int		rc;

	for (; p->step < nitems(steps); p->step++, p->item = 0) {
		if ((steps[p->step].roles & mine) == 0)
			continue;
		for (; p->item < steps[p->step].count(p); p->item++)
			if ((rc = setup_item(p, &steps[p->step])) != 1)
				return rc;
	}
	return 1;
}
