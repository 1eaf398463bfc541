#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/l4.h"
#include "common/log.h"
#include "balance.h"
#include "member.h"

#define BACKOFF_MAX	30	/* s */

static struct member *
member_new(struct members *ms, uint32_t backend)
{
	struct member	*m;

	if (ms->n == MEMBERS_MAX) {
		log_warnx("upstream %s: only the first %d addresses are used",
		    ms->up->name, MEMBERS_MAX);
		return NULL;
	}
	m = &ms->v[ms->n++];
	m->backend = backend;
	m->dir = -1;
	return m;
}

/* Ports the kernel may choose for the near end of a connection. */
static bool
port_is_ephemeral(uint16_t port)
{
	unsigned int	 lo = 32768, hi = 60999;
	FILE		*f;

	f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (f != NULL) {
		if (fscanf(f, "%u %u", &lo, &hi) != 2)
			lo = 1;
		fclose(f);
	}
	return port >= lo && port <= hi;
}

static void
member_add_inet(struct members *ms, uint32_t backend,
    const struct addrinfo *ai)
{
	struct member	*m;
	struct addr	 a;
	char		 text[ADDR_STRLEN];

	if (ai->ai_addrlen > sizeof(m->sa) ||
	    (m = member_new(ms, backend)) == NULL)
		return;
	memcpy(&m->sa, ai->ai_addr, ai->ai_addrlen);
	m->salen = ai->ai_addrlen;
	addr_from_sockaddr(&a, &m->sa);
	m->key = balance_hash(a.ip, sizeof(a.ip)) ^ a.port;
	m->maybe_self = port_is_ephemeral(a.port);
	strlcpy(m->name, addr_format(&a, text), sizeof(m->name));
}

static bool
members_add_host(struct members *ms, uint32_t backend,
    const struct conf_backend *b)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo	*list, *ai;
	char		 port[8];
	int		 error;

	snprintf(port, sizeof(port), "%u", (unsigned int)b->port);
	if ((error = getaddrinfo(b->host, port, &hints, &list)) != 0) {
		log_warnx("upstream %s: %s: %s", ms->up->name, b->name,
		    gai_strerror(error));
		return false;
	}
	for (ai = list; ai != NULL; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			member_add_inet(ms, backend, ai);
	freeaddrinfo(list);
	return true;
}

/*
 * The socket is reached from its directory, which stays open: from inside the
 * empty root no path leads there.
 */
static bool
members_add_unix(struct members *ms, uint32_t backend,
    const struct conf_backend *b)
{
	struct sockaddr_un	*sun;
	struct member		*m;
	const char		*base = strrchr(b->unix_path, '/') + 1;
	char			 dir[4096];
	int			 fd;

	strlcpy(dir, b->unix_path, sizeof(dir));
	dir[base - b->unix_path] = '\0';
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		log_warn("upstream %s: %s", ms->up->name, dir);
		return false;
	}
	if ((m = member_new(ms, backend)) == NULL) {
		close(fd);
		return true;
	}
	sun = (struct sockaddr_un *)(void *)&m->sa;
	sun->sun_family = AF_UNIX;
	if (strlcpy(sun->sun_path, base, sizeof(sun->sun_path)) >=
	    sizeof(sun->sun_path))
		log_warnx("upstream %s: %s: name too long", ms->up->name,
		    b->name);
	m->salen = sizeof(*sun);
	m->dir = fd;
	m->key = balance_hash(b->unix_path, strlen(b->unix_path));
	strlcpy(m->name, b->name, sizeof(m->name));
	return true;
}

void
members_open(struct members *ms, const struct conf_upstream *up,
    const struct stats *stats)
{
	const struct conf_backend	*b;
	uint32_t			 i;
	bool				 ok;

	ms->up = up;
	ms->stats = stats;
	ms->cwd = -1;
	if ((ms->v = calloc(MEMBERS_MAX, sizeof(*ms->v))) == NULL)
		fatal("calloc");
	for (i = 0; i < up->nbackend; i++) {
		b = &up->backend[i];
		ok = b->unix_path != NULL ? members_add_unix(ms, i, b) :
		    members_add_host(ms, i, b);
		if (!ok)
			ms->unresolved++;
	}
}

static int
member_enter_dir(struct members *ms, const struct member *m)
{
	if (m->dir == -1 || m->dir == ms->cwd)
		return 0;
	if (fchdir(m->dir) == -1)
		return -1;
	ms->cwd = m->dir;
	return 0;
}

/*
 * On this host the answer is there before connect() returns, but it waits for
 * the lock that connect() holds, and so does the good news.  Asking again
 * costs less than an event.
 */
