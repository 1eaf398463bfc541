#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "gather.h"
#include "generation.h"
#include "publish.h"

#define PAUSE_MIN	(50 * NSEC_PER_MSEC)
#define PAUSE_MAX	(10 * NSEC_PER_SEC)
#define DEAF_TIME	(5 * NSEC_PER_SEC)
#define START_TIME	(60 * NSEC_PER_SEC)	/* names may have to be looked up:
						   resolv.conf(5) */
#define MESSAGES	32	/* of a child in one turn: one that never stops
				   keeps nobody else waiting */
#define LONG_LIFE	(10 * NSEC_PER_SEC)	/* a death after it is no
						   sign of a crash loop */

/* Legal moves; proc_enter() is the only writer of the state. */
#define TO(s)	(1u << (s))
static const uint8_t proc_next[PROC__MAX] = {
	[PROC_NEW] = TO(PROC_STARTING) | TO(PROC_GONE),
	[PROC_STARTING] = TO(PROC_RUNNING) | TO(PROC_DRAINING) |
	    TO(PROC_WAITING) | TO(PROC_GONE),
	[PROC_RUNNING] = TO(PROC_DRAINING) | TO(PROC_WAITING) |
	    TO(PROC_GONE),
	[PROC_DRAINING] = TO(PROC_GONE),
	[PROC_WAITING] = TO(PROC_STARTING) | TO(PROC_GONE),
	[PROC_GONE] = 0,
};

const char *
proc_state_name(enum proc_state s)
{
	static const char *const names[PROC__MAX] = {
		[PROC_NEW] = "new", [PROC_STARTING] = "starting",
		[PROC_RUNNING] = "running", [PROC_DRAINING] = "draining",
		[PROC_WAITING] = "waiting", [PROC_GONE] = "gone",
	};

	return names[s];
}

const char *
proc_name(const struct proc *p, char dst[PROC_NAMELEN])
{
	if (p->role == ROLE_PROXY)
		snprintf(dst, PROC_NAMELEN, "proxy %s[%d]",
		    p->gen->conf->upstream[p->pool - 1].name, p->instance);
	else
		snprintf(dst, PROC_NAMELEN, "%s[%d]", role_name(p->role),
		    p->instance);
	return dst;
}

static void
proc_enter(struct proc *p, enum proc_state to)
{
	char	name[PROC_NAMELEN];

	if ((proc_next[p->state] & TO(to)) == 0)
		fatalx("%s: %s cannot become %s", proc_name(p, name),
		    proc_state_name(p->state), proc_state_name(to));
	log_debug("%s: %s -> %s", proc_name(p, name),
	    proc_state_name(p->state), proc_state_name(to));
	p->state = to;
}

static size_t
proc_cells(const struct proc *p)
{
	const struct conf	*conf = p->gen->conf;

	switch (p->role) {
	case ROLE_WORKER:
		return conf->nroute + conf->nsite + FALLBACK__MAX;
	case ROLE_PROXY:
		return conf->upstream[p->pool - 1].nbackend *
		    PROXY_CELL__MAX;
	case ROLE_TLSTERM:
		return conf->nsite;
	default:
		return 0;
	}
}

static void	proc_again(struct ev_timer *);

int
proc_init(struct proc *p, struct generation *g, enum role role, int instance,
    uint32_t pool)
{
	memset(p, 0, sizeof(*p));
	p->gen = g;
	p->role = role;
	p->instance = instance;
	p->pool = pool;
	p->state = PROC_NEW;
	p->chan.fd = -1;
	p->addrs_fd = -1;
	p->pause.cb = proc_again;
	p->stats_fd = stats_create(proc_cells(p));
	if (p->stats_fd == -1)
		return -1;
	if (stats_map(&p->stats, p->stats_fd, proc_cells(p), 1) == -1 ||
	    (g->master->addrs != -1 && (p->addrs_fd = addrlimit_create_own()) == -1)) {
		proc_close(p);
		return -1;
	}
	return 0;
}

