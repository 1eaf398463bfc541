#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <check.h>

#include "common/l4.h"
#include "tests/unit/keys_world.h"

/*
 * What a handshake costs with the key in another process, against the same
 * handshake with the key in this one: client and server in memory, one core's
 * time of all who take part.  Run by bench/keys-cost; see docs/keys.md.
 */
#define HANDSHAKES	96	/* in a round */
#define ROUNDS		15	/* of each, by turns; the cheapest counts */
#define AT_ONCE		16

struct cost {
	uint64_t	wall, cpu;	/* ns */
};

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec	ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Of the keys process, if there is one. */
static uint64_t
cpu_of(pid_t pid)
{
	unsigned long long	ns = 0;
	char			path[64];
	FILE			*f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	if (pid == 0 || (f = fopen(path, "r")) == NULL)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static void
cost_begin(struct cost *c, const struct world *w)
{
	c->wall = clock_ns(CLOCK_MONOTONIC);
	c->cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + cpu_of(w->pid[0]);
}

static void
cost_end(struct cost *c, const struct world *w)
{
	c->wall = clock_ns(CLOCK_MONOTONIC) - c->wall;
	c->cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + cpu_of(w->pid[0]) -
	    c->cpu;
}

static void
handshake_here(SSL_CTX *server, SSL_CTX *client)
{
	SSL	*s = SSL_new(server), *c = SSL_new(client);
	BIO	*a, *b;
	int	 i, done = 0;

	ck_assert_int_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	for (i = 0; i < 10 && done != 2; i++)
		done = (SSL_do_handshake(c) == 1) + (SSL_do_handshake(s) == 1);
	ck_assert_int_eq(done, 2);
	SSL_free(s);
	SSL_free(c);
}

/* With a context like w->server, but with the key in it. */
static void
round_here(struct world *w, SSL_CTX *server, struct cost *c)
{
	int	i;

	cost_begin(c, w);
	for (i = 0; i < HANDSHAKES; i++)
		handshake_here(server, w->client);
	cost_end(c, w);
}

static void
round_keys(struct world *w, int at_once, struct cost *c)
{
	static struct conn	conn[AT_ONCE];
	int			i;

	cost_begin(c, w);
	for (i = 0; i < HANDSHAKES; i += at_once) {
		conns_open(w, conn, at_once);
		world_run(w);
		conns_close(conn, at_once, GOOD);
	}
	cost_end(c, w);
}

/* The machine has other things to do: what is least was disturbed least. */
static void
keep_least(struct cost *least, const struct cost *c)
{
	if (least->wall == 0 || c->wall < least->wall)
		least->wall = c->wall;
	if (least->cpu == 0 || c->cpu < least->cpu)
		least->cpu = c->cpu;
}

static SSL_CTX *
context_here(struct world *w)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_server_method());

	ck_assert_int_eq(SSL_CTX_use_certificate(ctx, w->cert), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, w->real), 1);
	return ctx;
}

static void
print_row(const char *key, const char *how, const struct cost *c)
{
	printf("| %-9s | %-22s | %7.1f | %7.1f |\n", key, how,
	    (double)c->wall / HANDSHAKES / 1000,
	    (double)c->cpu / HANDSHAKES / 1000);
}

START_TEST(measure)
{
	static const char *const	names[PAIR__MAX] = {
		[PAIR_P256] = "P-256", [PAIR_P384] = "P-384",
		[PAIR_RSA] = "RSA 2048", [PAIR_ED25519] = "Ed25519",
	};
	struct world	w;
	struct cost	c, here = { 0, 0 }, one = { 0, 0 }, many = { 0, 0 };
	SSL_CTX		*server;
	int		i;

	world_open(&w, _i, TLS1_3_VERSION);
	world_start_keys(&w, 0);
	server = context_here(&w);
	for (i = 0; i < ROUNDS; i++) {
		round_here(&w, server, &c);
		keep_least(&here, &c);
		round_keys(&w, 1, &c);
		keep_least(&one, &c);
		round_keys(&w, AT_ONCE, &c);
		keep_least(&many, &c);
	}
	print_row(names[_i], "in this process", &here);
	print_row(names[_i], "keys, one at a time", &one);
	print_row(names[_i], "keys, 16 at a time", &many);
	SSL_CTX_free(server);
	world_close(&w);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cost");
	TCase	*tc = tcase_create("cost");
	SRunner	*sr;
	int	 failed;

	printf("| key       | where it is            | wall us |  CPU us |\n"
	    "|---|---|---|---|\n");
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, measure, 0, PAIR__MAX);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
