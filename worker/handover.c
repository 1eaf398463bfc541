#include <stdlib.h>
#include <unistd.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "worker.h"

#define QUEUE_MAX	1024	/* connections that wait, over all pools */
#define RETRY_TIME	(10 * NSEC_PER_MSEC)

static int
on_inbox(void *arg, struct ipc_msg *m)
{
	struct worker	*w = arg;
	struct rd	 r;
	uint32_t	 pool;

	rd_init(&r, m->data, m->len);
	pool = rd_u32(&r);
	if (!rd_done(&r) || w->child.conf == NULL)
		return -1;
	if (w->pool == NULL)
		handover_open(w);
	if (pool >= w->npools || w->pool[pool].io.fd != -1)
		return -1;
	w->pool[pool].io.fd = m->fd[0];
	w->ninboxes++;
	return 0;
}

static int
on_challenges(void *arg, struct ipc_msg *m)
{
	struct worker	*w = arg;

	if (w->challenges == NULL)
		w->challenges = challenges_map(m->fd[0]);
	ipc_close_fds(m);
	return w->challenges != NULL ? 0 : -1;
}

const struct ipc_rule handover_rules[] = {
	{ IPC_INBOX_WRITE, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4, on_inbox },
	{ IPC_CHALLENGES, CHILD_SETUP, IPC_FD_FILE, 1, 1, 0, 0,
	    on_challenges },
};
const size_t handover_nrules = nitems(handover_rules);

static struct batch *
batch_new(struct pool *p)
{
	struct worker	*w = p->w;
	struct batch	*b;

	if ((b = STAILQ_FIRST(&w->free)) != NULL)
		STAILQ_REMOVE_HEAD(&w->free, link);
	else if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->n = 0;
	b->due = w->timeout == 0 ? UINT64_MAX :
	    ev_now(w->child.ev) + w->timeout;
	if (STAILQ_EMPTY(&p->batches))
		TAILQ_INSERT_TAIL(&w->busy, p, link);
	STAILQ_INSERT_TAIL(&p->batches, b, link);
	return b;
}

/* The first batch of the pool has been dealt with. */
static void
batch_done(struct pool *p)
{
	struct worker	*w = p->w;
	struct batch	*b = STAILQ_FIRST(&p->batches);

	p->queued -= b->n;
	w->queued -= b->n;
	stats_sub(&w->child.stats, STAT_QUEUED, b->n);
	stats_sub(&w->child.stats, STAT_LIVE, b->n);
	STAILQ_REMOVE_HEAD(&p->batches, link);
	STAILQ_INSERT_HEAD(&w->free, b, link);
	if (!STAILQ_EMPTY(&p->batches))
		return;
	TAILQ_REMOVE(&w->busy, p, link);
	ev_del(w->child.ev, &p->io);
	p->blocked = false;
}

static enum ipc_result
batch_send(struct pool *p, const struct batch *b)
{
	struct ipc_msg	m = { .type = IPC_CONN, .data = p->w->message };
	struct wr	wr;

	wr_init(&wr, p->w->message, IPC_DATA_MAX);
	wr_u8(&wr, (uint8_t)b->n);
	for (m.nfds = 0; m.nfds < b->n; m.nfds++) {
		conn_write(&wr, &b->info[m.nfds]);
		m.fd[m.nfds] = b->fd[m.nfds];
	}
	if (wr.bad)
		fatalx("a message of %u connections does not fit", b->n);
	m.len = wr.len;
	return ipc_send(p->io.fd, &m);
}

/* The other side has them: our copies go. */
static void
batch_sent(struct pool *p)
{
	struct worker	*w = p->w;
	struct batch	*b = STAILQ_FIRST(&p->batches);
	unsigned int	 i;

	for (i = 0; i < b->n; i++) {
		if (w->child.addrs != NULL)
			addrlimit_pass(w->child.addrs, &b->info[i].peer);
		listen_close(w, b->fd[i]);
	}
	stats_add(&w->child.stats, STAT_HANDED, b->n);
	batch_done(p);
}

static void
shed(struct worker *w, const struct conn_info *info, int fd)
{
	if (w->child.addrs != NULL)
		addrlimit_leave(w->child.addrs, &info->peer);
	stats_add(&w->child.stats, STAT_SHED, 1);
	end_connection(w, fd, info, END_RESET, "shed");
}

