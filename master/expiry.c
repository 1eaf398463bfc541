#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/l4.h"
#include "common/log.h"
#include "generation.h"

#define DAY		INT64_C(86400)
#define WHEN_MAX	64

static void
expiry_when(const struct cert_info *c, int64_t now, char dst[WHEN_MAX])
{
	enum cert_age	age = cert_age(c, now);
	int64_t		days = cert_days_left(c, now);
	time_t		at = (time_t)(age == CERT_EARLY ? c->from : c->to);
	struct tm	tm;
	char		date[16] = "?";

	if (gmtime_r(&at, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	if (age == CERT_EARLY) {
		snprintf(dst, WHEN_MAX, "is not valid before %s", date);
		return;
	}
	if (age == CERT_EXPIRED)
		days = -days - 1;
	snprintf(dst, WHEN_MAX, "%s on %s, %" PRId64 " day%s %s",
	    age == CERT_EXPIRED ? "has expired" : "expires", date, days,
	    days == 1 ? "" : "s", age == CERT_EXPIRED ? "ago" : "from now");
}

const char *
expiry_text(const struct generation *g, const struct cred *c, int64_t now,
    char dst[EXPIRY_TEXT_MAX])
{
	char	when[WHEN_MAX];

	expiry_when(&c->info, now, when);
	snprintf(dst, EXPIRY_TEXT_MAX, "%s %s: the certificate %s %s",
	    c->site < g->conf->nsite ? "site" : "upstream",
	    conf_holder(g->conf, c->site)->name,
	    c->files != NULL ? c->files->chain :
	    c->stored ? "of the CA" : "made here", when);
	return dst;
}

/* Once when it begins to be true, and once a day. */
static void
expiry_say(const struct generation *g, struct cred *c, int64_t now)
{
	enum cert_age	age = cert_age(&c->info, now);
	uint64_t	clock = ev_clock();
	char		text[EXPIRY_TEXT_MAX];

	if (c->said == age && clock - c->said_at < DAY * NSEC_PER_SEC)
		return;
	c->said = age;
	c->said_at = clock;
	/* acme renews that, and says where it cannot. */
	if (age == CERT_SOON && c->stored)
		return;
	if (age == CERT_SOON)
		log_warnx("%s", expiry_text(g, c, now, text));
	else if (age != CERT_GOOD)
		log_errorx("%s", expiry_text(g, c, now, text));
}

/* The clock of the wall may be set in between: at the latest in a day. */
static void
expiry_look(struct master *m)
{
	const struct generation	*g = m->gen;
	int64_t			 now = time(NULL), next = DAY;
	size_t			 i;

	for (i = 0; i < g->ncred; i++) {
		expiry_say(g, &g->cred[i], now);
		next = cert_next_change(&g->cred[i].info, now, next);
	}
	ev_timer_set(m->ev, &m->expiry_timer, ev_clock() +
	    (uint64_t)next * NSEC_PER_SEC);
}

static bool
expiry_is_ours(const struct cred *c)
{
	return c->files == NULL && !c->stored &&
	    cert_age(&c->info, time(NULL)) != CERT_GOOD;
}

static void
expiry_due(struct ev_timer *t)
{
	struct master	*m = container_of(t, struct master, expiry_timer);
	size_t		 i;

	if (m->gen == NULL || m->stopping)
		return;
	expiry_look(m);
	for (i = 0; i < m->gen->ncred; i++)
		if (expiry_is_ours(&m->gen->cred[i])) {
			log_info("self-signed certificates are made anew");
			life_renew(m);
			return;
		}
}

void
expiry_start(struct master *m)
{
	m->expiry_timer.cb = expiry_due;
	expiry_look(m);
}
