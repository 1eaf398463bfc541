/* Passthrough core shared by floor.c and minitls.c (handoff mode): SNI parser
 * and the two-way copy of one connection. The includer owns the epoll loop.
 * mode: 0 recv/send, 1 splice, 2 auto. */
#ifndef PASS_H
#define PASS_H
typedef struct side {
	int fd;
	struct side *o;
	struct conn *c;
	uint64_t moved;
	int pi[2];
	size_t inpipe, bn, bo;
	unsigned char *b;
	int eof, shut, out, in, rdhup;
} side;
typedef struct conn {
	side s[2];
	int ph;
	int dead;
	struct conn *nextdead;
} conn; /* ph 0 wait hello, 1 up */
static int ep, mode;
static unsigned char buf[262144];
static conn *graves;
static int pipes[256][2], npipes;
static void
ctl(side *s, int op)
{
	struct epoll_event ev = { .events = (s->in ? EPOLLIN : 0u) |
		    (s->out ? EPOLLOUT : 0u) | (s->eof ? 0u : EPOLLRDHUP),
		.data.ptr = s };
	epoll_ctl(ep, op, s->fd, &ev);
}
/* rdhup: epoll said the peer sent FIN, so a short read means EOF and no extra
 * recv is needed */
static void
kill_(conn *c)
{
	if (c->dead)
		return;
	c->dead = 1;
	for (int i = 0; i < 2; i++) {
		side *s = &c->s[i];
		if (s->fd >= 0)
			close(s->fd);
		free(s->b);
		if (s->pi[0] >= 0) {
			if (s->inpipe == 0 && npipes < 256) {
				pipes[npipes][0] = s->pi[0];
				pipes[npipes++][1] = s->pi[1];
			} else {
				close(s->pi[0]);
				close(s->pi[1]);
			}
		}
	}
	c->nextdead = graves;
	graves = c;
}
/* -1 bad, 0 more, 1 found/none (name in out) */
static int
sni(const unsigned char *p, size_t n, char *out)
{
	static unsigned char hs[20000];
	size_t i = 0, h = 0, need = 4;
	out[0] = 0;
	while (1) {
		if (n < i + 5)
			return 0;
		if (p[i] != 22)
			return -1;
		size_t l = (size_t)p[i + 3] << 8 | p[i + 4],
		       have = n - i - 5 < l ? n - i - 5 : l;
		if (h + have > sizeof hs)
			return -1;
		memcpy(hs + h, p + i + 5, have);
		h += have;
		if (h >= 4)
			need = 4 +
			    ((size_t)hs[1] << 16 | (size_t)hs[2] << 8 | hs[3]);
		if (h >= 4 && h >= need)
			break;
		if (have < l)
			return 0;
		i += 5 + l;
	}
	size_t q = 38;
	if (q >= need)
		return -1;
	q += 1u + hs[q];
	if (q + 2 > need)
		return -1;
	q += 2u + ((size_t)hs[q] << 8 | hs[q + 1]);
	if (q + 1 > need)
		return -1;
	q += 1u + hs[q];
	if (q + 2 > need)
		return 1;
	size_t e = q + 2 + ((size_t)hs[q] << 8 | hs[q + 1]);
	q += 2;
	if (e > need)
		return -1;
	while (q + 4 <= e) {
		size_t t = (size_t)hs[q] << 8 | hs[q + 1],
		       l = (size_t)hs[q + 2] << 8 | hs[q + 3];
		q += 4;
		if (q + l > e)
			return -1;
		if (t == 0 && l > 5) {
			size_t m = (size_t)hs[q + 3] << 8 | hs[q + 4];
			if (m + 5 > l || m > 255)
				return -1;
			memcpy(out, hs + q + 5, m);
			out[m] = 0;
			return 1;
		}
		q += l;
	}
	return 1;
}
static void
flow(side *s)
{ /* move s -> s->o */
	side *o = s->o;
	conn *c = s->c;
	for (int rounds = 0; rounds < 4; rounds++) {
		if (o->bn > o->bo) {
			ssize_t w = send(
			    o->fd, o->b + o->bo, o->bn - o->bo, MSG_NOSIGNAL);
			if (w < 0) {
				if (errno != EAGAIN) {
					kill_(c);
					return;
				}
				break;
			}
			o->bo += (size_t)w;
			if (o->bo < o->bn)
				break;
			o->bo = o->bn = 0;
			free(o->b);
			o->b = NULL;
		}
		if (s->inpipe) {
			ssize_t w = splice(s->pi[0], NULL, o->fd, NULL,
			    s->inpipe, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
			if (w < 0) {
				if (errno != EAGAIN) {
					kill_(c);
					return;
				}
				break;
			}
			s->inpipe -= (size_t)w;
			if (s->inpipe)
				break;
		}
		if (s->eof) {
			if (!s->shut) {
				s->shut = 1;
				if (o->shut) {
					kill_(c);
					return;
				}
				shutdown(o->fd, SHUT_WR);
			}
			break;
		}
		int sp = mode == 1 || (mode == 2 && s->moved > 262144);
		if (sp) {
			if (s->pi[0] < 0) {
				if (npipes) {
					npipes--;
					s->pi[0] = pipes[npipes][0];
					s->pi[1] = pipes[npipes][1];
				} else {
					if (pipe2(s->pi,
						O_NONBLOCK | O_CLOEXEC) < 0) {
						kill_(c);
						return;
					}
					fcntl(s->pi[1], F_SETPIPE_SZ, 1 << 20);
				}
			}
			ssize_t r = splice(s->fd, NULL, s->pi[1], NULL, 1 << 20,
			    SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
			if (r < 0) {
				if (errno != EAGAIN) {
					kill_(c);
					return;
				}
				break;
			}
			if (r == 0) {
				s->eof = 1;
				continue;
			}
			s->inpipe += (size_t)r;
			s->moved += (uint64_t)r;
			ssize_t w = splice(s->pi[0], NULL, o->fd, NULL,
			    s->inpipe, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
			if (w > 0)
				s->inpipe -= (size_t)w;
			else if (w < 0 && errno != EAGAIN) {
				kill_(c);
				return;
			}
			if (s->inpipe)
				break;
			if (r < 65536)
				break;
		} else {
			ssize_t r = recv(s->fd, buf, sizeof buf, 0);
			if (r < 0) {
				if (errno != EAGAIN) {
					kill_(c);
					return;
				}
				break;
			}
			if (r == 0) {
				s->eof = 1;
				continue;
			}
			s->moved += (uint64_t)r;
			ssize_t w = send(o->fd, buf, (size_t)r, MSG_NOSIGNAL);
			if (w < 0) {
				if (errno != EAGAIN) {
					kill_(c);
					return;
				}
				w = 0;
			}
			if (w < r) {
				o->bn = (size_t)(r - w);
				o->bo = 0;
				o->b = malloc(o->bn);
				memcpy(o->b, buf + w, o->bn);
				break;
			}
			if (r < (ssize_t)sizeof buf) {
				if (s->rdhup) {
					s->eof = 1;
					continue;
				}
				break;
			} /* drained: no second recv for EAGAIN */
		}
	}
	int blocked = s->inpipe || o->bn > o->bo, win = !blocked && !s->eof;
	if (win != s->in) {
		s->in = win;
		ctl(s, EPOLL_CTL_MOD);
	}
	if (blocked != o->out) {
		o->out = blocked;
		ctl(o, EPOLL_CTL_MOD);
	}
}
static conn *
pass_new(int fd)
{
	conn *c = calloc(1, sizeof *c);
	for (int q = 0; q < 2; q++) {
		c->s[q].o = &c->s[!q];
		c->s[q].c = c;
		c->s[q].fd = -1;
		c->s[q].pi[0] = c->s[q].pi[1] = -1;
	}
	c->s[0].fd = fd;
	return c;
}
static void
pass_up(side *s, int port)
{ /* hello is in the socket: connect, send it on, watch both */
	int one = 1, zero = 0;
	side *o = s->o;
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(o->fd, IPPROTO_TCP, TCP_QUICKACK, &zero,
	    sizeof zero); /* our ACK of the SYN-ACK rides on the hello */
	if (connect(o->fd, (struct sockaddr *)&a, sizeof a) < 0 &&
	    errno != EINPROGRESS) {
		kill_(s->c);
		return;
	}
	setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	s->c->ph = 1;
	int fresh = !s->in;
	s->in = 1;
	flow(s);
	if (!s->c->dead) {
		if (fresh)
			ctl(s, EPOLL_CTL_ADD);
		o->in = 1;
		ctl(o, EPOLL_CTL_ADD);
	}
}
/* 1: name found (or none), 0: wait for more, -1: connection dropped. Peeks, so
 * the bytes stay. */
static int
pass_peek(side *s, char *name)
{
	int one = 1;
	ssize_t k = recv(s->fd, buf, 20000, MSG_PEEK);
	if (k <= 0) {
		if (k == 0 || errno != EAGAIN) {
			kill_(s->c);
			return -1;
		}
		if (!s->in) {
			s->in = 1;
			ctl(s, EPOLL_CTL_ADD);
		}
		return 0;
	}
	int r = sni(buf, (size_t)k, name);
	if (r < 0) {
		kill_(s->c);
		return -1;
	}
	if (r == 0) {
		int low = (int)k + 1;
		setsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
		s->out = 2;
		if (!s->in) {
			s->in = 1;
			s->out = 0;
			ctl(s, EPOLL_CTL_ADD);
			s->out = 2;
		}
		return 0;
	}
	if (s->out == 2) {
		s->out = 0;
		setsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	}
	return 1;
}
static void
pass_event(side *s, uint32_t e)
{ /* one epoll event of a connection that is up */
	conn *c = s->c;
	if (e & EPOLLERR) {
		kill_(c);
		return;
	}
	if (e & EPOLLOUT)
		flow(s->o);
	if (e & EPOLLRDHUP)
		s->rdhup = 1;
	if (!c->dead && e & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		flow(s);
}
static void
pass_bury(void)
{
	while (graves) {
		conn *d = graves;
		graves = d->nextdead;
		free(d);
	}
}
#endif
