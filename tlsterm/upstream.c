#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "upstream.h"

#define RETRY_TIME	(10 * NSEC_PER_MSEC)
#define WAIT_SECONDS	5.0	/* for an inbox, where connecting may take for
				   ever */

static void
upconn_gone(struct upconn *c)
{
	c->eof = c->dead = true;
}

static void
upconn_theirs_close(struct upconn *c)
{
	if (c->theirs == -1)
		return;
	close(c->theirs);
	c->theirs = -1;
	c->up->all->nfds--;
	free(c->record);
	c->record = NULL;
	TAILQ_REMOVE(&c->up->all->waiting, c, link);
}

static enum ipc_result
upconn_hand_over(struct upconn *c)
{
	struct ipc_msg	m = { .type = IPC_CONN, .data = c->record,
		.len = c->recordlen, .nfds = 1 };

	m.fd[0] = c->theirs;
	return ipc_send(c->up->inbox, &m);
}

/* True when it waits no longer. */
static bool
upconn_try(struct upconn *c)
{
	switch (upconn_hand_over(c)) {
	case IPC_OK:
		stats_add(&c->up->all->child->stats, STAT_FORWARDED, 1);
		break;
	case IPC_AGAIN:
		return false;
	default:
		log_warn("inbox of upstream %s", c->up->conf->name);
		upconn_gone(c);
		break;
	}
	upconn_theirs_close(c);
	return true;
}

static uint64_t
wait_max(const struct upstream *up)
{
	double	sec = up->conf->connect_timeout;

	return sec_to_ns(sec > 0 ? sec : WAIT_SECONDS);
}

/*
 * The inboxes were full, or too many descriptors are under way in the kernel,
 * which makes no event: so a timer.  The oldest go first.
 */
static void
upstreams_again(struct ev_timer *t)
{
	struct upstreams	*us = container_of(t, struct upstreams, again);
	uint64_t		 now = ev_now(us->child->ev);
	struct upconn		*c, *next;

	for (c = TAILQ_FIRST(&us->waiting); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!upconn_try(c) && now < c->since + wait_max(c->up))
			continue;
		if (c->theirs != -1) {
			upconn_gone(c);
			upconn_theirs_close(c);
		}
		/* The end makes an event by itself: theirs is closed. */
	}
	if (!TAILQ_EMPTY(&us->waiting))
		ev_timer_set(us->child->ev, t, now + RETRY_TIME);
}

static void
upstreams_reap(struct ev_timer *t)
{
	struct upstreams	*us = container_of(t, struct upstreams, reap);
	uint64_t		 now = ev_now(us->child->ev);
	uint64_t		 max = sec_to_ns(UPSTREAM_IDLE_SECONDS);
	struct upconn		*c;
	size_t			 i;
	bool			 left = false;

	for (i = 0; i < us->n; i++) {
		while ((c = TAILQ_LAST(&us->v[i].idle, upconns)) != NULL &&
		    now - c->since >= max)
			upconn_close(c);
		left = left || c != NULL;
	}
	if (left)
		ev_timer_set(us->child->ev, t, now + max / 2);
}

void
upstreams_init(struct upstreams *us, struct child *child)
{
	const struct conf	*conf = child->conf;
	struct upstream		*up;
	size_t			 i;

	us->child = child;
	us->n = conf->nupstream;
	us->again.cb = upstreams_again;
	us->reap.cb = upstreams_reap;
	TAILQ_INIT(&us->waiting);
	if ((us->v = calloc(us->n + 1, sizeof(*us->v))) == NULL)
		fatal("calloc");
	for (i = 0; i < us->n; i++) {
		up = &us->v[i];
		up->conf = &conf->upstream[i];
		up->all = us;
		up->index = (uint32_t)i;
		up->inbox = -1;
		/* A header with an address, or a choice by it, is for one
		 * client alone. */
		up->shared = up->conf->send_proxy == PP_NONE &&
		    up->conf->balance != BALANCE_HASH;
		TAILQ_INIT(&up->idle);
	}
}

