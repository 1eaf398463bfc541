#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/pp.h"
#include "proxy.h"

/*
 * Active checks, only where the configuration asks for them: a backend such as
 * a Reality server does work for every connection it accepts (BACKENDS L8).
 * A check connects and closes; what expects PROXY headers of version 2 is
 * sent a LOCAL one before FIN, which ocserv takes for what it is (L23).
 */
struct check {
	struct ev_io	 io;
	struct ev_timer	 timer;		/* the next check, or its time limit */
	struct proxy	*proxy;
	struct member	*member;
	uint64_t	 next;		/* ns: when the next one is due */
	uint32_t	 streak;	/* results in a row that differ from
					   what is held true of the member */
};

struct health {
	size_t		 n;
	struct check	 check[];
};

static void
check_close(struct check *k)
{
	if (k->io.fd == -1)
		return;
	ev_forget(k->proxy->child.ev, &k->io);
	close(k->io.fd);
	k->io.fd = -1;
}

static void
check_result(struct check *k, bool good)
{
	const struct conf_upstream	*up = k->proxy->up;
	struct member			*m = k->member;

	check_close(k);
	ev_timer_set(k->proxy->child.ev, &k->timer, k->next);
	k->streak = good == m->sick ? k->streak + 1 : 0;
	if (k->streak >= (m->sick ? up->health_rise : up->health_fall) &&
	    k->streak > 0) {
		k->streak = 0;
		member_set_sick(&k->proxy->members, m, !good);
	} else if (good && !m->proven)
		member_set_sick(&k->proxy->members, m, m->sick);
}

static void
check_connected(struct check *k)
{
	static const struct addr	none;
	uint8_t				head[PP_OUT_MAX];
	size_t				len;

	if (member_is_self(k->member, k->io.fd)) {
		check_result(k, false);
		return;
	}
	if (k->proxy->up->send_proxy == PP_V2) {
		len = pp_write(PP_V2, &none, &none, NULL, head);
		/* Into an empty socket: all of it or an error. */
		if (send(k->io.fd, head, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		    -1) {
			check_result(k, false);
			return;
		}
	}
	check_result(k, true);
}

static void
check_event(struct ev_io *io, uint32_t events)
{
	struct check	*k = container_of(io, struct check, io);
	int		 error = 0;
	socklen_t	 len = sizeof(error);

	(void)events;
	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0)
		check_result(k, false);
	else
		check_connected(k);
}

static void
check_begin(struct check *k)
{
	struct proxy	*p = k->proxy;
	uint64_t	 now = ev_now(p->child.ev);
	int		 fd = -1;

	k->next = now + sec_to_ns(p->up->health_interval);
	switch (member_dial(&p->members, k->member, false, &fd)) {
	case DIAL_CONNECTED:
		k->io.fd = fd;
		check_connected(k);
		return;
	case DIAL_PROGRESS:
		k->io.fd = fd;
		if (ev_add(p->child.ev, &k->io, EPOLLOUT) == 0)
			break;
		/* FALLTHROUGH */
	case DIAL_FAILED:
		check_result(k, false);
		return;
	}
	ev_timer_set(p->child.ev, &k->timer,
	    now + sec_to_ns(p->up->health_timeout));
}

static void
check_timer(struct ev_timer *t)
{
	struct check	*k = container_of(t, struct check, timer);

	if (k->io.fd == -1) {
		check_begin(k);
		return;
	}
	/* Not before the next turn, lest checks follow without end. */
	if (k->next <= ev_now(k->proxy->child.ev))
		k->next = ev_now(k->proxy->child.ev) + 1;
	check_result(k, false);
}

void
health_start(struct proxy *p)
{
	struct health	*h;
	struct check	*k;
	uint64_t	 now = ev_now(p->child.ev);
	size_t		 i;

	if (!p->up->health || p->members.n == 0)
		return;
	h = calloc(1, sizeof(*h) + p->members.n * sizeof(*h->check));
	if (h == NULL)
		fatal("calloc");
	h->n = p->members.n;
	for (i = 0; i < h->n; i++) {
		k = &h->check[i];
		k->proxy = p;
		k->member = &p->members.v[i];
		k->io.fd = -1;
		k->io.cb = check_event;
		k->timer.cb = check_timer;
		ev_timer_set(p->child.ev, &k->timer, now);
	}
	p->health = h;
}

void
health_stop(struct proxy *p)
{
	size_t	i;

	if (p->health == NULL)
		return;
	for (i = 0; i < p->health->n; i++) {
		check_close(&p->health->check[i]);
		ev_timer_cancel(p->child.ev, &p->health->check[i].timer);
	}
	free(p->health);
	p->health = NULL;
}
