/* How minitls reads and writes: one recv(2) for what the socket has, one
 * send(2) for what a turn yields, and libssl (or nothing) in between. */
#ifndef MINI_IO_H
#define MINI_IO_H
#include "common.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define AGAIN (-2)
#define RECORD 16384
#define FLUSH_AFTER 32768

typedef struct cn {
	int fd, up;
	SSL *s;
	unsigned char *unsent, *unread; /* of a full socket; of what waited */
	size_t nunsent, nunread;
	struct h1 *h1;
	struct h2 *h2;
} cn;

/* Of the connection whose turn it is. */
static unsigned char rcv[RECORD + 1024], snd[FLUSH_AFTER + 2 * RECORD];
static size_t nrcv, orcv, nsnd;
static int drained, hup, dead;

static int
io_flush(cn *c)
{
	size_t done = 0;
	ssize_t k;

	while (done < nsnd && !c->unsent) {
		k = send(c->fd, snd + done, nsnd - done, MSG_NOSIGNAL);
		if (k < 0 && errno != EAGAIN)
			return dead = 1, -1;
		if (k < 0)
			break;
		done += (size_t)k;
	}
	if (done < nsnd) {
		unsigned char *p =
		    realloc(c->unsent, c->nunsent + nsnd - done);
		if (!p)
			die("realloc");
		memcpy(p + c->nunsent, snd + done, nsnd - done);
		c->unsent = p;
		c->nunsent += nsnd - done;
	}
	nsnd = 0;
	return 0;
}
static void
io_put(cn *c, const void *p, size_t n)
{
	if (n > sizeof snd - nsnd)
		io_flush(c);
	memcpy(snd + nsnd, p, n);
	nsnd += n;
}
static ssize_t
io_get(cn *c, void *dst, size_t n)
{
	if (orcv == nrcv) {
		if (drained)
			return AGAIN;
		ssize_t k = recv(c->fd, rcv, sizeof rcv, 0);
		if (k < 0 && errno == EAGAIN)
			drained = 1;
		if (k <= 0)
			return drained ? AGAIN : -1;
		drained = (size_t)k < sizeof rcv && !hup;
		orcv = 0;
		nrcv = (size_t)k;
	}
	if (n > nrcv - orcv)
		n = nrcv - orcv;
	memcpy(dst, rcv + orcv, n);
	orcv += n;
	return (ssize_t)n;
}
static int
bio_read(BIO *b, char *dst, int n)
{
	ssize_t k = io_get(BIO_get_data(b), dst, (size_t)n);

	BIO_clear_retry_flags(b);
	if (k == AGAIN)
		BIO_set_retry_read(b);
	return k < 0 ? -1 : (int)k;
}
static int
bio_write(BIO *b, const char *p, int n)
{
	BIO_clear_retry_flags(b);
	io_put(BIO_get_data(b), p, (size_t)n);
	return dead ? -1 : n;
}
static long
bio_ctrl(BIO *b, int cmd, long num, void *p)
{
	(void)b, (void)num, (void)p;
	return cmd == BIO_CTRL_FLUSH;
}
static BIO *
io_bio(cn *c)
{
	static BIO_METHOD *m;
	BIO *b;

	if (!m) {
		m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mini");
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	b = BIO_new(m);
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	return b;
}
/* Bytes, AGAIN, or -1 at the end. */
static ssize_t
rd(cn *c, void *b, size_t n)
{
	if (!c->s)
		return io_get(c, b, n);
	int k = SSL_read(c->s, b, (int)n);
	if (k > 0)
		return k;
	return SSL_get_error(c->s, k) == SSL_ERROR_WANT_READ ? AGAIN : -1;
}
/* 1: go on, 0: the socket is full, -1: over. */
static int
wr(cn *c, const void *b, size_t n)
{
	if (!c->s)
		io_put(c, b, n);
	else if (SSL_write(c->s, b, (int)n) <= 0)
		return -1;
	if (nsnd >= FLUSH_AFTER)
		io_flush(c);
	return dead ? -1 : !c->unsent;
}
/* A turn begins: 1: go on, 0: the socket is still full, -1: over. */
static int
io_begin(cn *c, unsigned events)
{
	ssize_t k;

	drained = dead = 0;
	hup = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	orcv = nsnd = 0;
	nrcv = c->nunread;
	if (nrcv)
		memcpy(rcv, c->unread, nrcv);
	free(c->unread);
	c->unread = NULL;
	c->nunread = 0;
	if (!c->unsent)
		return 1;
	k = send(c->fd, c->unsent, c->nunsent, MSG_NOSIGNAL);
	if (k < 0)
		return errno == EAGAIN ? 0 : -1;
	c->nunsent -= (size_t)k;
	memmove(c->unsent, c->unsent + k, c->nunsent);
	if (c->nunsent)
		return 0;
	free(c->unsent);
	c->unsent = NULL;
	return 1;
}
static int
io_end(cn *c)
{
	if (nsnd && io_flush(c))
		return -1;
	if (orcv < nrcv) {
		c->nunread = nrcv - orcv;
		c->unread = malloc(c->nunread);
		memcpy(c->unread, rcv + orcv, c->nunread);
	}
	return 0;
}
#endif
