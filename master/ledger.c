#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/l4.h"
#include "ledger.h"

#define MINUTE		INT64_C(60)
#define DAY		INT64_C(86400)
#define RETRY_MAX	(7 * DAY)	/* of what a CA may ask for */
#define ASK_MIN		(1 * LEDGER_HOUR)	/* RFC 9773 4.3.2 */
#define ASK_USUAL	(6 * LEDGER_HOUR)
#define LINE_HEAD	"l4mux-acme 1\n"
#define ASK_SPREAD	600		/* s, random */
#define DIGITS		12		/* of a number: no sum of them overflows */

/* Pauses after one failure, two, ... ; the last for all that follow. */
static const int64_t	pauses[] = {
	1 * MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE,
	40 * MINUTE, 60 * MINUTE, 120 * MINUTE, 240 * MINUTE, 360 * MINUTE,
};

/* Fields of the file, numbers first. */
struct field {
	const char	*name;
	int64_t		 value;
};
enum { F_ISSUED, F_VALID_FROM, F_VALID_TO, F_FAILING, F_FAILURES, F_NEXT,
	F_SPREAD, F_CHALLENGE, F_DIRECTORY, F_FROM, F_TO, F_ASK, F_WANTED,
	F_REHEARSE, F_UNTOLD, F_FAILED };
#define FIELDS	(F_FAILED + LEDGER_FAILURES)

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
to_fields(const struct ledger *l, struct field f[FIELDS])
{
	int	i;

	f[F_ISSUED] = (struct field){ "issued", l->issued };
	/* A number of the file has no sign. */
	f[F_VALID_FROM] = (struct field){ "valid_from",
	    later(l->valid_from, 0) };
	f[F_VALID_TO] = (struct field){ "valid_to", l->valid_to };
	f[F_FAILING] = (struct field){ "failing", l->failing };
	f[F_FAILURES] = (struct field){ "failures", l->failures };
	f[F_NEXT] = (struct field){ "next", l->next };
	f[F_SPREAD] = (struct field){ "spread", l->spread };
	f[F_CHALLENGE] = (struct field){ "challenge", l->challenge };
	f[F_DIRECTORY] = (struct field){ "directory", l->directory };
	f[F_FROM] = (struct field){ "from", l->from };
	f[F_TO] = (struct field){ "to", l->to };
	f[F_ASK] = (struct field){ "ask", l->ask };
	f[F_WANTED] = (struct field){ "wanted", l->wanted };
	f[F_REHEARSE] = (struct field){ "rehearse", l->rehearse };
	f[F_UNTOLD] = (struct field){ "untold", l->untold };
	for (i = 0; i < LEDGER_FAILURES; i++)
		f[F_FAILED + i] = (struct field){ "failed", l->failed[i] };
}

size_t
ledger_format(const struct ledger *l, char dst[LEDGER_TEXT_MAX])
{
	struct field	f[FIELDS];
	size_t		n, i;

	to_fields(l, f);
	n = (size_t)snprintf(dst, LEDGER_TEXT_MAX, LINE_HEAD);
	for (i = 0; i < FIELDS; i++)
		n += (size_t)snprintf(dst + n, LEDGER_TEXT_MAX - n,
		    "%s=%" PRId64 "\n", f[i].name, f[i].value);
	return n + (size_t)snprintf(dst + n, LEDGER_TEXT_MAX - n,
	    "error=%s\n", l->error);
}

static bool
from_fields(struct ledger *l, const struct field f[FIELDS])
{
	int	i;

	l->issued = f[F_ISSUED].value;
	l->valid_from = f[F_VALID_FROM].value;
	l->valid_to = f[F_VALID_TO].value;
	l->failing = f[F_FAILING].value;
	l->failures = (uint32_t)f[F_FAILURES].value;
	l->next = f[F_NEXT].value;
	l->spread = (uint32_t)f[F_SPREAD].value % 1000;
	l->directory = f[F_DIRECTORY].value != 0;
	l->from = f[F_FROM].value;
	l->to = f[F_TO].value;
	l->ask = f[F_ASK].value;
	l->wanted = f[F_WANTED].value != 0;
	l->rehearse = f[F_REHEARSE].value != 0;
	l->untold = f[F_UNTOLD].value != 0;
	for (i = 0; i < LEDGER_FAILURES; i++)
		l->failed[i] = f[F_FAILED + i].value;
	if (f[F_CHALLENGE].value >= CHALLENGE__MAX)
		return false;
	l->challenge = (enum challenge_kind)f[F_CHALLENGE].value;
	return l->from <= l->to;
}

/* "name=number\n"; the rest of the text, or NULL. */
static const char *
take_number(const char *p, struct field *f)
{
	size_t	 n = strlen(f->name);
	char	*end;

	if (strncmp(p, f->name, n) != 0 || p[n] != '=' || p[n + 1] < '0' ||
	    p[n + 1] > '9')
		return NULL;
	f->value = strtoll(p + n + 1, &end, 10);
	if (*end != '\n' || end - (p + n + 1) > DIGITS)
		return NULL;
	return end + 1;
}

bool
ledger_parse(struct ledger *l, const char *text)
{
	static const char	error[] = "error=";
	struct field		f[FIELDS];
	const char		*p = text;
	size_t			 i, n;

	memset(l, 0, sizeof(*l));
	to_fields(l, f);
	if (strncmp(p, LINE_HEAD, sizeof(LINE_HEAD) - 1) != 0)
		return false;
	p += sizeof(LINE_HEAD) - 1;
	for (i = 0; i < FIELDS; i++)
		if ((p = take_number(p, &f[i])) == NULL)
			return false;
	if (strncmp(p, error, sizeof(error) - 1) != 0)
		return false;
	p += sizeof(error) - 1;
	n = strcspn(p, "\n");
	if (p[n] != '\n' || p[n + 1] != '\0' || n >= sizeof(l->error) ||
	    !from_fields(l, f)) {
		memset(l, 0, sizeof(*l));
		return false;
	}
	memcpy(l->error, p, n);
	return true;
}

