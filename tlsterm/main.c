#include <sys/resource.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/l4.h"
#include "common/log.h"
#include "docroot.h"
#include "tlsterm.h"

#define FDS_MAX	1000000		/* where the limit is "unlimited" */

/*
 * tlsterm: ends TLS and serves the sites.  Sockets come through the inbox with
 * every byte unread; private keys are in another process.
 */
static void
each_turn(void *arg)
{
	struct tlsterm	*t = arg;

	if (t->keychan != NULL)
		keychan_flush(t->keychan);
}

static void
run_ready(struct ev_timer *timer)
{
	client_run_ready(container_of(timer, struct tlsterm, ready_timer));
}

/* The library's first random number, error text and so on open files or
 * allocate: before the sandbox, not in a handshake. */
static void
warm_up(void)
{
	uint8_t	b;

	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1 ||
	    RAND_bytes(&b, 1) != 1)
		fatalx("OpenSSL: %s", tls_error());
}

/* Landlock rules: the docroots. */
static struct sb_landlock *
docroots(const struct tlsterm *t, size_t *n)
{
	struct sb_landlock	*ll;
	size_t			 i;

	*n = 0;
	if ((ll = calloc(t->sites.n + 1, sizeof(*ll))) == NULL)
		fatal("calloc");
	for (i = 0; i < t->sites.n; i++)
		if (t->sites.v[i].root != -1) {
			ll[*n].kind = SB_LL_READ_DIR;
			ll[(*n)++].fd = t->sites.v[i].root;
		}
	return ll;
}

/* Descriptors are given out from the lowest: the next is as good as a count. */
static size_t
count_fds(void)
{
	int	fd = dup(FD_LOG);

	if (fd == -1)
		fatal("dup");
	close(fd);
	return (size_t)fd;
}

static void
confine(struct tlsterm *t)
{
	struct child_jail	 jail = { .policy = &tlsterm_policy,
		.user = USER_TLSTERM, .cwd = -1 };
	struct sb_landlock	*ll;
	struct rlimit		 rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	t->own_fds = count_fds();
	jail.nofile = rl.rlim_max;
	jail.landlock = ll = docroots(t, &jail.nlandlock);
	child_confine(&t->child, &jail);
	free(ll);
	t->max_fds = rl.rlim_max < FDS_MAX ? (size_t)rl.rlim_max : FDS_MAX;
}

/* Better not to start than to serve "not found" for everything. */
static void
check_docroots(struct tlsterm *t)
{
	size_t	i;

	for (i = 0; i < t->sites.n; i++)
		if (t->sites.v[i].root != -1 &&
		    docroot_check(t->sites.v[i].root) == -1)
			child_fail(&t->child, "site %s: openat2(2): %s "
			    "(RestrictSUIDSGID of a systemd unit refuses it)",
			    t->sites.v[i].conf->name, strerror(errno));
}

int
main(int argc, char **argv)
{
	struct tlsterm	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("calloc");
	t->child.role = ROLE_TLSTERM;
	t->child.arg = t;
	t->child.rules = tlsterm_rules;
	t->child.nrules = tlsterm_nrules;
	t->child.drain = tlsterm_drain;
	t->child.sessions = &tlsterm_sessions;
	t->inbox.fd = t->keys_fd = -1;
	t->ready_timer.cb = run_ready;
	TAILQ_INIT(&t->clients);
	TAILQ_INIT(&t->ready);
	warm_up();
	tickets_init(&t->tickets);
	child_open(&t->child, argc, argv);
	t->bufs = iobufs_new(t->child.ev);
	setup_finish(t);
	t->h1 = h1_server_new(&t->sites, &t->child.stats);
	t->h1->ups = &t->ups;
	t->h2 = h2_server_new(t->h1);
	t->compressor = compressor_new(&t->sites, t->child.ev);
	ev_each_turn(t->child.ev, each_turn, t);
	confine(t);
	check_docroots(t);
	inbox_start(t);
	child_ready(&t->child);
	ev_run(t->child.ev);
	return 0;
}
