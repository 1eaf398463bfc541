#ifndef L4_CLIENT_H
#define L4_CLIENT_H

#include <sys/queue.h>

#include "common/conn.h"
#include "h1.h"
#include "h2.h"
#include "io.h"

struct tlsterm;

enum client_state {
	CLIENT_PEEK,		/* TLS or plain? */
	CLIENT_HANDSHAKE,
	CLIENT_OPEN,		/* HTTP */
	CLIENT_LINGER,		/* we have said all; what still comes is
				   thrown away, so that it does not reset
				   what is under way */
	CLIENT_CLOSED,
	CLIENT__MAX
};

/*
 * One connection, from its arrival in the inbox to the end.  It owns the
 * socket.
 */
struct client {
	TAILQ_ENTRY(client)	 all;
	TAILQ_ENTRY(client)	 ready;		/* if queued */
	struct tlsterm		*t;
	struct io		 io;
	struct h1		 h1;
	struct h2		*h2;		/* NULL: it is HTTP/1, or not
						   known yet */
	struct ev_timer		 timer;
	uint64_t		 since;		/* ns: it came to us */
	uint64_t		 due;		/* 0 = none; the timer may be
						   earlier, never later */
	enum client_state	 state;
	uint64_t		 heard;		/* bytes, at its last sign of
						   life */
	uint64_t		 said;		/* bytes out when reading began */
	bool			 queued;
	bool			 waiting;	/* for keys */
	bool			 reading;	/* a request is coming: due
						   does not move */
	const char		*end;		/* the word for the log */
	struct upstream		*relay;		/* what is inside TLS goes
						   there; NULL: to a site */
	struct origin		 origin;
	size_t			 infolen;
	uint8_t			 info[];	/* conn_write()'s record; then
						   the name, terminated */
};
TAILQ_HEAD(clients, client);

/* Takes over the socket, or closes it when there is no memory. */
void	client_new(struct tlsterm *, int fd, const struct conn_info *);
/* Goes on with those that gave way to others. */
void	client_run_ready(struct tlsterm *);
/* Nothing new any more: ends it if it is between requests.  Who just came and
 * has not asked yet gets one answer. */
void	client_drain(struct client *);
void	client_close(struct client *, const char *end);
/* What was known of it when it came. */
void	client_info(const struct client *, struct conn_info *);

#endif
