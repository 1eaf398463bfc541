#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/conn.h"
#include "common/ipc.h"
#include "common/l4.h"
#include "common/proto.h"
#include "fuzz.h"
#include "proxy/record.h"

/*
 * Any packet with some descriptors, as who is captured may send it: what does
 * not fit the rules is refused, records that are taken are in range and as
 * they were when they are written again, and no descriptor is left over.
 */
#define FDS	(CONN_BATCH + 1)

static const struct conf	conf = {
	.nlistener = 3, .nsite = 2, .nupstream = 4, .nroute = 5,
};

struct world {
	int	chan[2];
	int	stream[2], pipe[2];
	int	first;		/* the first descriptor a message would get */
};

static void
check_conn(const struct conn_info *c, const uint8_t *p, size_t len)
{
	struct conn_info	again;
	struct wr		w;
	struct rd		r;
	uint8_t			buf[1024];

	must(c->listener < conf.nlistener && c->proto < PROTO__MAX,
	    "a number is in its range");
	must(c->target.index < (c->target.kind == TARGET_SITE ? conf.nsite :
	    conf.nupstream), "a target is one");
	must(strlen(c->sni) <= HELLO_NAME_MAX &&
	    strlen(c->alpn) <= HELLO_ALPN_MAX, "names end");
	wr_init(&w, buf, sizeof(buf));
	conn_write(&w, c);
	must(!w.bad && w.len == len, "a record has its length");
	rd_init(&r, buf, w.len);
	memset(&again, 0, sizeof(again));
	must(conn_read(&r, &conf, &again) && rd_done(&r), "read again");
	must(memcmp(&again, c, sizeof(again)) == 0, "a record is as it was");
	/* Flags without a meaning are dropped. */
	must(memcmp(buf, p, 8) == 0, "an id is as it was");
}

static int
on_conn(void *arg, struct ipc_msg *m)
{
	struct conn_info	 c;
	struct rd		 r;
	const uint8_t		*from;
	unsigned int		 i, n;

	(void)arg;
	must(m->nfds >= 1 && m->nfds <= CONN_BATCH, "a rule counts");
	rd_init(&r, m->data, m->len);
	n = rd_u8(&r);
	for (i = 0; i < n; i++) {
		from = r.p;
		memset(&c, 0, sizeof(c));
		if (!conn_read(&r, &conf, &c))
			break;
		check_conn(&c, from, (size_t)(r.p - from));
	}
	ipc_close_fds(m);
	return 0;
}

static int
on_session(void *arg, struct ipc_msg *m)
{
	struct record	c, again;
	struct rd	r;
	struct wr	w;
	uint8_t		buf[RECORD_MAX];

	(void)arg;
	memset(&c, 0, sizeof(c));
	memset(&again, 0, sizeof(again));
	rd_init(&r, m->data, m->len);
	if (record_read(&r, &c)) {
		must(record_nfds(&c) >= 2 && record_nfds(&c) <= 6,
		    "a session has its descriptors");
		wr_init(&w, buf, sizeof(buf));
		record_write(&w, &c);
		must(!w.bad && w.len == m->len &&
		    memcmp(buf, m->data, w.len) == 0,
		    "a session is as it was");
		rd_init(&r, buf, w.len);
		must(record_read(&r, &again) &&
		    memcmp(&c, &again, sizeof(c)) == 0, "read again");
	}
	ipc_close_fds(m);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ IPC_CONN, 1, IPC_FD_STREAM, 1, CONN_BATCH, 1, IPC_DATA_MAX,
	    on_conn },
	{ IPC_SESSION, 1, IPC_FD_ANY, 2, 6, 1, IPC_DATA_MAX, on_session },
};

static void
world_open(struct world *w)
{
	must(ipc_pair(w->chan) == 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->stream) ==
	    0 && pipe2(w->pipe, O_CLOEXEC) == 0, "there are descriptors");
	must((w->first = dup(0)) != -1, "there is one more");
	close(w->first);
}

/* The bytes as they are, without what ipc_send() would do for them. */
static void
packet_send(const struct world *w, const uint8_t *p, size_t len,
    unsigned int nfds, bool pipes)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int) * FDS)];
	} ctl;
	struct iovec	 iov = { (void *)(uintptr_t)p, len };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr	*cm;
	unsigned int	 i;
	int		 fd;

	memset(&ctl, 0, sizeof(ctl));
	if (nfds > 0) {
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		for (i = 0; i < nfds; i++) {
			fd = pipes && i >= 2 ? w->pipe[i % 2] : w->stream[0];
			memcpy(CMSG_DATA(cm) + i * sizeof(int), &fd,
			    sizeof(fd));
		}
	}
	must(sendmsg(w->chan[0], &mh, 0) == (ssize_t)len, "a packet goes");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static uint8_t		 buf[IPC_HEADER + IPC_DATA_MAX];
	static struct world	 w;
	struct ipc_msg		 m;
	int			 fd;

	if (len < 1 || len > sizeof(buf))
		return 0;
	if (w.first == 0)
		world_open(&w);
	packet_send(&w, p + 1, len - 1, (p[0] & 0x7f) % (FDS + 1), p[0] & 0x80);
	switch (ipc_recv(w.chan[1], buf, sizeof(buf), &m)) {
	case IPC_OK:
		(void)ipc_dispatch(rules, nitems(rules), 1, &m, NULL);
		break;
	case IPC_BAD:
	case IPC_GONE:		/* an empty packet */
		break;
	default:
		must(0, "a packet comes");
	}
	must((fd = dup(0)) == w.first, "no descriptor is left over");
	close(fd);
	return 0;
}
