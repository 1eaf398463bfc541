#include <sys/mman.h>
#include <sys/stat.h>

#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "metrics.h"

#define FRESH		(1 * NSEC_PER_SEC)	/* new enough for anybody */
#define ASK_AGAIN	(3 * NSEC_PER_SEC)	/* no answer will come */

/* What each kind of content is made of. */
static const uint8_t needs[CONTENT__MAX] = {
	[CONTENT_PAGE] = 1u << REPORT_COUNTERS | 1u << REPORT_SESSIONS,
	[CONTENT_OPENMETRICS] = 1u << REPORT_COUNTERS,
	[CONTENT_PLAIN] = 1u << REPORT_COUNTERS,
};

int
report_on_history(void *arg, struct ipc_msg *msg)
{
	struct metrics	*m = arg;

	if (m->history != NULL)
		return -1;
	if ((m->history = history_map(msg->fd[0])) == NULL)
		child_fail(&m->child, "history: cannot be mapped");
	close(msg->fd[0]);
	return 0;
}

static void
report_ask(struct metrics *m, enum ipc_report what)
{
	struct report	*r = &m->report[what];
	uint8_t		 kind = (uint8_t)what;
	struct ipc_msg	 msg = { .type = IPC_ASK, .data = &kind, .len = 1 };
	uint64_t	 now = ev_now(m->child.ev);

	if (r->asked != 0 && now - r->asked < ASK_AGAIN)
		return;
	/* Master may be gone: then nothing comes, and clients are told. */
	(void)ipc_send(FD_CHANNEL, &msg);
	r->asked = now;
}

bool
report_ready(struct metrics *m, enum content content, uint64_t since)
{
	struct report	*r;
	bool		 ready = true;
	unsigned int	 i;

	for (i = 0; i < REPORT__MAX; i++) {
		r = &m->report[i];
		if ((needs[content] & 1u << i) == 0 ||
		    (r->doc != NULL && r->came + FRESH >= since))
			continue;
		report_ask(m, (enum ipc_report)i);
		ready = false;
	}
	return ready;
}

/* Of the process whose configuration is in force, and nobody else's. */
static void
report_sample(struct metrics *m)
{
	const json_t	*now = json_object_get(m->report[REPORT_COUNTERS].doc,
			    "status");
	struct sample	 s = { .at = m->report[REPORT_COUNTERS].came };

	if (m->child.draining || !history_due(m->history, s.at) ||
	    member_int(now, "generation") != m->child.generation)
		return;
	/* Without one before there is nothing to tell a rate from. */
	if (m->sampled != NULL) {
		sample_make(now, m->sampled, (double)(s.at - m->sampled_at) /
		    (double)NSEC_PER_SEC, &s);
		history_add(m->history, &s);
	}
	json_decref(m->sampled);
	m->sampled = json_incref((json_t *)(uintptr_t)now);
	m->sampled_at = s.at;
}

/* Master writes it and seals it: it is as long as it says. */
static json_t *
report_load(int fd)
{
	struct stat	 st;
	json_t		*doc = NULL;
	void		*p;

	if (fstat(fd, &st) == -1 || st.st_size <= 0)
		return NULL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	doc = json_loadb(p, (size_t)st.st_size, JSON_ALLOW_NUL, NULL);
	munmap(p, (size_t)st.st_size);
	return doc;
}

int
report_on_document(void *arg, struct ipc_msg *msg)
{
	struct metrics	*m = arg;
	struct report	*r;
	json_t		*doc;

	if (msg->data[0] >= REPORT__MAX) {
		ipc_close_fds(msg);
		return -1;
	}
	r = &m->report[msg->data[0]];
	doc = report_load(msg->fd[0]);
	ipc_close_fds(msg);
	if (doc == NULL) {
		log_warnx("a document of master's cannot be read");
		return 0;
	}
	json_decref(r->doc);
	r->doc = doc;
	r->came = ev_clock();
	r->asked = 0;
	answer_forget(m);
	if (msg->data[0] == REPORT_COUNTERS)
		report_sample(m);
	clients_go_on(m);
	return 0;
}

static void
report_turn(struct ev_timer *t)
{
	struct metrics	*m = container_of(t, struct metrics, sampler);

	report_ask(m, REPORT_COUNTERS);
	ev_timer_set(m->child.ev, t, ev_now(m->child.ev) +
	    HISTORY_PERIOD * NSEC_PER_SEC);
}

void
report_start(struct metrics *m)
{
	m->sampler.cb = report_turn;
	report_turn(&m->sampler);
}
