/* Part B load generator (OpenSSL). Subcommands:
 *  hs PORT CONC SECS SNI full|resume [NAMES]   handshakes/s, with NAMES as lg
 * rate has them; client closes with
 * close_notify and waits for EOF idle PORT N SNI PATH                N
 * keep-alive connections after one GET each; holds until stdin line first PORT
 * SECS SNI PATH             latency of connect + handshake + first byte of a
 * GET, one at a time get PORT SNI PATH ENC               one GET, prints
 * status, length and content-encoding */
#include "common.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
static SSL_CTX *cx;
static SSL_SESSION *sess;
static int sess_n;
static int
newsess(SSL *s, SSL_SESSION *x)
{
	(void)s;
	if (sess)
		SSL_SESSION_free(sess);
	sess = x;
	sess_n++;
	return 1;
}
typedef struct {
	int fd;
	SSL *s;
	int st;
	uint64_t t0;
} cn; /* st 0 handshake, 1 wait EOF */

static SSL *
tls_blocking(int port, const char *sni, SSL_SESSION *resume)
{
	int fd = conn_lo(port, 0);
	if (fd < 0)
		return NULL;
	struct timeval tv = { 5, 0 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	SSL *s = SSL_new(cx);
	SSL_set_fd(s, fd);
	SSL_set_tlsext_host_name(s, sni);
	if (resume)
		SSL_set_session(s, resume);
	if (SSL_connect(s) != 1) {
		close(fd);
		SSL_free(s);
		return NULL;
	}
	return s;
}
/* returns body bytes read, or -1; keeps connection */
static long
get(SSL *s, const char *sni, const char *path, const char *enc, char *hdr,
    size_t hl)
{
	char q[1024];
	int n = snprintf(q, sizeof q,
	    "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", path, sni,
	    *enc ? "Accept-Encoding: " : "", enc, *enc ? "\r\n" : "");
	if (SSL_write(s, q, n) != n)
		return -1;
	static char b[1 << 16];
	size_t g = 0;
	char *e = NULL;
	while (g < sizeof b - 1) {
		int k = SSL_read(s, b + g, (int)(sizeof b - 1 - g));
		if (k <= 0)
			return -1;
		g += (size_t)k;
		b[g] = 0;
		if ((e = strstr(b, "\r\n\r\n")))
			break;
	}
	if (!e)
		return -1;
	size_t hn = (size_t)(e - b);
	if (hl) {
		size_t m = hn < hl - 1 ? hn : hl - 1;
		memcpy(hdr, b, m);
		hdr[m] = 0;
	}
	*e = 0;
	long have = (long)(g - hn - 4), cl = -1;
	int chunked = 0;
	for (char *l = strchr(b, '\n'); l; l = strchr(l + 1, '\n')) {
		if (!strncasecmp(l + 1, "content-length:", 15))
			cl = atol(l + 16);
		if (!strncasecmp(l + 1, "transfer-encoding:", 18))
			chunked = 1;
	}
	if (chunked) {
		char tail[8] = { 0 };
		long tot = have;
		size_t tl = 0; /* look for the 0 chunk */
		if (have >= 5) {
			memcpy(tail, b + g - 5, 5);
			tl = 5;
		}
		while (!(tl == 5 && !memcmp(tail, "0\r\n\r\n", 5))) {
			int k = SSL_read(s, b, sizeof b);
			if (k <= 0)
				return -1;
			tot += k;
			if (k >= 5) {
				memcpy(tail, b + k - 5, 5);
				tl = 5;
			} else {
				memmove(tail, tail + k, (size_t)(5 - k));
				memcpy(tail + 5 - k, b, (size_t)k);
			}
		}
		return tot;
	}
	if (cl < 0)
		return -1;
	while (have < cl) {
		int k = SSL_read(s, b, sizeof b);
		if (k <= 0)
			return -1;
		have += k;
	}
	return have == cl ? have : -1;
}
/* One GET, and all that comes with it: session tickets. */
static void
visit(int port, const char *sni, SSL_SESSION *resume)
{
	SSL *s = tls_blocking(port, sni, resume);
	char h[64], x[64];
	if (!s)
		return;
	get(s, sni, "/1k.bin", "", h, sizeof h);
	SSL_shutdown(s);
	while (SSL_read(s, x, sizeof x) > 0)
		;
	close(SSL_get_fd(s));
	SSL_free(s);
}
static hist *hs_times;
static uint64_t hs_ok, hs_reused;
static char hs_version[64] = "?", hs_cipher[64] = "?";
/* Says that it is over; what is left is to wait for the same. */
static void
hs_done(cn *c)
{
	if (hs_version[0] == '?') {
		snprintf(hs_version, 64, "%s", SSL_get_version(c->s));
		snprintf(hs_cipher, 64, "%s", SSL_get_cipher(c->s));
	}
	hadd(hs_times, now_ns() - c->t0);
	hs_ok++;
	hs_reused += (uint64_t)SSL_session_reused(c->s);
	SSL_shutdown(c->s);
	shutdown(c->fd, SHUT_WR);
	c->st = 1;
}
static int
hs(int port, int conc, double secs, const char *sni, int resume,
    unsigned names)
{
	char name[256];
	if (resume) {
		for (int i = 0; i < 3 && !sess; i++)
			visit(port, sni, NULL);
		if (!sess) {
			printf("{\"ok\":0,\"error\":\"no session ticket\"}\n");
			return 1;
		}
		SSL_CTX_sess_set_new_cb(cx, NULL);
		SSL_CTX_set_session_cache_mode(cx, SSL_SESS_CACHE_OFF);
	}
	cn *cs = calloc((size_t)conc, sizeof *cs);
	hs_times = calloc(1, sizeof *hs_times);
	int ep = epoll_create1(0), live = 0;
	uint64_t bad = 0, t0 = now_ns(), end = t0 + (uint64_t)(secs * 1e9);
	struct epoll_event evs[256];
#define BEG(c)                                               \
	do {                                                 \
		(c)->t0 = now_ns();                          \
		(c)->st = 0;                                 \
		(c)->fd = conn_lo(port, 1);                  \
		if ((c)->fd < 0) {                           \
			bad++;                               \
			break;                               \
		}                                            \
		(c)->s = SSL_new(cx);                        \
		SSL_set_fd((c)->s, (c)->fd);                 \
		SSL_set_tlsext_host_name((c)->s,             \
		    pick_name(name, sizeof name, sni,        \
			names));                             \
		if (resume)                                  \
			SSL_set_session((c)->s, sess);       \
		live++;                                      \
		if (SSL_connect((c)->s) == 1) /* so soon */  \
			hs_done(c);                          \
		struct epoll_event ev = { .events = EPOLLIN, \
			.data.ptr = (c) };                   \
		epoll_ctl(ep, EPOLL_CTL_ADD, (c)->fd, &ev);  \
	} while (0)
	for (int i = 0; i < conc; i++)
		BEG(&cs[i]);
	while (live > 0) {
		int n = epoll_wait(ep, evs, 256, 200);
		uint64_t t = now_ns();
		if (t > end && (n == 0 || t > end + 2000000000ull)) {
			bad += (uint64_t)live;
			break;
		}
		for (int i = 0; i < n; i++) {
			cn *c = evs[i].data.ptr;
			int fin = 0;
			if (c->st == 0) {
				int r = SSL_connect(c->s);
				if (r == 1)
					hs_done(c);
				else if (SSL_get_error(c->s, r) !=
				    SSL_ERROR_WANT_READ) {
					bad++;
					fin = 1;
				}
			}
			if (c->st == 1)
				while (1) {
					char x[4096];
					ssize_t k = recv(c->fd, x, sizeof x, 0);
					if (k > 0)
						continue;
					if (k < 0 && errno == EAGAIN)
						break;
					fin = 1;
					break;
				}
			if (fin) {
				ERR_clear_error();
				close(c->fd);
				SSL_free(c->s);
				live--;
				if (now_ns() < end)
					BEG(c);
			}
		}
	}
	double el = (double)(now_ns() - t0) / 1e9;
	sess_n = 0;
	if (resume) {
		SSL_CTX_set_session_cache_mode(cx, SSL_SESS_CACHE_CLIENT);
		SSL_CTX_sess_set_new_cb(cx, newsess);
		visit(port, sni, sess);
	}
	printf("{\"ok\":%llu,\"fail\":%llu,\"reused\":%llu,\"tickets\":%d,"
	       "\"secs\":%.4f,"
	       "\"rate\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"version\":\"%"
	       "s\",\"cipher\":\"%s\"}\n",
	    (unsigned long long)hs_ok, (unsigned long long)bad,
	    (unsigned long long)hs_reused, sess_n, el, (double)hs_ok / el,
	    hq(hs_times, .5) / 1e3, hq(hs_times, .99) / 1e3, hs_version,
	    hs_cipher);
	return hs_ok && (!resume || hs_reused == hs_ok) ? 0 : 1;
}
static int
idle(int port, int n, const char *sni, const char *path)
{
	int ok = 0, bad = 0;
	uint64_t t0 = now_ns();
	char h[64];
	for (int i = 0; i < n; i++) {
		if (now_ns() - t0 > 60000000000ull || (bad > 3 && bad > ok))
			break;
		SSL *s = tls_blocking(port, sni, NULL);
		if (!s) {
			if (++bad > 8)
				break;
			continue;
		} /* each costs 5 s: full */
		if (get(s, sni, path, "", h, sizeof h) > 0)
			ok++;
		SSL_set_quiet_shutdown(s, 1);
		SSL_free(s); /* the fd stays open (BIO_NOCLOSE) */
	}
	printf("{\"wanted\":%d,\"ok\":%d,\"secs\":%.3f}\n", n, ok,
	    (double)(now_ns() - t0) / 1e9);
	fflush(stdout);
	char b[16];
	alarm(60);
	if (read(0, b, sizeof b) < 0) {
	}
	return 0;
}
static int
first(int port, double secs, const char *sni, const char *path)
{
	hist *h = calloc(1, sizeof *h);
	uint64_t ok = 0, bad = 0, t0 = now_ns(),
		 end = t0 + (uint64_t)(secs * 1e9);
	char q[1024];
	static char b[1 << 16];
	int n = snprintf(
	    q, sizeof q, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, sni);
	while (now_ns() < end && bad < 50) {
		uint64_t t = now_ns();
		SSL *s = tls_blocking(port, sni, NULL);
		if (!s) {
			bad++;
			continue;
		}
		int k = SSL_write(s, q, n) == n ? SSL_read(s, b, sizeof b) : -1;
		uint64_t u = now_ns();
		size_t g = k > 0 ? (size_t)k : 0;
		char *e = NULL, *l = NULL;
		size_t want = 0;
		while (k > 0 && g < sizeof b - 1) { /* the rest of the answer,
						       outside the timing */
			b[g] = 0;
			if (!want && (e = strstr(b, "\r\n\r\n")) &&
			    (l = strcasestr(b, "content-length:")))
				want =
				    (size_t)(e - b) + 4 + (size_t)atol(l + 15);
			if (want && g >= want)
				break;
			k = SSL_read(s, b + g, (int)(sizeof b - 1 - g));
			if (k > 0)
				g += (size_t)k;
		}
		if (want && g == want && !strncmp(b + 9, "200", 3)) {
			ok++;
			hadd(h, u - t);
		} else
			bad++;
		SSL_shutdown(s);
		close(SSL_get_fd(s));
		SSL_free(s);
		ERR_clear_error();
	}
	double el = (double)(now_ns() - t0) / 1e9;
	printf("{\"ok\":%llu,\"fail\":%llu,\"secs\":%.4f,\"rate\":%.1f,\"p50_"
	       "us\":%.1f,\"p99_us\":%.1f}\n",
	    (unsigned long long)ok, (unsigned long long)bad, el,
	    (double)ok / el, hq(h, .5) / 1e3, hq(h, .99) / 1e3);
	return ok ? 0 : 1;
}
int
main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	raise_nofile();
	signal(SIGPIPE, SIG_IGN);
	cx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(cx, TLS1_3_VERSION);
	SSL_CTX_set1_groups_list(cx, "X25519:P-256");
	SSL_CTX_set_ciphersuites(
	    cx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
	SSL_CTX_set_alpn_protos(cx, (const unsigned char *)"\x08http/1.1", 9);
	SSL_CTX_set_session_cache_mode(
	    cx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	int port = atoi(argv[2]);
	if (!strcmp(argv[1], "hs") && argc >= 7) {
		int r = !strcmp(argv[6], "resume");
		if (r)
			SSL_CTX_sess_set_new_cb(cx, newsess);
		return hs(port, atoi(argv[3]), atof(argv[4]), argv[5], r,
		    argc > 7 ? (unsigned)atoi(argv[7]) : 0);
	}
	if (!strcmp(argv[1], "idle") && argc >= 6)
		return idle(port, atoi(argv[3]), argv[4], argv[5]);
	if (!strcmp(argv[1], "first") && argc >= 6)
		return first(port, atof(argv[3]), argv[4], argv[5]);
	if (!strcmp(argv[1], "get") && argc >= 6) {
		SSL *s = tls_blocking(port, argv[3], NULL);
		char h[4096] = "", *e;
		if (!s) {
			printf("{\"ok\":0}\n");
			return 1;
		}
		long k = get(s, argv[3], argv[4], argv[5], h, sizeof h);
		e = strcasestr(h, "content-encoding:");
		char enc[32] = "-";
		if (e)
			sscanf(e + 17, " %31[^\r\n]", enc);
		char st[16] = "";
		sscanf(h, "%*s %15s", st);
		printf("{\"ok\":%d,\"status\":\"%s\",\"body\":%ld,\"encoding\":"
		       "\"%s\"}\n",
		    k >= 0, st, k, enc);
		return k < 0;
	}
	return 2;
}
