#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "common/log.h"
#include "io.h"

/*
 * Bytes a TLS client may send without any of them being data: handshake
 * messages of its own (key updates, attempts to renegotiate), empty records.
 */
#define BARREN_MAX	(256 * 1024)

static bool
rest_add(struct iorest *r, const uint8_t *p, size_t n)
{
	uint8_t	*grown;

	if (n == 0)
		return true;
	if (r->len + n > UINT32_MAX / 2 ||
	    (grown = realloc(r->p, r->len + n)) == NULL)
		return false;
	memcpy(grown + r->len, p, n);
	r->p = grown;
	r->len += (uint32_t)n;
	return true;
}

static void
rest_free(struct iorest *r)
{
	free(r->p);
	memset(r, 0, sizeof(*r));
}

static void
io_break(struct io *io)
{
	io->broken = true;
	io->drained = true;
}

/* The library judges a call by what is in its queue, of whatever came before.
 * That is empty as a rule, and looking costs less than emptying it. */
static void
errors_clear(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* What the kernel says of a failed call. */
static enum io_result
io_errno(struct io *io)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return IO_AGAIN;
	io->reset = errno == ECONNRESET || errno == EPIPE ||
	    errno == ETIMEDOUT;
	io_break(io);
	return IO_BROKEN;
}

/*
 * One recv(2).  A short count says that the socket is empty: the next bytes
 * make an event.  A FIN that came with them makes none of its own, so with it
 * we read on.
 */
static enum io_result
io_recv(struct io *io, void *buf, size_t size, size_t *n)
{
	ssize_t	got;

	if (io->broken)
		return IO_BROKEN;
	if (io->eof)
		return IO_EOF;
	if (io->drained)
		return IO_AGAIN;
	do
		got = recv(io->watch.fd, buf, size, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	if (got == -1) {
		io->drained = true;
		return io_errno(io);
	}
	if (got == 0) {
		io->eof = true;
		return IO_EOF;
	}
	io->drained = (size_t)got < size && !io->hangup;
	io->in += (uint64_t)got;
	*n = (size_t)got;
	return IO_OK;
}

/* Some ciphertext at *p, taken from wherever it is; received if need be. */
static enum io_result
io_fill(struct io *io, const uint8_t **p, size_t want, size_t *n)
{
	struct iobufs	*b = io->bufs;
	struct iorest	*u = &io->unread;
	enum io_result	 res;

	if (u->p != NULL) {
		*n = want < u->len - u->off ? want : u->len - u->off;
		*p = u->p + u->off;
		u->off += (uint32_t)*n;
		return IO_OK;
	}
	if (b->inoff == b->inlen) {
		b->inoff = b->inlen = 0;
		if ((res = io_recv(io, b->in, sizeof(b->in), &b->inlen)) !=
		    IO_OK)
			return res;
		io->barren += (uint32_t)b->inlen;
		if (io->barren > BARREN_MAX) {
			io_break(io);
			return IO_BROKEN;
		}
	}
	*n = want < b->inlen - b->inoff ? want : b->inlen - b->inoff;
	*p = b->in + b->inoff;
	b->inoff += *n;
	return IO_OK;
}

/* The library reads through here: what it asks for is small, what the kernel
 * is asked for is not. */
static int
bio_read(BIO *bio, char *dst, int want)
{
	struct io	*io = BIO_get_data(bio);
	const uint8_t	*p;
	size_t		 n;

	BIO_clear_retry_flags(bio);
	if (want <= 0)
		return 0;
	switch (io_fill(io, &p, (size_t)want, &n)) {
	case IO_OK:
		break;
	case IO_AGAIN:
		BIO_set_retry_read(bio);
		return -1;
	case IO_EOF:
		return 0;
	default:
		return -1;
	}
	memcpy(dst, p, n);
	if (io->unread.p != NULL && io->unread.off == io->unread.len)
		rest_free(&io->unread);
	return (int)n;
}

/* Queues; what does not fit any more is kept with the connection. */
static enum io_result
io_queue(struct io *io, const void *p, size_t n)
{
	struct iobufs	*b = io->bufs;

	if (io->broken)
		return IO_BROKEN;
	if (n > sizeof(b->out) - b->outlen && io_flush(io) == IO_BROKEN)
		return IO_BROKEN;
	if (n <= sizeof(b->out) - b->outlen) {
		memcpy(b->out + b->outlen, p, n);
		b->outlen += n;
		return IO_OK;
	}
	if (!rest_add(&io->unsent, p, n)) {
		io_break(io);
		return IO_BROKEN;
	}
	return IO_OK;
}

static int
bio_write(BIO *bio, const char *src, int n)
{
	BIO_clear_retry_flags(bio);
	if (n <= 0)
		return 0;
	return io_queue(BIO_get_data(bio), src, (size_t)n) == IO_OK ? n : -1;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct io	*io = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_FLUSH)
		return 1;
	return cmd == BIO_CTRL_EOF ? io->eof : 0;
}