static void
proc_hang_up(struct proc *p)
{
	if (p->chan.fd == -1)
		return;
	ev_del(p->gen->master->ev, &p->chan);
	close(p->chan.fd);
	p->chan.fd = -1;
}

void
proc_close(struct proc *p)
{
	proc_hang_up(p);
	ev_timer_cancel(p->gen->master->ev, &p->pause);
	publish_free(p);
	stats_unmap(&p->stats);
	if (p->stats_fd != -1)
		close(p->stats_fd);
	if (p->addrs_fd != -1)
		close(p->addrs_fd);
	p->stats_fd = p->addrs_fd = -1;
}

/*
 * Of master's environment only what the C library itself is told: a test, or
 * who hunts a bug in memory, wants that of the children.
 */
char *
proc_tunables(void)
{
	const char	*v = getenv("GLIBC_TUNABLES");
	char		*s;

	if (v == NULL || *v == '\0' ||
	    asprintf(&s, "GLIBC_TUNABLES=%s", v) == -1)
		return NULL;
	return s;
}

/* In the child, between fork and exec: nothing of master's stays. */
static void
proc_exec(const struct master *m, enum role role, int instance, int chan)
{
	char		 path[4096], number[16], name[16];
	char		*argv[] = { name, number, NULL };
	char		*envp[] = { proc_tunables(), NULL };
	sigset_t	 none;

	snprintf(path, sizeof(path), "%s/%s", m->libexec, role_name(role));
	snprintf(number, sizeof(number), "%d", instance);
	snprintf(name, sizeof(name), "%s", role_name(role));
	sigemptyset(&none);
	/* chan may be anywhere above 2, also at 3. */
	if (dup2(m->devnull, 0) == -1 || dup2(m->devnull, 1) == -1 ||
	    (chan == FD_CHANNEL ? fcntl(chan, F_SETFD, 0) :
	    dup2(chan, FD_CHANNEL)) == -1 ||
	    close_range(FD_CHANNEL + 1, ~0U, 0) == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal("%s", path);
	execve(path, argv, envp);
	fatal("%s", path);
}

static void	proc_channel(struct ev_io *, uint32_t);

void
proc_adopt(struct proc *p, struct generation *g)
{
	struct ev	*ev = g->master->ev;

	p->gen = g;
	p->chan.cb = proc_channel;
	p->chan.slot = 0;
	p->pause.cb = proc_again;
	p->pause.pos = 0;
	if (p->chan.fd != -1 && ev_add(ev, &p->chan, EPOLLIN) == -1)
		fatal("epoll_ctl: channel");
	if (p->state == PROC_WAITING)
		ev_timer_set(ev, &p->pause, ev_clock());
	/* How far its set-up was is not known: anew. */
	if (p->state == PROC_STARTING)
		proc_kill(p);
}

static pid_t
proc_fork(struct proc *p)
{
	struct master	*m = p->gen->master;
	int		 pair[2];
	pid_t		 pid;

	if (ipc_pair(pair) == -1)
		return -1;
	if ((pid = fork()) == 0)
		proc_exec(m, p->role, p->instance, pair[1]);
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		return -1;
	}
	p->chan.fd = pair[0];
	p->chan.cb = proc_channel;
	if (ev_add(m->ev, &p->chan, EPOLLIN) == -1)
		fatal("epoll_ctl: channel");
	return pid;
}

/* After a first death at once; after more, later and later. */
static void
proc_retry(struct proc *p)
{
	struct ev	*ev = p->gen->master->ev;
	uint64_t	 pause = 0;

	if (p->failures > 1) {
		pause = PAUSE_MIN << (p->failures < 10 ? p->failures - 2 : 8);
		if (pause > PAUSE_MAX)
			pause = PAUSE_MAX;
	}
	ev_timer_set(ev, &p->pause, ev_clock() + pause);
}

