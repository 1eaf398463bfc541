#include <sys/stat.h>

#include "common/l4.h"
#include "common/log.h"
#include "generation.h"

/*
 * A docroot may be replaced as a whole: a link on the way to it leads
 * elsewhere, or another directory has its name.  The processes have the old
 * one, and their sandbox no other: what is there now is for new processes.
 */
#define LOOK_PERIOD	(300 * NSEC_PER_MSEC)
#define LOOKS		2000	/* sites at a time */
#define AGAIN_MIN	NSEC_PER_SEC
#define AGAIN_MAX	(60 * NSEC_PER_SEC)	/* what failed */
#define SOON_MAX	(10 * NSEC_PER_SEC)	/* what comes again and again */
#define CALM		4	/* pauses without any: from the start again */

/* Is there another directory than the one that is served?  While there is
 * none, as between two renames, that one is as good as any. */
static bool
docroot_replaced(const struct generation *g, size_t site)
{
	struct stat	was, is;

	return g->docroot[site] != -1 &&
	    stat(g->conf->site[site].root, &is) == 0 &&
	    S_ISDIR(is.st_mode) && fstat(g->docroot[site], &was) == 0 &&
	    (was.st_dev != is.st_dev || was.st_ino != is.st_ino);
}

/* A few sites in turn; one that was replaced, or NULL. */
static const struct conf_site *
docroot_look(struct master *m)
{
	const struct generation	*g = m->gen;
	struct docroots		*d = &m->docroots;
	size_t			 n = g->conf->nsite, i;

	for (i = 0; i < n && i < LOOKS; i++, d->next++) {
		if (d->next >= n)
			d->next = 0;
		if (docroot_replaced(g, d->next))
			return &g->conf->site[d->next];
	}
	return NULL;
}

/* How long the next is to wait.  Whoever owns a site may switch its root all
 * the time, and each time all processes are started anew. */
static uint64_t
docroot_pause(const struct docroots *d, bool failed, uint64_t now)
{
	uint64_t	max = failed ? AGAIN_MAX : SOON_MAX, pause;

	if (d->tried == 0 ||
	    (!failed && now - d->began >= CALM * d->pause))
		return AGAIN_MIN;
	pause = 2 * d->pause;
	return pause < max ? pause : max;
}

/* Not at once again: it may have failed, or be one of many. */
static void
docroot_renew(struct master *m, const struct conf_site *s)
{
	struct docroots	*d = &m->docroots;
	uint64_t	 now = ev_now(m->ev);

	if (now < d->again)
		return;
	/* What was begun the last time has come into force, or failed. */
	d->pause = docroot_pause(d, d->tried == m->gen->id, now);
	d->tried = m->gen->id;
	d->began = now;
	d->again = now + d->pause;
	log_info("site %s: root %s is another directory now", s->name,
	    s->root);
	life_renew(m);
}

static void
docroot_due(struct ev_timer *t)
{
	struct master		*m = container_of(t, struct master,
				    docroots.timer);
	const struct conf_site	*s;

	if (m->stopping)
		return;
	ev_timer_set(m->ev, t, ev_now(m->ev) + LOOK_PERIOD);
	if (m->gen == NULL || m->gen->state != GEN_RUNNING ||
	    m->starting != NULL || m->switching != NULL || m->upgrading)
		return;
	if ((s = docroot_look(m)) != NULL)
		docroot_renew(m, s);
}

void
docroots_start(struct master *m)
{
	m->docroots.timer.cb = docroot_due;
	ev_timer_set(m->ev, &m->docroots.timer, ev_clock() + LOOK_PERIOD);
}
