/* Part B reference ("direct"): the least an OpenSSL HTTP/1.1 static server can
 * do. Not a real server: fixed files from memory, keep-alive, one epoll loop
 * per worker, SO_REUSEPORT. usage: minitls PORT WORKERS DOCROOT [CERT KEY
 * [handoff [SNI BACKEND_PORT]]] no CERT: plain HTTP, used behind hitch.
 * handoff: a second process accepts, peeks and passes the fd of a connection
 * for the site; SNI (if given) it passes through to BACKEND_PORT itself. */
#include "common.h"
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <sys/stat.h>
typedef struct {
	char name[64];
	unsigned char *p;
	size_t n;
	char hdr[256];
	int hn;
} file;
typedef struct {
	int fd;
	SSL *s;
	int up;
	char in[1024];
	size_t n;
	const file *f;
	size_t off, hoff;
	int out;
} cn;
#include "pass.h"
static file files[64];
static int nf;
static SSL_CTX *cx;
static void
load(const char *root)
{
	DIR *d = opendir(root);
	struct dirent *e;
	if (!d)
		die(root);
	while ((e = readdir(d)) && nf < 64) {
		char path[4096];
		struct stat st;
		snprintf(path, sizeof path, "%s/%s", root, e->d_name);
		if (stat(path, &st) || !S_ISREG(st.st_mode))
			continue;
		int fd = open(path, O_RDONLY);
		file *f = &files[nf++];
		snprintf(f->name, sizeof f->name, "%.60s", e->d_name);
		f->n = (size_t)st.st_size;
		f->p = mmap(NULL, f->n + 1, PROT_READ,
		    MAP_SHARED | MAP_POPULATE, fd, 0);
		close(fd);
		char *x = strrchr(f->name, '.');
		const char *enc = x && !strcmp(x, ".gz") ? "gzip"
		    : x && !strcmp(x, ".zst")            ? "zstd"
							 : NULL;
		f->hn = snprintf(f->hdr, sizeof f->hdr,
		    "HTTP/1.1 200 OK\r\nServer: mini\r\nContent-Type: "
		    "%s\r\nContent-Length: %zu\r\n%s%s%s\r\n",
		    strstr(f->name, ".html") ? "text/html"
					     : "application/octet-stream",
		    f->n, enc ? "Content-Encoding: " : "", enc ? enc : "",
		    enc ? "\r\n" : "");
	}
	closedir(d);
}
static const file *
find(const char *n)
{
	for (int i = 0; i < nf; i++)
		if (!strcmp(files[i].name, n))
			return &files[i];
	return NULL;
}
static void
bye(cn *c)
{
	if (c->s)
		SSL_free(c->s);
	close(c->fd);
	free(c);
	ERR_clear_error();
}
static ssize_t
rd(cn *c, void *b, size_t n)
{
	if (!c->s) {
		ssize_t k = recv(c->fd, b, n, 0);
		return k < 0 && errno == EAGAIN ? -2 : k <= 0 ? -1 : k;
	}
	int k = SSL_read(c->s, b, (int)n);
	if (k > 0)
		return k;
	int e = SSL_get_error(c->s, k);
	return e == SSL_ERROR_WANT_READ ? -2 : -1;
}
static ssize_t
wr(cn *c, const void *b, size_t n)
{
	if (!c->s) {
		ssize_t k = send(c->fd, b, n, MSG_NOSIGNAL);
		return k < 0 && errno == EAGAIN ? -2 : k;
	}
	int k = SSL_write(c->s, b, (int)n);
	if (k > 0)
		return k;
	int e = SSL_get_error(c->s, k);
	return e == SSL_ERROR_WANT_WRITE ? -2 : -1;
}
static int
pump(cn *c)
{ /* 1 done, 0 blocked, -1 dead */
	while (c->f) {
		ssize_t k;
		if (c->hoff < (size_t)c->f->hn) { /* header and the first body
						     bytes in one record */
			unsigned char b[16384];
			size_t h = (size_t)c->f->hn - c->hoff,
			       m = c->f->n < sizeof b - h ? c->f->n
							  : sizeof b - h;
			memcpy(b, c->f->hdr + c->hoff, h);
			memcpy(b + h, c->f->p, m);
			k = wr(c, b, h + m);
			if (k > 0) {
				size_t w = (size_t)k;
				if (w >= h) {
					c->hoff += h;
					c->off = w - h;
				} else
					c->hoff += w;
			}
		} else {
			size_t m = c->f->n - c->off;
			if (m > 16384 * 8)
				m = 16384 * 8;
			k = m ? wr(c, c->f->p + c->off, m) : 0;
			if (k > 0)
				c->off += (size_t)k;
		}
		if (k == -2)
			return 0;
		if (k < 0)
			return -1;
		if (c->hoff >= (size_t)c->f->hn && c->off >= c->f->n)
			c->f = NULL;
	}
	return 1;
}
static void
run(cn *c)
{
	if (c->s && !c->up) {
		int r = SSL_do_handshake(c->s);
		if (r != 1) {
			if (SSL_get_error(c->s, r) != SSL_ERROR_WANT_READ)
				bye(c);
			return;
		}
		c->up = 1;
	}
	while (1) {
		int p = pump(c);
		if (p < 0) {
			bye(c);
			return;
		}
		if ((p == 0) != c->out) {
			c->out = p == 0;
			struct epoll_event ev = { .events = c->out ? EPOLLOUT
								   : EPOLLIN,
				.data.ptr = c };
			epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
		}
		if (p == 0)
			return;
		ssize_t k = rd(c, c->in + c->n, sizeof c->in - 1 - c->n);
		if (k == -2)
			return;
		if (k <= 0) {
			bye(c);
			return;
		}
		c->n += (size_t)k;
		c->in[c->n] = 0;
		char *e = strstr(c->in, "\r\n\r\n");
		if (!e) {
			if (c->n >= sizeof c->in - 1) {
				bye(c);
				return;
			}
			continue;
		}
		char name[80] = "", path[64] = "";
		sscanf(c->in, "GET /%63[^ ?]", path);
		*e = 0;
		const file *f = NULL;
		char *ae = strcasestr(c->in, "accept-encoding:");
		if (ae && strcasestr(ae, "zstd")) {
			snprintf(name, sizeof name, "%s.zst", path);
			f = find(name);
		}
		if (!f && ae && strcasestr(ae, "gzip")) {
			snprintf(name, sizeof name, "%s.gz", path);
			f = find(name);
		}
		if (!f)
			f = find(path);
		if (!f) {
			bye(c);
			return;
		}
		c->f = f;
		c->off = c->hoff = 0;
		size_t used = (size_t)(e - c->in) + 4;
		memmove(c->in, c->in + used, c->n - used);
		c->n -= used;
	}
}
/* handoff mode: this process accepts, peeks, passes the fd over SOCK_SEQPACKET
 * to the server, or (SNI == other) copies both ways itself */