/* Later, where others serve meanwhile; a generation does not begin with it. */
static void
proc_not_forked(struct proc *p)
{
	char	name[PROC_NAMELEN];
	bool	up = p->gen->state == GEN_RUNNING && !p->oneshot;

	log_warn("%s: fork", proc_name(p, name));
	gen_fail(p->gen, "%s: fork: %s", name, strerror(errno));
	p->pid = 0;
	p->failures++;
	proc_enter(p, up ? PROC_WAITING : PROC_GONE);
	if (up)
		proc_retry(p);
	else
		gen_proc_gone(p->gen, p);
}

void
proc_start(struct proc *p)
{
	proc_enter(p, PROC_STARTING);
	p->step = 0;
	p->item = 0;
	p->since = ev_clock();
	p->mechanisms = 0;
	p->pinged = 0;
	p->pid = proc_fork(p);
	if (p->pid == -1)
		proc_not_forked(p);
	else
		proc_channel(&p->chan, EPOLLOUT);
}

static void
proc_again(struct ev_timer *t)
{
	struct proc	*p = container_of(t, struct proc, pause);

	p->restarts++;
	proc_start(p);
}

void
proc_tell_log_level(struct proc *p)
{
	uint8_t		level = (uint8_t)log_get_level();
	struct ipc_msg	m = { .type = IPC_LOG_LEVEL, .data = &level,
		.len = sizeof(level) };

	/* One whose channel is full is ended for other reasons. */
	if (p->state == PROC_RUNNING || p->state == PROC_DRAINING)
		(void)ipc_send(p->chan.fd, &m);
}

void
proc_ready(struct proc *p)
{
	proc_enter(p, PROC_RUNNING);
	if (p->gen->master->log_changed && p->gen->state == GEN_RUNNING)
		proc_tell_log_level(p);
	if (p->role == ROLE_TLSTERM)	/* they may have been replaced since */
		tickets_tell(p);
	gen_proc_ready(p->gen, p);
}

static void
proc_send(struct proc *p, uint16_t type, int fd)
{
	struct ipc_msg	m = { .type = type };

	if (fd != -1)
		m.fd[m.nfds++] = fd;
	if (p->chan.fd != -1 && ipc_send(p->chan.fd, &m) == IPC_AGAIN)
		proc_kill(p);		/* stuck for 200 messages */
}

void
proc_hand_over(struct proc *p, int inbox)
{
	proc_send(p, IPC_HAND_OVER, inbox);
}

void
proc_drain(struct proc *p)
{
	switch (p->state) {
	case PROC_RUNNING:
		proc_enter(p, PROC_DRAINING);
		proc_send(p, IPC_DRAIN, -1);
		break;
	case PROC_STARTING:
		proc_enter(p, PROC_DRAINING);
		proc_kill(p);
		break;
	case PROC_NEW:
	case PROC_WAITING:
		ev_timer_cancel(p->gen->master->ev, &p->pause);
		proc_enter(p, PROC_GONE);
		gen_proc_gone(p->gen, p);
		break;
	default:
		break;
	}
}

void
proc_kill(struct proc *p)
{
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
}

void
proc_misbehaves(struct proc *p, const char *how)
{
	char	name[PROC_NAMELEN];

	log_warnx("%s: %s: ending it", proc_name(p, name), how);
	proc_hang_up(p);
	proc_kill(p);
}

void
proc_ping(struct proc *p)
{
	struct ipc_msg	m = { .type = IPC_PING };
	uint64_t	now = ev_clock();
	char		name[PROC_NAMELEN];

	if (p->chan.fd == -1)
		return;
	if (p->state == PROC_STARTING && now - p->since >= START_TIME) {
		gen_fail(p->gen, "%s was not ready in %d seconds",
		    proc_name(p, name), (int)(START_TIME / NSEC_PER_SEC));
		proc_misbehaves(p, "does not get ready");
	}
	if (p->state != PROC_RUNNING && p->state != PROC_DRAINING)
		return;
	if (p->pinged == 0 && ipc_send(p->chan.fd, &m) == IPC_OK)
		p->pinged = now;
	else if (p->pinged != 0 && now - p->pinged >= DEAF_TIME)
		proc_misbehaves(p, "does not answer");
}

