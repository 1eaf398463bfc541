#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "common/proto.h"
#include "master.h"

#define RECONNECT	NSEC_PER_SEC

/*
 * Descriptor 2 is one open socket in all processes: when master connects it
 * anew, because the system's logger was started or replaced, all of them are
 * connected again, without a message to any.
 */
static void
logs_look(struct ev_timer *t)
{
	struct master	*m = container_of(t, struct master, log_timer);

	m->log_lost = !log_reconnect();
	ev_timer_set(m->ev, t, ev_now(m->ev) + RECONNECT);
}

static enum log_level
logs_level(const struct master *m, const struct conf *conf)
{
	return m->verbose > 0 ? LOG_LVL_DEBUG : conf->log.level;
}

bool
logs_open(struct master *m, const struct conf *conf)
{
	int	fd = log_open(conf->log.target);

	if (fd == -1 || dup2(fd, FD_LOG) == -1)
		return false;
	if (fd != FD_LOG)
		close(fd);
	log_setup(conf->log.target, conf->log.format, logs_level(m, conf));
	return true;
}

void
logs_start(struct master *m, const struct conf *conf)
{
	log_setup(conf->log.target, conf->log.format, logs_level(m, conf));
	log_count(&m->log_dropped, NULL);
	m->log_timer.cb = logs_look;
	if (conf->log.target == LOG_TO_SYSLOG)
		logs_look(&m->log_timer);
}

void
logs_change(struct master *m, const struct conf *conf)
{
	log_setup(conf->log.target, conf->log.format, logs_level(m, conf));
	m->log_changed = false;
}
