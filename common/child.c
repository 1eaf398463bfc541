#include <sys/resource.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "addrlimit.h"
#include "child.h"
#include "child_sessions.h"
#include "l4.h"
#include "priv.h"
#include "selftest.h"
#include "wire.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED	1	/* its runtime needs calls no policy lists */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#else
#define SANITIZED	0
#endif

static int
on_listener(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;
	struct rd	 r;
	uint16_t	*list;

	/* Policies name listeners by the range of their descriptors. */
	if (m->fd[0] != FD_LISTENERS + c->nlisteners)
		return -1;
	list = reallocarray(c->listener, (size_t)c->nlisteners + 1,
	    sizeof(*list));
	if (list == NULL)
		fatal("reallocarray");
	c->listener = list;
	rd_init(&r, m->data, m->len);
	list[c->nlisteners++] = rd_u16(&r);
	return rd_done(&r) ? 0 : -1;
}

static int
on_conf(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;
	struct rd	 r;
	char		 path[4096];

	rd_init(&r, m->data, m->len);
	c->generation = rd_u32(&r);
	rd_str(&r, path, sizeof(path));
	if (!rd_done(&r) || c->conf != NULL)
		return -1;
	c->conf = conf_load_fd(m->fd[0], path, stderr);
	close(m->fd[0]);
	if (c->conf == NULL)
		child_fail(c, "the configuration snapshot does not load");
	conf_forget_text(c->conf);
	log_setup(c->conf->log.target, c->conf->log.format,
	    c->conf->log.level);
	return 0;
}

static int
on_stats(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;
	struct rd	 r;
	uint32_t	 ncells;

	rd_init(&r, m->data, m->len);
	ncells = rd_u32(&r);
	if (!rd_done(&r) || c->stats.count != NULL)
		return -1;
	if (stats_map(&c->stats, m->fd[0], ncells, 1) == -1)
		child_fail(c, "counters: %s", strerror(errno));
	close(m->fd[0]);
	log_count(&c->stats.count[STAT_LOG_DROPPED],
	    &c->stats.count[STAT_LOG_LIMITED]);
	return 0;
}

static int
on_addrs(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;

	if (c->addrs != NULL || c->conf == NULL)
		return -1;
	c->addrs = addrlimit_map(m->fd[0], m->fd[1], c->conf);
	if (c->addrs == NULL)
		child_fail(c, "address limits: %s", strerror(errno));
	ipc_close_fds(m);
	return 0;
}

static int
on_start(void *arg, struct ipc_msg *m)
{
	struct child	*c = arg;
	struct rd	 r;

	rd_init(&r, m->data, m->len);
	c->privileged = rd_u8(&r);
	c->strict = rd_u8(&r);
	c->started = true;
	return rd_done(&r) ? 0 : -1;
}

static void
child_drain(struct child *c)
{
	struct ipc_msg	m = { .type = IPC_DRAINING };

	if (c->draining)
		return;
	c->draining = true;
	c->drain(c->arg);
	ipc_send(FD_CHANNEL, &m);	/* master may be gone */
}

