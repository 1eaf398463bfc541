#ifndef L4_PROXY_MEMBER_H
#define L4_PROXY_MEMBER_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/stats.h"

/*
 * The members of an upstream: every address of every `address` it has.  What a
 * name resolves to is looked up once, before the sandbox closes.
 */
#define MEMBERS_MAX	64	/* a session's set of tried ones is 64 bits */

struct member {
	struct sockaddr_storage	 sa;
	socklen_t		 salen;
	int			 dir;	/* of a UNIX socket, O_PATH; else -1 */
	uint32_t		 backend; /* index in conf: whose counters */
	uint64_t		 key;	/* of the address, for BALANCE_HASH */
	uint32_t		 live;	/* sessions, those connecting too */
	uint32_t		 backoff; /* s, after failures in a row; 0 = up */
	uint64_t		 retry;	/* ns: skipped until then */
	bool			 sick;	/* active checks say so */
	bool			 proven;	/* it worked once */
	bool			 maybe_self;	/* see member_is_self() */
	char			 name[96];	/* for messages */
};

struct members {
	struct member		*v;
	size_t			 n;
	size_t			 unresolved;	/* addresses without any */
	int			 cwd;		/* the directory we are in */
	const struct conf_upstream *up;
	const struct stats	*stats;		/* cells: PROXY_CELL_* */
};

/*
 * Resolves the upstream's addresses.  A name that does not resolve, or a
 * directory that is not there, is logged and counted in `unresolved`.  Fatal
 * without memory.
 */
void	members_open(struct members *, const struct conf_upstream *,
	    const struct stats *);

enum dial { DIAL_CONNECTED, DIAL_PROGRESS, DIAL_FAILED };

/*
 * A new non-blocking socket that connects to the member.  `delay_ack`: bytes
 * follow at once, the last ACK of the handshake can ride on them.  The caller
 * closes *fd; DIAL_FAILED: nothing to close, errno says why.
 */
enum dial member_dial(struct members *, const struct member *, bool delay_ack,
	    int *fd);

/*
 * A TCP connect to a port of this host that nobody listens on can meet itself
 * when the kernel picks the same port to come from (RFC 9293 3.5).
 */
bool	member_is_self(const struct member *, int fd);

/* Results of connecting; keep the counters and what is skipped. */
void	member_worked(struct members *, struct member *);
void	member_failed(struct members *, struct member *, int error,
	    uint64_t now);
/* The verdict of active checks. */
void	member_set_sick(struct members *, struct member *, bool sick);

/* A session is (not any more) on it. */
void	member_session(const struct members *, const struct member *,
	    bool begins);

/* A session that was made by another process is on it. */
void	member_take_over(const struct members *, struct member *);
/* The member with that key; NULL when there is none. */
struct member *members_find(const struct members *, uint64_t key);

static inline bool
member_usable(const struct member *m, uint64_t now)
{
	return !m->sick && now >= m->retry;
}

#endif
