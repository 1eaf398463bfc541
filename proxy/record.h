#ifndef L4_PROXY_RECORD_H
#define L4_PROXY_RECORD_H

#include "common/addr.h"
#include "common/conf.h"
#include "common/hello.h"
#include "common/wire.h"

/*
 * A live session as it travels from a proxy of an old generation to one of the
 * next: the payload of IPC_SESSION.  Its descriptors are the client, the
 * upstream, and for each direction that holds bytes, the client's first, the
 * read and the write end of a pipe with them.
 *
 * The receiver has another configuration: where the old one's indexes meant
 * something, the text is here instead.  The values of the flags are those of
 * session.h; changing one, or a field, changes the version, and with it
 * UPGRADE_FORMAT, as a session that is not understood is lost.
 */
#define RECORD_VERSION	1
#define RECORD_LISTEN	288	/* "HOST:PORT" */
#define RECORD_REASON	24	/* conn_reason_format() */
#define RECORD_MAX	1400	/* bytes it can take */

enum held {
	HELD_NONE,
	HELD_BUF,		/* came from a buffer, and goes into one */
	HELD_PIPE,		/* of a direction that is spliced */
	HELD__MAX
};

struct record_leg {
	uint64_t	moved;		/* as in struct leg */
	uint32_t	stuck_at;	/* ms, session_ms() */
	uint16_t	flags;		/* LEG_*, of RECORD_LEG_FLAGS */
	uint8_t		held;		/* enum held */
	uint32_t	len;		/* bytes that are held */
};

struct record {
	uint64_t	 id;
	uint64_t	 accepted, active;	/* ns, CLOCK_MONOTONIC */
	uint64_t	 member;	/* its key; 0 = none */
	struct addr	 peer, local;
	uint32_t	 keepalive;	/* ms that is set on the sockets */
	uint8_t		 proto;
	uint8_t		 flags;		/* SESSION_*, of RECORD_FLAGS */
	struct record_leg leg[2];
	char		 listen[RECORD_LISTEN];
	char		 reason[RECORD_REASON];
	char		 sni[HELLO_NAME_MAX + 1];
	char		 alpn[HELLO_ALPN_MAX + 1];
};

#define RECORD_FLAGS	(SESSION_LOG | SESSION_SAME_HOST |		\
			 SESSION_UNANSWERED | SESSION_KEEPALIVE)
#define RECORD_LEG_FLAGS (LEG_RDHUP | LEG_EXACT | LEG_EOF | LEG_DONE |	\
			 LEG_BULK | LEG_WAS_BULK | LEG_NOSPLICE |	\
			 LEG_SENT | LEG_NODELAY | LEG_INNER)

void	record_write(struct wr *, const struct record *);
/* False when a field is missing, out of range or contradicts another, or when
 * something follows the last. */
bool	record_read(struct rd *, struct record *);

/* Descriptors that go along. */
unsigned int record_nfds(const struct record *);

#endif
