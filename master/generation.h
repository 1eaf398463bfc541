#ifndef L4_GENERATION_H
#define L4_GENERATION_H

#include "common/certinfo.h"
#include "files.h"
#include "master.h"
#include "proc.h"

/*
 * A configuration and the processes that live by it.  Nothing in it changes
 * once it is up; a new configuration is a new generation (DESIGN section 4).
 */
enum gen_state { GEN_PREPARING, GEN_STARTING, GEN_RUNNING, GEN_DRAINING };

struct pool {			/* an inbox: one end to write, one to read; -1
				   for what is closed */
	int	wr, rd;
};

struct gen_sock {
	int		fd;		/* master's */
	uint16_t	listener;
};

/* A certificate and its key, as files that children may read. */
struct cred {
	uint32_t		 site;		/* conf_holder() */
	const struct conf_cert	*files;		/* NULL: self-signed */
	int			 chain, key;	/* of files: gen->pems has them */
	uint32_t		 same;	/* the first with these files: its
					   index is the key id */
	bool			 stored;	/* a CA gave it: store.h */
	char			**name;	/* then: the names it is for */
	size_t			 nnames;
	bool			 good;	/* keys has looked at it */
	bool			 again;	/* ... and it is to be replaced */
	struct cert_info	 info;	/* what it found */
	enum cert_age		 said;	/* in the log; and when (ns) */
	uint64_t		 said_at;
};

/* rates.c: totals of each target, noted every 5 seconds. */
#define RATES_NOTES	12
struct rates {
	struct ev_timer	 timer;
	size_t		 ntargets, n;	/* n: notes so far */
	uint64_t	 at[RATES_NOTES];	/* ns */
	uint64_t	*total;		/* RATES_NOTES times ntargets */
};

struct generation {
	struct master	*master;
	struct generation *next;	/* master->draining */
	uint32_t	 id;
	enum gen_state	 state;
	struct conf	*conf;
	int		 snapshot;
	uint64_t	 since;

	struct gen_sock	*sock;
	size_t		 nsock;
	struct pool	*pool;		/* conn_pool() */
	size_t		 npool;
	struct pool	*keychan;	/* per tlsterm: its end, and keys' */
	size_t		 nkeychan;
	int		*docroot;	/* per site; -1 = none */
	struct files	 roots, pems;	/* of docroot, of cred[].files */
	struct cred	*cred;
	size_t		 ncred;
	size_t		 kept;		/* behind the last one taken over */

	uint64_t	 installs;	/* acme.h, when it was begun */
	struct proc	 prep;		/* one-shot keys: checks and makes
					   certificates before the rest */
	size_t		 prepared;	/* credentials done */
	struct proc	*proc;
	size_t		 nproc;
	size_t		 nready;
	char		 error[512];	/* why it could not be started */
	struct ev_timer	 progress;	/* while it drains */
	struct rates	 rates;
};

/* Takes conf.  Never NULL. */
struct generation *gen_new(struct master *, struct conf *);
/*
 * Opens what its processes are told to use, but no listener and no key; false
 * with gen->error.
 */
bool	gen_open(struct generation *);
/* The same and the rest: life_up() or life_failed() follows, now or from the
 * loop. */
void	gen_begin(struct generation *);
/* Everything is told to finish; life_over() follows. */
void	gen_drain(struct generation *);
void	gen_kill(struct generation *);
void	gen_free(struct generation *);
const char *gen_state_name(enum gen_state);

/* From proc.c. */
void	gen_proc_ready(struct generation *, struct proc *);
void	gen_proc_gone(struct generation *, struct proc *);
/* Throws away what a dead tlsterm asked of keys, and the answers. */
void	gen_clear_keychan(struct generation *, int instance);
void	gen_fail(struct generation *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* handover.c: tells the proxies of a generation where their live sessions go;
 * from now on its inboxes come to an end.  Called when whoever else writes to
 * them has ended, before the proxies are told to drain. */
void	handover_begin(struct generation *);
/* The answer is another: a generation is in force, or none will be. */
void	handover_redirect(struct master *);

/* limits.c: the page that counts connections of all processes, if the
 * configuration limits them; false with gen->error. */
bool	limits_open(struct generation *);

/* publish.c: the page of the last hour, if there is a process for it; false
 * with gen->error. */
bool	publish_open(struct generation *);

/* cred.c: opens the files of every site; false with gen->error. */
bool	cred_open(struct generation *);
/* After all are there: which of them are the same. */
void	cred_link(struct generation *);
void	cred_close(struct generation *);
/* A one-shot run of keys works through them; then gen_prepared(). */
void	cred_prepare(struct generation *);
int	cred_on_done(struct proc *, const char *wrong,
	    const struct cert_info *);
/* Some of a CA were not good: makes others in their place, in another run;
 * false where there is nothing to do. */
bool	cred_again(struct generation *);
void	gen_prepared(struct generation *);

/* expiry.c: "site a: the certificate FILE expires on 2026-12-01, 6 days from
 * now".  Returns dst. */
#define EXPIRY_TEXT_MAX	768
const char *expiry_text(const struct generation *, const struct cred *,
	    int64_t now, char dst[EXPIRY_TEXT_MAX]);

/* rates.c: from when it is up. */
void	rates_start(struct generation *);
void	rates_stop(struct generation *);
/* Connections a second of the i-th target (report_target()), over the last
 * minute or since the start; negative where it is not known. */
double	rates_get(const struct generation *, uint32_t i);

#endif
