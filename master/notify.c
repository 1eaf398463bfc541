#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "master.h"

/* The manager's socket; the length of its address, or 0. */
static socklen_t
notify_address(struct sockaddr_un *sun)
{
	const char	*path = getenv("NOTIFY_SOCKET");
	size_t		 len;

	if (path == NULL || (*path != '/' && *path != '@') ||
	    (len = strlen(path)) >= sizeof(sun->sun_path))
		return 0;
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, len);
	if (*path == '@')
		sun->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void
notify_send_fd(const char *state, int fd)
{
	union {
		struct cmsghdr	align;
		char		buf[CMSG_SPACE(sizeof(int))];
	} ctl = { .buf = { 0 } };
	struct sockaddr_un	 sun;
	struct iovec		 iov = { .iov_base = (void *)(uintptr_t)state,
				    .iov_len = strlen(state) };
	struct msghdr		 mh = { .msg_iov = &iov, .msg_iovlen = 1,
				    .msg_name = &sun };
	struct cmsghdr		*cm;
	int			 s;

	if ((mh.msg_namelen = notify_address(&sun)) == 0)
		return;
	if (fd != -1) {
		mh.msg_control = ctl.buf;
		mh.msg_controllen = sizeof(ctl.buf);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s == -1)
		return;
	if (sendmsg(s, &mh, MSG_NOSIGNAL) == -1)
		log_warn("NOTIFY_SOCKET");
	close(s);
}

void
notify_send(const char *state)
{
	notify_send_fd(state, -1);
}

/* The store keeps our listeners should we die: the next master of the service
 * gets them back as LISTEN_FDS and finds them by their addresses.  FDSTORE is
 * set by systemd 254; before that, by our unit. */
void
notify_store(const struct addr *a, int fd, bool keep)
{
	char	name[ADDR_STRLEN], state[ADDR_STRLEN + 40], *p;

	if (getenv("FDSTORE") == NULL)
		return;
	addr_format(a, name);
	for (p = name; *p != '\0'; p++)
		if (*p == ':')
			*p = '_';	/* separates names in LISTEN_FDNAMES */
	snprintf(state, sizeof(state), "FDSTORE%s=1\nFDNAME=%s",
	    keep ? "" : "REMOVE", name);
	notify_send_fd(state, keep ? fd : -1);
}

static void
watchdog_pat(struct ev_timer *t)
{
	struct master	*m = container_of(t, struct master, watchdog);

	notify_send("WATCHDOG=1");
	ev_timer_set(m->ev, t, ev_now(m->ev) + m->watchdog_period);
}

void
notify_watchdog(struct master *m)
{
	const char		*usec = getenv("WATCHDOG_USEC");
	const char		*pid = getenv("WATCHDOG_PID");
	unsigned long long	 n;

	if (usec == NULL || (pid != NULL && atol(pid) != (long)getpid()) ||
	    (n = strtoull(usec, NULL, 10)) == 0)
		return;
	/* Twice as often as asked, as sd_watchdog_enabled(3) advises. */
	m->watchdog_period = n * 1000 / 2;
	m->watchdog.cb = watchdog_pat;
	ev_timer_set(m->ev, &m->watchdog, ev_clock());
}
