#ifndef L4_UPSTREAM_H
#define L4_UPSTREAM_H

#include <sys/queue.h>
#include <sys/uio.h>

#include <openssl/ssl.h>

#include "common/child.h"
#include "common/conn.h"

/*
 * Connections to upstreams.  This process may not connect(): it makes a pair of
 * sockets and sends one end to the inbox of the upstream's proxy processes,
 * which connect and relay.  What is here is the other end.
 */
#define UPSTREAM_IDLE_MAX	32	/* of one upstream, in this process */
#define UPSTREAM_IDLE_SECONDS	30

struct upstream;

struct upconn {
	TAILQ_ENTRY(upconn)	 link;		/* idle, or waiting */
	struct ev_io		 watch;		/* owns fd */
	struct upstream		*up;
	uint64_t		 since;		/* ns: idle, or waiting */
	int			 theirs;	/* until handed over; -1 */
	bool			 idle;
	bool			 eof;		/* nothing more comes */
	bool			 dead;		/* nothing more goes: what is
						   written is thrown away */
	bool			 finish;	/* FIN after what waits */
	uint8_t			*record;	/* of IPC_CONN, until sent */
	size_t			 recordlen;
	char			*out;		/* not taken by the socket */
	size_t			 outoff, outlen;

	/* the owner's: something can be done.  NULL while it has none */
	void			(*event)(struct upconn *);
	void			*owner;
};
TAILQ_HEAD(upconns, upconn);

struct upstream {
	const struct conf_upstream *conf;
	struct upstreams	*all;
	uint32_t		 index;
	int			 inbox;		/* -1: none was sent */
	SSL_CTX			*ctx;		/* of TLS that ends here */
	bool			 shared;	/* connections may serve one
						   client after another */
	struct upconns		 idle;		/* last used first */
	unsigned int		 nidle;
};

struct upstreams {
	struct child		*child;
	struct upstream		*v;
	size_t			 n;
	size_t			 nfds;		/* open */
	struct upconns		 waiting;	/* for an inbox; oldest first */
	struct ev_timer		 again;
	struct ev_timer		 reap;		/* of idle ones */
};

/* After child->conf is there.  Fatal without memory. */
void	upstreams_init(struct upstreams *, struct child *);

/* Sets up->ctx up for a relay, and for the protocols of the configuration:
 * whoever offers others only is refused. */
void	upstream_use_tls(struct upstream *);

/* For the client and connection that info describes; info->target is set here.
 * NULL without memory or descriptors. */
struct upconn *upconn_open(struct upstream *, const struct conn_info *);
/* One that is idle, or NULL. */
struct upconn *upconn_reuse(struct upstream *);
/* Its exchange is complete: another may use it. */
void	upconn_release(struct upconn *);
/* Frees everything and closes. */
void	upconn_close(struct upconn *);

/* Takes all of it, or drops it when the connection is dead. */
void	upconn_write(struct upconn *, const struct iovec *, int n);
/* FIN, after what waits. */
void	upconn_finish(struct upconn *);
/* Nothing waits to be sent. */
static inline bool
upconn_writable(const struct upconn *c)
{
	return c->out == NULL;
}

/* Bytes read, at most size; 0: the end, however it came; -1: none now. */
ssize_t	upconn_read(struct upconn *, char *buf, size_t size);

#endif
