#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "common/l4.h"
#include "acme.h"

/*
 * acme: what one certificate needs of its CA.  The host is looked up, and the
 * list of those who may vouch for it read, before the sandbox closes: a
 * process for each piece of work needs neither later.
 */
static void
never(void *arg)
{
	(void)arg;
	exit(0);
}

/* The library's first random number, error text and so on open files. */
static void
warm_up(void)
{
	uint8_t	b;

	json_object_seed(0);
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1 ||
	    RAND_bytes(&b, 1) != 1)
		fatalx("the cryptographic library does not start");
}

static void
acme_confine(struct acme *a)
{
	struct sb_landlock	 port = { .kind = SB_LL_CONNECT_PORT,
		.port = http_port(a->http) };
	struct child_jail	 jail = { .policy = &acme_policy,
		.landlock = &port, .nlandlock = 1, .user = USER_ACME,
		.cwd = -1, .needs_network = true };

	child_confine(&a->child, &jail);
}

static bool
work(struct acme *a)
{
	if (!ca_open(a))
		return false;
	if (a->job.kind == ACME_ASK)
		return renewal_ask(a);
	if (!account_key(a) || !account_open(a))
		return false;
	return a->job.kind == ACME_ORDER ? order_run(a) : renewal_revoke(a);
}

int
main(int argc, char **argv)
{
	struct acme	*a;
	const char	*why;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		fatal("calloc");
	a->child.role = ROLE_ACME;
	a->child.arg = a;
	a->child.rules = acme_rules;
	a->child.nrules = acme_nrules;
	a->child.drain = never;
	warm_up();
	child_open(&a->child, argc, argv);
	if (!a->has_job)
		fatalx("master sent no work");
	a->http = http_new(a->job.directory, a->child.conf->acme.ca_file,
	    &why);
	if (a->http == NULL)
		child_fail(&a->child, "%s: %s", a->job.directory, why);
	acme_confine(a);
	child_ready(&a->child);
	http_on_channel(a->http, FD_CHANNEL, acme_heed, a);
	work(a);
	acme_report(a);
}
