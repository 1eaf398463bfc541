#ifndef L4_PROTO_H
#define L4_PROTO_H

#include <stdint.h>

/*
 * The messages between the processes.  Payload fields are those of wire.h, in
 * the order given; "+fd" is the descriptor that goes along.
 */
enum role {
	ROLE_MASTER, ROLE_WORKER, ROLE_PROXY, ROLE_TLSTERM, ROLE_KEYS,
	ROLE_METRICS, ROLE_ACME,
	ROLE__MAX
};
const char *role_name(enum role);

enum ipc_type {
	/* master to a child that starts; IPC_START is the last */
	IPC_LISTENER = 1,	/* +listener: u16 listener.  These come first,
				   so that they are descriptors 4, 5, ... */
	IPC_CONF,		/* +snapshot: u32 generation, str path */
	IPC_STATS,		/* +file: u32 cells */
	IPC_ADDRS,		/* +file shared, +file own: addrlimit.h */
	IPC_INBOX_READ,		/* +channel: u32 pool */
	IPC_INBOX_WRITE,	/* +channel: u32 pool */
	IPC_DOCROOT,		/* +directory: u32 site */
	IPC_CERT,		/* +file, chain PEM: u32 conf_holder(), u32 key id;
				   the same id means the same chain */
	IPC_KEY,		/* +file, key PEM: u32 key id */
	IPC_KEYS,		/* +channel: between tlsterm and all keys */
	IPC_TICKETS,		/* two ticket keys, newest first; see
				   tlsterm/tickets.h */
	IPC_SELF_SIGN,		/* +file chain, +file key, to be written:
				   u16 count, str name ... */
	IPC_CHECK_PAIR,		/* +file chain, +file key, or neither for
				   those of the message before: u16 count,
				   str name ... */
	IPC_HISTORY,		/* +file of HISTORY_BYTES */
	IPC_START,		/* u8 privileged, u8 strict */
	IPC_CHALLENGES,		/* +file: the page of challenge.h */
	IPC_MAKE_CSR,		/* +file key, PEM, +file request, DER, to be
				   written: u16 count, str name ... */
	IPC_ACME_JOB,		/* +file account key, read or written, +file
				   request, +file chain that is replaced, both
				   may be empty, +file key of the external
				   account or an empty one: acme_wire.h */

	/* a child to master */
	IPC_READY = 64,		/* u32 mechanisms in force, u32 landlock ABI */
	IPC_FAILED,		/* str reason: the child exits */
	IPC_DRAINING,		/* from now on it takes nothing new */
	IPC_PONG,		/* it does */
	IPC_DONE,		/* a certificate was looked at: certinfo.h */
	IPC_ACCUSE,		/* keys: u32 instance of the tlsterm that
				   asked for what is no TLS signature */
	IPC_SESSION_ROWS,	/* answers IPC_SESSIONS: u8 last, u16 count,
				   rows of conn.h */
	IPC_KILLED,		/* answers IPC_KILL: u8 found */
	IPC_ACME_OFFER,		/* acme: a challenge that is to be answered;
				   IPC_ACME_GO follows: acme_wire.h */
	IPC_ACME_CHAIN,		/* acme: blob, the next bytes of what came */
	IPC_ACME_DONE,		/* acme: acme_wire.h */
	IPC_ASK,		/* metrics: u8 enum ipc_report; IPC_REPORT follows,
				   not more often than master likes */

	/* master to a child that runs */
	IPC_DRAIN = 96,		/* take nothing new, finish, exit */
	IPC_LOG_LEVEL,		/* u8 enum log_level */
	IPC_PING,		/* does the loop turn? */
	IPC_HAND_OVER,		/* to a proxy, before IPC_DRAIN and again when
				   the answer changes: +channel, the inbox that
				   is to have its live sessions; none: they stay
				   where they are.  From now on its own inbox
				   comes to an end */
	IPC_SESSIONS,		/* u8: 1 list connections from the first, 0 go
				   on; the answer has the same id */
	IPC_KILL,		/* u64 connection; the answer has the same id */
	IPC_ACME_GO,		/* to acme: u8, is the challenge answered? */

	IPC_REPORT,		/* +file, a document: u8 enum ipc_report */

	/* through an inbox */
	IPC_CONN = 128,		/* +sockets: conn.h */
	IPC_SESSION,		/* +2 sockets, +0, 2 or 4 ends of pipes:
				   proxy/record.h */

	/* tlsterm to keys and back */
	IPC_SIGN = 160,		/* sign.h */
	IPC_SIGNED,
};

/* The documents that the metrics process gets. */
enum ipc_report {
	REPORT_COUNTERS,	/* status, routes, upstreams, certificates,
				   metrics: members of those names, as in
				   docs/control.md */
	REPORT_SESSIONS,	/* sessions, REPORT_ROWS of them at most */
	REPORT__MAX
};
#define REPORT_ROWS	100

/* The page of the last hour, which outlives the process that writes it. */
#define HISTORY_BYTES	65536

/* Descriptors every child starts with. */
#define FD_LOG		2
#define FD_CHANNEL	3
#define FD_LISTENERS	4	/* the first of them */

#endif
