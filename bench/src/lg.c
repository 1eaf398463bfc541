/* Part A load generator. Prints one JSON object on stdout. Subcommands:
 *  rate PORT CONC SECS SNI EXPECT PQ [NAMES]   connections/s; with NAMES each
 * asks for one of so many, a number in the place of the '#' of SNI
 *  frag PORT SNI EXPECT N              odd ClientHello deliveries, per variant
 * counts bulk PORT CONC SECS SNI down|up     throughput ping PORT CONC SECS SNI
 * 64-byte round trips idle PORT N SNI [SECS]              opens N, prints READY
 * line, holds until stdin EOF/line, 60 s or SECS */
#include "common.h"
#include <poll.h>
static unsigned char ch[70000], alt[90000];
static size_t chn;

typedef struct {
	int fd;
	uint64_t t0;
	size_t got;
	char r[REPLY_LEN];
	int alive;
} cn;

static int
rate(int port, int conc, double secs, const char *sni, int expect, int pq,
    unsigned names)
{
	char name[256];
	if (names == 0)
		chn = build_ch(ch, pq ? 1800 : 517, sni, 'R', pq, 0);
	cn *cs = calloc((size_t)conc, sizeof *cs);
	hist *h = calloc(1, sizeof *h);
	int ep = epoll_create1(0);
	uint64_t ok = 0, bad = 0, mis = 0, cfail = 0, t0 = now_ns(),
		 end = t0 + (uint64_t)(secs * 1e9);
	struct epoll_event evs[256];
	int live = 0;
#define START(c)                                                     \
	do {                                                         \
		(c)->t0 = now_ns();                                  \
		(c)->got = 0;                                        \
		if (names > 0)                                       \
			chn = build_ch(ch, pq ? 1800 : 517,          \
			    pick_name(name, sizeof name, sni,        \
				names),                              \
			    'R', pq, 0);                             \
		(c)->fd = conn_lo(port, 1);                          \
		if ((c)->fd < 0) {                                   \
			cfail++;                                     \
			(c)->alive = 0;                              \
		} else {                                             \
			(c)->alive = 1;                              \
			live++;                                      \
			if (send((c)->fd, ch, chn, MSG_NOSIGNAL) !=  \
			    (ssize_t)chn)                            \
				bad++;                               \
			struct epoll_event ev = { .events = EPOLLIN, \
				.data.ptr = (c) };                   \
			epoll_ctl(ep, EPOLL_CTL_ADD, (c)->fd, &ev);  \
		}                                                    \
	} while (0)
	for (int i = 0; i < conc; i++)
		START(&cs[i]);
	uint64_t tl = now_ns();
	while (live > 0) {
		int n = epoll_wait(ep, evs, 256, 200);
		uint64_t t = now_ns();
		if (n > 0)
			tl = t;
		if (t > end && (n == 0 || t > end + 2000000000ull)) {
			bad += (uint64_t)live;
			break;
		}
		for (int i = 0; i < n; i++) {
			cn *c = evs[i].data.ptr;
			while (1) {
				ssize_t k = recv(c->fd, c->r + c->got,
				    sizeof c->r - c->got + 0, 0);
				if (k > 0) {
					c->got += (size_t)k;
					if (c->got < REPLY_LEN)
						continue;
					char x;
					k = recv(c->fd, &x, 1, 0);
				}
				if (k < 0 && errno == EAGAIN)
					break;
				if (c->got < REPLY_LEN)
					bad++;
				else if (c->r[0] != 'B' ||
				    c->r[2] != '0' + expect)
					mis++;
				else {
					ok++;
					hadd(h, now_ns() - c->t0);
				}
				close(c->fd);
				live--;
				c->alive = 0;
				if (now_ns() < end)
					START(c);
				break;
			}
		}
		if (n > 0 && now_ns() < end && live < conc)
			for (int i = 0; i < conc && live < conc; i++)
				if (!cs[i].alive)
					START(&cs[i]);
	}
	(void)tl;
	double el = (double)(now_ns() - t0) / 1e9;
	printf(
	    "{\"ok\":%llu,\"fail\":%llu,\"misrouted\":%llu,\"connfail\":%llu,"
	    "\"secs\":%.4f,\"rate\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
	    (unsigned long long)ok, (unsigned long long)bad,
	    (unsigned long long)mis, (unsigned long long)cfail, el,
	    (double)ok / el, hq(h, .5) / 1e3, hq(h, .99) / 1e3);
	return ok ? 0 : 1;
}
/* one variant: cut list of segment ends, gap us between; returns counts */
static void
variant(const char *name, int port, const unsigned char *b, size_t len,
    const size_t *cut, int nc, int gap_us, int n, int expect, int first)
{
	int ok = 0, fail = 0, mis = 0, to = 0, batch = 40;
	for (int done = 0; done < n; done += batch) {
		int k = n - done < batch ? n - done : batch, fds[64];
		for (int i = 0; i < k; i++)
			fds[i] = conn_lo(port, 0);
		size_t pos = 0;
		for (int s = 0; s <= nc; s++) {
			size_t e = s < nc ? cut[s] : len;
			for (int i = 0; i < k; i++)
				if (fds[i] >= 0 && e > pos) {
					if (send(fds[i], b + pos, e - pos,
						MSG_NOSIGNAL) < 0) {
					}
				}
			pos = e;
			if (s < nc)
				usleep((useconds_t)gap_us);
		}
		uint64_t t0 = now_ns(), dl = t0 + 2000000000ull;
		for (int i = 0; i < k; i++) {
			if (fds[i] < 0) {
				fail++;
				continue;
			}
			char r[REPLY_LEN];
			size_t g = 0;
			int timed = 0;
			while (g < sizeof r) {
				int64_t left =
				    (int64_t)(dl - now_ns()) / 1000000;
				struct pollfd p = { fds[i], POLLIN, 0 };
				if (poll(&p, 1, left > 0 ? (int)left : 0) <=
				    0) {
					timed = 1;
					break;
				}
				ssize_t q =
				    recv(fds[i], r + g, sizeof r - g, 0);
				if (q <= 0)
					break;
				g += (size_t)q;
			}
			if (g == sizeof r && r[0] == 'B') {
				if (r[2] == '0' + expect)
					ok++;
				else
					mis++;
			} else if (timed)
				to++;
			else
				fail++;
			close(fds[i]);
		}
	}
	printf("%s{\"variant\":\"%s\",\"bytes\":%zu,\"n\":%d,\"ok\":%d,"
	       "\"fail\":%d,\"misrouted\":%d,\"timeout\":%d}",
	    first ? "" : ",", name, len, n, ok, fail, mis, to);
	fflush(stdout);
}
static int
frag(int port, const char *sni, int expect, int defexp, int n)
{
	static size_t cut[70000];
	size_t L;
	char up[256];
	size_t sl = strlen(sni);
	for (size_t i = 0; i <= sl; i++)
		up[i] = (char)(sni[i] >= 'a' && sni[i] <= 'z' ? sni[i] - 32
							      : sni[i]);
	printf("{\"variants\":[");
	chn = build_ch(ch, 517, sni, 'R', 0, 0);
	variant("std517_whole", port, ch, chn, cut, 0, 0, n, expect, 1);
	chn = build_ch(ch, 1800, sni, 'R', 1, 0);
	variant("pq1800_whole", port, ch, chn, cut, 0, 0, n, expect, 0);
	cut[0] = 1400;
	variant("pq1800_2seg_5ms_sni1st", port, ch, chn, cut, 1, 5000, n,
	    expect, 0);
	chn = build_ch(ch, 1800, sni, 'R', 1, 1);
	variant("pq1800_2seg_5ms_sni2nd", port, ch, chn, cut, 1, 5000, n,
	    expect, 0);
	chn = build_ch(ch, 1800, sni, 'R', 1, 1);
	variant("pq1800_2seg_1500ms_sni2nd", port, ch, chn, cut, 1, 1500000,
	    n < 40 ? n : 40, expect, 0);
	chn = build_ch(ch, 517, sni, 'R', 0, 0);
	cut[0] = 1;
	cut[1] = 5;
	cut[2] = 60;
	variant(
	    "std517_cut_1_5_60_2ms", port, ch, chn, cut, 3, 2000, n, expect, 0);
	for (size_t i = 0; i + 1 < chn; i++)
		cut[i] = i + 1;
	variant("std517_bytewise_0.1ms", port, ch, chn, cut, (int)chn - 1, 100,
	    n < 40 ? n : 40, expect, 0);
	L = refragment(ch, chn, alt, 64);
	variant("std517_records_of_64", port, alt, L, cut, 0, 0, n, expect, 0);
	L = refragment(ch, chn, alt, 1);
	variant("std517_records_of_1", port, alt, L, cut, 0, 0, n, expect, 0);
	chn = build_ch(ch, 1800, sni, 'R', 1, 1);
	L = refragment(ch, chn, alt, 900);
	cut[0] = 905;
	variant("pq1800_2records_2seg_5ms", port, alt, L, cut, 1, 5000, n,
	    expect, 0);
	chn = build_ch(ch, 6000, sni, 'R', 1, 1);
	cut[0] = 1448;
	cut[1] = 2896;
	cut[2] = 4344;
	cut[3] = 5792;
	variant("big6000_5seg_2ms_sni2nd", port, ch, chn, cut, 4, 2000, n,
	    expect, 0);
	chn = build_ch(ch, 16000, sni, 'R', 1, 1);
	variant("big16000_whole", port, ch, chn, cut, 0, 0, n, expect, 0);
	chn = build_ch(ch, 32000, sni, 'R', 1, 1);
	L = refragment(ch, chn, alt, 4000);
	variant("big32000_records_of_4000", port, alt, L, cut, 0, 0, n, expect,
	    0);
	chn = build_ch(ch, 517, up, 'R', 0, 0);
	variant("upper_case_sni", port, ch, chn, cut, 0, 0, n, expect, 0);
	chn = build_ch(ch, 517, "", 'R', 0, 0);
	variant("no_sni_to_default", port, ch, chn, cut, 0, 0, n, defexp, 0);
	chn = build_ch(ch, 517, "unknown.invalid", 'R', 0, 0);
	variant(
	    "unknown_sni_to_default", port, ch, chn, cut, 0, 0, n, defexp, 0);
	printf("]}\n");
	return 0;
}
static int
hello_wait(int fd)
{
	char r[REPLY_LEN];
	size_t g = 0;
	while (g < sizeof r) {
		ssize_t k = recv(fd, r + g, sizeof r - g, 0);
		if (k <= 0)
			return -1;
		g += (size_t)k;
	}
	return r[0] == 'B' ? r[2] - '0' : -1;
}

