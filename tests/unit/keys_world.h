#ifndef L4_TEST_KEYS_WORLD_H
#define L4_TEST_KEYS_WORLD_H

#include <openssl/ssl.h>

#include "common/ev.h"
#include "common/stats.h"
#include "pair_make.h"
#include "tlsterm/keyprov.h"

/*
 * Handshakes in memory between OpenSSL's client and a server that asks a keys
 * process, or a test in its place, for its signatures.
 */
struct world {
	struct ev	*ev;
	struct keychan	*chan;
	struct keyprov	*prov;
	int		 tls_end, keys_end;
	int		 master, keys_master;	/* channel of keys to master */
	SSL_CTX		*server, *client;
	EVP_PKEY	*real;		/* the private key, for keys alone */
	X509		*cert;
	pid_t		 pid[2];
	struct stats	 stats;		/* of both keys processes */
	int		 waiting;	/* connections until the loop stops */
};

enum outcome { UNDECIDED, GOOD, BAD };

struct conn {
	struct keywait	 wait;
	struct world	*world;
	SSL		*server, *client;
	enum outcome	 outcome;
};

/* One certificate, of which keys has the key as number 7. */
void	world_open(struct world *, enum pair_type, int version);
void	world_close(struct world *);
/* Again, with another number for the key. */
void	world_contexts(struct world *, int version, uint32_t id);

/* Keys processes, 0 and 1, on the one channel; returns when it listens. */
void	world_start_keys(struct world *, int);
void	world_kill_keys(struct world *, int);

/* Connections, as far as they go without an answer from keys; the last of them
 * to be decided stops the loop. */
void	conns_open(struct world *, struct conn *, int n);
void	conn_run(struct conn *);
void	conn_close(struct conn *);
/* Until all are decided. */
void	world_run(struct world *);
/* Asserts their outcome. */
void	conns_close(struct conn *, int n, enum outcome want);

#endif
