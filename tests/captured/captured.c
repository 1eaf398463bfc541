#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "captured.h"
#include "common/l4.h"
#include "common/log.h"
#include "common/wire.h"

#define FDS_MAX		80
#define PATIENCE_MS	10000

void
shoot(int chan, const void *packet, size_t len, const int *fd, size_t nfds)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} ctl;
	struct iovec	 iov = { (void *)(uintptr_t)packet, len };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd	 pfd = { .fd = chan, .events = POLLOUT };
	struct cmsghdr	*cm;

	memset(&ctl, 0, sizeof(ctl));
	if (nfds > 0) {
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fd, sizeof(int) * nfds);
	}
	while (sendmsg(chan, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
		if (errno != EAGAIN || poll(&pfd, 1, PATIENCE_MS) < 1)
			fatal("captured: sendmsg");
	}
}

void
shoot_typed(int chan, uint16_t type, const void *data, size_t len,
    const int *fd, size_t nfds)
{
	static uint8_t	packet[IPC_HEADER + 2 * IPC_DATA_MAX];
	struct wr	w;

	wr_init(&w, packet, sizeof(packet));
	wr_u16(&w, type);
	wr_u16(&w, IPC_VERSION);
	wr_u32(&w, 1);
	wr_bytes(&w, data, len);
	shoot(chan, packet, w.len, fd, nfds);
}

int
good_socket(void)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		len = sizeof(sin);
	int			l, s;

	l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l == -1 || s == -1 || listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1)
		fatal("captured: socket");
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(s, (struct sockaddr *)&sin, len) == -1)
		fatal("captured: connect");
	close(l);
	return s;
}

/* A string that is as long as it says, or is not. */
#define S(literal)	literal, sizeof(literal) - 1

bool
shoot_master(unsigned int i)
{
	static const struct {
		uint16_t	 type;
		const char	*data;
		size_t		 len;
		size_t		 nfds;
	} shots[] = {
		{ IPC_READY, S("\0\0\0\0\0\0\0\0"), 0 },  /* a second time */
		{ IPC_READY, S("\0\0\0\0"), 0 },
		{ IPC_FAILED, S("\3\0bad"), 0 },	/* too late */
		{ IPC_DONE, S("\0\0"), 0 },		/* not a one-shot */
		{ IPC_ACCUSE, S("\0\0\0\0"), 0 },	/* not keys */
		{ IPC_DRAINING, S("x"), 0 },
		{ IPC_DRAINING, S(""), 1 },		/* with a descriptor */
		{ IPC_SESSION_ROWS, S("\1\0"), 0 },
		{ IPC_SESSION_ROWS, S("\1\1\0"), 0 },	/* no row */
		{ IPC_SESSION_ROWS, S("\2\0\0"), 0 },	/* last? */
		{ IPC_SESSION_ROWS, S("\1\0\0x"), 0 },
		{ IPC_KILLED, S("\2"), 0 },
		{ IPC_KILLED, S("\1\1"), 0 },
		{ IPC_DRAIN, S(""), 0 },		/* master's to send */
		{ IPC_START, S("\1\1"), 0 },
		{ IPC_KEY, S("\0\0\0\0"), 1 },
		{ 0, S(""), 0 },
		{ 0xffff, S(""), 2 },
	};
	static const struct { const char *bytes; size_t len; } raw[] = {
		{ S("") },			/* looks like the end */
		{ S("\x40") },
		{ S("\x40\0\x01\0\0\0\0") },	/* half a header */
		{ S("\x40\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0") },	/* version */
	};
	static uint8_t	huge[IPC_DATA_MAX + 1];
	int		fd[2] = { 2, 2 };

	if (i < nitems(shots))
		shoot_typed(FD_CHANNEL, shots[i].type, shots[i].data,
		    shots[i].len, fd, shots[i].nfds);
	else if (i < nitems(shots) + nitems(raw))
		shoot(FD_CHANNEL, raw[i - nitems(shots)].bytes,
		    raw[i - nitems(shots)].len, NULL, 0);
	else if (i == nitems(shots) + nitems(raw))
		shoot_typed(FD_CHANNEL, IPC_READY, huge, sizeof(huge), NULL,
		    0);
	else
		return false;
	return true;
}

static void
stop(void *arg)
{
	struct child	*c = arg;

	ev_stop(c->ev);
}

struct plot {
	struct child	*child;
	bool		(*mischief)(struct child *);
	struct ev_timer	 again;
};

static void
plot_go_on(struct ev_timer *t)
{
	struct plot	*p = container_of(t, struct plot, again);

	if (p->mischief(p->child))
		ev_timer_set(p->child->ev, t, ev_clock());
	else
		p->child->stats.count[CAPTURED_DONE] = 1;
}

static void
on_signal(int signo, void *arg)
{
	struct plot	*p = arg;

	(void)signo;
	plot_go_on(&p->again);
}

int
captured_run(struct child *c, int argc, char **argv,
    bool (*mischief)(struct child *))
{
	struct plot	p = { .child = c, .mischief = mischief,
		.again.cb = plot_go_on };
	sigset_t	set;

	c->arg = c;
	c->drain = stop;
	child_open(c, argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ev_signals(c->ev, &set, on_signal, &p);
	child_ready(c);
	ev_run(c->ev);
	return 0;
}
