#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conn.h"
#include "common/l4.h"
#include "acme.h"
#include "generation.h"

/* In place of those of the configuration, which a daemon may be using. */
static void
open_listener(struct generation *g, size_t listener)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int			fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 1) == -1)
		err(2, "a listener to try with");
	if ((g->sock = calloc(1, sizeof(*g->sock))) == NULL)
		err(2, NULL);
	g->sock[0].fd = fd;
	g->sock[0].listener = (uint16_t)listener;
	g->nsock = 1;
}

/* Its pool; false where this configuration starts no such process. */
static bool
find_role(const struct conf *conf, const char *name, enum role *role,
    uint32_t *pool)
{
	for (*role = ROLE_WORKER; *role < ROLE__MAX; ++*role)
		if (strcmp(name, role_name(*role)) == 0)
			break;
	*pool = *role == ROLE_PROXY ? 1 : POOL_SITES;
	if (*role == ROLE_PROXY)
		return conf->nupstream > 0;
	if (*role == ROLE_ACME)
		return conf->acme.on;
	if (*role == ROLE_METRICS)
		return conf->metrics != NULL;
	return *role == ROLE_WORKER ||
	    (*role < ROLE__MAX && conf->nsite > 0);
}

/* As proc.c does, but for standard output, which it prints to. */
static pid_t
start(const struct master *m, const char *role, int chan)
{
	char	 path[4096], name[16];
	char	*argv[] = { name, (char []){ "0" }, (char []){ "selftest" },
		    NULL };
	char	*envp[] = { proc_tunables(), NULL };
	pid_t	 pid;

	snprintf(path, sizeof(path), "%s/%s", m->libexec, role);
	snprintf(name, sizeof(name), "%s", role);
	if ((pid = fork()) == -1)
		err(2, "fork");
	if (pid > 0)
		return pid;
	if ((chan == FD_CHANNEL ? fcntl(chan, F_SETFD, 0) :
	    dup2(chan, FD_CHANNEL)) == -1 ||
	    close_range(FD_CHANNEL + 1, ~0U, 0) == -1)
		err(2, "%s", path);
	execve(path, argv, envp);
	err(2, "%s", path);
}

/* All that an ordinary process of its role is told. */
static void
tell(struct proc *p)
{
	struct pollfd	pfd = { .fd = p->chan.fd, .events = POLLOUT };

	while (setup_send(p) == 0)
		if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
			err(2, "poll");
}

int
selftest_run(struct master *m, struct conf *conf, const char *name)
{
	struct generation	*g = gen_new(m, conf);
	struct proc		 p;
	enum role		 role;
	uint32_t		 pool;
	int			 pair[2], status;

	if (!find_role(conf, name, &role, &pool))
		errx(2, "%s: there is no %s with this configuration", m->path,
		    name);
	open_listener(g, role == ROLE_METRICS ? conf->nlistener : 0);
	if (!gen_open(g))
		errx(2, "%s", g->error);
	if (proc_init(&p, g, role, 0, pool) == -1 || ipc_pair(pair) == -1)
		err(2, "a process to try");
	if (role == ROLE_ACME && !acme_run_selftest(m, g, &p))
		err(2, "work for acme");
	p.pid = start(m, name, pair[1]);
	close(pair[1]);
	p.chan.fd = pair[0];
	tell(&p);
	if (waitpid(p.pid, &status, 0) == -1)
		err(2, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