static void
batch_shed(struct pool *p)
{
	struct batch	*b = STAILQ_FIRST(&p->batches);
	unsigned int	 i;

	for (i = 0; i < b->n; i++)
		shed(p->w, &b->info[i], b->fd[i]);
	batch_done(p);
}

/*
 * EPOLLOUT tells when the inbox has been read; not when the kernel refused for
 * another reason (too many descriptors under way): so the timer as well.
 */
static void
pool_block(struct pool *p)
{
	struct worker	*w = p->w;

	if (!p->blocked && ev_add(w->child.ev, &p->io, EPOLLOUT | EPOLLET) ==
	    -1)
		log_warn("epoll_ctl: inbox");
	p->blocked = true;
	if (w->again.pos == 0)
		ev_timer_set(w->child.ev, &w->again,
		    ev_now(w->child.ev) + RETRY_TIME);
}

static void
pool_send(struct pool *p)
{
	struct batch	*b;

	while ((b = STAILQ_FIRST(&p->batches)) != NULL)
		switch (batch_send(p, b)) {
		case IPC_OK:
			batch_sent(p);
			break;
		case IPC_AGAIN:
			pool_block(p);
			return;
		default:
			if (complain(p->w))
				log_warn("inbox %zu",
				    (size_t)(p - p->w->pool));
			batch_shed(p);
			break;
		}
}

static void
pool_event(struct ev_io *io, uint32_t events)
{
	(void)events;
	pool_send(container_of(io, struct pool, io));
}

static void
handover_again(struct ev_timer *t)
{
	struct worker	*w = container_of(t, struct worker, again);
	uint64_t	 now = ev_now(w->child.ev);
	struct pool	*p, *next;
	struct batch	*b;

	for (p = TAILQ_FIRST(&w->busy); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		pool_send(p);
		while ((b = STAILQ_FIRST(&p->batches)) != NULL &&
		    b->due <= now)
			batch_shed(p);
	}
	if (!TAILQ_EMPTY(&w->busy))
		ev_timer_set(w->child.ev, t, now + RETRY_TIME);
}

void
handover_open(struct worker *w)
{
	size_t	i;

	if (w->pool != NULL)
		return;
	w->npools = 1 + w->child.conf->nupstream;
	w->pool = calloc(w->npools, sizeof(*w->pool));
	w->message = malloc(IPC_DATA_MAX);
	if (w->pool == NULL || w->message == NULL)
		fatal("calloc");
	for (i = 0; i < w->npools; i++) {
		w->pool[i].io.fd = -1;
		w->pool[i].io.cb = pool_event;
		w->pool[i].w = w;
		STAILQ_INIT(&w->pool[i].batches);
	}
	TAILQ_INIT(&w->busy);
	STAILQ_INIT(&w->free);
	w->again.cb = handover_again;
}

/*
 * A pool that does not move must leave room for the others, if there are any;
 * else the queue of the listener is the better place to wait.
 */
static bool
pool_full(const struct pool *p)
{
	return p->blocked && p->w->ninboxes > 1 && p->queued >= QUEUE_MAX / 2;
}

void
handover_add(struct worker *w, const struct conn_info *info, int fd)
{
	struct pool	*p = &w->pool[conn_pool(w->child.conf,
	    info)];
	struct batch	*b = STAILQ_LAST(&p->batches, batch, link);

	if ((b == NULL || b->n == CONN_BATCH) && p->io.fd != -1 &&
	    !pool_full(p))
		b = batch_new(p);
	if (b == NULL || b->n == CONN_BATCH) {
		shed(w, info, fd);
		return;
	}
	b->info[b->n] = *info;
	b->fd[b->n++] = fd;
	p->queued++;
	w->queued++;
	stats_add(&w->child.stats, STAT_QUEUED, 1);
	stats_add(&w->child.stats, STAT_LIVE, 1);
}

void
handover_flush(struct worker *w)
{
	struct pool	*p, *next;

	for (p = TAILQ_FIRST(&w->busy); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (!p->blocked)
			pool_send(p);
	}
	if (w->queued >= QUEUE_MAX)
		listen_pause(w, PAUSE_QUEUED);
	else if (w->queued < QUEUE_MAX / 2)
		listen_resume(w, PAUSE_QUEUED);
}

void
handover_shed_all(struct worker *w)
{
	struct pool	*p;

	while ((p = TAILQ_FIRST(&w->busy)) != NULL)
		batch_shed(p);
}
