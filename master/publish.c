#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "control.h"
#include "gather.h"
#include "generation.h"
#include "publish.h"

#define DOCUMENT_MAX	(32u << 20)
#define NOT_YET		(200 * NSEC_PER_MSEC)	/* no generation is up */

/* Between two documents of a kind. */
static const uint64_t periods[REPORT__MAX] = {
	[REPORT_COUNTERS] = 250 * NSEC_PER_MSEC,
	[REPORT_SESSIONS] = 1000 * NSEC_PER_MSEC,
};

struct issue {			/* of one kind of document */
	struct publish	*publish;
	struct ev_timer	 timer;
	struct json	 json;
	bool		 wanted;
	uint64_t	 sent;		/* ns */
};

struct publish {
	struct proc	*proc;
	struct issue	 issue[REPORT__MAX];
	struct gather	 gather;	/* of the sessions */
};

/* A file that nobody can change any more; -1 with errno set. */
static int
sealed_file(const char *text, size_t len)
{
	int	fd, saved;

	fd = memfd_create("l4mux-report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	if (write(fd, text, len) == (ssize_t)len && fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* What cannot be sent is not: it asks again when it has waited for long. */
static void
publish_send(struct issue *is)
{
	uint8_t		kind = (uint8_t)(is - is->publish->issue);
	struct ipc_msg	m = { .type = IPC_REPORT, .data = &kind, .len = 1,
		.nfds = 1 };
	const char	*text;
	size_t		len;

	is->wanted = false;
	is->sent = ev_clock();
	text = json_done(&is->json, &len);
	if (text == NULL)
		log_warnx("metrics: the document is too large");
	else if ((m.fd[0] = sealed_file(text, len)) == -1)
		log_warn("metrics: a file in memory");
	else {
		(void)ipc_send(is->publish->proc->chan.fd, &m);
		close(m.fd[0]);
	}
	json_free(&is->json);
}

static void
publish_counters(struct issue *is)
{
	static const struct {
		const char	*name;
		bool		(*report)(struct request *);
	} members[] = {
		{ "status", report_status },
		{ "routes", report_routes },
		{ "upstreams", report_upstreams },
		{ "certificates", report_certificates },
		{ "metrics", report_metrics },
	};
	struct json	*j = &is->json;
	struct request	 r = { .master = is->publish->proc->gen->master,
		.json = j };
	size_t		 i;

	json_init(j, DOCUMENT_MAX);
	json_object(j, NULL);
	for (i = 0; i < nitems(members); i++) {
		json_object(j, members[i].name);
		(void)members[i].report(&r);	/* none of these says no */
		json_end(j);
	}
	json_end(j);
	publish_send(is);
}

static void
publish_gathered(struct gather *g, const char *error)
{
	struct publish	*pb = container_of(g, struct publish, gather);

	(void)error;			/* a list always comes */
	json_end(g->json);
	g->master = NULL;
	publish_send(&pb->issue[REPORT_SESSIONS]);
}

static void
publish_sessions(struct issue *is)
{
	struct gather	*g = &is->publish->gather;

	json_init(&is->json, DOCUMENT_MAX);
	json_object(&is->json, NULL);
	memset(g, 0, sizeof(*g));
	g->master = is->publish->proc->gen->master;
	g->kind = GATHER_SESSIONS;
	g->any = true;
	g->most = REPORT_ROWS;
	g->json = &is->json;
	g->done = publish_gathered;
	gather_start(g);
}

static void
publish_due(struct ev_timer *t)
{
	struct issue	*is = container_of(t, struct issue, timer);
	struct master	*m = is->publish->proc->gen->master;

	if (m->gen == NULL)
		ev_timer_set(m->ev, t, ev_clock() + NOT_YET);
	else if (is == &is->publish->issue[REPORT_COUNTERS])
		publish_counters(is);
	else
		publish_sessions(is);
}

static struct publish *
publish_new(struct proc *p)
{
	struct publish	*pb;
	size_t		 i;

	if ((pb = calloc(1, sizeof(*pb))) == NULL)
		fatal("calloc");
	pb->proc = p;
	for (i = 0; i < REPORT__MAX; i++) {
		pb->issue[i].publish = pb;
		pb->issue[i].timer.cb = publish_due;
	}
	return pb;
}

int
publish_on_ask(void *arg, struct ipc_msg *msg)
{
	struct proc	*p = arg;
	struct issue	*is;
	uint64_t	 now = ev_clock(), due;

	if (msg->data[0] >= REPORT__MAX)
		return -1;
	if (p->publish == NULL)
		p->publish = publish_new(p);
	is = &p->publish->issue[msg->data[0]];
	if (is->wanted)
		return 0;
	is->wanted = true;
	due = is->sent + periods[msg->data[0]];
	ev_timer_set(p->gen->master->ev, &is->timer, due > now ? due : now);
	return 0;
}

void
publish_free(struct proc *p)
{
	struct publish	*pb = p->publish;
	size_t		 i;

	if (pb == NULL)
		return;
	gather_cancel(&pb->gather);
	for (i = 0; i < REPORT__MAX; i++) {
		ev_timer_cancel(p->gen->master->ev, &pb->issue[i].timer);
		json_free(&pb->issue[i].json);
	}
	free(pb);
	p->publish = NULL;
}

bool
publish_open(struct generation *g)
{
	int	fd;

	if (g->conf->metrics == NULL || g->master->history != -1)
		return true;
	fd = memfd_create("l4mux-history", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1 || ftruncate(fd, HISTORY_BYTES) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_SEAL) == -1) {
		gen_fail(g, "history: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		return false;
	}
	g->master->history = fd;
	return true;
}
