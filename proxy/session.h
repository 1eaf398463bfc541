#ifndef L4_PROXY_SESSION_H
#define L4_PROXY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conn.h"
#include "common/ev.h"
#include "leg.h"

/*
 * A relayed pair of sockets.  Small, because most of them are idle: buffers,
 * pipes and strings are elsewhere, and only while they are needed.
 */
struct proxy;

enum session_state {
	SESSION_FREE,
	SESSION_DIAL,		/* connect() is under way */
	SESSION_WAIT,		/* the backlog of a UNIX socket is full */
	SESSION_RELAY,
	SESSION__MAX
};

struct session {
	struct leg	 leg[2];
	struct ev_timer	 timer;		/* connecting; keepalive, idle */
	struct proxy	*proxy;
	union {
		struct session	*next;	/* free list, or the ready list */
		uint64_t	 tried;	/* members, while connecting */
	};
	char		*names;		/* session_name(); NULL: all are "" */
	uint64_t	 id;
	uint64_t	 accepted;	/* ns */
	uint64_t	 active;	/* ns: the last byte, or connect() */
	struct addr	 peer, local;
	uint32_t	 rule;
	uint16_t	 listener;
	uint8_t		 member;	/* index */
	uint8_t		 state;
	uint8_t		 flags;
	uint8_t		 reason, proto;
};

#define SESSION_LOG		0x01	/* its rule wants a line */
#define SESSION_SAME_HOST	0x02
#define SESSION_UNANSWERED	0x04	/* counted by the loop guard */
#define SESSION_READY		0x08	/* is in the ready list */
#define SESSION_KEEPALIVE	0x10	/* is set on both legs */
#define SESSION_ON_MEMBER	0x20	/* counted in member.live */
#define SESSION_CONNECTED	0x40	/* counted in the member's cells */
#define SESSION_FOREIGN		0x80	/* of an older generation: listener and
					   reason are names, not numbers */

/* All sessions of the process. */
struct sessions {
	struct session_slab *slabs;
	struct session	*free;
	struct session	*ready;		/* had more to do than one turn gives */
	struct ev_timer	 again;		/* runs them */
	uint32_t	 live;
	uint64_t	 nofile;	/* descriptors there can be */
	uint32_t	 limit;		/* our part of max_connections; 0 = no */
	uint32_t	 unanswered;	/* same host, no byte from upstream */
	uint64_t	 loop_warned;	/* ns */
};

/* After the limits of the process are known; nofile: RLIMIT_NOFILE. */
void	sessions_init(struct proxy *, uint64_t nofile);
/* Do the descriptors suffice for `more` pairs beside what is open and a
 * message full of connections? */
bool	sessions_have_room(const struct proxy *, unsigned int more);

/* A connection from the inbox: takes fd, whatever comes of it. */
void	session_open(struct proxy *, int fd, const struct conn_info *);

/*
 * The end of a session, which is free afterwards: `word` is for the log.
 * SESSION_RST resets what is open, SESSION_FIN closes it.
 */
enum session_how { SESSION_FIN, SESSION_RST };
void	session_end(struct session *, const char *word, enum session_how);
void	sessions_end(struct proxy *, const char *word);

/*
 * A session that is alive and counted, and still without any state: for
 * session_open() and who takes one over.  Takes the descriptors; upstream may
 * be -1.
 */
struct session *session_make(struct proxy *, int client, int upstream,
	    bool inner, const struct addr *peer);
/* Another process has it: like an end, but nothing has ended. */
void	session_handed_on(struct session *);

/* Text of a session, one after the other in session.names; the last two are
 * there only when it is foreign. */
enum session_text { NAME_SNI, NAME_ALPN, NAME_LISTEN, NAME_REASON, NAME__MAX };
const char *session_name(const struct session *, enum session_text);
/* Puts n of them there; false without memory. */
bool	session_set_names(struct session *, const char *const text[],
	    unsigned int n);

/* All live sessions, one after the other; NULL at the end, where it begins
 * anew.  Sessions may come and go meanwhile: those that stay are all seen. */
struct session_walk {
	struct session_slab *slab;	/* NULL: at the beginning */
	size_t		 i;
};
struct session *sessions_next(const struct sessions *, struct session_walk *);

/* What the list of connections says of it. */
struct conn_row;
void	session_row(const struct session *, struct conn_row *);

/* The only writer of session.state. */
void	session_enter(struct session *, enum session_state);

/* Gives it another turn soon. */
void	session_queue(struct session *);

/* Its socket to a backend is open and connected: accounts and relays. */
void	session_connected(struct session *);

/* Milliseconds that wrap; for differences below 49 days. */
static inline uint32_t
session_ms(uint64_t now)
{
	return (uint32_t)(now / UINT64_C(1000000));
}

#endif
