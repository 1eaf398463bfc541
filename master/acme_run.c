#include <sys/mman.h>
#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/wire.h"
#include "acme.h"
#include "control.h"
#include "generation.h"

/*
 * One certificate, step by step: a one-shot run of keys makes its key and a
 * request, acme has it signed, another run of keys looks at what came, and only
 * then is anything replaced.
 */
static void	run_next(struct ev_timer *);

static void __attribute__((format(printf, 2, 3)))
run_fail(struct acme_run *r, const char *fmt, ...)
{
	va_list	ap;

	if (r->done.outcome == ACME_OK)
		r->done.outcome = ACME_FAILED;
	if (r->done.text[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(r->done.text, sizeof(r->done.text), fmt, ap);
	va_end(ap);
}

static uint32_t
run_random(void)
{
	uint32_t	v = 0;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		v = (uint32_t)ev_clock();
	return v;
}

static void
run_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
run_free(struct acme_run *r)
{
	struct acme	*a = r->acme;

	ev_timer_cancel(a->master->ev, &r->next);
	hook_stop(&r->dns);
	if (r->proc.gen != NULL)
		proc_close(&r->proc);
	store_abort(&r->new, r->cert->name);
	run_close(&r->csr);
	run_close(&r->old);
	run_close(&r->account);
	run_close(&r->eab);
	if (a->page != NULL)
		challenges_clear(a->page);
	a->run = NULL;
	free(r);
}

void
acme_run_stop(struct acme *a)
{
	struct acme_run	*r = a->run;

	if (r == NULL)
		return;
	log_info("certificate %s: dropped before it was had", r->cert->name);
	proc_kill(&r->proc);
	run_free(r);
}

static void
run_start_proc(struct acme_run *r, enum role role)
{
	struct generation	*g = r->acme->master->gen;

	if (r->proc.gen != NULL)
		proc_close(&r->proc);
	if (proc_init(&r->proc, g, role, 0, 0) == -1)
		fatal("counters");
	r->proc.oneshot = true;
	r->proc.run = r;
	r->reported = false;
	proc_start(&r->proc);
}

/* What an order begins with: a place for the pair. */
static bool
run_open_new(struct acme_run *r)
{
	const struct conf	*conf = acme_conf(r->acme);

	if (!store_begin(conf->state, r->cert->name, &r->new)) {
		run_fail(r, "%s/certs: %s", conf->state, strerror(errno));
		return false;
	}
	return true;
}

static int
empty_file(void)
{
	return memfd_create("l4mux-empty", MFD_CLOEXEC);
}

static bool
run_rehearses(const struct acme_run *r)
{
	return r->kind == ACME_ORDER && r->cert->led.rehearse &&
	    acme_conf(r->acme)->acme.staging != NULL;
}

static const char *
run_directory(const struct acme_run *r)
{
	const struct conf	*conf = acme_conf(r->acme);

	if (run_rehearses(r))
		return conf->acme.staging;
	return r->cert->led.directory != 0 && conf->acme.fallback != NULL ?
	    conf->acme.fallback : conf->acme.directory;
}

static int
open_eab(const struct conf *conf)
{
	if (conf->acme.eab_key_file == NULL)
		return empty_file();
	return open(conf->acme.eab_key_file, O_RDONLY | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
}

/* What acme reads and writes. */
static bool
run_open_files(struct acme_run *r)
{
	const struct conf	*conf = acme_conf(r->acme);
	struct store_pair	 p;

	r->csr = empty_file();
	if (store_open(conf->state, r->cert->name, &p)) {
		r->old = fcntl(p.chain, F_DUPFD_CLOEXEC, 3);
		store_close(&p);
	} else
		r->old = empty_file();
	r->account = store_account(conf->state, run_directory(r));
	if (r->account == -1)
		run_fail(r, "%s/acme: %s", conf->state, strerror(errno));
	if ((r->eab = open_eab(conf)) == -1)
		run_fail(r, "acme.eab_key_file: %s: %s",
		    conf->acme.eab_key_file, strerror(errno));
	return r->csr != -1 && r->old != -1 && r->account != -1 &&
	    r->eab != -1;
}

void
acme_run_start(struct acme *a, struct acme_cert *c, enum acme_kind kind)
{
	static const char *const	what[ACME_KIND__MAX] = {
		[ACME_ORDER] = "ordering it",
		[ACME_ASK] = "asking when to renew it",
		[ACME_REVOKE] = "revoking it",
	};
	struct acme_run	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		fatal("calloc");
	r->acme = a;
	r->cert = c;
	r->kind = kind;
	r->next.cb = run_next;
	r->new.certs = r->new.dir = r->new.chain = r->new.key = -1;
	r->csr = r->old = r->account = r->eab = -1;
	r->step = kind == ACME_ORDER ? RUN_REQUEST : RUN_TALK;
	a->run = r;
	if (kind == ACME_ASK)
		log_debug("certificate %s: %s", c->name, what[kind]);
	else
		log_info("certificate %s: %s", c->name, what[kind]);
	if (run_open_files(r) && (kind != ACME_ORDER || run_open_new(r)))
		run_start_proc(r, kind == ACME_ORDER ? ROLE_KEYS : ROLE_ACME);
	else
		ev_timer_set(a->master->ev, &r->next, ev_clock());
}

bool
acme_run_selftest(struct master *m, struct generation *g, struct proc *p)
{
	struct acme_run	*r;

	m->gen = g;
	(void)acme_page(m, g->conf);
	if ((r = calloc(1, sizeof(*r))) == NULL ||
	    (r->cert = calloc(1, sizeof(*r->cert))) == NULL)
		return false;
	r->acme = m->acme;
	r->kind = ACME_ASK;
	r->step = RUN_TALK;
	r->csr = empty_file();
	r->old = empty_file();
	r->account = empty_file();
	r->eab = empty_file();
	p->run = r;
	return m->acme != NULL && r->eab != -1;
}

static void
carry(struct ipc_msg *m, int fd)
{
	m->fd[m->nfds++] = fd;
}

static void
setup_names(const struct acme_run *r, struct wr *w)
{
	const struct conf_strs	*names = &r->cert->names;
	size_t			 i;

	wr_u16(w, (uint16_t)names->n);
	for (i = 0; i < names->n; i++)
		wr_str(w, names->v[i]);
}

/* All that are configured, the one that worked first; dns-01 where there is a
 * hook for it. */
size_t
acme_kinds(const struct conf *conf, enum challenge_kind first,
    uint8_t kinds[CHALLENGE__MAX])
{
	enum challenge_kind	k;
	size_t			n = 0, i;
	bool			has;

	for (i = 0; i <= conf->acme.challenges.n; i++)
		for (k = CHALLENGE_HTTP; k < CHALLENGE__MAX; k++) {
			has = i == 0 ? k == first : strcmp(
			    conf->acme.challenges.v[i - 1],
			    challenge_kind_name(k)) == 0 && k != first;
			if (has && memchr(kinds, k, n) == NULL)
				kinds[n++] = (uint8_t)k;
		}
	if (conf->acme.dns_hook != NULL &&
	    memchr(kinds, CHALLENGE_DNS, n) == NULL)
		kinds[n++] = CHALLENGE_DNS;
	return n;
}

static void
setup_job(const struct acme_run *r, struct wr *w)
{
	const struct conf_strs	*names = &r->cert->names;
	struct acme_job		 j = { .kind = r->kind };

	j.nchallenge = (uint8_t)acme_kinds(acme_conf(r->acme),
	    r->cert->led.challenge, j.challenge);
	snprintf(j.directory, sizeof(j.directory), "%s", run_directory(r));
	for (; j.nnames < names->n && j.nnames < ACME_NAMES_MAX; j.nnames++)
		j.name[j.nnames] = names->v[j.nnames];
	acme_job_write(w, &j);
}

bool
acme_run_setup(const struct proc *p, struct wr *w, struct ipc_msg *m)
{
	const struct acme_run	*r = p->run;

	switch (r->step) {
	case RUN_REQUEST:
		m->type = IPC_MAKE_CSR;
		carry(m, r->new.key);
		carry(m, r->csr);
		setup_names(r, w);
		break;
	case RUN_TALK:
		m->type = IPC_ACME_JOB;
		carry(m, r->account);
		carry(m, r->csr);
		carry(m, r->old);
		carry(m, r->eab);
		setup_job(r, w);
		break;
	case RUN_CHECK:
		m->type = IPC_CHECK_PAIR;
		carry(m, r->new.chain);
		carry(m, r->new.key);
		setup_names(r, w);
		break;
	}
	return true;
}

void
acme_run_go(struct acme_run *r, bool ok)
{
	uint8_t		go = ok;
	struct ipc_msg	m = { .type = IPC_ACME_GO, .data = &go,
			    .len = sizeof(go) };

	if (r->offered.kind == CHALLENGE_DNS)
		acme_hook_clear(r->acme, &r->offered);
	r->offered.kind = CHALLENGE_NONE;
	if (r->proc.chan.fd != -1)
		(void)ipc_send(r->proc.chan.fd, &m);
}

/* Only for names that it was told to get a certificate for. */
static bool
is_name_of(const struct acme_cert *c, const struct challenge *ch)
{
	const char	*name;
	size_t		 i;

	for (i = 0; i < c->names.n; i++) {
		name = c->names.v[i];
		if (ch->kind == CHALLENGE_DNS && name[0] == '*')
			name += 2;
		if (strcmp(name, ch->name) == 0)
			return true;
	}
	return false;
}

int
acme_on_offer(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;
	struct acme_run	*r = p->run;
	struct rd	 rd;

	rd_init(&rd, m->data, m->len);
	if (r->kind != ACME_ORDER || r->offered.kind != CHALLENGE_NONE ||
	    !acme_offer_read(&rd, &r->offered) ||
	    !is_name_of(r->cert, &r->offered))
		return -1;
	log_debug("certificate %s: %s for %s", r->cert->name,
	    challenge_kind_name(r->offered.kind), r->offered.name);
	if (r->offered.kind != CHALLENGE_DNS)
		acme_run_go(r, r->acme->page != NULL &&
		    challenges_add(r->acme->page, &r->offered));
	else if (!acme_hook_set(r))
		acme_run_go(r, false);
	return 0;
}

int
acme_on_chain(void *arg, struct ipc_msg *m)
{
	struct proc	*p = arg;
	struct acme_run	*r = p->run;
	struct rd	 rd;
	const uint8_t	*piece;
	size_t		 len = 0;

	rd_init(&rd, m->data, m->len);
	piece = rd_blob(&rd, &len);
	if (r->kind != ACME_ORDER || !rd_done(&rd) || len == 0 ||
	    len > ACME_CHAIN_MAX - r->got)
		return -1;
	if (pwrite(r->new.chain, piece, len, (off_t)r->got) != (ssize_t)len)
		run_fail(r, "the new chain cannot be written: %s",
		    strerror(errno));
	r->got += len;
	return 0;
}

int
acme_on_done(void *arg, struct ipc_msg *m)
{
	struct proc		*p = arg;
	struct acme_run		*r = p->run;
	struct acme_done	 done;
	struct rd		 rd;

	rd_init(&rd, m->data, m->len);
	if (r->reported || !acme_done_read(&rd, &done))
		return -1;
	r->reported = true;
	if (r->done.outcome == ACME_OK)
		r->done = done;
	return 0;
}

int
acme_on_checked(struct proc *p, const char *wrong, const struct cert_info *i)
{
	struct acme_run	*r = p->run;

	if (r->reported)
		return -1;
	r->reported = true;
	r->info = *i;
	if (*wrong != '\0')
		run_fail(r, "%s%s", r->step == RUN_CHECK ? "what the CA gave: "
		    : "", wrong);
	return 0;
}

void
acme_on_failed(struct proc *p, const char *why)
{
	run_fail(p->run, "%s", why);
}

/* On the next turn of the loop, not under the feet of whoever reaped it. */
void
acme_run_gone(struct proc *p)
{
	struct acme_run	*r = p->run;

	if (!r->reported)
		run_fail(r, "%s ended early", role_name(p->role));
	ev_timer_set(r->acme->master->ev, &r->next, ev_clock());
}

static void
install(struct acme_run *r)
{
	struct acme		*a = r->acme;
	struct acme_cert	*c = r->cert;
	const struct conf	*conf = acme_conf(a);
	int64_t			 now = time(NULL);

	if (!store_commit(&r->new, c->name, &c->names, now)) {
		run_fail(r, "%s/certs: %s", conf->state, strerror(errno));
		return;
	}
	c->there = true;
	ledger_success(&c->led, &r->done, &r->info, now, run_random());
	log_info("certificate %s: installed, from %s", c->name,
	    r->info.issuer);
	if (c->held)
		c->install = ++a->installs;
	else
		control_renewed(a->master->control, c, NULL);
	acme_save(a, c);
	acme_hook_renewed(a);
}

static void
run_failed(struct acme_run *r)
{
	const struct conf	*conf = acme_conf(r->acme);
	struct acme_cert	*c = r->cert;
	struct ledger_ways	 w = { .fallback = conf->acme.fallback != NULL,
		.staging = conf->acme.staging != NULL };
	int64_t			 now = time(NULL), due;

	w.nkinds = acme_kinds(conf, CHALLENGE_NONE, w.kind);
	ledger_failure(&c->led, &r->done, &w, now, run_random());
	due = ledger_due(&c->led, c->there, conf->acme.renew_at);
	log_warnx("certificate %s: %s (failure %u; next attempt in %lld s)",
	    c->name, r->done.text, c->led.failures, (long long)(due - now));
	/* Else another kind of challenge is tried at once. */
	if (due > now)
		control_renewed(r->acme->master->control, c, r->done.text);
}

/* It is over: writes down how it went. */
static void
run_over(struct acme_run *r)
{
	struct acme		*a = r->acme;
	struct acme_cert	*c = r->cert;
	bool			 ok = r->done.outcome == ACME_OK;

	if (r->kind == ACME_ASK)
		ledger_asked(&c->led, &r->done, time(NULL), run_random());
	else if (r->kind == ACME_REVOKE) {
		if (ok)
			log_info("certificate %s: revoked", c->name);
		else
			log_warnx("certificate %s: not revoked: %s", c->name,
			    r->done.text);
		/* One that is worth nothing is to be replaced; and somebody may
		 * have asked for another meanwhile. */
		c->led.wanted |= ok;
		c->led.issued = ok ? 0 : c->led.issued;
	} else if (!ok)
		run_failed(r);
	acme_save(a, c);
	run_free(r);
	acme_hook_flush(a);
	acme_poke(a->master);
}

static void
run_next(struct ev_timer *t)
{
	struct acme_run	*r = container_of(t, struct acme_run, next);

	/* A new account key is of use only if it outlives a crash. */
	if (r->step == RUN_TALK && r->account != -1)
		fsync(r->account);
	if (r->done.outcome == ACME_OK && r->kind == ACME_ORDER &&
	    r->step != RUN_CHECK) {
		r->step++;
		run_start_proc(r, r->step == RUN_TALK ? ROLE_ACME : ROLE_KEYS);
		return;
	}
	if (r->done.outcome == ACME_OK && r->kind == ACME_ORDER) {
		if (run_rehearses(r)) {
			log_info("certificate %s: the staging directory gives "
			    "one: on to the other", r->cert->name);
			ledger_rehearsed(&r->cert->led, &r->done);
		} else
			install(r);
	}
	run_over(r);
}
