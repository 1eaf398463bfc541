#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "captured.h"
#include "common/conn.h"
#include "common/l4.h"
#include "common/log.h"

#define INBOXES_MAX	16
#define RANDOM_SHOTS	200
#define MANY_FDS	70	/* more than any receiver has room for */

static struct {
	struct child	 child;
	int		 inbox[INBOXES_MAX];
	size_t		 n;
} self;

static int
on_inbox(void *arg, struct ipc_msg *m)
{
	(void)arg;
	if (self.n == INBOXES_MAX)
		return -1;
	self.inbox[self.n++] = m->fd[0];
	return 0;
}

static const struct ipc_rule rules[] = {
	{ IPC_INBOX_WRITE, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4, on_inbox },
};

/* One that must be refused. */
static void
bad(int inbox, const void *data, size_t len, const int *fd, size_t nfds)
{
	shoot_typed(inbox, IPC_CONN, data, len, fd, nfds);
	stats_add(&self.child.stats, CAPTURED_SHOTS, 1);
}

static void
bad_raw(int inbox, const void *packet, size_t len, const int *fd, size_t nfds)
{
	shoot(inbox, packet, len, fd, nfds);
	stats_add(&self.child.stats, CAPTURED_SHOTS, 1);
}

/* A good one, but for the socket. */
static struct conn_info
good_info(size_t pool)
{
	struct conn_info	c;

	memset(&c, 0, sizeof(c));
	c.target.kind = pool == POOL_SITES ? TARGET_SITE : TARGET_UPSTREAM;
	c.target.index = pool == POOL_SITES ? 0 : (uint32_t)pool - 1;
	c.reason = REASON_FALLBACK;
	strcpy(c.sni, "captured.example");
	strcpy(c.alpn, "h2");
	return c;
}

static size_t
records(uint8_t *buf, size_t size, const struct conn_info *c, uint8_t count,
    size_t n)
{
	struct wr	w;

	wr_init(&w, buf, size);
	wr_u8(&w, count);
	while (n-- > 0)
		conn_write(&w, c);
	if (w.bad)
		fatalx("captured: records");
	return w.len;
}

static void
cut_short(int inbox, size_t pool, int sock)
{
	struct conn_info	c = good_info(pool);
	uint8_t			buf[512];
	size_t			i, len = records(buf, sizeof(buf), &c, 1, 1);

	for (i = 0; i < len; i++)
		bad(inbox, buf, i, &sock, 1);
	buf[len] = 0;
	bad(inbox, buf, len + 1, &sock, 1);
}

/* Counts that do not fit the records or the descriptors. */
static void
wrong_counts(int inbox, size_t pool, int sock)
{
	static const struct { uint8_t count; size_t n, nfds; } counts[] = {
		{ 0, 0, 0 }, { 0, 0, 1 }, { 0, 1, 1 }, { 1, 1, 0 },
		{ 1, 1, 2 }, { 2, 1, 1 }, { 2, 2, 1 }, { 1, 2, 2 },
		{ 255, 1, 1 }, { 255, 16, 16 }, { 16, 16, 15 },
		{ 17, 17, 17 }, { 64, 64, 64 },
	};
	struct conn_info	c = good_info(pool);
	static uint8_t		buf[IPC_DATA_MAX];
	int			fd[MANY_FDS];
	size_t			i;

	for (i = 0; i < MANY_FDS; i++)
		fd[i] = sock;
	for (i = 0; i < nitems(counts); i++)
		bad(inbox, buf, records(buf, sizeof(buf), &c, counts[i].count,
		    counts[i].n), fd, counts[i].nfds);
	/* Cut off by the kernel: lost, not bad. */
	shoot_typed(inbox, IPC_CONN, buf, records(buf, sizeof(buf), &c, 1, 1),
	    fd, MANY_FDS);
}

static int
wrong_descriptor(int kind)
{
	int	fd[2] = { -1, -1 };

	switch (kind) {
	case 0:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1:
		return memfd_create("captured", MFD_CLOEXEC);
	case 2:
		return open("/", O_PATH | O_CLOEXEC);
	case 3:
		return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	case 4:
		return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	case 5:
		return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	case 6:
		fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		return listen(fd[0], 1) == -1 ? -1 : fd[0];
	case 7:
		if (pipe2(fd, O_CLOEXEC) == -1)
			return -1;
		close(fd[1]);
		return fd[0];
	default:
		return epoll_create1(EPOLL_CLOEXEC);
	}
}