static int give[64], ngive;
static void
flush_give(int sv)
{
	if (!ngive)
		return;
	char pay[64] = { 0 };
	struct iovec v = { pay, sizeof pay };
	union {
		char b[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr h;
	} u;
	size_t sz = sizeof(int) * (size_t)ngive;
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = u.b,
		.msg_controllen = CMSG_SPACE(sz) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sz);
	memcpy(CMSG_DATA(c), give, sz);
	if (sendmsg(sv, &m, MSG_NOSIGNAL) < 0)
		exit(1);
	while (ngive)
		close(give[--ngive]);
}
static void
passer(int l, int sv, const char *other, int oport)
{
	int batch = getenv("HANDOFF_BATCH") ? atoi(getenv("HANDOFF_BATCH")) : 1;
	if (batch > 64 || batch < 1)
		batch = 1;
	mode = 2;
	ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }, e[64];
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	while (1) {
		int n = epoll_wait(ep, e, 64, -1);
		char name[256];
		for (int i = 0; i < n; i++) {
			side *s = e[i].data.ptr;
			if (s) {
				if (s->c->dead)
					continue;
				if (s->c->ph) {
					pass_event(s, e[i].events);
					continue;
				}
				if (pass_peek(s, name) != 1)
					continue; /* the rest of a hello that
						     came in pieces */
				if (other && !strcasecmp(name, other)) {
					pass_up(s, oport);
					continue;
				}
				epoll_ctl(ep, EPOLL_CTL_DEL, s->fd, NULL);
				give[ngive++] = s->fd;
				s->fd = -1;
				kill_(s->c);
				flush_give(sv);
				continue;
			}
			for (int k = 0; k < 64; k++) {
				int fd = accept4(l, NULL, NULL,
				    SOCK_NONBLOCK | SOCK_CLOEXEC);
				if (fd < 0)
					break;
				ssize_t have = recv(fd, buf, 20000, MSG_PEEK);
				int r =
				    have > 0 ? sni(buf, (size_t)have, name) : 0;
				if (r == 1 &&
				    !(other && !strcasecmp(name, other))) {
					give[ngive++] = fd;
					if (ngive == batch)
						flush_give(sv);
					continue;
				} /* nothing allocated */
				conn *c = pass_new(fd);
				if (r == 1)
					pass_up(&c->s[0], oport);
				else
					pass_peek(&c->s[0], name);
			}
			flush_give(sv);
		}
		pass_bury();
	}
}
static int
takefds(int sv, int *q)
{ /* number of fds, 0 none, exits when the passer is gone */
	char pay[64];
	struct iovec v = { pay, sizeof pay };
	union {
		char b[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr h;
	} u;
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = u.b,
		.msg_controllen = sizeof u.b };
	ssize_t k = recvmsg(sv, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (k == 0)
		exit(0);
	struct cmsghdr *c;
	if (k < 0 || !(c = CMSG_FIRSTHDR(&m)))
		return 0;
	int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(q, CMSG_DATA(c), sizeof(int) * (size_t)n);
	return n;
}
int
main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	load(argv[3]);
	if (argc >= 6) {
		cx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_mode(cx,
		    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_CTX_set_num_tickets(cx, 1);
		SSL_CTX_set_session_cache_mode(cx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_session_id_context(
		    cx, (const unsigned char *)"m", 1);
		if (SSL_CTX_use_certificate_chain_file(cx, argv[4]) != 1 ||
		    SSL_CTX_use_PrivateKey_file(
			cx, argv[5], SSL_FILETYPE_PEM) != 1) {
			ERR_print_errors_fp(stderr);
			return 2;
		}
	}
	int w = atoi(argv[2]);
	for (int i = 1; i < w; i++)
		if (fork() == 0)
			break;
	int l = listen_lo(atoi(argv[1]), 1), sv[2], hand = argc > 6, da = 1;
	if (hand) {
		setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &da, sizeof da);
		setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &da, sizeof da);
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
			die("socketpair");
		if (fork() == 0) {
			close(sv[1]);
			passer(l, sv[0], argc > 8 ? argv[7] : NULL,
			    argc > 8 ? atoi(argv[8]) : 0);
		}
		close(sv[0]);
		close(l);
		l = sv[1];
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL },
			   evs[256];
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	while (1) {
		int n = epoll_wait(ep, evs, 256, -1);
		for (int i = 0; i < n; i++) {
			if (evs[i].data.ptr) {
				run(evs[i].data.ptr);
				continue;
			}
			if (hand) {
				int q[64], n2;
				while ((n2 = takefds(l, q)) > 0)
					for (int k = 0; k < n2; k++) {
						cn *c = calloc(1, sizeof *c);
						c->fd = q[k];
						c->s = SSL_new(cx);
						SSL_set_fd(c->s, q[k]);
						SSL_set_accept_state(c->s);
						struct epoll_event e2 = {
							.events = EPOLLIN,
							.data.ptr = c
						};
						epoll_ctl(ep, EPOLL_CTL_ADD,
						    q[k], &e2);
					}
				continue;
			}
			for (int k = 0; k < 32; k++) {
				int fd = accept4(l, NULL, NULL,
					SOCK_NONBLOCK | SOCK_CLOEXEC),
				    one = 1;
				if (fd < 0)
					break;
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				    sizeof one);
				cn *c = calloc(1, sizeof *c);
				c->fd = fd;
				if (cx) {
					c->s = SSL_new(cx);
					SSL_set_fd(c->s, fd);
					SSL_set_accept_state(c->s);
				}
				struct epoll_event e2 = { .events = EPOLLIN,
					.data.ptr = c };
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e2);
			}
		}
	}
}