static void
proc_read(struct proc *p, int max)
{
	uint8_t		buf[IPC_HEADER + IPC_DATA_MAX];
	struct ipc_msg	m;
	enum ipc_result	res;
	int		i;

	for (i = 0; i < max && p->chan.fd != -1; i++) {
		if ((res = ipc_recv(p->chan.fd, buf, sizeof(buf), &m)) ==
		    IPC_AGAIN)
			return;
		if (res == IPC_GONE) {
			/*
			 * It is ending, and SIGCHLD tells the rest; or it
			 * sent an empty packet, which looks the same, and
			 * would go on where nobody can tell it anything.
			 */
			proc_hang_up(p);
			proc_kill(p);
			return;
		}
		if (res != IPC_OK || policy_dispatch(p, &m) == -1) {
			proc_misbehaves(p, "sent what it may not send");
			return;
		}
	}
}

static void
proc_channel(struct ev_io *io, uint32_t events)
{
	struct proc	*p = container_of(io, struct proc, chan);
	int		 rc;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		proc_read(p, MESSAGES);
	if (p->state != PROC_STARTING || p->chan.fd == -1 ||
	    (events & EPOLLOUT) == 0)
		return;
	if ((rc = setup_send(p)) != -1)
		ev_mod(p->gen->master->ev, &p->chan,
		    rc == 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
proc_settle_backends(struct proc *p)
{
	size_t	i;

	for (i = PROXY_CELL_LIVE; i < p->stats.ncells; i += PROXY_CELL__MAX)
		*stats_cell(&p->stats, i) = 0;
}

/* What was alive in it has ended with it. */
static void
proc_settle(struct proc *p)
{
	const struct stats	*s = &p->stats;

	if (p->role == ROLE_WORKER)
		stats_add(s, STAT_ENDED, s->count[STAT_UNDECIDED] +
		    s->count[STAT_QUEUED]);
	else
		stats_add(s, STAT_ENDED, s->count[STAT_LIVE]);
	s->count[STAT_LIVE] = 0;
	s->count[STAT_UNDECIDED] = 0;
	s->count[STAT_QUEUED] = 0;
	if (p->role == ROLE_PROXY)
		proc_settle_backends(p);
	s->count[STAT_CACHE_BYTES] = 0;
	if (p->addrs_fd != -1 &&
	    addrlimit_reap(p->gen->master->addrs, p->addrs_fd) == -1)
		log_warn("limits of a dead process");
}

static void
proc_report(const struct proc *p, pid_t pid, int status)
{
	char	name[PROC_NAMELEN];

	if (WIFSIGNALED(status))
		log_warnx("%s (pid %d): ended by signal %d (%s)",
		    proc_name(p, name), (int)pid, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_warnx("%s (pid %d): exit %d", proc_name(p, name),
		    (int)pid, WEXITSTATUS(status));
}

void
proc_reaped(struct proc *p, int status)
{
	char	name[PROC_NAMELEN];
	pid_t	pid = p->pid;

	/* The number may be another's by now: nobody is to be killed by it. */
	p->pid = 0;
	/* Its last words may still wait in the channel. */
	proc_read(p, INT_MAX);
	proc_hang_up(p);
	proc_report(p, pid, status);
	proc_settle(p);
	if (p->role == ROLE_TLSTERM)
		gen_clear_keychan(p->gen, p->instance);
	if (p->run == NULL)
		gather_proc_gone(p);
	publish_free(p);
	p->last_exit = status;
	p->died = true;
	if (p->state == PROC_DRAINING || p->oneshot ||
	    p->gen->state != GEN_RUNNING) {
		if (p->state != PROC_DRAINING && !p->oneshot)
			gen_fail(p->gen, "%s ended at the start",
			    proc_name(p, name));
		proc_enter(p, PROC_GONE);
		if (p->run != NULL)
			acme_run_gone(p);
		else
			gen_proc_gone(p->gen, p);
		return;
	}
	p->failures = ev_clock() - p->since > LONG_LIFE ? 1 : p->failures + 1;
	proc_enter(p, PROC_WAITING);
	proc_retry(p);
}
