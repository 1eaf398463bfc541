/* Reference only, not a peer: the cheapest passthrough I could write, no
 * timeouts, no limits, no config. It shows what a C proxy may reach. usage:
 * floor PORT SNI_A PORT_A SNI_B PORT_B PORT_DEF MODE MODE: rw = recv/send
 * through one shared 256 KiB buffer; splice = pipes; auto = first bytes rw,
 * splice after a connection has moved 256 KiB in one direction. FLOOR_HANDOFF
 * in the environment: another process accepts, peeks and passes the fd. */
#include "give.h"
static const char *sa, *sb;
static int pa, pb, pd;
static void
hello(side *s)
{
	char name[256];
	if (pass_peek(s, name) == 1)
		pass_up(s,
		    !strcasecmp(name, sa)       ? pa
			: !strcasecmp(name, sb) ? pb
						: pd);
}
static void
greet(int fd)
{
	hello(&pass_new(fd)->s[0]);
}
static void
accept_some(int l)
{
	int fd;

	for (int k = 0; k < 32; k++) {
		fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		greet(fd);
	}
}
static void
take(int sv)
{
	int q[FDS_MAX], n = takefds(sv, q);

	for (int k = 0; k < n; k++)
		greet(q[k]);
}
int
main(int argc, char **argv)
{
	give_main(argv);
	if (argc < 8)
		return 2;
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	sa = argv[2];
	pa = atoi(argv[3]);
	sb = argv[4];
	pb = atoi(argv[5]);
	pd = atoi(argv[6]);
	mode = !strcmp(argv[7], "splice") ? 1
	    : !strcmp(argv[7], "auto")    ? 2
					  : 0;
	int w = argc > 8 ? atoi(argv[8]) : 1;
	for (int i = 1; i < w; i++)
		if (fork() == 0)
			break;
	int l = listen_lo(atoi(argv[1]), 1), da = 1;
	setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &da, sizeof da);
	if (!getenv("NODEFER"))
		setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &da, sizeof da);
	int hand = getenv("FLOOR_HANDOFF") != NULL;
	if (hand)
		l = give_start(l, "", "0");
	ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL },
			   evs[256];
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	while (1) {
		int n = epoll_wait(ep, evs, 256, -1);
		for (int i = 0; i < n; i++) {
			side *s = evs[i].data.ptr;
			if (!s) {
				if (hand)
					take(l);
				else
					accept_some(l);
				continue;
			}
			conn *c = s->c;
			if (c->dead)
				continue;
			if (c->ph == 0) {
				hello(s);
				continue;
			}
			pass_event(s, evs[i].events);
		}
		pass_bury();
	}
}
