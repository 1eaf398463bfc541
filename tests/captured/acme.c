#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "captured.h"
#include "common/acme_wire.h"
#include "common/l4.h"
#include "common/wire.h"

/*
 * An acme that was taken over by its CA: the path of its directory's URL says
 * in which way.  Each is one that ends it.
 */
#define GOOD	"token.0123456789abcdefghijklmnopqrstuvwxyzABCDE-_"

static struct acme_job	job;

static int
on_job(void *arg, struct ipc_msg *m)
{
	struct rd	r;

	(void)arg;
	rd_init(&r, m->data, m->len);
	return acme_job_read(&r, &job) ? 0 : -1;
}

static const struct ipc_rule rules[] = {
	{ IPC_ACME_JOB, CHILD_SETUP, IPC_FD_FILE, 4, 4, 6, IPC_DATA_MAX,
	    on_job },
};

static void
stop(void *arg)
{
	(void)arg;
}

static void
offer(unsigned int kind, const char *name, const char *proof, size_t more,
    size_t nfds)
{
	uint8_t			buf[1024] = { 0 };
	struct challenge	c = { .kind = kind, .token = "token" };
	int			fd[1] = { FD_LOG };
	struct wr		w;

	memcpy(c.name, name, strlen(name) + 1);
	memcpy(c.proof, proof, strlen(proof) + 1);
	wr_init(&w, buf, sizeof(buf));
	acme_offer_write(&w, &c);
	shoot_typed(FD_CHANNEL, IPC_ACME_OFFER, buf, w.len + more, fd, nfds);
}

static void
done(unsigned int outcome, unsigned int challenge, uint64_t from, uint64_t to)
{
	struct acme_done	d = { .outcome = outcome,
		.challenge = challenge, .from = from, .to = to };
	uint8_t			buf[ACME_DONE_MAX];
	struct wr		w;

	wr_init(&w, buf, sizeof(buf));
	acme_done_write(&w, &d);
	shoot_typed(FD_CHANNEL, IPC_ACME_DONE, buf, w.len, NULL, 0);
}

/* Pieces of a chain, n of them; `less` than they say. */
static void
chain(int n, size_t len, size_t less)
{
	static uint8_t	buf[ACME_PIECE_MAX + 2], bytes[ACME_PIECE_MAX];
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	wr_blob(&w, bytes, len);
	while (n-- > 0)
		shoot_typed(FD_CHANNEL, IPC_ACME_CHAIN, buf, w.len - less,
		    NULL, 0);
}

static void
shoot_own(unsigned int i)
{
	switch (i) {
	case 0:
		offer(CHALLENGE_HTTP, "other.example", GOOD, 0, 0);
		break;
	case 1:
		offer(CHALLENGE_NONE, "s.example", GOOD, 0, 0);
		break;
	case 2:
		offer(CHALLENGE__MAX, "s.example", GOOD, 0, 0);
		break;
	case 3:
		offer(CHALLENGE_HTTP, "s.example", GOOD, 1, 0);
		break;
	case 4:
		offer(CHALLENGE_HTTP, "s.example", GOOD, 0, 1);
		break;
	case 5:
		chain(1, 0, 0);
		break;
	case 6:
		chain(1, 8, 1);
		break;
	case 7:			/* one more than there is room for */
		chain(ACME_CHAIN_MAX / ACME_PIECE_MAX + 1, ACME_PIECE_MAX, 0);
		break;
	case 8:
		done(ACME_OUTCOME__MAX, CHALLENGE_HTTP, 0, 0);
		break;
	case 9:
		done(ACME_OK, CHALLENGE__MAX, 0, 0);
		break;
	case 10:
		done(ACME_OK, CHALLENGE_HTTP, 2, 1);
		break;
	case 11:
		done(ACME_FAILED, CHALLENGE_HTTP, 0, 0);
		done(ACME_OK, CHALLENGE_HTTP, 0, 0);
		break;
	case 12:		/* for who writes zone files with a shell */
		offer(CHALLENGE_DNS, "s.example", "$(id)", 0, 0);
		break;
	case 13:
		offer(CHALLENGE_HTTP, "s.example", "<script>", 0, 0);
		break;
	case 14:
		done(ACME_OK, CHALLENGE_HTTP, 1, UINT64_MAX);
		break;
	default:
		if (!shoot_master(i - 15))
			exit(0);
	}
}

int
main(int argc, char **argv)
{
	static struct child	c;
	const char		*path;

	c.role = ROLE_ACME;
	c.arg = &c;
	c.rules = rules;
	c.nrules = nitems(rules);
	c.drain = stop;
	child_open(&c, argc, argv);
	child_ready(&c);
	path = strrchr(job.directory, '/');
	shoot_own((unsigned int)atoi(path == NULL ? "0" : path + 1));
	/* Whoever is not ended by it fails the test. */
	for (;;)
		pause();
}
