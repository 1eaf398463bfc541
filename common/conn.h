#ifndef L4_CONN_H
#define L4_CONN_H

#include "addr.h"
#include "conf.h"
#include "wire.h"

/*
 * What is known of a connection when it is handed over: it travels with the
 * socket through the inbox of the pool that shall have it, several in one
 * IPC_CONN message (a u8 count, then the records; descriptor i belongs to
 * record i).
 */
#define CONN_BATCH	16	/* connections in one message, at most */

/* Why a connection went where it went. */
enum conn_reason {
	REASON_ROUTE,		/* info.rule is the index of the route */
	REASON_NAME,		/* the name of a site */
	REASON_FALLBACK,	/* info.rule is enum fallback */
	REASON_CHALLENGE,	/* a CA looks whether a name is ours */
};

struct conn_info {
	uint64_t	 id;		/* unique in the life of the daemon */
	uint64_t	 accepted;	/* ns, CLOCK_MONOTONIC */
	struct addr	 peer;		/* as the PROXY header or kernel says */
	struct addr	 local;
	struct conf_target target;	/* site or upstream */
	uint32_t	 rule;
	uint16_t	 listener;	/* index in the configuration */
	enum conn_reason reason;
	enum proto	 proto;
	bool		 log;		/* its rule wants a line */
	bool		 same_host;	/* the peer is an address of this host */
	bool		 inner;		/* a socketpair of tlsterm: the client
					   that it is for is counted there */
	char		 sni[HELLO_NAME_MAX + 1];	/* or host; normalised */
	char		 alpn[HELLO_ALPN_MAX + 1];	/* offered, with commas;
							   escaped */
};

void	conn_write(struct wr *, const struct conn_info *);
/* False when a field is out of the range conf allows, or missing. */
bool	conn_read(struct rd *, const struct conf *, struct conn_info *);

/* An address alone, with its port. */
void	conn_addr_write(struct wr *, const struct addr *);
void	conn_addr_read(struct rd *, struct addr *);

/* What a connection is at, for the list of them. */
enum conn_state {
	CONN_UNDECIDED,		/* in a worker: no target yet */
	CONN_CONNECTING,
	CONN_RELAY,
	CONN_HANDSHAKE,		/* TLS, or its first byte */
	CONN_HTTP,
	CONN_CLOSING,
	CONN_STATE__MAX
};
const char *conn_state_name(enum conn_state);

/* One that is alive.  IPC_SESSION_ROWS carries as many as fit. */
struct conn_row {
	struct conn_info info;		/* target, reason and rule mean
					   nothing while it is undecided */
	uint64_t	 in, out;	/* bytes from and to the client */
	enum conn_state	 state;
	/* Of a session that came from another configuration: where its
	 * listener and rule mean nothing, these do; else "". */
	char		 listen[288], why[24];
};
#define CONN_ROW_MAX	1024		/* bytes that any row fits in */
void	conn_row_write(struct wr *, const struct conn_row *);
/* As conn_read(). */
bool	conn_row_read(struct rd *, const struct conf *, struct conn_row *);

/* "route:3", "name", "fallback:unknown".  Returns dst. */
const char *conn_reason_format(enum conn_reason, uint32_t rule, char dst[24]);

/*
 * The pool that a new connection goes to: 0 for the sites (tlsterm), 1 + index
 * for an upstream.  TLS that is to end here goes to tlsterm, which sends what
 * is inside to the pool of the upstream.
 */
#define POOL_SITES	0
static inline uint32_t
conn_pool_of(uint32_t upstream)
{
	return 1 + upstream;
}
uint32_t conn_pool(const struct conf *, const struct conn_info *);
/* Does anything go to POOL_SITES? */
bool	conn_has_sites(const struct conf *);
/* Does tlsterm send anything to the upstream? */
bool	conn_is_inner(const struct conf *, uint32_t upstream);

/* What is left to say when it ends. */
struct conn_end {
	const char	*end;		/* "fin", "reset", "timeout", ... */
	uint64_t	 in, out;	/* bytes from and to the client */
	uint64_t	 now;		/* ns, CLOCK_MONOTONIC */
	const char	*listen;	/* NULL: as info.listener says */
};
/*
 * The log line of INTERFACE.md section 5, if the configuration and the rule
 * want one.  For a target that is neither site nor upstream, or a connection
 * that a limit ended, `reason` is that word; else NULL.
 */
void	conn_log(const struct conf *, const struct conn_info *,
	    const struct conn_end *, const char *reason);

#endif
