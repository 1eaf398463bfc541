/* Cost of passing an accepted connection's fd to another process (SCM_RIGHTS).
 * handoff [SECS] : prints JSON. Two processes; the sender sends fds of an
 * existing socket, in messages of 1..64 fds, the receiver recvmsg()s and
 * close()s each. The window (un-acked messages) is bounded by the socket
 * buffer. Cases: same CPU, different CPUs, ping-pong (one message in flight, a
 * real wake-up each, receiver in epoll_wait), 64 B payload as a hand-off
 * header. */
#include "fds.h"
#include <sched.h>
#include <sys/wait.h>
static void
pin(int c)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(c, &s);
	sched_setaffinity(0, sizeof s, &s);
}
static double
cpu_self(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static int first = 1;
/* Takes and closes what comes, and writes how many that were and the CPU time
 * it took to `result`. */
static void
receive(int s, int result, int pingpong, int ep_recv)
{
	int fds[FDS_MAX], ep = epoll_create1(0), k;
	struct epoll_event ev = { .events = EPOLLIN }, e2;
	double r[2] = { 0, cpu_self() };

	epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	if (ep_recv)
		fcntl(s, F_SETFL, O_NONBLOCK);
	do {
		if (ep_recv && epoll_wait(ep, &e2, 1, 2000) <= 0)
			break;
		do {
			k = fds_recv(s, fds, 0);
			for (int i = 0; i < k; i++)
				close(fds[i]);
			if (k > 0)
				r[0] += k;
			if (k > 0 && pingpong &&
			    send(s, "k", 1, MSG_NOSIGNAL) != 1)
				k = 0;
		} while (k > 0 && ep_recv && !pingpong);
	} while (k != 0);
	r[1] = cpu_self() - r[1];
	if (write(result, r, sizeof r) < 0)
		die("write");
	_exit(0);
}
/* For so long; how many were sent. */
static uint64_t
send_some(int s, const int *fds, int batch, double secs, hist *roundtrips)
{
	uint64_t t, n = 0, end = now_ns() + (uint64_t)(secs * 1e9);
	char x[8];

	while ((t = now_ns()) < end && fds_send(s, fds, batch) >= 0) {
		n += (uint64_t)batch;
		if (!roundtrips)
			continue;
		if (recv(s, x, sizeof x, 0) <= 0)
			break;
		hadd(roundtrips, now_ns() - t);
	}
	return n;
}
/* one case; every fd is a distinct open socket on the sender side, made by
 * dup() outside the timing */
static void
one(const char *name, int type, int batch, int cpu_r, int pingpong, int ep_recv,
    double secs)
{
	int sv[2], rp[2];
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv) || pipe(rp))
		die("socketpair");
	fflush(stdout);
	pid_t p = fork();
	if (p < 0)
		die("fork");
	if (p == 0) {
		pin(cpu_r);
		close(sv[0]);
		receive(sv[1], rp[1], pingpong, ep_recv);
	}
	close(sv[1]);
	close(rp[1]);
	pin(0);
	int l = socket(AF_INET, SOCK_STREAM, 0), fds[FDS_MAX];
	for (int i = 0; i < FDS_MAX; i++)
		fds[i] = dup(l);
	hist *h = calloc(1, sizeof *h);
	double c0 = cpu_self();
	uint64_t t0 = now_ns(),
		 n = send_some(sv[0], fds, batch, secs, pingpong ? h : NULL);
	double el = (double)(now_ns() - t0) / 1e3, cs = cpu_self() - c0,
	       r[2] = { 0, 0 };
	shutdown(sv[0], SHUT_RDWR);
	close(sv[0]);
	if (read(rp[0], r, sizeof r) < 0)
		die("read");
	waitpid(p, NULL, 0);
	close(rp[0]);
	for (int i = 0; i < FDS_MAX; i++)
		close(fds[i]);
	close(l);
	printf("%s{\"case\":\"%s\",\"batch\":%d,\"same_cpu\":%d,\"wall_us_per_"
	       "fd\":%.3f,\"sender_cpu_us_per_fd\":%.3f,\"receiver_cpu_us_per_"
	       "fd\":%.3f,\"p50_us_roundtrip\":%.2f,\"p99_us_roundtrip\":%.2f}",
	    first ? "" : ",\n ", name, batch, cpu_r == 0, el / (double)n,
	    cs / (double)n, r[0] ? r[1] / r[0] : 0, hq(h, .5) / 1e3,
	    hq(h, .99) / 1e3);
	first = 0;
	free(h);
	fflush(stdout);
}
int
main(int argc, char **argv)
{
	double s = argc > 1 ? atof(argv[1]) : 0.5;
	int far = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0;
	static const int bs[] = { 1, 2, 4, 8, 16, 32, 64 };
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	printf("[");
	for (int cpu = 0; cpu <= far; cpu++)
		for (size_t i = 0; i < sizeof bs / sizeof *bs; i++)
			one("seqpacket stream of messages, receiver in epoll",
			    SOCK_SEQPACKET, bs[i], cpu, 0, 1, s);
	for (int cpu = 0; cpu <= far; cpu++)
		one("seqpacket ping-pong (wake-up each)", SOCK_SEQPACKET, 1,
		    cpu, 1, 1, s);
	for (int cpu = 0; cpu <= far; cpu++)
		one("dgram stream of messages", SOCK_DGRAM, 1, cpu, 0, 1,
		    s > 0.3 ? 0.3 : s);
	printf("]\n");
	return 0;
}