/* A point of the window that the CA suggests, or where renew_at is; a little
 * earlier for some, so that not all come at once. */
static int64_t
renewal_time(const struct ledger *l, double renew_at)
{
	double	life = (double)(l->valid_to - l->valid_from);
	double	left = life * renew_at;

	if (l->to > l->from)
		return l->from + (l->to - l->from) * l->spread / 1000;
	left += (life - left) * 0.05 * l->spread / 1000;
	return l->valid_to - (int64_t)left;
}

/* Before this nothing is tried, whatever is due. */
static int64_t
not_before(const struct ledger *l)
{
	int64_t	t = l->wanted ? 0 : l->next;

	if (l->issued != 0)
		t = later(t, l->issued + LEDGER_HOUR);
	if (l->failed[LEDGER_FAILURES - 1] != 0)
		t = later(t, l->failed[LEDGER_FAILURES - 1] + LEDGER_HOUR);
	return t;
}

int64_t
ledger_due(const struct ledger *l, bool there, double renew_at)
{
	bool	now = !there || l->wanted || l->failing != 0;
	int64_t	due = now ? 0 : renewal_time(l, renew_at);

	return later(due, not_before(l));
}

static void
at_most(int64_t *t, int64_t most)
{
	if (*t > most)
		*t = most;
}

void
ledger_mend(struct ledger *l, int64_t now)
{
	int	i;

	at_most(&l->issued, now);
	at_most(&l->failing, now);
	for (i = 0; i < LEDGER_FAILURES; i++)
		at_most(&l->failed[i], now);
	at_most(&l->next, now + RETRY_MAX);
	at_most(&l->ask, now + DAY + ASK_SPREAD);
}

const char *
ledger_refuses(const struct ledger *l, int64_t now)
{
	if (l->issued != 0 && l->issued + LEDGER_HOUR > now)
		return "a certificate was had less than an hour ago";
	if (l->failed[LEDGER_FAILURES - 1] != 0 &&
	    l->failed[LEDGER_FAILURES - 1] + LEDGER_HOUR > now)
		return "five attempts have failed within an hour";
	return NULL;
}

void
ledger_success(struct ledger *l, const struct acme_done *d,
    const struct cert_info *c, int64_t now, uint32_t random)
{
	uint32_t	directory = l->directory;

	memset(l, 0, sizeof(*l));
	l->issued = now;
	l->valid_from = c->from;
	l->valid_to = c->to;
	l->challenge = d->challenge;
	l->directory = directory;
	l->spread = random % 1000;
	l->untold = true;
}

/* The one after it; the first again after the last. */
static enum challenge_kind
next_kind(enum challenge_kind k, const struct ledger_ways *w)
{
	size_t	i;

	for (i = 0; i < w->nkinds; i++)
		if (w->kind[i] == k)
			return w->kind[(i + 1) % w->nkinds];
	return w->nkinds > 0 ? w->kind[0] : CHALLENGE_NONE;
}

static int64_t
pause_after(const struct ledger *l, int64_t now, uint32_t random)
{
	uint32_t	i = l->failures - 1;
	int64_t		p = pauses[i < nitems(pauses) ? i : nitems(pauses) - 1];

	/* After a month nobody waits for it any more. */
	if (now - l->failing > LEDGER_MONTH)
		p = DAY;
	return p + p * (int64_t)(random % 1000) / 10000;
}

/* What was not tried yet is tried at once; after that, not where it counts. */
static void
refused(struct ledger *l, const struct acme_done *d,
    const struct ledger_ways *w, int64_t now)
{
	l->challenge = next_kind(d->challenge, w);
	if (l->failures < w->nkinds)
		l->next = now;
	else
		l->rehearse = w->staging;
}

void
ledger_failure(struct ledger *l, const struct acme_done *d,
    const struct ledger_ways *w, int64_t now, uint32_t random)
{
	int64_t	retry = d->retry > RETRY_MAX ? RETRY_MAX : d->retry;

	memmove(&l->failed[1], &l->failed[0],
	    sizeof(l->failed) - sizeof(l->failed[0]));
	l->failed[0] = now;
	l->failures++;
	if (l->failing == 0)
		l->failing = now;
	l->wanted = false;
	strlcpy(l->error, d->text, sizeof(l->error));
	l->next = now + pause_after(l, now, random);
	if (d->outcome == ACME_REFUSED)
		refused(l, d, w, now);
	/* The other CA is not tired of us. */
	if (w->fallback && l->failures % 2 == 0)
		l->directory = !l->directory;
	else
		l->next = later(l->next, now + retry);
}

void
ledger_rehearsed(struct ledger *l, const struct acme_done *d)
{
	l->rehearse = false;
	l->challenge = d->challenge;
	l->next = 0;
}

void
ledger_asked(struct ledger *l, const struct acme_done *d, int64_t now,
    uint32_t random)
{
	int64_t	wait = d->retry == 0 ? ASK_USUAL : d->retry;

	wait = wait < ASK_MIN ? ASK_MIN : wait > DAY ? DAY : wait;
	l->ask = now + wait + (int64_t)(random % ASK_SPREAD);
	if (d->outcome != ACME_OK)
		return;
	l->from = (int64_t)d->from;
	l->to = (int64_t)d->to;
}
