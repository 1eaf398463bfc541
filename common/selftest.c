#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "l4.h"
#include "log.h"
#include "priv.h"
#include "selftest.h"
#include "selftest_tries.h"

#define CONN_FD	200	/* from here on: above the signalfd, as all
			   connections are */

/* Shared with the process that tries: it has no other way to tell. */
struct report {
	uint32_t	 mechanisms;	/* 0: it did not get into the sandbox */
	int		 landlock_abi;
	bool		 tried;
	long		 result;
	int		 error;
};

static struct report *
report_map(void)
{
	struct report	*r;

	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		fatal("mmap");
	return r;
}

/* A listener, and a connection that was accepted from it. */
static void
scene_sockets(struct scene *s)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		len = sizeof(sin);
	int			l, client, conn;

	l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l == -1 || client == -1 ||
	    bind(l, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(l, 8) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1 ||
	    connect(client, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (conn = accept4(l, NULL, NULL, SOCK_NONBLOCK)) == -1 ||
	    (s->conn = fcntl(conn, F_DUPFD_CLOEXEC, CONN_FD)) == -1 ||
	    write(client, "x", 1) != 1)
		fatal("sockets to try with");
	s->elsewhere = sin;
	close(conn);
}

/* Of the same user, and with no defence of its own. */
static pid_t
scene_sibling(const struct child *c, const struct child_jail *j)
{
	pid_t	pid, parent = getpid();
	uid_t	uid;
	gid_t	gid;

	if ((pid = fork()) == -1)
		fatal("fork");
	if (pid > 0)
		return pid;
	if (c->privileged) {
		if (!priv_lookup(c->conf->user[j->user], &uid, &gid))
			fatalx("user %s is gone", c->conf->user[j->user]);
		priv_drop(uid, gid);
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 || getppid() != parent)
		_exit(1);
	for (;;)
		pause();
}

static void
scene_open(struct scene *s, const struct child *c, const struct child_jail *j)
{
	memset(s, 0, sizeof(*s));
	s->listener = c->nlisteners > 0 ? FD_LISTENERS : -1;
	s->docroot = j->nlandlock > 0 && j->landlock[0].kind == SB_LL_READ_DIR ?
	    j->landlock[0].fd : -1;
	scene_sockets(s);
	s->sibling = scene_sibling(c, j);
}

/* In a process of its own. */
static void
attempt_make(const struct attempt *a, const struct scene *s,
    struct report *r, struct child *c, const struct child_jail *j)
{
	c->selftest = false;
	c->parent = getppid();
	child_confine(c, j);
	r->mechanisms = c->mechanisms;
	r->landlock_abi = c->landlock_abi;
	r->result = a->fn(s);
	r->error = errno;
	r->tried = true;
	_exit(0);
}

/* How it was refused; NULL when it was not, or nobody knows. */
static const char *
attempt_refused(const struct report *r, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && !r->tried)
		return "SIGSYS";
	if (!r->tried || r->result != -1)
		return NULL;
	return strerrorname_np(r->error);
}

/* False when it was not refused, though it should have been. */
static bool
attempt_judge(const struct attempt *a, const struct report *r, int status)
{
	const char	*how = attempt_refused(r, status);

	if (how != NULL)
		printf("%-44s refused: %s\n", a->name, how);
	else if ((r->mechanisms & a->needs) != a->needs)
		printf("%-44s not refused: no %s here\n", a->name,
		    sandbox_mechanism_name(a->needs));
	else
		printf("%-44s ALLOWED!\n", a->name);
	return how != NULL || (r->mechanisms & a->needs) != a->needs;
}

static bool
attempt(const struct attempt *a, const struct scene *s, struct report *r,
    struct child *c, const struct child_jail *j)
{
	pid_t	pid;
	int	status;

	memset(r, 0, sizeof(*r));
	fflush(stdout);
	if ((pid = fork()) == -1)
		fatal("fork");
	if (pid == 0)
		attempt_make(a, s, r, c, j);
	if (waitpid(pid, &status, 0) == -1)
		fatal("waitpid");
	if (r->mechanisms == 0) {
		printf("%-44s the sandbox could not be entered\n", a->name);
		exit(2);
	}
	return attempt_judge(a, r, status);
}

static void
print_in_force(const struct child *c, const struct report *r)
{
	unsigned int	bit;

	printf("%s: in force:", role_name(c->role));
	for (bit = 1; sandbox_mechanism_name(bit) != NULL; bit <<= 1)
		if (r->mechanisms & bit)
			printf(" %s", sandbox_mechanism_name(bit));
	printf(" (Landlock ABI %d)\n", r->landlock_abi);
}

void
selftest(struct child *c, const struct child_jail *j)
{
	const struct attempt	*a;
	struct report		*r = report_map();
	struct scene		 s;
	unsigned int		 tried = 0, allowed = 0;

	scene_open(&s, c, j);
	for (a = selftest_attempts;
	    a < selftest_attempts + selftest_nattempts; a++) {
		if ((a->roles & 1u << c->role) == 0)
			continue;
		tried++;
		if (!attempt(a, &s, r, c, j))
			allowed++;
	}
	kill(s.sibling, SIGKILL);
	print_in_force(c, r);
	if (allowed == 0)
		printf("%s: %u attempts, none allowed\n", role_name(c->role),
		    tried);
	else
		printf("%s: %u attempts, %u ALLOWED\n", role_name(c->role),
		    tried, allowed);
	exit(allowed == 0 ? 0 : 1);
}
