#include <sys/mman.h>

#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "challenge.h"
#include "l4.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010	/* Linux 5.1 */
#endif

#define READS_MAX	8	/* of a slot that changes meanwhile */

/*
 * A writer makes `version` odd, changes, makes it even: what was read between
 * two equal even numbers is whole.
 */
struct slot {
	struct challenge c;
	char		 sni[HELLO_NAME_MAX + 1];
};

struct challenges {
	_Atomic uint32_t version;
	_Atomic uint32_t n;
	struct slot	 v[CHALLENGES_MAX];
};

const char *
challenge_kind_name(enum challenge_kind kind)
{
	static const char *const	names[CHALLENGE__MAX] = {
		[CHALLENGE_HTTP] = "http-01", [CHALLENGE_TLS] = "tls-alpn-01",
		[CHALLENGE_DNS] = "dns-01",
	};

	return kind < CHALLENGE__MAX ? names[kind] : NULL;
}

int
challenges_create(struct challenges **page)
{
	void	*p = MAP_FAILED;
	int	 fd, saved;

	fd = memfd_create("l4mux-challenges", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	if (ftruncate(fd, sizeof(**page)) == 0)
		p = mmap(NULL, sizeof(**page), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	/* From here on nobody gets another mapping that can be written. */
	if (p == MAP_FAILED || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == -1) {
		saved = errno;
		if (p != MAP_FAILED)
			munmap(p, sizeof(**page));
		close(fd);
		errno = saved;
		return -1;
	}
	*page = p;
	return fd;
}

const struct challenges *
challenges_map(int fd)
{
	void	*p;

	p = mmap(NULL, sizeof(struct challenges), PROT_READ, MAP_SHARED, fd,
	    0);
	return p == MAP_FAILED ? NULL : p;
}

static void
write_begin(struct challenges *p)
{
	atomic_fetch_add_explicit(&p->version, 1, memory_order_acq_rel);
	atomic_thread_fence(memory_order_seq_cst);
}

static void
write_end(struct challenges *p)
{
	atomic_fetch_add_explicit(&p->version, 1, memory_order_release);
}

void
challenges_clear(struct challenges *p)
{
	write_begin(p);
	memset(p->v, 0, sizeof(p->v));
	atomic_store_explicit(&p->n, 0, memory_order_relaxed);
	write_end(p);
}

/* Visible ASCII: it goes into a response and a certificate. */
static bool
is_visible(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	return true;
}

bool
challenges_add(struct challenges *p, const struct challenge *c)
{
	uint32_t	n = atomic_load_explicit(&p->n, memory_order_relaxed);

	if (n == CHALLENGES_MAX ||
	    (c->kind != CHALLENGE_HTTP && c->kind != CHALLENGE_TLS) ||
	    !challenge_token_valid(c->token, strlen(c->token)) ||
	    !is_visible(c->proof))
		return false;
	write_begin(p);
	p->v[n].c = *c;
	challenge_sni(c->name, p->v[n].sni);
	atomic_store_explicit(&p->n, n + 1, memory_order_relaxed);
	write_end(p);
	return true;
}

bool
challenges_any(const struct challenges *p)
{
	return p != NULL &&
	    atomic_load_explicit(&p->n, memory_order_relaxed) > 0;
}

static bool
by_token(const struct slot *s, const char *token)
{
	return s->c.kind == CHALLENGE_HTTP && strcmp(s->c.token, token) == 0;
}

static bool
by_sni(const struct slot *s, const char *sni)
{
	return s->c.kind == CHALLENGE_TLS && strcmp(s->sni, sni) == 0;
}

/* Of a copy: what is compared is what is answered. */
static bool
find(const struct challenges *p, bool (*is)(const struct slot *, const char *),
    const char *key, struct challenge *c)
{
	struct slot	s;
	uint32_t	before, i;

	for (i = 0; i < CHALLENGES_MAX; i++) {
		before = atomic_load_explicit(&p->version,
		    memory_order_acquire);
		if (i >= atomic_load_explicit(&p->n, memory_order_relaxed))
			return false;
		s = p->v[i];
		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) != 0 || before !=
		    atomic_load_explicit(&p->version, memory_order_relaxed))
			return false;
		s.c.token[CHALLENGE_TOKEN_MAX] = s.sni[HELLO_NAME_MAX] = '\0';
		if (is(&s, key)) {
			*c = s.c;
			return true;
		}
	}
	return false;
}

static bool
find_again(const struct challenges *p,
    bool (*is)(const struct slot *, const char *), const char *key,
    struct challenge *c)
{
	int	i;

	for (i = 0; i < READS_MAX && challenges_any(p); i++)
		if (find(p, is, key, c))
			return true;
	return false;
}

bool
challenges_by_token(const struct challenges *p, const char *token,
    struct challenge *c)
{
	return find_again(p, by_token, token, c);
}

bool
challenges_by_sni(const struct challenges *p, const char *sni,
    struct challenge *c)
{
	return find_again(p, by_sni, sni, c);
}

void
challenge_sni(const char *name, char *dst)
{
	uint8_t	ip[16];
	size_t	at = 0;
	int	i;

	if (inet_pton(AF_INET, name, ip) == 1)
		snprintf(dst, HELLO_NAME_MAX + 1, "%u.%u.%u.%u.in-addr.arpa",
		    ip[3], ip[2], ip[1], ip[0]);
	else if (inet_pton(AF_INET6, name, ip) == 1) {
		for (i = 15; i >= 0; i--, at += 4)
			snprintf(dst + at, HELLO_NAME_MAX + 1 - at, "%x.%x.",
			    ip[i] & 15u, ip[i] >> 4);
		snprintf(dst + at, HELLO_NAME_MAX + 1 - at, "ip6.arpa");
	} else
		snprintf(dst, HELLO_NAME_MAX + 1, "%.*s", HELLO_NAME_MAX,
		    name);
}

bool
challenge_token_valid(const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
		    (s[i] >= 'A' && s[i] <= 'Z') ||
		    (s[i] >= '0' && s[i] <= '9') || s[i] == '-' ||
		    s[i] == '_'))
			return false;
	return len > 0 && len <= CHALLENGE_TOKEN_MAX;
}

enum verdict
challenge_token(const uint8_t *p, size_t len, char *token, size_t *need)
{
	static const char	line[] = "GET " CHALLENGE_PATH;
	const size_t		n = sizeof(line) - 1;
	enum verdict		v;
	const uint8_t		*end;
	size_t			 left;

	if ((v = begins_with(p, len, line, n, 0, need)) != VERDICT_MATCH)
		return v;
	left = len - n;
	if (left > CHALLENGE_TOKEN_MAX + 1)
		left = CHALLENGE_TOKEN_MAX + 1;
	end = left == 0 ? NULL : memchr(p + n, ' ', left);
	if (end == NULL)
		return left > CHALLENGE_TOKEN_MAX ? VERDICT_NO_MATCH :
		    need_more(need, len + 1);
	left = (size_t)(end - (p + n));
	if (!challenge_token_valid((const char *)p + n, left))
		return VERDICT_NO_MATCH;
	memcpy(token, p + n, left);
	token[left] = '\0';
	return VERDICT_MATCH;
}
