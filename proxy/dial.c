#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "proxy.h"

#define DIAL_AGAIN	(20 * NSEC_PER_MSEC)	/* full backlog, UNIX */

/*
 * Nothing is read from the client before a backend has accepted: all of it is
 * still in its socket when the next address is tried.
 */

static bool	dial_member(struct session *);

/* Resets the client: no other target may answer in place of this upstream. */
static void
dial_give_up(struct session *s)
{
	stats_add(&s->proxy->child.stats, STAT_CONNECT_FAILED, 1);
	session_end(s, "connect-failed", SESSION_RST);
}

static void
dial_on(struct session *s)
{
	struct proxy	*p = s->proxy;
	int		 i;

	do {
		i = balance_pick(&p->balance, p->members.v, p->members.n,
		    s->tried, &s->peer, ev_now(p->child.ev));
		if (i == -1) {
			dial_give_up(s);
			return;
		}
		s->tried |= UINT64_C(1) << i;
		s->member = (uint8_t)i;
		p->members.v[i].live++;
		s->flags |= SESSION_ON_MEMBER;
		s->active = ev_now(p->child.ev);
	} while (!dial_member(s));
}

void
dial_start(struct session *s)
{
	s->tried = 0;
	dial_on(s);
}

static void
dial_failed(struct session *s, int error)
{
	struct proxy	*p = s->proxy;
	struct member	*m = &p->members.v[s->member];

	if (s->leg[UPSTREAM].io.fd != -1) {
		ev_forget(p->child.ev, &s->leg[UPSTREAM].io);
		close(s->leg[UPSTREAM].io.fd);
		s->leg[UPSTREAM].io.fd = -1;
	}
	if (error == EMFILE || error == ENFILE) {
		stats_add(&p->child.stats, STAT_FD_FULL, 1);
		inbox_pause(p);
	}
	s->flags &= (uint8_t)~SESSION_ON_MEMBER;
	m->live--;
	member_failed(&p->members, m, error, ev_now(p->child.ev));
}

static uint64_t
dial_deadline(const struct session *s)
{
	double	sec = s->proxy->up->connect_timeout;

	return sec <= 0 ? UINT64_MAX : s->active + sec_to_ns(sec);
}

static void
dial_connected(struct session *s)
{
	const struct member	*m = &s->proxy->members.v[s->member];

	if (member_is_self(m, s->leg[UPSTREAM].io.fd)) {
		dial_failed(s, ECONNREFUSED);
		dial_on(s);
		return;
	}
	session_connected(s);
}

/* True when the session is on its way: connected, connecting or ended. */
static bool
dial_wait(struct session *s)
{
	struct proxy	*p = s->proxy;
	struct leg	*l = &s->leg[CLIENT];

	/* The client's end while it waits for us is an end. */
	if (l->io.slot == 0 && relay_watch(s, l, 0) == -1) {
		dial_failed(s, errno);
		dial_give_up(s);
		return true;
	}
	if (s->state == SESSION_DIAL &&
	    relay_watch(s, &s->leg[UPSTREAM], EPOLLOUT) == -1) {
		dial_failed(s, errno);
		return false;
	}
	ev_timer_set(p->child.ev, &s->timer, s->state == SESSION_WAIT ?
	    ev_now(p->child.ev) + DIAL_AGAIN : dial_deadline(s));
	return true;
}

static bool
dial_member(struct session *s)
{
	struct proxy	*p = s->proxy;
	struct member	*m = &p->members.v[s->member];
	struct leg	*l = &s->leg[UPSTREAM];

	l->flags = LEG_WRITABLE;
	if (m->dir != -1)
		l->flags |= LEG_NODELAY | LEG_EXACT;
	switch (member_dial(&p->members, m, true, &l->io.fd)) {
	case DIAL_CONNECTED:
		dial_connected(s);
		return true;
	case DIAL_PROGRESS:
		return dial_wait(s);
	case DIAL_FAILED:
		break;
	}
	if (errno == EAGAIN && m->dir != -1 &&
	    ev_now(p->child.ev) < dial_deadline(s)) {
		session_enter(s, SESSION_WAIT);
		return dial_wait(s);
	}
	dial_failed(s, errno);
	return false;
}

/* The socket of a session in SESSION_DIAL. */
void
dial_event(struct session *s, uint32_t events)
{
	int		error = 0;
	socklen_t	len = sizeof(error);

	if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
		return;
	if (getsockopt(s->leg[UPSTREAM].io.fd, SOL_SOCKET, SO_ERROR, &error,
	    &len) == -1)
		error = errno;
	if (error == 0) {
		if (events & EPOLLIN)
			s->leg[UPSTREAM].flags |= LEG_READABLE;
		dial_connected(s);
		return;
	}
	dial_failed(s, error);
	dial_on(s);
}

void
dial_timeout(struct session *s)
{
	if (s->state == SESSION_WAIT) {
		session_enter(s, SESSION_DIAL);
		if (dial_member(s))
			return;
	} else
		dial_failed(s, ETIMEDOUT);
	dial_on(s);
}
