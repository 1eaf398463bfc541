#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/l4.h"
#include "common/log.h"
#include "master.h"

#define SYSTEMD_FIRST_FD	3

int
listen_find(const struct master *m, const struct addr *a)
{
	size_t	i;

	for (i = 0; i < m->nsock; i++)
		if (m->sock[i]->addr.family == a->family &&
		    m->sock[i]->addr.port == a->port &&
		    addr_equal_ip(&m->sock[i]->addr, a))
			return m->sock[i]->io.fd;
	return -1;
}

static int
defer_seconds(const struct conf_listener *l)
{
	return l->defer_accept ? 5 : 0;
}

/*
 * Options that an accepted socket inherits: it saves the workers a system call
 * for each.  Keepalive notices dead clients that no backend could (BACKENDS
 * L14).
 */
static int
sock_options(int fd, const struct conf_listener *l, const struct addr *a)
{
	const struct {
		int	level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 60 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 30 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 5 },
		{ IPPROTO_TCP, TCP_DEFER_ACCEPT, defer_seconds(l) },
	};
	size_t	i;
	int	on = 1;

	for (i = 0; i < nitems(options); i++)
		if (setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof(int)) == -1)
			return -1;
	/* One that is bound says EINVAL, and is what it is. */
	if (a->family == ADDR_V6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) == -1 && errno != EINVAL)
		return -1;
	return 0;
}

