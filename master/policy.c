#include "common/l4.h"
#include "common/wire.h"
#include "acme.h"
#include "gather.h"
#include "generation.h"
#include "publish.h"

/*
 * Everything that a child can make master do (docs/trust.md).  Anything else,
 * in another phase, of another size, or with a descriptor, ends that child.
 */
#define PH(state)	(1u << (state))
#define TEXT_MAX	512

static int
on_ready(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;
	struct rd	 r;

	rd_init(&r, m->data, m->len);
	p->mechanisms = rd_u32(&r);
	p->landlock_abi = (int)rd_u32(&r);
	if (!rd_done(&r))
		return -1;
	proc_ready(p);
	return 0;
}

/* A message that is one string; control bytes become '?'. */
static int
read_text(const struct ipc_msg *m, char text[TEXT_MAX])
{
	struct rd	 r;
	char		*p;

	rd_init(&r, m->data, m->len);
	rd_str(&r, text, TEXT_MAX);
	for (p = text; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f)
			*p = '?';
	return rd_done(&r) ? 0 : -1;
}

static int
on_failed(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;
	char		 text[TEXT_MAX], name[PROC_NAMELEN];

	if (read_text(m, text) == -1)
		return -1;
	if (p->run != NULL)
		acme_on_failed(p, text);
	else
		gen_fail(p->gen, "%s: %s", proc_name(p, name), text);
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	struct proc		*p = arg;
	struct cert_info	 info;
	struct rd		 r;
	char			 wrong[CERT_WHY_MAX];

	rd_init(&r, m->data, m->len);
	if (!p->oneshot || !cert_info_read(&r, wrong, &info))
		return -1;
	return p->run != NULL ? acme_on_checked(p, wrong, &info) :
	    cred_on_done(p, wrong, &info);
}

/*
 * keys was asked to sign what no TLS handshake has: the tlsterm at the other
 * end of that channel is not what we started.
 */
static int
on_accuse(void *arg, struct ipc_msg *m)
{
	struct proc		*p = arg;
	struct generation	*g = p->gen;
	struct rd		 r;
	uint32_t		 instance;
	size_t			 i;

	rd_init(&r, m->data, m->len);
	instance = rd_u32(&r);
	if (!rd_done(&r) || instance >= g->nkeychan)
		return -1;
	/* One that starts has asked nothing yet: its predecessor is meant. */
	for (i = 0; i < g->nproc; i++)
		if (g->proc[i].role == ROLE_TLSTERM &&
		    g->proc[i].instance == (int)instance &&
		    g->proc[i].chan.fd != -1 &&
		    g->proc[i].state != PROC_STARTING)
			proc_misbehaves(&g->proc[i], "asked keys to sign "
			    "what is no part of a handshake");
	return 0;
}

static int
on_draining(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;

	(void)m;
	p->took_last = true;
	if (p->gen == p->gen->master->switching)
		life_check_switched(p->gen->master);
	return 0;
}

static int
on_pong(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;

	(void)m;
	p->pinged = 0;
	return 0;
}

#define COMMON_RULES							\
	/* type		phases			fds		size	handler */ \
	{ IPC_READY,	PH(PROC_STARTING), IPC_FD_NONE, 0, 0, 8, 8, on_ready }, \
	{ IPC_FAILED,	PH(PROC_STARTING), IPC_FD_NONE, 0, 0, 2,	\
	    TEXT_MAX + 1, on_failed },					\
	/* also when a signal told it, not master */			\
	{ IPC_DRAINING,	PH(PROC_RUNNING) | PH(PROC_DRAINING), IPC_FD_NONE, \
	    0, 0, 0, 0, on_draining },					\
	{ IPC_PONG,	PH(PROC_RUNNING) | PH(PROC_DRAINING), IPC_FD_NONE, \
	    0, 0, 0, 0, on_pong }

/* Those who have connections. */
static const struct ipc_rule conns_rules[] = {
	COMMON_RULES,
	{ IPC_SESSION_ROWS, PH(PROC_RUNNING) | PH(PROC_DRAINING), IPC_FD_NONE,
	    0, 0, 3, IPC_DATA_MAX, gather_on_rows },
	{ IPC_KILLED,	PH(PROC_RUNNING) | PH(PROC_DRAINING), IPC_FD_NONE,
	    0, 0, 1, 1, gather_on_killed },
};

static const struct ipc_rule keys_rules[] = {
	COMMON_RULES,
	{ IPC_DONE,	PH(PROC_STARTING), IPC_FD_NONE, 0, 0,
	    CERT_INFO_WIRE_MIN, CERT_INFO_WIRE_MAX, on_done },
	{ IPC_ACCUSE,	PH(PROC_RUNNING) | PH(PROC_DRAINING), IPC_FD_NONE,
	    0, 0, 4, 4, on_accuse },
};

static const struct ipc_rule metrics_rules[] = {
	COMMON_RULES,
	{ IPC_ASK,	PH(PROC_RUNNING) | PH(PROC_DRAINING), IPC_FD_NONE,
	    0, 0, 1, 1, publish_on_ask },
};

static const struct ipc_rule acme_proc_rules[] = {
	COMMON_RULES,
	{ IPC_ACME_OFFER, PH(PROC_RUNNING), IPC_FD_NONE, 0, 0, 7, 1024,
	    acme_on_offer },
	{ IPC_ACME_CHAIN, PH(PROC_RUNNING), IPC_FD_NONE, 0, 0, 3,
	    ACME_PIECE_MAX + 2, acme_on_chain },
	{ IPC_ACME_DONE, PH(PROC_RUNNING), IPC_FD_NONE, 0, 0, ACME_DONE_MIN,
	    ACME_DONE_MAX, acme_on_done },
};

static const struct {
	const struct ipc_rule	*rules;
	size_t			 n;
} policy[ROLE__MAX] = {
	[ROLE_WORKER] = { conns_rules, nitems(conns_rules) },
	[ROLE_PROXY] = { conns_rules, nitems(conns_rules) },
	[ROLE_TLSTERM] = { conns_rules, nitems(conns_rules) },
	[ROLE_KEYS] = { keys_rules, nitems(keys_rules) },
	[ROLE_ACME] = { acme_proc_rules, nitems(acme_proc_rules) },
	[ROLE_METRICS] = { metrics_rules, nitems(metrics_rules) },
};

int
policy_dispatch(struct proc *p, struct ipc_msg *m)
{
	return ipc_dispatch(policy[p->role].rules, policy[p->role].n,
	    PH(p->state), m, p);
}