struct iobufs *
iobufs_new(struct ev *ev)
{
	struct iobufs	*b = malloc(sizeof(*b));

	if (b == NULL)
		fatal("malloc");
	b->ev = ev;
	b->inoff = b->inlen = b->outlen = 0;
	b->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "l4mux");
	if (b->method == NULL ||
	    BIO_meth_set_read(b->method, bio_read) != 1 ||
	    BIO_meth_set_write(b->method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(b->method, bio_ctrl) != 1)
		fatalx("BIO_meth_new failed");
	return b;
}

int
io_open(struct io *io, struct iobufs *bufs, int fd, SSL_CTX *ctx)
{
	BIO	*bio;

	io->watch.fd = fd;
	io->bufs = bufs;
	if (ctx == NULL)
		return 0;
	io->ssl = SSL_new(ctx);
	bio = BIO_new(bufs->method);
	if (io->ssl == NULL || bio == NULL) {
		SSL_free(io->ssl);
		BIO_free(bio);
		ERR_clear_error();
		io->ssl = NULL;
		return -1;
	}
	BIO_set_data(bio, io);
	BIO_set_init(bio, 1);
	SSL_set_bio(io->ssl, bio, bio);
	SSL_set_accept_state(io->ssl);
	return 0;
}

#define IO_EVENTS	(EPOLLIN | EPOLLRDHUP | EPOLLET)

int
io_watch(struct io *io)
{
	return ev_add(io->bufs->ev, &io->watch, IO_EVENTS);
}

/*
 * The socket is full.  Room in it makes events from the first time on; before,
 * they would only come with segments that were read already, as every socket
 * has room when something else happens to it.
 */
static enum io_result
io_full(struct io *io)
{
	if (!io->watched_out && io->watch.slot != 0) {
		if (ev_mod(io->bufs->ev, &io->watch, IO_EVENTS | EPOLLOUT) ==
		    -1) {
			log_warn("epoll_ctl");
			io_break(io);
			return IO_BROKEN;
		}
		io->watched_out = true;
	}
	return IO_AGAIN;
}

void
io_events(struct io *io, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		io->drained = false;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		io->hangup = true;
	if (events & EPOLLERR) {
		io->reset = true;
		io_break(io);
	}
}

/* A TLS call did not succeed: what now? */
static enum io_result
io_tls_result(struct io *io, int r)
{
	int	err = SSL_get_error(io->ssl, r);

	switch (err) {
	case SSL_ERROR_WANT_READ:
		return io->broken ? IO_BROKEN : IO_AGAIN;
	case SSL_ERROR_WANT_ASYNC:
		return IO_WAIT;
	case SSL_ERROR_ZERO_RETURN:
		io->eof = true;
		return IO_EOF;
	default:
		ERR_clear_error();
		/* A FIN without close_notify ends the data as well: HTTP
		 * knows by itself whether it is whole. */
		if (io->eof && !io->broken)
			return IO_EOF;
		io_flush(io);		/* the alert */
		io_break(io);
		return IO_BROKEN;
	}
}

enum io_result
io_handshake(struct io *io)
{
	int	r;

	errors_clear();
	r = keychan_handshake(&io->key, io->ssl);
	if (r == 1) {
		io->barren = 0;
		return IO_OK;
	}
	return io_tls_result(io, r);
}

