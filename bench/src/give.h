/* The hand-over shared by floor.c and minitls.c: one process accepts, peeks and
 * passes the fd over SOCK_SEQPACKET to the other, or, where the name is `other`,
 * copies both ways itself. Processes are executed anew, as l4mux's are: forked
 * ones would share more of the CPU's caches than they do. */
#ifndef GIVE_H
#define GIVE_H
#include "fds.h"
#include "pass.h"
#define GIVE_BATCH 16
static int give[FDS_MAX], ngive;
static void
flush_give(int sv)
{
	if (!ngive)
		return;
	if (fds_send(sv, give, ngive) < 0)
		exit(1);
	while (ngive)
		close(give[--ngive]);
}
static void
passer(int l, int sv, const char *other, int oport)
{
	mode = 2;
	ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }, e[64];
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	while (1) {
		int n = epoll_wait(ep, e, 64, -1);
		char name[256];
		for (int i = 0; i < n; i++) {
			side *s = e[i].data.ptr;
			if (s) {
				if (s->c->dead)
					continue;
				if (s->c->ph) {
					pass_event(s, e[i].events);
					continue;
				}
				if (pass_peek(s, name) != 1)
					continue; /* the rest of a hello that
						     came in pieces */
				if (other && !strcasecmp(name, other)) {
					pass_up(s, oport);
					continue;
				}
				epoll_ctl(ep, EPOLL_CTL_DEL, s->fd, NULL);
				give[ngive++] = s->fd;
				s->fd = -1;
				kill_(s->c);
				flush_give(sv);
				continue;
			}
			for (int k = 0; k < 64; k++) {
				int fd = accept4(l, NULL, NULL,
				    SOCK_NONBLOCK | SOCK_CLOEXEC);
				if (fd < 0)
					break;
				ssize_t have = recv(fd, buf, 20000, MSG_PEEK);
				int r =
				    have > 0 ? sni(buf, (size_t)have, name) : 0;
				if (r == 1 &&
				    !(other && !strcasecmp(name, other))) {
					give[ngive++] = fd;
					if (ngive == GIVE_BATCH)
						flush_give(sv);
					continue;
				} /* nothing allocated */
				conn *c = pass_new(fd);
				if (r == 1)
					pass_up(&c->s[0], oport);
				else
					pass_peek(&c->s[0], name);
			}
			flush_give(sv);
		}
		pass_bury();
	}
}
/* How many; ends with the passer. */
static int
takefds(int sv, int q[FDS_MAX])
{
	int n = fds_recv(sv, q, MSG_DONTWAIT);

	if (n == 0)
		exit(0);
	return n;
}
/* Becomes itself again, with fds 3 and 4, as name. */
static void
again(int fd3, int fd4, char *name, char *a, char *b)
{
	char *argv[] = { name, a, b, NULL };

	/* Out of the way of each other first; copies stay over exec. */
	fd3 = fcntl(fd3, F_DUPFD, 10);
	fd4 = fcntl(fd4, F_DUPFD, 10);
	dup2(fd3, 3);
	dup2(fd4, 4);
	close_range(5, ~0u, 0);
	execv("/proc/self/exe", argv);
	_exit(1);
}
/* Starts the passer for the listener; the other end of the line. other: "". */
static int
give_start(int l, char *other, char *port)
{
	int sv[2], one = 1;

	setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof one);
	setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		die("socketpair");
	if (fork() == 0)
		again(l, sv[0], "passer", other, port);
	close(sv[0]);
	close(l);
	return sv[1];
}
/* What main() is when it was started again; else it comes back. */
static void
give_main(char **argv)
{
	if (strcmp(argv[0], "passer"))
		return;
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	passer(3, 4, *argv[1] ? argv[1] : NULL, atoi(argv[2]));
}
#endif