static int
on_drain(void *arg, struct ipc_msg *m)
{
	(void)m;
	child_drain(arg);
	return 0;
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

static int
on_ping(void *arg, struct ipc_msg *m)
{
	struct ipc_msg	pong = { .type = IPC_PONG };

	(void)arg;
	(void)m;
	ipc_send(FD_CHANNEL, &pong);
	return 0;
}

/* What master sends to every role. */
static const struct ipc_rule common_rules[] = {
	/* type		phases		fds			size	handler */
	{ IPC_LISTENER,	CHILD_SETUP, IPC_FD_LISTENER, 1, 1, 2, 2, on_listener },
	{ IPC_CONF,	CHILD_SETUP, IPC_FD_FILE, 1, 1, 6, 4102, on_conf },
	{ IPC_STATS,	CHILD_SETUP, IPC_FD_FILE, 1, 1, 4, 4, on_stats },
	{ IPC_ADDRS,	CHILD_SETUP, IPC_FD_FILE, 2, 2, 0, 0, on_addrs },
	{ IPC_START,	CHILD_SETUP, IPC_FD_NONE, 0, 0, 2, 2, on_start },
	{ IPC_DRAIN,	CHILD_RUN, IPC_FD_NONE, 0, 0, 0, 0, on_drain },
	{ IPC_LOG_LEVEL, CHILD_RUN, IPC_FD_NONE, 0, 0, 1, 1, on_log_level },
	{ IPC_PING,	CHILD_RUN, IPC_FD_NONE, 0, 0, 0, 0, on_ping },
	{ IPC_SESSIONS,	CHILD_RUN, IPC_FD_NONE, 0, 0, 1, 1,
	    child_on_sessions },
	{ IPC_KILL,	CHILD_RUN, IPC_FD_NONE, 0, 0, 8, 8, child_on_kill },
};

static bool
is_common(uint16_t type)
{
	size_t	i;

	for (i = 0; i < nitems(common_rules); i++)
		if (common_rules[i].type == type)
			return true;
	return false;
}

/* Master is believed, but never misunderstood: anything odd is fatal. */
static void
child_dispatch(struct child *c, struct ipc_msg *m)
{
	uint32_t	phase = c->started ? CHILD_RUN : CHILD_SETUP;
	int		rc;

	if (is_common(m->type))
		rc = ipc_dispatch(common_rules, nitems(common_rules), phase,
		    m, c);
	else
		rc = ipc_dispatch(c->rules, c->nrules, phase, m, c->arg);
	if (rc == -1)
		fatalx("message %u from master is wrong", m->type);
}

void
child_open(struct child *c, int argc, char **argv)
{
	struct ipc_msg	 m;
	const char	*err;

	c->parent = getppid();
	c->selftest = argc == 3 && strcmp(argv[2], "selftest") == 0;
	if (argc != 2 && !c->selftest)
		fatalx("started by l4muxd only");
	c->instance = (int)strtonum(argv[1], 0, 65535, &err);
	if (err != NULL)
		fatalx("instance %s: %s", argv[1], err);
	log_init(role_name(c->role), c->instance);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		fatal("signal");
	if ((c->buf = malloc(CHILD_BUFSIZE)) == NULL)
		fatal("malloc");
	while (!c->started) {
		if (ipc_recv_wait(FD_CHANNEL, c->buf, CHILD_BUFSIZE, &m) !=
		    IPC_OK)
			fatalx("the channel to master is closed");
		/* Not before the listeners: its descriptor follows theirs. */
		if (c->ev == NULL && m.type != IPC_LISTENER)
			c->ev = ev_new();
		child_dispatch(c, &m);
	}
	if (c->conf == NULL || c->stats.count == NULL)
		fatalx("master sent no configuration");
}

static void
child_limits(const struct child *c, const struct child_jail *j)
{
	struct rlimit	rl = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		fatal("setrlimit: core");
	if (!SANITIZED && setrlimit(RLIMIT_NPROC, &rl) == -1)
		fatal("setrlimit: processes");
	if (j->nofile == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit: descriptors");
	if (c->privileged && j->nofile > rl.rlim_max)
		rl.rlim_max = j->nofile;
	rl.rlim_cur = j->nofile < rl.rlim_max ? j->nofile : rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
		/* Not even root may go above fs.nr_open. */
		if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
			fatal("getrlimit: descriptors");
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
			fatal("setrlimit: descriptors");
	}
}

/* See docs/decisions/006; where it is refused we are only slower. */
static void
child_be_patient(void)
{
	struct sched_param	param = { .sched_priority = 0 };

	if (sched_setscheduler(0, SCHED_BATCH, &param) == -1)
		log_debug("sched_setscheduler: %s", strerror(errno));
}

static void
child_leave_root(struct child *c, const struct child_jail *j)
{
	const char	*user = c->conf->user[j->user];
	uid_t		 uid;
	gid_t		 gid;
	int		 dir;

	if (!priv_lookup(user, &uid, &gid))
		fatalx("user %s is gone", user);
	if ((dir = priv_empty_dir()) == -1)
		fatal("%s: must be an empty directory of root's",
		    PRIV_EMPTY_DIR);
	if (priv_namespaces(CLONE_NEWIPC | CLONE_NEWUTS |
	    (j->needs_network ? 0 : CLONE_NEWNET) |
	    (j->needs_mounts ? 0 : CLONE_NEWNS)))
		c->mechanisms |= SB_HAS_NAMESPACES;
	priv_chroot(dir, j->cwd);
	close(dir);
	priv_drop(uid, gid);
	c->mechanisms |= SB_HAS_CHROOT | SB_HAS_UID;
}

/* A mechanism that the kernel refused: the end, unless best-effort. */
static void
child_missing(struct child *c, const char *what)
{
	if (c->strict)
		child_fail(c, "%s: %s (sandbox = \"best-effort\" goes on "
		    "without)", what, strerror(errno));
	log_warn("sandbox: going on without %s", what);
}

static void
child_signal(int signo, void *arg)
{
	/* SIGINT and SIGHUP of a terminal are master's to act on. */
	if (signo == SIGTERM)
		child_drain(arg);
}

static int
child_signals(struct child *c)
{
	sigset_t	set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return ev_signals(c->ev, &set, child_signal, c);
}

void
child_confine(struct child *c, const struct child_jail *j)
{
	struct sb_vars	vars;
	int		got;

	if (c->selftest)
		selftest(c, j);
	vars.signals = child_signals(c);
	vars.listen_last = FD_LISTENERS + c->nlisteners - 1;
	child_limits(c, j);
	c->mechanisms |= SB_HAS_RLIMIT;
	if (j->patient)
		child_be_patient();
	if (c->privileged)
		child_leave_root(c, j);
	priv_lock(c->parent);
	c->mechanisms |= SB_HAS_NO_NEW_PRIVS;
	got = sandbox_landlock(j->landlock, j->nlandlock, &c->landlock_abi);
	if (got == -1)
		child_missing(c, "Landlock");
	else
		c->mechanisms |= (uint32_t)got;
	if (SANITIZED)
		return;
	if (sandbox_seccomp(j->policy, &vars) == -1)
		child_missing(c, "seccomp");
	else
		c->mechanisms |= SB_HAS_SECCOMP;
}

static void
child_channel(struct ev_io *io, uint32_t events)
{
	struct child	*c = container_of(io, struct child, chan);
	struct ipc_msg	 m;
	enum ipc_result	 res;

	(void)events;
	while ((res = ipc_recv(io->fd, c->buf, CHILD_BUFSIZE, &m)) == IPC_OK)
		child_dispatch(c, &m);
	if (res == IPC_AGAIN)
		return;
	if (res != IPC_GONE)
		fatalx("a message from master is broken");
	/* Without master: what is running may end by itself. */
	ev_del(c->ev, io);
	child_drain(c);
}

static void
child_send(uint16_t type, const struct wr *w)
{
	struct ipc_msg	m = { .type = type, .data = w->buf, .len = w->len };

	if (ipc_send(FD_CHANNEL, &m) != IPC_OK)
		fatalx("the channel to master does not take a message");
}

static void
child_flood_over(struct ev_timer *t)
{
	(void)t;
	log_flood_over();
}

static void
child_flooded(void *arg, uint64_t due)
{
	struct child	*c = arg;

	ev_timer_set(c->ev, &c->flood, due);
}

void
child_ready(struct child *c)
{
	uint8_t		buf[8];
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	wr_u32(&w, c->mechanisms);
	wr_u32(&w, (uint32_t)c->landlock_abi);
	child_send(IPC_READY, &w);
	c->flood.cb = child_flood_over;
	log_set_rate(c->conf->log.rate, child_flooded, c);
	c->chan.fd = FD_CHANNEL;
	c->chan.cb = child_channel;
	if (ev_add(c->ev, &c->chan, EPOLLIN) == -1)
		fatal("epoll_ctl: channel");
}

void
child_done(struct child *c, const struct wr *found)
{
	(void)c;
	child_send(IPC_DONE, found);
}

void
child_fail(struct child *c, const char *fmt, ...)
{
	uint8_t		buf[1024];
	char		text[512];
	struct wr	w;
	struct ipc_msg	m = { .type = IPC_FAILED, .data = buf };
	va_list		ap;

	(void)c;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wr_init(&w, buf, sizeof(buf));
	wr_str(&w, text);
	m.len = w.len;
	ipc_send(FD_CHANNEL, &m);
	fatalx("%s", text);
}
