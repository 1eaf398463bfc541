#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "control.h"
#include "generation.h"
#include "upgrade.h"

#define PATIENCE	(5 * NSEC_PER_SEC)

/* One question to one binary. */
struct upgrade {
	struct master	*master;
	struct ev_io	 io;		/* its answer */
	struct ev_timer	 patience;
	int		 binary;	/* the same file is asked and started */
	pid_t		 pid;
	char		 answer[64];
	size_t		 len;
};

bool
upgrade_print_format(void)
{
	struct conf	*conf;

	conf = conf_load_fd(STDIN_FILENO, "configuration in force", stderr);
	if (conf == NULL)
		return false;
	conf_free(conf);
	return fputs(UPGRADE_FORMAT, stdout) != EOF;
}

static void
upgrade_end(struct upgrade *u, const char *error)
{
	struct master	*m = u->master;

	control_go_on(m->control);
	ev_del(m->ev, &u->io);
	ev_timer_cancel(m->ev, &u->patience);
	if (u->io.fd != -1)
		close(u->io.fd);
	if (u->binary != -1)
		close(u->binary);
	m->upgrading = false;
	log_errorx("upgrade: %s: the running program goes on", error);
	life_upgrade_failed(m, error);
	free(u);
}

static void
upgrade_exec(struct upgrade *u)
{
	struct master	*m = u->master;
	char		 number[16], verbose[] = "-v", path[4096];
	char		*argv[] = { NULL, NULL, NULL, NULL, NULL, NULL, NULL,
			    NULL };
	int		 fd, n = 0;
	char		 error[128];

	acme_stop(m, "interrupted by an upgrade: ask again");
	control_interrupt(m->control);
	if ((fd = state_save(m)) == -1) {
		upgrade_end(u, "the state could not be written");
		return;
	}
	snprintf(number, sizeof(number), "%d", fd);
	snprintf(path, sizeof(path), "%s", m->path);
	argv[n++] = m->self;
	argv[n++] = (char[]){ "-d" };
	if (m->verbose > 0)
		argv[n++] = verbose;
	argv[n++] = (char[]){ "-f" };
	argv[n++] = path;
	argv[n++] = (char[]){ "--resume" };
	argv[n++] = number;
	log_info("upgrade: starting %s", m->self);
	state_keep(m, true);
	if (fcntl(fd, F_SETFD, 0) != -1)
		fexecve(u->binary, argv, environ);
	snprintf(error, sizeof(error), "%s: %s", m->self, strerror(errno));
	state_keep(m, false);
	close(fd);
	upgrade_end(u, error);
}

/* Answers that are being written would be cut short. */
static void
upgrade_settle(struct ev_timer *t)
{
	struct upgrade	*u = container_of(t, struct upgrade, patience);

	if (u->master->stopping)
		upgrade_end(u, "the daemon was told to stop");
	else if (control_settled(u->master->control, t))
		upgrade_exec(u);
}

static void
upgrade_answer(struct ev_io *io, uint32_t events)
{
	struct upgrade	*u = container_of(io, struct upgrade, io);
	ssize_t		 n;

	(void)events;
	n = read(io->fd, u->answer + u->len, sizeof(u->answer) - u->len);
	if (n > 0 && u->len + (size_t)n < sizeof(u->answer)) {
		u->len += (size_t)n;
		return;
	}
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == 0 && u->len == strlen(UPGRADE_FORMAT) &&
	    memcmp(u->answer, UPGRADE_FORMAT, u->len) == 0) {
		ev_del(u->master->ev, &u->io);
		u->patience.cb = upgrade_settle;
		ev_timer_set(u->master->ev, &u->patience, ev_clock());
	} else
		upgrade_end(u, "the binary is no l4muxd that could take over");
}

static void
upgrade_late(struct ev_timer *t)
{
	struct upgrade	*u = container_of(t, struct upgrade, patience);

	if (waitpid(u->pid, NULL, WNOHANG) == 0)
		kill(u->pid, SIGKILL);
	upgrade_end(u, "the binary does not answer");
}

static void
upgrade_child(const struct upgrade *u, int out)
{
	char		*argv[] = { u->master->self,
			    (char[]){ "--upgrade-format" }, NULL };
	char		*envp[] = { NULL };
	sigset_t	 none;

	sigemptyset(&none);
	if (dup2(u->master->gen->snapshot, 0) == -1 || dup2(out, 1) == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		_exit(127);
	fexecve(u->binary, argv, envp);
	_exit(127);
}

/* -1 with errno set: nobody was asked. */
static int
upgrade_ask(struct upgrade *u)
{
	int	out[2], saved;

	u->binary = open(u->master->self, O_RDONLY | O_CLOEXEC);
	if (u->binary == -1 || pipe2(out, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	u->io.fd = out[0];
	if ((u->pid = fork()) == 0)
		upgrade_child(u, out[1]);
	saved = errno;
	close(out[1]);
	errno = saved;
	return u->pid == -1 ? -1 : 0;
}

void
upgrade_begin(struct master *m)
{
	struct upgrade	*u;

	if ((u = calloc(1, sizeof(*u))) == NULL)
		fatal("calloc");
	u->master = m;
	u->io.cb = upgrade_answer;
	u->io.fd = -1;
	u->patience.cb = upgrade_late;
	m->upgrading = true;
	if (upgrade_ask(u) == -1) {
		snprintf(u->answer, sizeof(u->answer), "%s", strerror(errno));
		upgrade_end(u, u->answer);
		return;
	}
	if (ev_add(m->ev, &u->io, EPOLLIN) == -1)
		fatal("epoll_ctl: upgrade");
	ev_timer_set(m->ev, &u->patience, ev_clock() + PATIENCE);
}

void
upgrade_resume(struct master *m, int fd)
{
	struct generation	*g;

	if (!state_load(m, fd))
		fatalx("upgrade: the state cannot be read");
	close(fd);
	logs_start(m, m->gen->conf);
	log_info("upgrade: l4muxd " L4_VERSION " has taken over");
	life_reap(m);			/* who ended in between */
	for (g = m->draining; g != NULL; g = g->next)
		gen_drain(g);
	tickets_start(m);
	rates_start(m->gen);
	expiry_start(m);
	limits_start_audit(m);
	life_reload(m);
}
