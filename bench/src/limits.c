/* Primitive costs on this machine, one thread, loopback (peer's softirq work
 * included in the call that triggers it). limits [N] prints JSON: mean us per
 * call over N full proxied connections driven by one thread, then forwarding
 * cost per GiB for recv/send and splice, then sockmap. */
#include "common.h"
#include <linux/bpf.h>
#include <linux/errqueue.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
static struct {
	const char *n;
	uint64_t t, c;
} T[40];
static int nt;
static uint64_t ovh;
static void
acc(const char *n, uint64_t ns)
{
	int i;
	for (i = 0; i < nt; i++)
		if (T[i].n == n)
			break;
	if (i == nt) {
		T[nt++].n = n;
	}
	T[i].t += ns > ovh ? ns - ovh : 0;
	T[i].c++;
}
#define M(name, call)                         \
	({                                    \
		uint64_t _t = now_ns();       \
		__typeof__(call) _r = (call); \
		acc(name, now_ns() - _t);     \
		_r;                           \
	})
static int
lst(int *port)
{
	int l = listen_lo(0, 0);
	struct sockaddr_in a;
	socklen_t s = sizeof a;
	getsockname(l, (void *)&a, &s);
	*port = ntohs(a.sin_port);
	fcntl(l, F_SETFL, 0);
	return l;
}
static void
pairtcp(int *a, int *b)
{
	int p, l = lst(&p);
	*a = conn_lo(p, 0);
	*b = accept(l, NULL, NULL);
	close(l);
	int one = 1;
	setsockopt(*b, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}
static double
cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
/* move total bytes client->[a b]proxy[c d]->backend in rounds of chunk; returns
 * proxy ns */
static double
fwd(int mode, size_t chunk, size_t buf, size_t total)
{
	int a, b, c, d, pi[2];
	static unsigned char src[1 << 20], B[1 << 20];
	pairtcp(&a, &b);
	pairtcp(&c, &d);
	if (pipe(pi))
		die("pipe");
	fcntl(pi[1], F_SETPIPE_SZ, 1 << 20);
	int big = 4 << 20;
	setsockopt(a, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	setsockopt(b, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
	setsockopt(d, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
	uint64_t t = 0, t0;
	fcntl(b, F_SETFL, O_NONBLOCK);
	fcntl(d, F_SETFL, O_NONBLOCK);
	int one = 1;
	if (mode == 2)
		setsockopt(c, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one);
	for (size_t done = 0; done < total; done += chunk) {
		if (send(a, src, chunk, 0) != (ssize_t)chunk)
			die("send");
		size_t m = 0;
		t0 = now_ns();
		while (m < chunk) {
			if (mode == 1) {
				ssize_t r = splice(b, NULL, pi[1], NULL, buf,
				    SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
				if (r <= 0) {
					if (errno == EAGAIN)
						continue;
					die("splice");
				}
				size_t q = (size_t)r;
				while (q) {
					ssize_t w = splice(pi[0], NULL, c, NULL,
					    q, SPLICE_F_MOVE);
					if (w <= 0)
						die("splice2");
					q -= (size_t)w;
				}
				m += (size_t)r;
			} else {
				ssize_t r = recv(b, B, buf, 0);
				if (r <= 0) {
					if (errno == EAGAIN)
						continue;
					die("recv");
				}
				if (send(c, B, (size_t)r,
					mode == 2 ? MSG_ZEROCOPY : 0) != r)
					die("send2");
				m += (size_t)r;
			}
		}
		if (mode == 2) {
			char cb[256];
			struct msghdr h = { .msg_control = cb,
				.msg_controllen = sizeof cb };
			while (recvmsg(c, &h, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
				h.msg_controllen = sizeof cb;
		}
		t += now_ns() - t0;
		for (size_t g = 0; g < chunk;) {
			ssize_t k = recv(d, NULL, chunk, MSG_TRUNC);
			if (k > 0)
				g += (size_t)k;
			else if (errno != EAGAIN)
				die("sink");
		}
	}
	close(a);
	close(b);
	close(c);
	close(d);
	close(pi[0]);
	close(pi[1]);
	return (double)t / 1e9 / ((double)total / (1 << 30));
}
static int
bpf(int cmd, union bpf_attr *at)
{
	return (int)syscall(SYS_bpf, cmd, at, sizeof *at);
}
static double
machine_busy(void)
{
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");
	if (!f ||
	    fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1,
		v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) < 8)
		return 0;
	fclose(f);
	return (double)(v[0] + v[1] + v[2] + v[5] + v[6]) / 100;
}
/* bulk through two sockets joined by a sockmap stream verdict; -1 when not
 * usable */
static void
sockmap(double secs)
{
	union bpf_attr at;
	memset(&at, 0, sizeof at);
	at.map_type = BPF_MAP_TYPE_SOCKMAP;
	at.key_size = 4;
	at.value_size = 4;
	at.max_entries = 2;
	int map = bpf(BPF_MAP_CREATE, &at);
	if (map < 0) {
		printf("\"sockmap\":\"map: %s\"", strerror(errno));
		return;
	}
	struct bpf_insn in[] = { /* r1=skb; redirect to key 0 */
		{ BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0,
		    map },
		{ 0, 0, 0, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sk_redirect_map },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 }
	};
	static char lg[4096];
	memset(&at, 0, sizeof at);
	at.prog_type = BPF_PROG_TYPE_SK_SKB;
	at.insns = (uint64_t)(uintptr_t)in;
	at.insn_cnt = 6;
	at.license = (uint64_t)(uintptr_t) "GPL";
	at.log_buf = (uint64_t)(uintptr_t)lg;
	at.log_size = sizeof lg;
	at.log_level = 1;
	int pr = bpf(BPF_PROG_LOAD, &at);
	if (pr < 0) {
		printf("\"sockmap\":\"prog: %s\"", strerror(errno));
		return;
	}
	memset(&at, 0, sizeof at);
	at.target_fd = (uint32_t)map;
	at.attach_bpf_fd = (uint32_t)pr;
	at.attach_type = BPF_SK_SKB_STREAM_VERDICT;
	if (bpf(BPF_PROG_ATTACH, &at) < 0) {
		printf("\"sockmap\":\"attach: %s\"", strerror(errno));
		return;
	}
	int a, b, c, d;
	pairtcp(&a, &b);
	pairtcp(&c, &d);
	uint32_t k0 = 0, k1 = 1;
	uint32_t vc = (uint32_t)c, vb = (uint32_t)b;
	memset(&at, 0, sizeof at);
	at.map_fd = (uint32_t)map;
	at.key = (uint64_t)(uintptr_t)&k0;
	at.value = (uint64_t)(uintptr_t)&vc;
	if (bpf(BPF_MAP_UPDATE_ELEM, &at) < 0) {
		printf("\"sockmap\":\"upd0: %s\"", strerror(errno));
		return;
	}
	at.key = (uint64_t)(uintptr_t)&k1;
	at.value = (uint64_t)(uintptr_t)&vb;
	if (bpf(BPF_MAP_UPDATE_ELEM, &at) < 0) {
		printf("\"sockmap\":\"upd1: %s\"", strerror(errno));
		return;
	}
	fflush(stdout);
	pid_t p = fork();
	static unsigned char buf[262144];
	if (p == 0) {
		cpu_set_t s;
		CPU_ZERO(&s);
		CPU_SET(0, &s);
		sched_setaffinity(0, sizeof s, &s);
		close(d);
		while (send(a, buf, sizeof buf, MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	close(a);
	fcntl(d, F_SETFL, O_NONBLOCK);
	uint64_t t0 = now_ns(), tot = 0;
	double m0 = machine_busy();
	while (now_ns() - t0 < (uint64_t)(secs * 1e9)) {
		ssize_t k = recv(d, NULL, 1 << 24, MSG_TRUNC);
		if (k > 0)
			tot += (uint64_t)k;
		else if (k == 0)
			break;
		else
			usleep(50);
	}
	double el = (double)(now_ns() - t0) / 1e9, mb = machine_busy() - m0;
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	close(b);
	close(c);
	close(d);
	close(map);
	close(pr);
	printf("\"sockmap\":{\"gibps\":%.3f,\"machine_cpu_s_per_gib_all_ends\":"
	       "%.3f}",
	    (double)tot / (1 << 30) / el, mb / ((double)tot / (1 << 30)));
}
/* same topology, forwarder process doing recv/send or splice, to compare with
 * sockmap */
static void
procfwd(const char *name, int sp, double secs)
{
	int a, b, c, d, pi[2];
	pairtcp(&a, &b);
	pairtcp(&c, &d);
	fflush(stdout);
	static unsigned char buf[262144];
	pid_t p = fork();
	if (p == 0) {
		close(d);
		while (send(a, buf, sizeof buf, MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	pid_t q = fork();
	if (q == 0) {
		close(a);
		close(d);
		if (pipe(pi))
			_exit(1);
		fcntl(pi[1], F_SETPIPE_SZ, 1 << 20);
		while (1) {
			if (sp) {
				ssize_t r = splice(b, NULL, pi[1], NULL,
				    1 << 20, SPLICE_F_MOVE);
				if (r <= 0)
					break;
				while (r > 0) {
					ssize_t w = splice(pi[0], NULL, c, NULL,
					    (size_t)r, SPLICE_F_MOVE);
					if (w <= 0)
						_exit(0);
					r -= w;
				}
			} else {
				ssize_t r = recv(b, buf, sizeof buf, 0);
				if (r <= 0 ||
				    send(c, buf, (size_t)r, MSG_NOSIGNAL) != r)
					break;
			}
		}
		_exit(0);
	}
	close(a);
	close(b);
	close(c);
	fcntl(d, F_SETFL, O_NONBLOCK);
	uint64_t t0 = now_ns(), tot = 0;
	double m0 = machine_busy();
	while (now_ns() - t0 < (uint64_t)(secs * 1e9)) {
		ssize_t k = recv(d, NULL, 1 << 24, MSG_TRUNC);
		if (k > 0)
			tot += (uint64_t)k;
		else if (k == 0)
			break;
		else
			usleep(50);
	}
	double el = (double)(now_ns() - t0) / 1e9, mb = machine_busy() - m0;
	kill(p, SIGKILL);
	kill(q, SIGKILL);
	waitpid(p, NULL, 0);
	waitpid(q, NULL, 0);
	close(d);
	printf(
	    ",\"%s\":{\"gibps\":%.3f,\"machine_cpu_s_per_gib_all_ends\":%.3f}",
	    name, (double)tot / (1 << 30) / el, mb / ((double)tot / (1 << 30)));
}
int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 20000, one = 1;
	signal(SIGPIPE, SIG_IGN);
	raise_nofile();
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET((int)sysconf(_SC_NPROCESSORS_ONLN) - 1, &s);
	sched_setaffinity(0, sizeof s, &s);
	uint64_t t = now_ns();
	for (int i = 0; i < 200000; i++)
		now_ns();
	ovh = (now_ns() - t) / 200000;
	t = now_ns();
	for (int i = 0; i < 500000; i++)
		syscall(SYS_getppid);
	double sysc = (double)(now_ns() - t) / 500000 / 1e3;
	int pl, pb, l = lst(&pl), lb = lst(&pb), ep = epoll_create1(0);
	unsigned char ch[2000], B[4096], r64[64] = { 0 };
	size_t cn = build_ch(ch, 517, "a.example.test", 'R', 0, 0);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP }, e8[8];
	struct sockaddr_in aa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)pb),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	double c0 = cpu_s();
	(void)c0;
	for (int i = 0; i < n; i++) {
		int cl = M("client: socket+connect", conn_lo(pl, 0));
		M("client: send hello", send(cl, ch, cn, 0));
		int f = M("accept4",
		    accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
		M("epoll_ctl ADD", epoll_ctl(ep, EPOLL_CTL_ADD, f, &ev));
		M("epoll_wait ready", epoll_wait(ep, e8, 8, 0));
		M("recv MSG_PEEK 517", recv(f, B, sizeof B, MSG_PEEK));
		ssize_t k = M("recv 517", recv(f, B, sizeof B, 0));
		int u = M("socket",
		    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0));
		M("setsockopt NODELAY",
		    setsockopt(u, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
		M("connect nonblocking", connect(u, (void *)&aa, sizeof aa));
		M("send 517 upstream", send(u, B, (size_t)k, 0));
		M("epoll_ctl ADD", epoll_ctl(ep, EPOLL_CTL_ADD, u, &ev));
		int b = M(
		    "backend: accept4", accept4(lb, NULL, NULL, SOCK_CLOEXEC));
		M("backend: recv", recv(b, B, sizeof B, 0));
		M("backend: send 64", send(b, r64, 64, 0));
		M("backend: close (first)", close(b));
		M("epoll_wait ready", epoll_wait(ep, e8, 8, 0));
		k = M("recv 64", recv(u, B, sizeof B, 0));
		M("recv EOF", recv(u, B + k, 100, 0));
		M("send 64 client", send(f, B, (size_t)k, 0));
		M("shutdown WR", shutdown(f, SHUT_WR));
		M("client: recv", recv(cl, B, 64, 0));
		M("client: close", close(cl));
		M("recv EOF", recv(f, B, 100, 0));
		M("close upstream", close(u));
		M("close client side", close(f));
	}
	printf("{\"syscall_us\":%.3f,\"clock_overhead_us\":%.3f,\"n\":%d,"
	       "\"calls_us\":{",
	    sysc, (double)ovh / 1e3, n);
	double proxy = 0;
	for (int i = 0; i < nt; i++) {
		double us = (double)T[i].t / n / 1e3;
		printf("%s\"%s\":%.2f", i ? "," : "", T[i].n, us);
		if (!strchr(T[i].n, ':'))
			proxy += us;
	}
	printf("},\"proxy_sum_us_per_conn\":%.2f,\n\"fwd_s_per_gib\":{", proxy);
	size_t tot = (size_t)1 << 30;
	printf("\"recv/send 16K\":%.3f,\"recv/send 64K\":%.3f,\"recv/send "
	       "256K\":%.3f,\"splice 64K\":%.3f,\"splice 1M\":%.3f,\"recv/send "
	       "zerocopy 64K\":%.3f,\"small 1K recv/send\":%.3f,\"small 1K "
	       "splice\":%.3f,\"4K recv/send\":%.3f,\"4K splice\":%.3f,\"16K "
	       "recv/send\":%.3f,\"16K splice\":%.3f},\n",
	    fwd(0, 262144, 16384, tot), fwd(0, 262144, 65536, tot),
	    fwd(0, 262144, 262144, tot), fwd(1, 262144, 65536, tot),
	    fwd(1, 262144, 1 << 20, tot), fwd(2, 262144, 65536, tot),
	    fwd(0, 1024, 65536, tot / 16), fwd(1, 1024, 65536, tot / 16),
	    fwd(0, 4096, 65536, tot / 8), fwd(1, 4096, 65536, tot / 8),
	    fwd(0, 16384, 65536, tot / 4), fwd(1, 16384, 65536, tot / 4));
	CPU_ZERO(&s);
	for (int i = 0; i < (int)sysconf(_SC_NPROCESSORS_ONLN); i++)
		CPU_SET(i, &s);
	sched_setaffinity(0, sizeof s, &s);
	sockmap(1.5);
	procfwd("process recv/send 256K", 0, 1.5);
	procfwd("process splice 1M", 1, 1.5);
	printf("}\n");
	return 0;
}
