#include <sys/socket.h>

#include <unistd.h>

#include "common/addrlimit.h"
#include "common/l4.h"
#include "worker.h"

bool
complain(struct worker *w)
{
	uint64_t	now = ev_now(w->child.ev);

	if (w->complained != 0 && now < w->complained + NSEC_PER_SEC)
		return false;
	w->complained = now;
	return true;
}

void
end_connection(struct worker *w, int fd, const struct conn_info *info,
    enum end how, const char *reason)
{
	static const char *const names[] = {
		[END_CLOSE] = "close", [END_RESET] = "reset",
		[END_LOST] = "lost",
	};
	struct linger	rst = { .l_onoff = 1, .l_linger = 0 };
	struct conn_end	end = { .end = names[how] };

	end.now = ev_now(w->child.ev);
	/*
	 * What the client sent stays unread, so close() alone would be a reset.
	 * After a FIN the client's reader sees the end of file; the reset that
	 * follows only meets those who go on writing.
	 */
	if (how == END_CLOSE)
		shutdown(fd, SHUT_WR);
	else if (how == END_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	listen_close(w, fd);
	stats_add(&w->child.stats, STAT_ENDED, 1);
	conn_log(w->child.conf, info, &end, reason);
}

void
end_arrival(struct arrival *a, enum end how, const char *reason)
{
	struct worker		*w = a->w;
	struct conn_info	 info = {
		.id = a->id, .accepted = a->accepted, .peer = a->peer,
		.local = a->local, .listener = a->listener,
		.reason = REASON_FALLBACK, .rule = FALLBACK_SILENT,
		.log = true, .same_host = a->same_host,
	};

	info.target.kind = how == END_RESET ? TARGET_RESET : TARGET_CLOSE;
	if (a->counted)
		addrlimit_leave(w->child.addrs, &a->peer);
	ev_forget(w->child.ev, &a->io);
	end_connection(w, a->io.fd, &info, how, reason);
}
