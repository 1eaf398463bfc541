/* Part B reference ("direct"): the least that a server with OpenSSL, and for
 * HTTP/2 with libnghttp2, can do. Not a real server: files known beforehand,
 * requests hardly looked at, keep-alive, one epoll loop per worker,
 * SO_REUSEPORT. usage: minitls PORT WORKERS DOCROOT [CERT KEY [handoff [SNI
 * BACKEND_PORT]]] no CERT: plain HTTP/1.1, used behind hitch. handoff: a second
 * process accepts, peeks and passes the fd of a connection for the site; SNI
 * (if given) it passes through to BACKEND_PORT itself. With MINI_KEYS in the
 * environment a third process signs. */
#include "mini_keys.h"

#include "mini_http.h"
static SSL_CTX *cx;
static int
alpn(SSL *s, const unsigned char **out, unsigned char *n,
    const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";

	(void)s, (void)arg;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, n, ours,
		sizeof ours - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}
static void
set_up(const char *cert, char *keyfile)
{
	cx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_mode(cx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_num_tickets(cx, 1);
	SSL_CTX_set_session_cache_mode(cx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(cx, (const unsigned char *)"m", 1);
	SSL_CTX_set_alpn_select_cb(cx, alpn, NULL);
	if (SSL_CTX_use_certificate_chain_file(cx, cert) != 1 ||
	    (getenv("MINI_KEYS") ?
		    !keys_apart(cx, keyfile) :
		    SSL_CTX_use_PrivateKey_file(cx, keyfile,
			SSL_FILETYPE_PEM) != 1)) {
		ERR_print_errors_fp(stderr);
		exit(2);
	}
}
static void
greet(int fd)
{
	cn *c = calloc(1, sizeof *c);
	struct epoll_event e = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = c
	};

	c->fd = fd;
	if (cx) {
		c->s = SSL_new(cx);
		BIO *b = io_bio(c);
		SSL_set_bio(c->s, b, b);
		SSL_set_accept_state(c->s);
	}
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}
static void
bye(cn *c)
{
	if (c->h2)
		nghttp2_session_del(c->h2->ss);
	free(c->h2);
	free(c->h1);
	nsnd = 0;
	SSL_free(c->s);
	close(c->fd);
	free(c->unsent);
	free(c->unread);
	free(c);
	ERR_clear_error();
}
/* Connected; which HTTP is it? */
static int
rise(cn *c)
{
	const unsigned char *p = NULL;
	unsigned n = 0;
	int r;

	if (c->s && (r = SSL_do_handshake(c->s)) != 1)
		return SSL_get_error(c->s, r) == SSL_ERROR_WANT_READ ? 0 : -1;
	c->up = 1;
	if (c->s)
		SSL_get0_alpn_selected(c->s, &p, &n);
	if (n == 2)
		h2_open(c);
	else
		c->h1 = calloc(1, sizeof *c->h1);
	return 1;
}
static void
run(cn *c, unsigned events)
{
	int r = io_begin(c, events);

	if (r > 0 && !c->up)
		r = rise(c);
	if (r > 0)
		r = c->h2 ? h2_run(c) : h1_run(c);
	if (io_end(c) || r < 0)
		bye(c);
}
/* Takes what the passer gives. */
static void
take(int sv)
{
	int q[FDS_MAX], n;

	while ((n = takefds(sv, q)) > 0)
		for (int k = 0; k < n; k++)
			greet(q[k]);
}
static void
accept_some(int l)
{
	int fd, one = 1;

	for (int k = 0; k < 32; k++) {
		fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		greet(fd);
	}
}
static void
serve(int l, int hand)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL },
			   evs[256];
	int n;

	ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	while (1) {
		n = epoll_wait(ep, evs, 256, -1);
		for (int i = 0; i < n; i++)
			if (evs[i].data.ptr)
				run(evs[i].data.ptr, evs[i].events);
			else if (hand)
				take(l);
			else
				accept_some(l);
	}
}
int
main(int argc, char **argv)
{
	int l;

	give_main(argv);
	keys_main(argv);
	if (argc < 4)
		return 2;
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	load(argv[3]);
	for (int i = 1; i < atoi(argv[2]); i++)
		if (fork() == 0)
			break;
	if (argc >= 6)
		set_up(argv[4], argv[5]);
	l = listen_lo(atoi(argv[1]), 1);
	if (argc <= 6)
		serve(l, 0);
	serve(give_start(l, argc > 8 ? argv[7] : "", argc > 8 ? argv[8] : "0"), 1);
}