static void
wrong_descriptors(int inbox, size_t pool, int sock)
{
	struct conn_info	c = good_info(pool);
	uint8_t			buf[512];
	int			kind, fd[2];

	for (kind = 0; kind < 9; kind++) {
		if ((fd[0] = wrong_descriptor(kind)) == -1)
			fatal("captured: descriptor %d", kind);
		bad(inbox, buf, records(buf, sizeof(buf), &c, 1, 1), fd, 1);
		/* behind a good one, which then must be closed too */
		fd[1] = fd[0];
		fd[0] = sock;
		bad(inbox, buf, records(buf, sizeof(buf), &c, 2, 2), fd, 2);
		close(fd[1]);
	}
}

static void
wrong_fields(int inbox, size_t pool, int sock)
{
	struct conn_info	good = good_info(pool), c[9];
	uint8_t			buf[1024];
	size_t			i, len;

	for (i = 0; i < nitems(c); i++)
		c[i] = good;
	c[0].target.kind = 0x7f;
	c[1].target.index = UINT32_MAX;
	c[2].target = good_info(pool == POOL_SITES ? 1 : POOL_SITES).target;
	c[3].reason = 9;
	c[4].rule = UINT32_MAX;
	c[5].reason = REASON_ROUTE;
	c[5].rule = 99999;
	c[6].listener = UINT16_MAX;
	c[7].proto = 0x7f;
	c[8].peer.family = 9;
	for (i = 0; i < nitems(c); i++)
		bad(inbox, buf, records(buf, sizeof(buf), &c[i], 1, 1), &sock,
		    1);
	/* lengths of strings: too much, and a NUL inside */
	len = records(buf, sizeof(buf), &good, 1, 1);
	buf[len - 4] = buf[len - 3] = 0xff;
	bad(inbox, buf, len, &sock, 1);
	len = records(buf, sizeof(buf), &good, 1, 1);
	buf[len - 2] = 0;
	bad(inbox, buf, len, &sock, 1);
}

static void
wrong_packets(int inbox, int sock)
{
	static const uint8_t	head[] = { IPC_CONN, 0, IPC_VERSION + 1, 0,
		0, 0, 0, 0, 0 };
	static const uint16_t	types[] = { 0, IPC_CONF, IPC_START, IPC_READY,
		IPC_DRAIN, IPC_SIGN, 0xffff };
	static uint8_t		huge[IPC_DATA_MAX + 100];
	size_t			i;

	for (i = 0; i <= sizeof(head); i++)
		bad_raw(inbox, head, i, NULL, 0);
	bad_raw(inbox, head, 3, &sock, 1);
	bad_raw(inbox, "", 0, &sock, 1);
	for (i = 0; i < nitems(types); i++) {
		shoot_typed(inbox, types[i], "\0\0", 2, &sock, 1);
		stats_add(&self.child.stats, CAPTURED_SHOTS, 1);
	}
	bad(inbox, huge, sizeof(huge), &sock, 1);
}

static void
noise(int inbox, int sock)
{
	uint32_t	x = 12345;
	uint8_t		buf[300];
	size_t		i, k;

	for (i = 0; i < RANDOM_SHOTS; i++) {
		for (k = 0; k < sizeof(buf); k++)
			buf[k] = (uint8_t)((x = x * 1664525 + 1013904223) >>
			    24);
		buf[0] = 1;
		bad(inbox, buf, 1 + i, &sock, 1);
	}
}

/* The first misuses one inbox after the other, the others master. */
static bool
mischief(struct child *c)
{
	static size_t	i;
	int		sock;

	if (c->instance > 0) {
		shoot_master((unsigned int)c->instance - 1);
		return false;
	}
	sock = good_socket();
	cut_short(self.inbox[i], i, sock);
	wrong_counts(self.inbox[i], i, sock);
	wrong_descriptors(self.inbox[i], i, sock);
	wrong_fields(self.inbox[i], i, sock);
	wrong_packets(self.inbox[i], sock);
	noise(self.inbox[i], sock);
	close(sock);
	return ++i < self.n;
}

int
main(int argc, char **argv)
{
	self.child.role = ROLE_WORKER;
	self.child.rules = rules;
	self.child.nrules = nitems(rules);
	return captured_run(&self.child, argc, argv, mischief);
}
