#include <string.h>
#include <unistd.h>

#include "captured.h"
#include "common/l4.h"
#include "common/log.h"
#include "common/sign.h"
#include "common/wire.h"

#define KEYS_SHOTS	14	/* ways to misuse keys; then come those to
				   misuse master */

static struct {
	struct child	 child;
	int		 keys;
} self = { .keys = -1 };

static int
on_ignored(void *arg, struct ipc_msg *m)
{
	(void)arg;
	ipc_close_fds(m);
	return 0;
}

static int
on_keys(void *arg, struct ipc_msg *m)
{
	(void)arg;
	self.keys = m->fd[0];
	return 0;
}

static const struct ipc_rule rules[] = {
	{ IPC_INBOX_READ, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4,
	    on_ignored },
	{ IPC_INBOX_WRITE, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 4, 4,
	    on_ignored },
	{ IPC_DOCROOT, CHILD_SETUP, IPC_FD_DIR, 1, 1, 4, 4, on_ignored },
	{ IPC_CERT, CHILD_SETUP, IPC_FD_FILE, 1, 1, 8, 8, on_ignored },
	{ IPC_KEYS, CHILD_SETUP, IPC_FD_CHANNEL, 1, 1, 0, 0, on_keys },
	{ IPC_TICKETS, CHILD_SETUP | CHILD_RUN, IPC_FD_NONE, 0, 0, 1,
	    IPC_DATA_MAX, on_ignored },
};

/* n requests of len bytes, where the packet says count. */
static size_t
requests(uint8_t *buf, size_t size, uint8_t count, size_t n,
    const struct sign_request *q)
{
	struct wr	w;

	wr_init(&w, buf, size);
	wr_u8(&w, count);
	while (n-- > 0)
		sign_request_write(&w, q);
	return w.len;
}

/* Refused and counted, but no more than that: a key may just have gone. */
static void
refused(void)
{
	uint8_t			tbs[SIGN_TBS13_MIN], buf[SIGN_PACKET_MAX];
	struct sign_request	q = { .id = 1, .tbs = tbs,
		.len = sizeof(tbs), .key = 99, .scheme = SIGN_ECDSA_SHA256 };

	sign_fill_tls13(tbs);
	shoot_typed(self.keys, IPC_SIGN, buf, requests(buf, sizeof(buf), 1, 1,
	    &q), NULL, 0);
	q.key = 0;
	q.scheme = 0x0201;
	shoot_typed(self.keys, IPC_SIGN, buf, requests(buf, sizeof(buf), 1, 1,
	    &q), NULL, 0);
}

/* What no tlsterm asks of keys; i below KEYS_SHOTS. */
static void
shoot_keys(unsigned int i)
{
	static const struct { uint8_t count; size_t n, more, nfds; } shots[] = {
		{ 0, 0, 0, 0 }, { 0, 1, 0, 0 }, { 2, 1, 0, 0 },
		{ 255, 8, 0, 0 }, { 1, 1, 1, 0 }, { 1, 1, 0, 1 },
		{ 1, 1, 0, 2 }, { 9, 9, 0, 0 },
	};
	static uint8_t		buf[2 * SIGN_PACKET_MAX];
	uint8_t			tbs[SIGN_TBS13_MIN];
	struct sign_request	q = { .id = 1, .tbs = tbs,
		.len = sizeof(tbs), .scheme = SIGN_ECDSA_SHA256 };
	int			fd[2] = { 2, 2 };
	size_t			len;

	sign_fill_tls13(tbs);
	if (i < nitems(shots)) {
		len = requests(buf, sizeof(buf), shots[i].count, shots[i].n,
		    &q);
		shoot_typed(self.keys, IPC_SIGN, buf, len + shots[i].more, fd,
		    shots[i].nfds);
		return;
	}
	len = requests(buf, sizeof(buf), 1, 1, &q);
	switch (i - nitems(shots)) {
	case 0:			/* looks like the end */
		shoot(self.keys, "", 0, NULL, 0);
		break;
	case 1:			/* half a header */
		shoot(self.keys, "\xa0\0\1", 3, NULL, 0);
		break;
	case 2:			/* of another type */
		shoot_typed(self.keys, IPC_SIGNED, buf, len, NULL, 0);
		break;
	case 3:			/* a request cut short */
		shoot_typed(self.keys, IPC_SIGN, buf, len - 1, NULL, 0);
		break;
	case 4:			/* P15: a hash, as for RSA without padding */
		q.len = 32;
		shoot_typed(self.keys, IPC_SIGN, buf, requests(buf,
		    sizeof(buf), 1, 1, &q), NULL, 0);
		break;
	case 5:			/* P15: as a TLS client would sign */
		memcpy(tbs + 64, "TLS 1.3, client", 15);
		shoot_typed(self.keys, IPC_SIGN, buf, requests(buf,
		    sizeof(buf), 1, 1, &q), NULL, 0);
		break;
	}
}

static bool
mischief(struct child *c)
{
	unsigned int	i = (unsigned int)c->instance;

	if (i >= KEYS_SHOTS)
		shoot_master(i - KEYS_SHOTS);
	else {
		refused();
		shoot_keys(i);
	}
	return false;
}

int
main(int argc, char **argv)
{
	self.child.role = ROLE_TLSTERM;
	self.child.rules = rules;
	self.child.nrules = nitems(rules);
	return captured_run(&self.child, argc, argv, mischief);
}