static enum dial
member_connect(int fd, const struct member *m)
{
	const struct sockaddr	*sa = (const struct sockaddr *)&m->sa;

	if (connect(fd, sa, m->salen) == 0)
		return DIAL_CONNECTED;
	if (errno != EINPROGRESS && errno != EINTR)
		return DIAL_FAILED;
	if (connect(fd, sa, m->salen) == 0)
		return DIAL_CONNECTED;
	return errno == EALREADY || errno == EINPROGRESS ? DIAL_PROGRESS :
	    DIAL_FAILED;
}

enum dial
member_dial(struct members *ms, const struct member *m, bool delay_ack,
    int *fdp)
{
	enum dial	result;
	int		fd, saved, zero = 0;

	if (member_enter_dir(ms, m) == -1)
		return DIAL_FAILED;
	fd = socket(m->sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return DIAL_FAILED;
	if (delay_ack && m->dir == -1)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &zero,
		    sizeof(zero));
	if ((result = member_connect(fd, m)) == DIAL_FAILED) {
		saved = errno;
		close(fd);
		errno = saved;
	} else
		*fdp = fd;
	return result;
}

bool
member_is_self(const struct member *m, int fd)
{
	struct sockaddr_storage	ss;
	struct addr		near, far;
	socklen_t		len = sizeof(ss);

	if (!m->maybe_self ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return false;
	addr_from_sockaddr(&near, &ss);
	addr_from_sockaddr(&far, &m->sa);
	return near.port == far.port && addr_equal_ip(&near, &far);
}

static volatile uint64_t *
member_cell(const struct members *ms, const struct member *m, size_t what)
{
	return stats_cell(ms->stats, m->backend * PROXY_CELL__MAX + what);
}

/* An address is up while one of its members is. */
static void
member_publish(const struct members *ms, const struct member *changed)
{
	const struct member	*m;
	uint64_t		 state = BACKEND_DOWN;

	for (m = ms->v; m < ms->v + ms->n; m++) {
		if (m->backend != changed->backend || m->sick ||
		    m->backoff > 0)
			continue;
		if (m->proven)
			state = BACKEND_UP;
		else if (state == BACKEND_DOWN)
			state = BACKEND_UNKNOWN;
	}
	*member_cell(ms, changed, PROXY_CELL_STATE) = state;
}

void
member_worked(struct members *ms, struct member *m)
{
	if (m->backoff == 0 && m->proven)
		return;
	if (m->backoff > 0)
		log_info("upstream %s: %s is up", ms->up->name, m->name);
	m->backoff = 0;
	m->retry = 0;
	m->proven = true;
	member_publish(ms, m);
}

/* Of this process or host, not of the member. */
static bool
error_is_ours(int error)
{
	return error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE ||
	    error == ENOBUFS || error == ENOMEM || error == ENOSPC;
}

void
member_failed(struct members *ms, struct member *m, int error, uint64_t now)
{
	(*member_cell(ms, m, PROXY_CELL_FAILED))++;
	if (error_is_ours(error) || now < m->retry)
		return;
	if (m->backoff == 0)
		log_warnx("upstream %s: %s is down: %s", ms->up->name,
		    m->name, strerror(error));
	m->backoff = m->backoff == 0 ? 1 : m->backoff * 2;
	if (m->backoff > BACKOFF_MAX)
		m->backoff = BACKOFF_MAX;
	m->retry = now + m->backoff * NSEC_PER_SEC;
	member_publish(ms, m);
}

void
member_set_sick(struct members *ms, struct member *m, bool sick)
{
	if (m->sick != sick)
		log_info("upstream %s: %s %s its health checks", ms->up->name,
		    m->name, sick ? "fails" : "passes");
	m->sick = sick;
	if (!sick) {
		m->proven = true;
		m->backoff = 0;
		m->retry = 0;
	}
	member_publish(ms, m);
}

void
member_session(const struct members *ms, const struct member *m, bool begins)
{
	if (begins) {
		(*member_cell(ms, m, PROXY_CELL_TOTAL))++;
		(*member_cell(ms, m, PROXY_CELL_LIVE))++;
	} else
		(*member_cell(ms, m, PROXY_CELL_LIVE))--;
}

void
member_take_over(const struct members *ms, struct member *m)
{
	m->live++;
	(*member_cell(ms, m, PROXY_CELL_LIVE))++;
}

struct member *
members_find(const struct members *ms, uint64_t key)
{
	struct member	*m;

	for (m = ms->v; m < ms->v + ms->n; m++)
		if (m->key == key)
			return m;
	return NULL;
}