static int
select_alpn(SSL *ssl, const uint8_t **out, uint8_t *outlen,
    const uint8_t *in, unsigned int inlen, void *arg)
{
	const struct conf_strs	*ours = arg;
	unsigned int		 at;
	size_t			 i;

	(void)ssl;
	for (i = 0; i < ours->n; i++)
		for (at = 0; at < inlen; at += 1u + in[at])
			if (in[at] == strlen(ours->v[i]) && memcmp(in + at + 1,
			    ours->v[i], in[at]) == 0) {
				*out = in + at + 1;
				*outlen = in[at];
				return SSL_TLSEXT_ERR_OK;
			}
	return ours->n == 0 ? SSL_TLSEXT_ERR_NOACK :
	    SSL_TLSEXT_ERR_ALERT_FATAL;
}

void
upstream_use_tls(struct upstream *up)
{
	/* A FIN without close_notify ends that direction, no more: what the
	 * bytes mean, and whether they are whole, the ends have to know. */
	SSL_CTX_set_options(up->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_alpn_select_cb(up->ctx, select_alpn,
	    (void *)(uintptr_t)&up->conf->alpn);
}

static void
upconn_flush(struct upconn *c)
{
	ssize_t	n;

	while (c->outoff < c->outlen) {
		n = send(c->watch.fd, c->out + c->outoff,
		    c->outlen - c->outoff, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1) {
			c->dead = true;
			break;
		}
		c->outoff += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	c->outoff = c->outlen = 0;
	if (c->finish && !c->dead)
		shutdown(c->watch.fd, SHUT_WR);
}

static void
upconn_event(struct ev_io *io, uint32_t events)
{
	struct upconn	*c = container_of(io, struct upconn, watch);

	/* An idle one has nothing to say but its end; an upstream that goes on
	 * after an answer is no better. */
	if (c->idle) {
		if (events & ~(uint32_t)EPOLLOUT)
			upconn_close(c);
		return;
	}
	/* Both directions have ended. */
	if (events & (EPOLLHUP | EPOLLERR))
		c->dead = true;
	if (c->out != NULL)
		upconn_flush(c);
	if (c->event != NULL)
		c->event(c);
}

/* The record that goes along; false without memory. */
static bool
upconn_describe(struct upconn *c, const struct conn_info *info)
{
	struct conn_info	 own = *info;
	struct wr		 w;
	uint8_t			 buf[2 * (HELLO_NAME_MAX + HELLO_ALPN_MAX) +
				    256];

	own.target.kind = TARGET_UPSTREAM;
	own.target.index = c->up->index;
	own.inner = true;
	own.log = false;
	wr_init(&w, buf, sizeof(buf));
	wr_u8(&w, 1);
	conn_write(&w, &own);
	if (w.bad || (c->record = malloc(w.len)) == NULL)
		return false;
	memcpy(c->record, buf, w.len);
	c->recordlen = w.len;
	return true;
}

struct upconn *
upconn_open(struct upstream *up, const struct conn_info *info)
{
	struct upstreams	*us = up->all;
	struct ev		*ev = us->child->ev;
	struct upconn		*c = NULL;
	int			 fd[2] = { -1, -1 };

	if (up->inbox == -1 || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->up = up;
	c->theirs = -1;
	if (!upconn_describe(c, info) || socketpair(AF_UNIX, SOCK_STREAM |
	    SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == -1)
		goto fail;
	c->watch.fd = fd[0];
	c->watch.cb = upconn_event;
	if (ev_add(ev, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
	    == -1)
		goto fail;
	c->theirs = fd[1];
	c->since = ev_now(ev);
	us->nfds += 2;
	TAILQ_INSERT_TAIL(&us->waiting, c, link);
	/* Not past those that wait already. */
	if ((TAILQ_FIRST(&us->waiting) != c || !upconn_try(c)) &&
	    us->again.pos == 0)
		ev_timer_set(ev, &us->again, ev_now(ev) + RETRY_TIME);
	return c;
fail:
	if (fd[0] != -1) {
		close(fd[0]);
		close(fd[1]);
	}
	free(c->record);
	free(c);
	return NULL;
}

static void
upconn_unlink(struct upconn *c)
{
	if (!c->idle)
		return;
	TAILQ_REMOVE(&c->up->idle, c, link);
	c->up->nidle--;
	c->idle = false;
}

/*
 * Is there neither a byte nor an end to be read?  What came with the last
 * answer and was not read has made its event, so there would be no other; and
 * the next request would take such bytes for its answer.
 */
static bool
upconn_is_quiet(const struct upconn *c)
{
	char	b;

	return recv(c->watch.fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN;
}

struct upconn *
upconn_reuse(struct upstream *up)
{
	struct upconn	*c;

	while ((c = TAILQ_FIRST(&up->idle)) != NULL) {
		if (upconn_is_quiet(c)) {
			upconn_unlink(c);
			return c;
		}
		upconn_close(c);
	}
	return NULL;
}

void
upconn_release(struct upconn *c)
{
	struct upstream	*up = c->up;
	struct ev	*ev = up->all->child->ev;

	if (!up->shared || c->eof || c->dead || c->finish || c->out != NULL ||
	    c->theirs != -1 || up->nidle >= UPSTREAM_IDLE_MAX ||
	    !upconn_is_quiet(c)) {
		upconn_close(c);
		return;
	}
	c->event = NULL;
	c->owner = NULL;
	c->idle = true;
	c->since = ev_now(ev);
	TAILQ_INSERT_HEAD(&up->idle, c, link);
	up->nidle++;
	if (up->all->reap.pos == 0)
		ev_timer_set(ev, &up->all->reap, c->since +
		    sec_to_ns(UPSTREAM_IDLE_SECONDS));
}

void
upconn_close(struct upconn *c)
{
	struct upstreams	*us = c->up->all;

	upconn_unlink(c);
	upconn_theirs_close(c);
	ev_forget(us->child->ev, &c->watch);
	close(c->watch.fd);
	us->nfds--;
	free(c->out);
	free(c);
}

/* Keeps what is left of the pieces after `done` bytes. */
static void
upconn_keep(struct upconn *c, const struct iovec *iov, int n, size_t done)
{
	size_t	 total = 0, off = 0, skip;
	char	*p;
	int	 i;

	for (i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (total == done)
		return;
	if ((p = realloc(c->out, c->outlen + total - done)) == NULL) {
		upconn_gone(c);
		return;
	}
	for (i = 0; i < n; i++) {
		skip = done < iov[i].iov_len ? done : iov[i].iov_len;
		memcpy(p + c->outlen + off, (char *)iov[i].iov_base + skip,
		    iov[i].iov_len - skip);
		off += iov[i].iov_len - skip;
		done -= skip;
	}
	c->out = p;
	c->outlen += off;
}

void
upconn_write(struct upconn *c, const struct iovec *iov, int n)
{
	struct msghdr	mh = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n };
	ssize_t		done = 0;

	if (c->dead)
		return;
	if (c->out == NULL) {
		do
			done = sendmsg(c->watch.fd, &mh,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		while (done == -1 && errno == EINTR);
		if (done == -1 && errno != EAGAIN) {
			c->dead = true;
			return;
		}
	}
	upconn_keep(c, iov, n, done > 0 ? (size_t)done : 0);
}

void
upconn_finish(struct upconn *c)
{
	if (c->finish)
		return;
	c->finish = true;
	if (c->out == NULL && !c->dead)
		shutdown(c->watch.fd, SHUT_WR);
}

ssize_t
upconn_read(struct upconn *c, char *buf, size_t size)
{
	ssize_t	n;

	if (c->eof)
		return 0;
	do
		n = recv(c->watch.fd, buf, size, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return -1;
	if (n <= 0) {
		c->eof = true;
		return 0;
	}
	return n;
}
