#ifndef L4_KEYS_H
#define L4_KEYS_H

#include "common/child.h"
#include "common/sign.h"
#include "cert.h"
#include "pem.h"
#include "signer.h"

/*
 * The process that holds private keys.  What it is asked for comes from
 * tlsterm, which may have been taken over: see signer.h for what it then gets.
 */
struct keys_entry {
	uint32_t		 id;
	struct signer_key	 key;
};

/* A channel whose end is shared by all keys processes. */
struct keys_chan {
	struct ev_io	 io;
	struct keys	*keys;
	uint32_t	 instance;	/* of the tlsterm at the other end */
	struct keys_chan *next;
};

/* Work for master, of a one-shot run. */
struct keys_job {
	enum {
		JOB_CHECK,
		JOB_CHECK_AGAIN,	/* for other names; without files */
		JOB_SELF_SIGN,
		JOB_CSR
	} kind;
	struct cert_names names;
	int		 chain, key;	/* files, read or written; JOB_CSR has
					   its request in `chain` */
};

struct keys {
	struct child	 child;
	struct pem_reader pem;

	struct keys_job	*job;
	size_t		 njobs;
	struct cert_checked checked;	/* the last pair */

	struct keys_entry *entry;	/* in order of id */
	size_t		 nentries;

	struct keys_chan *chans;
	uint32_t	 nchans;	/* that came from master */
	uint64_t	 served;	/* time of the last request */
	uint64_t	 warned;	/* time of the last line on a refusal */
	uint64_t	 unsaid;	/* refusals since then */
	struct ev_timer	 leave;		/* while draining */
	uint64_t	 grace, deadline;	/* not before, not after */
	uint8_t		 sig[SIGN_SIG_MAX];
	uint8_t		 out[SIGNED_PACKET_MAX];
};

/* store.c.  Set-up: IPC_KEY. */
int	keys_on_key(void *, struct ipc_msg *);
struct signer_key *keys_find(const struct keys *, uint32_t id);
/* Wipes them. */
void	keys_forget(struct keys *);

/* serve.c.  Set-up: IPC_KEYS. */
int	keys_on_channel(void *, struct ipc_msg *);
/* Takes a channel over; fatal without memory. */
void	keys_add_channel(struct keys *, int fd);
/* Starts to read what was added. */
void	keys_serve(struct keys *);
/* Stops the loop when nobody asks any more. */
void	keys_drain(void *);

/*
 * oneshot.c.  Set-up, instead of keys: IPC_SELF_SIGN, IPC_CHECK_PAIR,
 * IPC_MAKE_CSR.  Once started, keys_work() confines the process, does all of it in the order it
 * came, with an IPC_DONE for each, and ends.
 */
int	keys_on_self_sign(void *, struct ipc_msg *);
int	keys_on_check_pair(void *, struct ipc_msg *);
int	keys_on_make_csr(void *, struct ipc_msg *);
void	keys_work(struct keys *) __attribute__((noreturn));

/* sandbox.c */
extern const struct sb_policy keys_policy;
extern const struct sb_policy keys_oneshot_policy;

#endif