static int
bulk(int port, int conc, double secs, const char *sni, int up)
{
	static unsigned char buf[262144];
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (unsigned char)(i * 197 >> 3);
	chn = build_ch(ch, 517, sni, up ? 'U' : 'D', 0, 0);
	int ep = epoll_create1(0), *fds = calloc((size_t)conc, sizeof *fds);
	uint64_t *tot = calloc((size_t)conc, 8), all = 0;
	int bad = 0;
	for (int i = 0; i < conc; i++) {
		fds[i] = conn_lo(port, 0);
		if (fds[i] < 0) {
			fprintf(stderr, "connect failed\n");
			return 1;
		}
		if (send(fds[i], ch, chn, MSG_NOSIGNAL) != (ssize_t)chn)
			return 1;
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
		struct epoll_event ev = { .events = up ? EPOLLOUT : EPOLLIN,
			.data.u32 = (uint32_t)i };
		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
	}
	uint64_t t0 = now_ns(), end = t0 + (uint64_t)(secs * 1e9);
	struct epoll_event evs[64];
	while (now_ns() < end) {
		int n = epoll_wait(ep, evs, 64, 100);
		for (int i = 0; i < n; i++) {
			uint32_t k = evs[i].data.u32;
			for (int j = 0; j < 4; j++) {
				ssize_t r = up
				    ? send(
					  fds[k], buf, sizeof buf, MSG_NOSIGNAL)
				    : recv(fds[k], NULL, 1 << 24, MSG_TRUNC);
				if (r > 0) {
					tot[k] += (uint64_t)r;
					continue;
				}
				if (r < 0 && errno == EAGAIN)
					break;
				bad++;
				epoll_ctl(ep, EPOLL_CTL_DEL, fds[k], NULL);
				break;
			}
		}
	}
	double el = (double)(now_ns() - t0) / 1e9;
	int mismatch = 0;
	for (int i = 0; i < conc; i++) {
		all += tot[i];
		if (up) {
			fcntl(fds[i], F_SETFL, 0);
			shutdown(fds[i], SHUT_WR);
			struct timeval tv = { 5, 0 };
			setsockopt(
			    fds[i], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
			char r[REPLY_LEN + 1] = { 0 };
			size_t g = 0;
			while (g < REPLY_LEN) {
				ssize_t k =
				    recv(fds[i], r + g, REPLY_LEN - g, 0);
				if (k <= 0)
					break;
				g += (size_t)k;
			}
			if (g != REPLY_LEN ||
			    strtoull(r + 4, NULL, 10) != tot[i])
				mismatch++;
		}
		close(fds[i]);
	}
	if (up)
		el = (double)(now_ns() - t0) / 1e9;
	double gib = (double)all / (1 << 30);
	printf("{\"gib\":%.4f,\"secs\":%.4f,\"gibps\":%.4f,\"early_eof\":%d,"
	       "\"count_mismatch\":%d}\n",
	    gib, el, gib / el, bad, mismatch);
	return 0;
}
static int
ping(int port, int conc, double secs, const char *sni)
{
	chn = build_ch(ch, 517, sni, 'P', 0, 0);
	hist *h = calloc(1, sizeof *h);
	int *fds = calloc((size_t)conc, sizeof *fds), ep = epoll_create1(0);
	uint64_t *ts = calloc((size_t)conc, 8), n = 0;
	char m[64];
	memset(m, 'x', sizeof m);
	for (int i = 0; i < conc; i++) {
		fds[i] = conn_lo(port, 0);
		if (fds[i] < 0 || send(fds[i], ch, chn, MSG_NOSIGNAL) < 0 ||
		    hello_wait(fds[i]) < 0) {
			fprintf(stderr, "ping setup failed\n");
			return 1;
		}
		struct epoll_event ev = { .events = EPOLLIN,
			.data.u32 = (uint32_t)i };
		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
	}
	uint64_t t0 = now_ns(), end = t0 + (uint64_t)(secs * 1e9);
	if (conc == 1)
		while (now_ns() < end) {
			uint64_t t = now_ns();
			if (send(fds[0], m, 64, MSG_NOSIGNAL) != 64)
				return 1;
			size_t g = 0;
			while (g < 64) {
				ssize_t k = recv(fds[0], m, 64 - g, 0);
				if (k <= 0)
					return 1;
				g += (size_t)k;
			}
			hadd(h, now_ns() - t);
			n++;
		}
	else {
		for (int i = 0; i < conc; i++) {
			ts[i] = now_ns();
			if (send(fds[i], m, 64, MSG_NOSIGNAL) != 64)
				return 1;
		}
		struct epoll_event evs[256];
		while (now_ns() < end) {
			int k = epoll_wait(ep, evs, 256, 100);
			for (int i = 0; i < k; i++) {
				uint32_t q = evs[i].data.u32;
				if (recv(fds[q], m, 64, 0) != 64) {
					fprintf(stderr, "short\n");
					return 1;
				}
				uint64_t t = now_ns();
				hadd(h, t - ts[q]);
				n++;
				ts[q] = t;
				if (send(fds[q], m, 64, MSG_NOSIGNAL) != 64)
					return 1;
			}
		}
	}
	double el = (double)(now_ns() - t0) / 1e9;
	printf("{\"n\":%llu,\"secs\":%.4f,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_"
	       "us\":%.2f}\n",
	    (unsigned long long)n, el, (double)n / el, hq(h, .5) / 1e3,
	    hq(h, .99) / 1e3);
	return 0;
}
static int
idle(int port, int n, const char *sni, int hold)
{
	chn = build_ch(ch, 517, sni, 'I', 0, 0);
	int *fds = calloc((size_t)n, sizeof *fds), ok = 0;
	uint64_t t0 = now_ns();
	for (int i = 0; i < n; i += 100) {
		int k = n - i < 100 ? n - i : 100;
		for (int j = 0; j < k; j++) {
			fds[i + j] = conn_lo(port, 0);
			if (fds[i + j] >= 0) {
				struct timeval tv = { 3, 0 };
				setsockopt(fds[i + j], SOL_SOCKET, SO_RCVTIMEO,
				    &tv, sizeof tv);
				if (send(fds[i + j], ch, chn, MSG_NOSIGNAL) <
				    0) {
				}
			}
		}
		int okb = 0;
		for (int j = 0; j < k; j++)
			if (fds[i + j] >= 0 && hello_wait(fds[i + j]) >= 0)
				okb++;
		ok += okb;
		if (okb == 0 && i >= 200)
			break;
		if (now_ns() - t0 > 25000000000ull)
			break;
	}
	printf("{\"wanted\":%d,\"ok\":%d,\"secs\":%.3f}\n", n, ok,
	    (double)(now_ns() - t0) / 1e9);
	fflush(stdout);
	char b[16];
	alarm((unsigned)hold);
	if (read(0, b, sizeof b) < 0) {
	}
	return 0;
}
int
main(int argc, char **argv)
{
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	srand(42);
	if (argc < 4)
		return 2;
	int port = atoi(argv[2]);
	if (!strcmp(argv[1], "rate") && argc >= 8)
		return rate(port, atoi(argv[3]), atof(argv[4]), argv[5],
		    atoi(argv[6]), atoi(argv[7]),
		    argc > 8 ? (unsigned)atoi(argv[8]) : 0);
	if (!strcmp(argv[1], "frag") && argc >= 7)
		return frag(
		    port, argv[3], atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
	if (!strcmp(argv[1], "bulk") && argc >= 7)
		return bulk(port, atoi(argv[3]), atof(argv[4]), argv[5],
		    !strcmp(argv[6], "up"));
	if (!strcmp(argv[1], "ping") && argc >= 6)
		return ping(port, atoi(argv[3]), atof(argv[4]), argv[5]);
	if (!strcmp(argv[1], "idle") && argc >= 5)
		return idle(port, atoi(argv[3]), argv[4],
		    argc > 5 ? atoi(argv[5]) : 60);
	fprintf(stderr, "bad args\n");
	return 2;
}
