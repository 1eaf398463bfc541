#ifndef L4_TLSTERM_H
#define L4_TLSTERM_H

#include "common/child.h"
#include "challenge.h"
#include "client.h"
#include "compress.h"
#include "h1.h"
#include "io.h"
#include "keychan.h"
#include "keyprov.h"
#include "site.h"
#include "tickets.h"
#include "tls.h"
#include "upstream.h"

/* The state of the process. */
struct tlsterm {
	struct child		 child;
	struct sites		 sites;
	struct tickets		 tickets;
	struct keychan		*keychan;
	struct keyprov		*keyprov;
	struct iobufs		*bufs;
	struct h1_server	*h1;
	struct h2_server	*h2;
	struct upstreams	 ups;
	struct site		*responder;	/* of challenges, or NULL */
	struct compressor	*compressor;	/* until it drains */

	/* from master, until the sites are made of it */
	struct cert		*cert;
	size_t			 ncert;
	size_t			*cert_of_key;	/* by id: index + 1 of the
						   first, 0 for none */
	size_t			 nkeys;
	int			*root;		/* of each site, or -1 */
	int			 keys_fd;
	const struct challenges	*challenges;

	struct ev_io		 inbox;
	struct ev_timer		 inbox_timer;	/* pause after a full table */
	bool			 inbox_off;	/* not watched now */

	struct clients		 clients;
	struct clients		 ready;
	struct client		*listed;	/* the next to be listed */
	struct ev_timer		 ready_timer;
	size_t			 nclients;
	size_t			 own_fds;	/* that no client has */
	size_t			 max_fds;
	struct ev_timer		 drain_timer;
	struct ev_timer		 over_timer;
};

/* setup.c: what master sends before the start (and ticket keys later). */
extern const struct ipc_rule tlsterm_rules[];
extern const size_t tlsterm_nrules;
/* Makes the sites of it. */
void	setup_finish(struct tlsterm *);

/* inbox.c */
void	inbox_start(struct tlsterm *);
/* Takes what waits there, up to a few messages. */
void	inbox_read(struct tlsterm *, uint32_t events);
/* Watches it again if there are descriptors for more. */
void	inbox_resume(struct tlsterm *);

/* drain.c */
void	tlsterm_drain(void *);
/* A client has ended. */
void	tlsterm_check_over(struct tlsterm *);

/* list.c */
extern const struct child_sessions tlsterm_sessions;

/* sandbox.c */
extern const struct sb_policy tlsterm_policy;

#endif
