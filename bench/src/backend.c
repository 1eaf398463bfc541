/* Part A backend: one epoll thread, several ports (index = identity), reads a
 * whole ClientHello, then does what the op byte in ClientHello.random says: R
 * reply 64 B and close | D stream bytes until peer closes | U sink until EOF
 * then 64 B reply with the count | P echo | I reply 64 B and stay. */
#include "common.h"
enum { MAXP = 8, CHMAX = 70000 };
typedef struct {
	int fd, port;
	char op;
	uint64_t total;
	size_t n, cap;
	unsigned char *buf;
} conn;
static unsigned char big[262144];
static int ep, eplisten[MAXP], nl;

static void
bye(conn *c)
{
	close(c->fd);
	free(c->buf);
	free(c);
}
/* returns 1 complete (op set, *used = bytes of the hello), 0 more, -1 bad */
static int
parse(conn *c, size_t *used)
{
	size_t i = 0, h = 0, need = 4;
	unsigned char hs[64];
	while (1) {
		if (c->n < i + 5)
			return 0;
		if (c->buf[i] != 22)
			return -1;
		size_t l = (size_t)c->buf[i + 3] << 8 | c->buf[i + 4];
		if (c->n < i + 5 + l)
			return 0;
		for (size_t k = 0; k < l; k++, h++)
			if (h < sizeof hs)
				hs[h] = c->buf[i + 5 + k];
		i += 5 + l;
		if (h >= 4)
			need = 4 +
			    ((size_t)hs[1] << 16 | (size_t)hs[2] << 8 | hs[3]);
		if (h >= need && h >= 4)
			break;
	}
	if (h < 38 || memcmp(hs + 6, MAGIC, 4))
		return -1;
	c->op = (char)hs[10];
	*used = i;
	return 1;
}
static void
mkreply(conn *c, char *r)
{
	memset(r, '.', REPLY_LEN);
	int k = snprintf(r, REPLY_LEN, "BK%d%c%llu", c->port, c->op,
	    (unsigned long long)c->total);
	r[k] = ' ';
	r[REPLY_LEN - 1] = '\n';
}
static void
wantw(conn *c, int on)
{
	struct epoll_event ev = {
		.events = on ? EPOLLOUT : EPOLLIN | EPOLLRDHUP, .data.ptr = c
	};
	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}
/* returns 0 keep, -1 closed */
static int
input(conn *c)
{
	char r[REPLY_LEN];
	if (c->op == 'P') {
		ssize_t k = recv(c->fd, big + 131072, 65536, 0);
		if (k <= 0) {
			if (k < 0 && errno == EAGAIN)
				return 0;
			bye(c);
			return -1;
		}
		if (send(c->fd, big + 131072, (size_t)k, MSG_NOSIGNAL) != k) {
			bye(c);
			return -1;
		}
		return 0;
	}
	if (c->op == 'U') {
		for (int i = 0; i < 8; i++) {
			ssize_t k = recv(c->fd, NULL, 1 << 24,
			    MSG_TRUNC); /* discard without copy */
			if (k > 0) {
				c->total += (uint64_t)k;
				continue;
			}
			if (k < 0 && errno == EAGAIN)
				return 0;
			if (k == 0) {
				mkreply(c, r);
				if (send(c->fd, r, sizeof r, MSG_NOSIGNAL) <
				    0) {
				}
			}
			bye(c);
			return -1;
		}
		return 0;
	}
	if (c->op == 'I' || c->op == 'D') {
		ssize_t k = recv(c->fd, r, sizeof r, 0);
		if (k <= 0 && !(k < 0 && errno == EAGAIN)) {
			bye(c);
			return -1;
		}
		return 0;
	}
	while (1) {
		if (c->n == c->cap) {
			c->cap = c->cap ? c->cap * 2 : 2304;
			if (c->cap > 2 * CHMAX) {
				bye(c);
				return -1;
			}
			c->buf = realloc(c->buf, c->cap);
		}
		ssize_t k = recv(c->fd, c->buf + c->n, c->cap - c->n, 0);
		if (k < 0) {
			if (errno == EAGAIN)
				return 0;
			bye(c);
			return -1;
		}
		if (k == 0) {
			bye(c);
			return -1;
		}
		c->n += (size_t)k;
		size_t used;
		int p = parse(c, &used);
		if (p == 0)
			continue;
		if (p < 0) {
			bye(c);
			return -1;
		}
		if (c->op != 'U' && c->op != 'D') {
			mkreply(c, r);
			if (send(c->fd, r, sizeof r, MSG_NOSIGNAL) < 0) {
				bye(c);
				return -1;
			}
		}
		if (c->op == 'R') {
			bye(c);
			return -1;
		}
		c->total = c->n - used;
		if (c->op == 'D')
			wantw(c, 1);
		free(c->buf);
		c->buf = NULL;
		c->cap = 0;
		return 0;
	}
}
int
main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: backend PORT...\n");
		return 2;
	}
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (unsigned char)(i * 131 >> 3);
	ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 1; i < argc && nl < MAXP; i++) {
		eplisten[nl] = listen_lo(atoi(argv[i]), 0);
		struct epoll_event ev = { .events = EPOLLIN,
			.data.u64 = (uint64_t)nl };
		epoll_ctl(ep, EPOLL_CTL_ADD, eplisten[nl++], &ev);
	}
	struct epoll_event evs[256];
	while (1) {
		int n = epoll_wait(ep, evs, 256, -1);
		for (int i = 0; i < n; i++) {
			if (evs[i].data.u64 < MAXP) {
				for (int k = 0; k < 64; k++) {
					int fd = accept4(
					    eplisten[evs[i].data.u64], NULL,
					    NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
					if (fd < 0)
						break;
					conn *c = calloc(1, sizeof *c);
					c->fd = fd;
					c->port = (int)evs[i].data.u64;
					struct epoll_event ev = {
						.events = EPOLLIN | EPOLLRDHUP,
						.data.ptr = c
					};
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				}
				continue;
			}
			conn *c = evs[i].data.ptr;
			if (evs[i].events & (EPOLLERR | EPOLLHUP)) {
				bye(c);
				continue;
			}
			if (c->op == 'D' && evs[i].events & EPOLLOUT) {
				for (int k = 0; k < 4; k++) {
					ssize_t w = send(c->fd, big, sizeof big,
					    MSG_NOSIGNAL);
					if (w < 0) {
						if (errno != EAGAIN) {
							bye(c);
						}
						break;
					}
					if (w < (ssize_t)sizeof big)
						break;
				}
				continue;
			}
			if (evs[i].events & (EPOLLIN | EPOLLRDHUP))
				input(c);
		}
	}
}
