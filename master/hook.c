#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/priv.h"
#include "common/proto.h"
#include "hook.h"
#include "master.h"

#define HOOK_FDS	16	/* above those that it is given */
#define HOOK_PATH	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"	\
			":/sbin:/bin"

/* As descriptors 3 and 4, and nothing above. */
static bool
hook_files(const struct hook *h)
{
	int	last = FD_LOG, a, b;

	if (h->fd[0] != -1) {
		/* Out of the way of where they go. */
		a = fcntl(h->fd[0], F_DUPFD, HOOK_FDS);
		b = fcntl(h->fd[1], F_DUPFD, HOOK_FDS);
		if (dup2(a, 3) == -1 || dup2(b, 4) == -1)
			return false;
		last = 4;
	}
	return close_range((unsigned int)last + 1, ~0U, 0) == 0;
}

/* In the child: nothing of master's stays but the log, for its output. */
static void
hook_exec(const struct hook *h, char *const argv[])
{
	char	*envp[] = { HOOK_PATH, NULL };
	uid_t	 uid;
	gid_t	 gid;
	sigset_t none;

	sigemptyset(&none);
	if (h->master->privileged && !priv_lookup(h->user, &uid, &gid))
		fatalx("%s: there is no user %s", argv[0], h->user);
	if (setsid() == -1 || dup2(h->master->devnull, 0) == -1 ||
	    dup2(FD_LOG, 1) == -1 || !hook_files(h) ||
	    chdir("/") == -1 || sigprocmask(SIG_SETMASK, &none, NULL) == -1 ||
	    signal(SIGPIPE, SIG_DFL) == SIG_ERR)
		fatal("%s", argv[0]);
	if (h->master->privileged)
		priv_drop(uid, gid);
	execve(argv[0], argv, envp);
	fatal("%s", argv[0]);
}

/* With all that it has started; before setsid(2) it is alone. */
static void
hook_kill(const struct hook *h)
{
	if (kill(-h->pid, SIGKILL) == -1)
		kill(h->pid, SIGKILL);
}

static void
hook_late(struct ev_timer *t)
{
	struct hook	*h = container_of(t, struct hook, timer);

	log_warnx("hook (pid %d): still runs after %d seconds: ending it",
	    (int)h->pid, HOOK_SECONDS);
	hook_kill(h);
}

bool
hook_start(struct hook *h, char *const argv[])
{
	pid_t	pid = fork();

	if (pid == 0)
		hook_exec(h, argv);
	if (pid == -1) {
		log_warn("%s: fork", argv[0]);
		return false;
	}
	log_info("%s %s: started (pid %d)", argv[0],
	    argv[1] != NULL ? argv[1] : "", (int)pid);
	h->pid = pid;
	h->timer.cb = hook_late;
	ev_timer_set(h->master->ev, &h->timer,
	    ev_clock() + HOOK_SECONDS * NSEC_PER_SEC);
	return true;
}

void
hook_stop(struct hook *h)
{
	if (h->pid == 0)
		return;
	hook_kill(h);
	ev_timer_cancel(h->master->ev, &h->timer);
	h->pid = 0;
}

bool
hook_reaped(struct hook *h, pid_t pid, int status)
{
	bool	ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (h->pid == 0 || h->pid != pid)
		return false;
	ev_timer_cancel(h->master->ev, &h->timer);
	h->pid = 0;
	if (!ok && WIFEXITED(status))
		log_warnx("hook (pid %d): exit %d", (int)pid,
		    WEXITSTATUS(status));
	else if (!ok)
		log_warnx("hook (pid %d): ended by signal %d", (int)pid,
		    WTERMSIG(status));
	h->done(h, ok);
	return true;
}
