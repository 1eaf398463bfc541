#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "proxy.h"
#include "record.h"

/*
 * The other end of a hand-over: a session that another process began.  Nothing
 * is taken before all of it has been found right.
 */

/* The two ends of one pipe, with exactly len bytes in it. */
static bool
is_full_pipe(int rd, int wr, uint32_t len)
{
	struct stat	a, b;
	int		in = 0;

	return ipc_fd_is(rd, IPC_FD_PIPE) && ipc_fd_is(wr, IPC_FD_PIPE) &&
	    fstat(rd, &a) == 0 && fstat(wr, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
	    (fcntl(rd, F_GETFL) & O_ACCMODE) == O_RDONLY &&
	    (fcntl(wr, F_GETFL) & O_ACCMODE) == O_WRONLY &&
	    ioctl(rd, FIONREAD, &in) == 0 && in >= 0 && (uint32_t)in == len;
}

static bool
descriptors_fit(const struct record *c, const struct ipc_msg *m)
{
	const int	*fd = m->fd + 2;
	unsigned int	 i;

	if (m->nfds != record_nfds(c) ||
	    !ipc_fd_is(m->fd[0], IPC_FD_STREAM) ||
	    !ipc_fd_is(m->fd[1], IPC_FD_STREAM))
		return false;
	for (i = 0; i < nitems(c->leg); i++) {
		if (c->leg[i].held == HELD_NONE)
			continue;
		if (!is_full_pipe(fd[0], fd[1], c->leg[i].len))
			return false;
		fd += 2;
	}
	return true;
}

/* Into a buffer again, so that pipes stay few; NULL without memory. */
static struct buf *
take_buf(struct proxy *p, const int fd[2], uint32_t len)
{
	struct iovec	iov = { .iov_base = p->scratch, .iov_len = SCRATCH };

	if (readv(fd[0], &iov, 1) != (ssize_t)len)
		return NULL;
	return buf_keep(&p->bufs, p->scratch, len);
}

struct load {			/* what a leg will hold */
	struct buf	*buf;
	struct pipe	*pipe;
};

static bool
take_held(struct proxy *p, const struct record_leg *r, const int fd[2],
    struct load *l)
{
	switch (r->held) {
	case HELD_BUF:
		l->buf = take_buf(p, fd, r->len);
		return l->buf != NULL;
	case HELD_PIPE:
		l->pipe = pipe_adopt(&p->pipes, fd, r->len);
		return l->pipe != NULL;
	default:
		return true;
	}
}

/*
 * The descriptors of what is held are used up on success: those of a buffer
 * are closed, those of a pipe are the pipe's.
 */
static bool
take_all(struct proxy *p, const struct record *c, struct ipc_msg *m,
    struct load load[2])
{
	const int	*fd = m->fd + 2;
	unsigned int	 i;

	for (i = 0; i < 2; i++) {
		if (!take_held(p, &c->leg[i], fd, &load[i]))
			return false;
		if (c->leg[i].held != HELD_NONE)
			fd += 2;
	}
	fd = m->fd + 2;
	for (i = 0; i < 2; i++) {
		if (c->leg[i].held == HELD_BUF) {
			close(fd[0]);
			close(fd[1]);
		}
		if (c->leg[i].held != HELD_NONE)
			fd += 2;
	}
	m->nfds = 2;
	return true;
}

static void
load_drop(struct proxy *p, struct load *l)
{
	buf_release(&p->bufs, l->buf);
	if (l->pipe != NULL)
		pipe_disown(&p->pipes, l->pipe);
}

/* A stamp of the other process may be newer than this turn of ours. */
static uint64_t
not_later(uint64_t then, uint64_t now)
{
	return then < now ? then : now;
}

static void
adopt_leg(struct leg *l, const struct record_leg *r, const struct load *load,
    uint64_t now)
{
	uint32_t	ms = session_ms(now);

	/* Whether there is anything to do is found out by trying. */
	l->flags = r->flags | LEG_READABLE | LEG_WRITABLE;
	l->moved = r->moved;
	l->burst_at = ms;
	l->stuck_at = (int32_t)(ms - r->stuck_at) < 0 ? ms : r->stuck_at;
	if (load->pipe != NULL) {
		l->pipe = load->pipe;
		l->flags |= LEG_PIPED;
	} else
		l->buf = load->buf;
}

static void
adopt_account(struct session *s, const struct record *c)
{
	struct proxy	*p = s->proxy;
	struct member	*m;

	stats_add(&p->child.stats, STAT_TAKEN_OVER, 1);
	if (c->member != 0 &&
	    (m = members_find(&p->members, c->member)) != NULL) {
		s->member = (uint8_t)(m - p->members.v);
		s->flags |= SESSION_ON_MEMBER | SESSION_CONNECTED;
		member_take_over(&p->members, m);
	}
	if (s->flags & SESSION_UNANSWERED)
		p->sessions.unanswered++;
}

static void
adopt_describe(struct session *s, const struct record *c, uint64_t now)
{
	s->id = c->id;
	s->accepted = not_later(c->accepted, now);
	s->active = not_later(c->active, now);
	s->local = c->local;
	s->proto = c->proto;
	s->flags = c->flags | SESSION_FOREIGN;
	if (c->keepalive != relay_keepalive_ms(s->proxy))
		s->flags &= (uint8_t)~SESSION_KEEPALIVE;
}

static void
adopt_run(struct session *s)
{
	if (relay_watch(s, &s->leg[CLIENT], 0) == -1 ||
	    relay_watch(s, &s->leg[UPSTREAM], 0) == -1) {
		stats_add(&s->proxy->child.stats, STAT_FD_FULL, 1);
		session_end(s, "refused", SESSION_RST);
		return;
	}
	relay_timer(s);
	if (s->state == SESSION_RELAY)
		relay_run(s);
}

/* All that can fail has not: the session is ours from here on. */
static void
adopt_begin(struct proxy *p, const struct record *c, const struct ipc_msg *m,
    const struct load load[2])
{
	const char	*text[NAME__MAX] = {
		[NAME_SNI] = c->sni, [NAME_ALPN] = c->alpn,
		[NAME_LISTEN] = c->listen, [NAME_REASON] = c->reason,
	};
	uint64_t	 now = ev_now(p->child.ev);
	struct session	*s;
	unsigned int	 i;

	s = session_make(p, m->fd[0], m->fd[1],
	    (c->leg[CLIENT].flags & LEG_INNER) != 0, &c->peer);
	adopt_describe(s, c, now);
	for (i = 0; i < nitems(s->leg); i++)
		adopt_leg(&s->leg[i], &c->leg[i], &load[i], now);
	adopt_account(s, c);
	session_enter(s, SESSION_RELAY);
	if (session_set_names(s, text, NAME__MAX))
		adopt_run(s);
	else
		session_end(s, "refused", SESSION_RST);
	/* It came late: on to where ours went. */
	handover_start(p);
}

int
adopt_session(void *arg, struct ipc_msg *m)
{
	struct proxy	*p = arg;
	struct load	 load[2] = { { NULL, NULL }, { NULL, NULL } };
	struct record	 c;
	struct rd	 r;

	rd_init(&r, m->data, m->len);
	if (!record_read(&r, &c) || !descriptors_fit(&c, m) ||
	    !take_all(p, &c, m, load)) {
		load_drop(p, &load[CLIENT]);
		load_drop(p, &load[UPSTREAM]);
		ipc_close_fds(m);
		return -1;
	}
	adopt_begin(p, &c, m, load);
	return 0;
}
