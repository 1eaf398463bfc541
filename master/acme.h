#ifndef L4_MASTER_ACME_H
#define L4_MASTER_ACME_H

#include "common/acme_wire.h"
#include "common/certinfo.h"
#include "hook.h"
#include "ledger.h"
#include "master.h"
#include "proc.h"
#include "store.h"

/*
 * Certificates by themselves: which are wanted, when what is to be done for
 * them, and one piece of work at a time.  Talking to a CA is acme's, making
 * and checking of keys and requests that of one-shot runs of keys; master
 * carries between them and moves files.
 */
struct generation;

struct acme_cert {
	struct acme_cert *next;
	char		*name;		/* of site, upstream or certificate */
	struct conf_strs names;		/* what it is to be for; addresses
					   without brackets */
	bool		 held;		/* a site or upstream shows it */
	bool		 there;		/* one of these names is in force */
	struct ledger	 led;
	bool		 renewed;	/* acme.on_renew is to be called */
	uint64_t	 install;	/* acme.installs with it, until a
					   generation shows it; else 0 */
};

/* One piece of work; see acme_run.c. */
enum acme_step {
	RUN_REQUEST,		/* keys makes a key and a request */
	RUN_TALK,		/* acme talks to the CA */
	RUN_CHECK,		/* keys looks at what came */
};

struct acme_run {
	struct acme	*acme;
	struct acme_cert *cert;
	enum acme_kind	 kind;
	enum acme_step	 step;
	struct proc	 proc;
	struct ev_timer	 next;		/* on to the next step */
	struct store_new new;
	int		 csr, old, account, eab;	/* files, or -1 */
	size_t		 got;		/* bytes of the chain */
	struct acme_done done;
	bool		 reported;	/* IPC_ACME_DONE or IPC_DONE came */
	struct cert_info info;
	struct challenge offered;	/* the hook is at work for it */
	struct hook	 dns;
};

struct acme {
	struct master	*master;
	struct acme_cert *certs;
	struct acme_run	*run;		/* NULL: nothing is being done */
	struct ev_timer	 timer;		/* when there is something to do */
	struct hook	 hook;		/* acme.on_renew, dns_hook clear */
	char		*told;		/* the certificate it is called for */
	struct dns_value *clear;	/* values that the hook is to take
					   away again, a list */
	struct challenges *page;
	int		 page_fd;	/* -1: there is none */
	uint64_t	 installs;	/* certificates since the start */
	uint64_t	 again, pause;	/* ns: no generation to show them is
					   begun before; 0: none was */
};

/* A generation is up: what does its configuration want? */
void	acme_up(struct master *);
/* There may be something to do now. */
void	acme_poke(struct master *);
/* Drops what is under way: before the end, and before an upgrade.  Who waits
 * for a certificate is told why. */
void	acme_stop(struct master *, const char *why);
/* The workers of the generation in force, and no others, take connections. */
void	acme_shown(struct master *);
/* A generation could not be started. */
void	acme_not_shown(struct master *, const struct generation *);
/* True when the process was one of ours. */
bool	acme_reaped(struct master *, pid_t, int status);
/* The page of challenges, made when it is first asked for; -1: not here. */
int	acme_page(struct master *, const struct conf *);

/* All of them; NULL: there are none. */
const struct acme_cert *acme_list(const struct master *);
/* By its name or one of those it is for; NULL. */
struct acme_cert *acme_find(const struct master *, const char *name);
/* The process that talks to a CA now, or NULL. */
const struct proc *acme_proc(const struct master *);
/* `l4muxctl renew` and `revoke`: what stands against it, or NULL.  When a
 * renewal is over, control_renewed() follows, from the loop. */
const char *acme_renew(struct master *, struct acme_cert *);
const char *acme_revoke(struct master *, const char *name);
/* What happens next with it: a word, and when (0 = now). */
const char *acme_next(const struct master *, const struct acme_cert *,
	    int64_t *when);
void	acme_save(const struct acme *, const struct acme_cert *);
const struct conf *acme_conf(const struct acme *);
/* The kinds of challenges to try, `first` first; how many. */
size_t	acme_kinds(const struct conf *, enum challenge_kind first,
	    uint8_t kinds[CHALLENGE__MAX]);

/* acme_run.c */
void	acme_run_start(struct acme *, struct acme_cert *, enum acme_kind);
void	acme_run_stop(struct acme *);
/* Gives a process some work that is never done; false with errno set. */
bool	acme_run_selftest(struct master *, struct generation *, struct proc *);
/* What the process of the step is told, of all its set-up. */
bool	acme_run_setup(const struct proc *, struct wr *, struct ipc_msg *);
/* What it says: policy.c. */
int	acme_on_offer(void *, struct ipc_msg *);
int	acme_on_chain(void *, struct ipc_msg *);
int	acme_on_done(void *, struct ipc_msg *);
int	acme_on_checked(struct proc *, const char *wrong,
	    const struct cert_info *);
void	acme_on_failed(struct proc *, const char *why);
void	acme_run_gone(struct proc *);
/* Tells acme whether its challenge is answered. */
void	acme_run_go(struct acme_run *, bool ok);

/* acme_hook.c: programs of the administrator's. */
/* Calls acme.on_renew for all of which it does not know yet; again at the next
 * generation where it fails. */
void	acme_hook_renewed(struct acme *);
/* A value of the DNS is not needed any more, from acme_hook_flush() on. */
void	acme_hook_clear(struct acme *, const struct challenge *);
void	acme_hook_flush(struct acme *);
void	acme_hook_stop(struct acme *);
/* Starts `dns_hook set`; false, logged, when it cannot be. */
bool	acme_hook_set(struct acme_run *);

#endif
