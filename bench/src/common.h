/* Shared helpers of the bench programs: ClientHello builder, clock, histogram.
 */
#ifndef COMMON_H
#define COMMON_H
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "L4B1" /* in ClientHello.random: MAGIC op(1) id.. */
#define REPLY_LEN 64 /* "BK" + port index + "/" + op ... padded */

static inline uint64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}
static inline void
die(const char *m)
{
	fprintf(stderr, "%s: %s\n", m, strerror(errno));
	exit(2);
}
static inline void
raise_nofile(void)
{
	struct rlimit r = { 200000, 200000 };
	if (setrlimit(RLIMIT_NOFILE, &r) < 0) {
		getrlimit(RLIMIT_NOFILE, &r);
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}
static inline void
put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* Chrome-like ClientHello. size: whole record bytes wanted (padding extension
 * fills up). pq: adds a 1216-byte X25519MLKEM768 key share. late: SNI put after
 * the key share (Chrome shuffles extensions, so both orders happen). sni may be
 * "" for none. */
static inline size_t
build_ch(
    unsigned char *b, size_t size, const char *sni, char op, int pq, int late)
{
	unsigned char *p = b + 9, *ext, *e, *sid;
	put16(p, 0x0303);
	p += 2;
	for (int i = 0; i < 32; i++)
		p[i] = (unsigned char)(rand() >> 7);
	memcpy(p, MAGIC, 4);
	p[4] = (unsigned char)op;
	p += 32;
	*p++ = 32;
	sid = p;
	for (int i = 0; i < 32; i++)
		*sid++ = (unsigned char)(rand() >> 7);
	p += 32;
	static const unsigned short cs[] = { 0x3a3a, 0x1301, 0x1302, 0x1303,
		0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
		0x009c, 0x009d, 0x002f, 0x0035 };
	put16(p, sizeof cs);
	p += 2;
	for (size_t i = 0; i < sizeof cs / 2; i++) {
		put16(p, cs[i]);
		p += 2;
	}
	*p++ = 1;
	*p++ = 0;
	ext = p;
	p += 2;
#define EXT(t)               \
	do {                 \
		put16(p, t); \
		e = p + 2;   \
		p += 4;      \
	} while (0)
#define END() put16(e, (unsigned)(p - e - 2))
	size_t nl = strlen(sni);
	EXT(0x5a5a);
	END();
	for (int pass = 0; pass < 2; pass++) {
		if (pass == late && nl) {
			EXT(0);
			put16(p, (unsigned)nl + 3);
			p[2] = 0;
			put16(p + 3, (unsigned)nl);
			memcpy(p + 5, sni, nl);
			p += 5 + nl;
			END();
		}
		if (pass == 0) {
			EXT(0x17);
			END();
			EXT(0xff01);
			*p++ = 0;
			END();
			EXT(0x0a);
			put16(p, 8);
			put16(p + 2, 0x4a4a);
			put16(p + 4, pq ? 0x11ec : 0x1d);
			put16(p + 6, 0x17);
			put16(p + 8, 0x18);
			p += 10;
			END();
			EXT(0x0b);
			*p++ = 1;
			*p++ = 0;
			END();
			EXT(0x23);
			END();
			EXT(0x10);
			put16(p, 12);
			memcpy(p + 2, "\x02h2\x08http/1.1", 12);
			p += 14;
			END();
			EXT(0x05);
			*p++ = 1;
			put16(p, 0);
			put16(p + 2, 0);
			p += 4;
			END();
			EXT(0x0d);
			static const unsigned short sa[] = { 0x403, 0x804,
				0x401, 0x503, 0x805, 0x501, 0x806, 0x601 };
			put16(p, sizeof sa);
			p += 2;
			for (size_t i = 0; i < sizeof sa / 2; i++) {
				put16(p, sa[i]);
				p += 2;
			}
			END();
			EXT(0x12);
			END();
			EXT(0x33);
			unsigned char *kl = p;
			p += 2;
			put16(p, 0x4a4a);
			put16(p + 2, 1);
			p[4] = 0;
			p += 5;
			if (pq) {
				put16(p, 0x11ec);
				put16(p + 2, 1216);
				p += 4;
				for (int i = 0; i < 1216; i++)
					*p++ = (unsigned char)(rand() >> 7);
			}
			put16(p, 0x1d);
			put16(p + 2, 32);
			p += 4;
			for (int i = 0; i < 32; i++)
				*p++ = (unsigned char)(rand() >> 7);
			put16(kl, (unsigned)(p - kl - 2));
			END();
			EXT(0x2d);
			*p++ = 1;
			*p++ = 1;
			END();
			EXT(0x2b);
			*p++ = 6;
			put16(p, 0x2a2a);
			put16(p + 2, 0x304);
			put16(p + 4, 0x303);
			p += 6;
			END();
			EXT(0x1b);
			*p++ = 2;
			put16(p, 2);
			p += 2;
			END();
			EXT(0x4469);
			put16(p, 3);
			p[2] = 2;
			memcpy(p + 3, "h2", 2);
			p += 5;
			END();
		}
	}
	EXT(0x7a7a);
	*p++ = 0;
	END();
	size_t cur = (size_t)(p - b);
	if (size >= cur + 4) {
		EXT(0x15);
		memset(p, 0, size - cur - 4);
		p += size - cur - 4;
		END();
	}
	put16(ext, (unsigned)(p - ext - 2));
	size_t hs = (size_t)(p - b - 9);
	b[5] = 1;
	b[6] = (unsigned char)(hs >> 16);
	put16(b + 7, (unsigned)(hs & 0xffff));
	b[0] = 22;
	b[1] = 3;
	b[2] = 1;
	put16(b + 3, (unsigned)(p - b - 5));
	return (size_t)(p - b);
#undef EXT
#undef END
}
/* One of n names: the pattern with a number in the place of its '#'. */
static inline const char *
pick_name(char *dst, size_t size, const char *pattern, unsigned n)
{
	size_t at = strcspn(pattern, "#");
	if (n == 0 || pattern[at] == 0)
		return pattern;
	snprintf(dst, size, "%.*s%u%s", (int)at, pattern,
	    (unsigned)rand() % n, pattern + at + 1);
	return dst;
}
/* Re-cut one handshake record into records of at most n payload bytes. */
static inline size_t
refragment(const unsigned char *in, size_t len, unsigned char *out, size_t n)
{
	size_t o = 0, i = 5;
	while (i < len) {
		size_t k = len - i < n ? len - i : n;
		out[o] = 22;
		out[o + 1] = 3;
		out[o + 2] = 1;
		put16(out + o + 3, (unsigned)k);
		memcpy(out + o + 5, in + i, k);
		o += 5 + k;
		i += k;
	}
	return o;
}
static inline int
conn_lo(int port, int nonblock)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	struct timeval tv = { 2, 0 };
	setsockopt(
	    fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv); /* bounds connect() */
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		return -1;
	}
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (nonblock)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}
static inline int
listen_lo(int port, int reuseport)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	    one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (reuseport)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		die("bind");
	if (listen(fd, 4096) < 0)
		die("listen");
	return fd;
}
/* log-linear latency histogram, about 1.5 % resolution */
typedef struct {
	uint64_t n, c[64 * 64];
} hist;
static inline void
hadd(hist *h, uint64_t ns)
{
	unsigned l = ns < 64 ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 5u;
	unsigned i = l == 0 ? (unsigned)ns : l * 64 + (unsigned)(ns >> l);
	if (i >= 64 * 64)
		i = 64 * 64 - 1;
	h->c[i]++;
	h->n++;
}
static inline double
hq(const hist *h, double q)
{
	uint64_t t = (uint64_t)(q * (double)h->n), s = 0;
	for (unsigned i = 0; i < 64 * 64; i++) {
		s += h->c[i];
		if (s > t) {
			unsigned l = i / 64, m = i % 64;
			return l == 0 ? (double)m : (double)((uint64_t)m << l);
		}
	}
	return 0;
}
#endif