static enum io_result
io_decrypt(struct io *io, void *buf, size_t size, size_t *n)
{
	int	r;

	if (io->broken)
		return IO_BROKEN;
	errors_clear();
	r = SSL_read_ex(io->ssl, buf, size, n);
	if (r == 1) {
		io->barren = 0;
		return IO_OK;
	}
	return io_tls_result(io, r);
}

enum io_result
io_read(struct io *io, void *buf, size_t size, size_t *n)
{
	enum io_result	res;

	res = io->ssl == NULL ? io_recv(io, buf, size, n) :
	    io_decrypt(io, buf, size, n);
	if (res == IO_OK)
		io->data += *n;
	return res;
}

bool
io_readable(const struct io *io)
{
	if (io->broken)
		return false;
	return !io->drained || io->unread.p != NULL ||
	    (io->ssl != NULL && (io->bufs->inoff < io->bufs->inlen ||
	    SSL_has_pending(io->ssl)));
}

enum io_result
io_write(struct io *io, const void *buf, size_t n)
{
	size_t	done;

	if (io->broken)
		return IO_BROKEN;
	if (io->ssl == NULL)
		return io_queue(io, buf, n);
	errors_clear();
	if (SSL_write_ex(io->ssl, buf, n, &done) == 1)
		return IO_OK;
	io_break(io);
	return IO_BROKEN;
}

static enum io_result
io_send(struct io *io, const uint8_t *p, size_t len, size_t *done)
{
	ssize_t	n;

	*done = 0;
	while (*done < len) {
		n = send(io->watch.fd, p + *done, len - *done,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return io_errno(io) == IO_AGAIN ? io_full(io) :
			    IO_BROKEN;
		*done += (size_t)n;
		io->out += (uint64_t)n;
	}
	return IO_OK;
}

enum io_result
io_flush(struct io *io)
{
	struct iobufs	*b = io->bufs;
	struct iorest	*u = &io->unsent;
	enum io_result	 res = io->broken ? IO_BROKEN : IO_OK;
	size_t		 done;

	if (u->p != NULL && res == IO_OK) {
		res = io_send(io, u->p + u->off, u->len - u->off, &done);
		u->off += (uint32_t)done;
		if (res == IO_OK)
			rest_free(u);
	}
	done = 0;
	if (b->outlen > 0 && res == IO_OK)
		res = io_send(io, b->out, b->outlen, &done);
	if (res == IO_AGAIN &&
	    !rest_add(u, b->out + done, b->outlen - done)) {
		io_break(io);
		res = IO_BROKEN;
	}
	b->outlen = 0;
	return res;
}

size_t
io_queued(const struct io *io)
{
	return io->unsent.len - io->unsent.off + io->bufs->outlen;
}

void
io_park(struct io *io)
{
	struct iobufs	*b = io->bufs;

	if (b->outlen > 0)
		io_flush(io);
	if (b->inoff < b->inlen && !io->broken &&
	    !rest_add(&io->unread, b->in + b->inoff, b->inlen - b->inoff))
		io_break(io);
	b->inoff = b->inlen = 0;
}

void
io_finish(struct io *io)
{
	if (!io->broken && io->ssl != NULL && SSL_is_init_finished(io->ssl)) {
		ERR_clear_error();
		SSL_shutdown(io->ssl);
		ERR_clear_error();
	}
	if (io_flush(io) == IO_OK)
		shutdown(io->watch.fd, SHUT_WR);
}

enum io_result
io_discard(struct io *io)
{
	enum io_result	res;
	size_t		n;

	rest_free(&io->unread);
	io->bufs->inoff = io->bufs->inlen = 0;
	while ((res = io_recv(io, io->bufs->in, sizeof(io->bufs->in), &n)) ==
	    IO_OK)
		if ((io->barren += (uint32_t)n) > BARREN_MAX)
			return IO_BROKEN;
	return res;
}

void
io_close(struct io *io)
{
	if (io->ssl != NULL) {
		keychan_end(&io->key, io->ssl);
		io_flush(io);
		SSL_free(io->ssl);
		ERR_clear_error();
	}
	rest_free(&io->unread);
	rest_free(&io->unsent);
	io->bufs->inoff = io->bufs->inlen = io->bufs->outlen = 0;
	ev_forget(io->bufs->ev, &io->watch);
	close(io->watch.fd);
	io->watch.fd = -1;
}
