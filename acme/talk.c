#include <sys/stat.h>

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "acme.h"

bool
acme_fail(struct acme *a, const char *fmt, ...)
{
	va_list	ap;

	if (a->done.text[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(a->done.text, sizeof(a->done.text), fmt, ap);
		va_end(ap);
	}
	if (a->done.outcome == ACME_OK)
		a->done.outcome = ACME_FAILED;
	return false;
}

static int
on_job(void *arg, struct ipc_msg *m)
{
	struct acme	*a = arg;
	struct rd	 r;

	rd_init(&r, m->data, m->len);
	if (a->has_job || !acme_job_read(&r, &a->job)) {
		ipc_close_fds(m);
		return -1;
	}
	a->has_job = true;
	a->account_fd = m->fd[0];
	a->csr_fd = m->fd[1];
	a->chain_fd = m->fd[2];
	a->eab_fd = m->fd[3];
	return 0;
}

static int
on_go(void *arg, struct ipc_msg *m)
{
	struct acme	*a = arg;

	a->went = true;
	a->go = m->data[0] != 0;
	return 0;
}

/* What it has done so far is lost; master knows, and begins again. */
static int
on_drain(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	exit(0);
}

static int
on_log_level(void *arg, struct ipc_msg *m)
{
	(void)arg;
	if (m->data[0] > LOG_LVL_DEBUG)
		return -1;
	log_set_level(m->data[0]);
	return 0;
}

const struct ipc_rule acme_rules[] = {
	/* type, phases, kind and number of fds, size, handler */
	{ IPC_ACME_JOB, CHILD_SETUP, IPC_FD_FILE, 4, 4, 6, IPC_DATA_MAX,
	    on_job },
};
const size_t acme_nrules = nitems(acme_rules);

/* Once it works, the loop does not turn: these are all that master sends. */
static const struct ipc_rule running[] = {
	{ IPC_ACME_GO,	 CHILD_RUN, IPC_FD_NONE, 0, 0, 1, 1, on_go },
	{ IPC_DRAIN,	 CHILD_RUN, IPC_FD_NONE, 0, 0, 0, 0, on_drain },
	{ IPC_LOG_LEVEL, CHILD_RUN, IPC_FD_NONE, 0, 0, 1, 1, on_log_level },
};

void
acme_heed(void *arg)
{
	struct acme	*a = arg;
	struct child	*c = &a->child;
	struct ipc_msg	 m;
	enum ipc_result	 res;

	while ((res = ipc_recv(FD_CHANNEL, c->buf, CHILD_BUFSIZE, &m)) ==
	    IPC_OK)
		if (ipc_dispatch(running, nitems(running), CHILD_RUN, &m,
		    a) == -1)
			fatalx("message %u from master is wrong", m.type);
	if (res != IPC_AGAIN)
		exit(0);		/* master is gone */
}

/* A message is lost if the channel is full: wait until it takes one. */
static void
send_message(uint16_t type, const void *data, size_t len)
{
	struct pollfd	pfd = { .fd = FD_CHANNEL, .events = POLLOUT };
	struct ipc_msg	m = { .type = type, .data = data, .len = len };
	enum ipc_result	res;

	while ((res = ipc_send(FD_CHANNEL, &m)) == IPC_AGAIN)
		if (poll(&pfd, 1, -1) == -1)
			fatal("poll");
	if (res != IPC_OK)
		fatalx("the channel to master does not take a message");
}

bool
acme_offer(struct acme *a, const struct challenge *c)
{
	uint8_t		buf[1024];
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	acme_offer_write(&w, c);
	a->went = false;
	send_message(IPC_ACME_OFFER, w.buf, w.len);
	while (!a->went)
		http_wait(a->http, 1000);
	return a->go;
}

void
acme_send_chain(struct acme *a, const char *pem, size_t len)
{
	uint8_t		buf[ACME_PIECE_MAX + 2];
	struct wr	w;
	size_t		n;

	(void)a;
	for (; len > 0; pem += n, len -= n) {
		n = len < ACME_PIECE_MAX ? len : ACME_PIECE_MAX;
		wr_init(&w, buf, sizeof(buf));
		wr_blob(&w, pem, n);
		send_message(IPC_ACME_CHAIN, w.buf, w.len);
	}
}

void
acme_report(struct acme *a)
{
	uint8_t		buf[ACME_DONE_MAX];
	struct wr	w;

	if (a->done.outcome == ACME_OK)
		a->done.text[0] = '\0';
	wr_init(&w, buf, sizeof(buf));
	acme_done_write(&w, &a->done);
	send_message(IPC_ACME_DONE, w.buf, w.len);
	exit(0);
}

char *
acme_read(int fd, size_t max, size_t *len)
{
	struct stat	 st;
	char		*buf;

	if (fstat(fd, &st) == -1 || st.st_size < 0 ||
	    (size_t)st.st_size > max ||
	    (buf = malloc((size_t)st.st_size + 1)) == NULL)
		return NULL;
	if (pread(fd, buf, (size_t)st.st_size, 0) != st.st_size) {
		free(buf);
		return NULL;
	}
	*len = (size_t)st.st_size;
	buf[*len] = '\0';
	return buf;
}
