#ifndef L4_IO_H
#define L4_IO_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "common/ev.h"
#include "keychan.h"

/*
 * Bytes of one client, through TLS or plain, over a non-blocking socket that
 * is watched edge-triggered.
 *
 * The buffers are the process's, not the connection's: one recv(2) fills the
 * one, everything that is to be sent collects in the other and goes out with
 * one send(2).  Whoever works on a connection calls io_flush() and io_park()
 * before it turns to another; what is then left over, which is rare, is kept
 * with the connection.
 */
#define IO_IN_MAX	(32 * 1024)
#define IO_OUT_MAX	(192 * 1024)

struct iobufs {
	struct ev	*ev;
	BIO_METHOD	*method;
	size_t		 inoff, inlen, outlen;
	uint8_t		 in[IO_IN_MAX];
	uint8_t		 out[IO_OUT_MAX];
};

struct iorest {			/* bytes that had to wait */
	uint8_t		*p;
	uint32_t	 off, len;
};

struct io {
	struct ev_io	 watch;		/* owner sets cb */
	struct iobufs	*bufs;
	SSL		*ssl;		/* NULL: plain */
	struct keywait	 key;		/* owner sets chan and resume */
	struct iorest	 unread, unsent;
	uint64_t	 in, out;	/* bytes on the wire */
	uint64_t	 data;		/* bytes read, as the reader sees them */
	uint32_t	 barren;	/* received since TLS last gave data */
	bool		 watched_out;	/* room to send makes an event */
	bool		 drained;	/* nothing to read until told */
	bool		 hangup;	/* FIN is there, or will be read */
	bool		 eof;		/* FIN, or close_notify, was read */
	bool		 broken;	/* reset, or TLS cannot go on */
	bool		 reset;		/* by the client */
};

enum io_result {
	IO_OK,
	IO_AGAIN,		/* come back on an event */
	IO_WAIT,		/* for keys: come back on resume */
	IO_EOF,
	IO_BROKEN,
};

/* Fatal without memory. */
struct iobufs *iobufs_new(struct ev *);

/* Owns fd.  ctx NULL: plain.  -1 without memory: fd stays the caller's. */
int	io_open(struct io *, struct iobufs *, int fd, SSL_CTX *ctx);
/* Events of fd, from now to io_close().  -1 with errno. */
int	io_watch(struct io *);
/* What epoll said. */
void	io_events(struct io *, uint32_t events);

enum io_result io_handshake(struct io *);
/* IO_OK: *n bytes, at least one. */
enum io_result io_read(struct io *, void *buf, size_t size, size_t *n);
/* Can io_read() have something without another event? */
bool	io_readable(const struct io *);
/* Takes all of it, or IO_BROKEN.  Nothing is sent before io_flush(), unless
 * the buffer is full. */
enum io_result io_write(struct io *, const void *buf, size_t n);
/* IO_AGAIN: the socket is full, the rest is kept; write nothing more until
 * IO_OK. */
enum io_result io_flush(struct io *);
/* Bytes that io_flush() would send. */
size_t	io_queued(const struct io *);
void	io_park(struct io *);

/* Says that nothing more will be sent: close_notify and FIN. */
void	io_finish(struct io *);
/* Throws away what comes, undecrypted: IO_AGAIN, IO_EOF or IO_BROKEN. */
enum io_result io_discard(struct io *);
/* Frees everything and closes the socket; ends the watch. */
void	io_close(struct io *);

#endif