static int
sock_bind(const struct conf_listener *l, const struct addr *a)
{
	struct sockaddr_storage	ss;
	socklen_t		len = addr_to_sockaddr(a, &ss);
	int			fd, saved;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    IPPROTO_TCP);
	if (fd == -1)
		return -1;
	if (sock_options(fd, l, a) == -1 ||
	    bind(fd, (struct sockaddr *)&ss, len) == -1 ||
	    listen(fd, l->backlog) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * The socket is shared with processes that face the network.  Their filters
 * forbid it, but should one shut it down for all, it is made to listen again.
 */
static void
sock_revive(struct ev_io *io, uint32_t events)
{
	struct sock	*s = container_of(io, struct sock, io);
	char		 text[ADDR_STRLEN];

	(void)events;
	log_warnx("listen %s: somebody shut it down; listening again",
	    addr_format(&s->addr, text));
	if (listen(io->fd, s->backlog) == -1)
		log_warn("listen %s", text);
}

/* One that is kept, as its listener is configured now. */
static void
sock_adjust(struct sock *s, const struct conf_listener *l)
{
	int	defer = defer_seconds(l);

	s->backlog = l->backlog;
	if (setsockopt(s->io.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer,
	    sizeof(defer)) == -1 || listen(s->io.fd, l->backlog) == -1)
		log_warn("listen %s", l->name);
}

void
listen_adopt(struct master *m, const struct addr *a, int fd)
{
	struct sock	**list, *s;

	list = reallocarray(m->sock, m->nsock + 1, sizeof(*list));
	if (list == NULL || (s = calloc(1, sizeof(*s))) == NULL)
		fatal("calloc");
	m->sock = list;
	list[m->nsock++] = s;
	s->addr = *a;
	s->master = m;
	s->io.fd = fd;
	s->io.cb = sock_revive;
	s->backlog = SOMAXCONN;
	/* Hang-ups alone: never a connection. */
	if (ev_add(m->ev, &s->io, EPOLLET) == -1)
		fatal("epoll_ctl: listener");
	notify_store(a, fd, true);
}

/* A machine without IPv6 serves ":443" over IPv4 all the same. */
static bool
may_be_missing(const struct conf_listener *l, size_t i)
{
	return l->naddr == 2 && l->addr[i].family == ADDR_V6 &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static bool
listen_one(struct master *m, const struct conf_listener *l, size_t i,
    char *err, size_t errsize)
{
	const char	*hint = "";
	char		 text[ADDR_STRLEN];
	int		 fd;

	if (listen_find(m, &l->addr[i]) != -1)
		return true;
	if ((fd = sock_bind(l, &l->addr[i])) != -1) {
		listen_adopt(m, &l->addr[i], fd);
		return true;
	}
	if (may_be_missing(l, i)) {
		log_warn("listen %s: only IPv4", l->name);
		return true;
	}
	if (errno == EACCES)
		hint = " (ports below 1024 need root)";
	else if (errno == EADDRINUSE)
		hint = " (another server has it: `ss -ltnp` names it)";
	snprintf(err, errsize, "%s:%u: listen %s: %s%s", m->path, l->line,
	    addr_format(&l->addr[i], text), strerror(errno), hint);
	return false;
}

/* The listener that has the address, or NULL. */
static const struct conf_listener *
find_configured(const struct conf *conf, const struct addr *a)
{
	const struct conf_listener	*l;
	uint32_t			 i;
	size_t				 k;

	for (i = 0; conf != NULL && i < conf_nbound(conf); i++) {
		l = conf_bound(conf, i);
		for (k = 0; k < l->naddr; k++)
			if (l->addr[k].family == a->family &&
			    l->addr[k].port == a->port &&
			    addr_equal_ip(&l->addr[k], a))
				return l;
	}
	return NULL;
}

/* As if it were bound by us: the manager's sockets block. */
static bool
inherit_one(struct master *m, const struct conf *conf, int fd)
{
	const struct conf_listener	*l;
	struct sockaddr_storage		 ss;
	socklen_t			 len = sizeof(ss);
	struct addr			 a;

	if (!ipc_fd_is(fd, IPC_FD_LISTENER) ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return false;
	addr_from_sockaddr(&a, &ss);
	if ((l = find_configured(conf, &a)) == NULL)
		return false;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    sock_options(fd, l, &a) == -1) {
		log_warn("listen %s: inherited socket", l->name);
		return false;
	}
	listen_adopt(m, &a, fd);
	return true;
}

/* The name that the manager gave the i-th socket, for messages: FileDescriptor-
 * Name of a unit, or what we called it in the store.  Returns dst. */
static const char *
inherited_name(int i, char dst[64])
{
	const char	*names = getenv("LISTEN_FDNAMES");

	for (; names != NULL && i > 0; i--)
		if ((names = strchr(names, ':')) != NULL)
			names++;
	if (names == NULL)
		snprintf(dst, 64, "?");
	else
		log_escape(dst, 64, names, strcspn(names, ":"));
	return dst;
}

/* Sockets that the service manager bound for us: LISTEN_FDS of
 * sd_listen_fds(3).  They are known by their addresses. */
static void
listen_inherit(struct master *m, const struct conf *conf)
{
	const char	*pid = getenv("LISTEN_PID");
	const char	*count = getenv("LISTEN_FDS");
	char		 name[64];
	int		 fd, last;

	if (pid == NULL || count == NULL || atol(pid) != (long)getpid())
		return;
	last = SYSTEMD_FIRST_FD + atoi(count) - 1;
	for (fd = SYSTEMD_FIRST_FD; fd <= last; fd++) {
		if (inherit_one(m, conf, fd))
			continue;
		log_warnx("LISTEN_FDS: descriptor %d (%s) is no listener of "
		    "the configuration", fd,
		    inherited_name(fd - SYSTEMD_FIRST_FD, name));
		close(fd);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

bool
listen_open(struct master *m, const struct conf *conf, char *err,
    size_t errsize)
{
	const struct conf_listener	*l;
	uint32_t			 i;
	size_t				 k;

	listen_inherit(m, conf);
	for (i = 0; i < conf_nbound(conf); i++) {
		l = conf_bound(conf, i);
		for (k = 0; k < l->naddr; k++)
			if (!listen_one(m, l, k, err, errsize))
				return false;
	}
	return true;
}

void
listen_close(struct master *m, const struct conf *conf)
{
	const struct conf_listener	*l;
	struct sock			*s;
	size_t				 i, kept = 0;

	for (i = 0; i < m->nsock; i++) {
		s = m->sock[i];
		if ((l = find_configured(conf, &s->addr)) != NULL) {
			sock_adjust(s, l);
			m->sock[kept++] = s;
			continue;
		}
		notify_store(&s->addr, s->io.fd, false);
		ev_del(m->ev, &s->io);
		close(s->io.fd);
		free(s);
	}
	m->nsock = kept;
}
