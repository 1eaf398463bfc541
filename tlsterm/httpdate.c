#include <stdint.h>
#include <stdio.h>

#include "common/l4.h"
#include "httpdate.h"

#define DAY	86400
#define MIN_TIME	(-INT64_C(62135596800))	/* 0001-01-01 */
#define MAX_TIME	INT64_C(253402300799)	/* 9999-12-31 23:59:59 */

static const char	months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char	wdays[] = "ThuFriSatSunMonTueWed";	/* of 1970 */

struct civil {
	int	year, month, day;	/* month 1 to 12 */
};

/*
 * The proleptic Gregorian calendar in years that begin in March, so that the
 * leap day is their last: 400 of them are 146097 days.
 */
static int64_t
days_of(const struct civil *c)
{
	int64_t	y = c->year - (c->month <= 2), era, yoe, doy;

	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (c->month + (c->month > 2 ? -3 : 9)) + 2) / 5 +
	    c->day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_of(struct civil *c, int64_t days)
{
	int64_t	era, doe, yoe, doy, m;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	m = (5 * doy + 2) / 153;
	c->day = (int)(doy - (153 * m + 2) / 5 + 1);
	c->month = (int)(m < 10 ? m + 3 : m - 9);
	c->year = (int)(yoe + era * 400 + (c->month <= 2));
}

/* A time as both kinds of clock show it. */
struct moment {
	struct civil	c;
	int64_t		days;
	unsigned int	s;	/* of the day */
};

static void
moment_of(struct moment *m, time_t when)
{
	int64_t	t = when;

	t = t < MIN_TIME ? MIN_TIME : t > MAX_TIME ? MAX_TIME : t;
	m->days = (t >= 0 ? t : t - (DAY - 1)) / DAY;
	m->s = (unsigned int)(t - m->days * DAY);
	civil_of(&m->c, m->days);
}

const char *
httpdate_format(char dst[HTTPDATE_LEN + 1], time_t when)
{
	struct moment	m;

	moment_of(&m, when);
	snprintf(dst, HTTPDATE_LEN + 1,
	    "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
	    wdays + 3 * ((m.days % 7 + 7) % 7), (unsigned int)m.c.day % 100,
	    months + 3 * (m.c.month - 1), (unsigned int)m.c.year % 10000,
	    m.s / 3600 % 100, m.s / 60 % 60, m.s % 60);
	return dst;
}

const char *
httpdate_iso(char dst[HTTPDATE_ISO_LEN + 1], time_t when)
{
	struct moment	m;

	moment_of(&m, when);
	snprintf(dst, HTTPDATE_ISO_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02uZ",
	    (unsigned int)m.c.year % 10000, (unsigned int)m.c.month % 100,
	    (unsigned int)m.c.day % 100, m.s / 3600 % 100, m.s / 60 % 60,
	    m.s % 60);
	return dst;
}

/* A date being read: each take_ function moves on, or sets bad. */
struct scan {
	struct str	in;
	bool		bad;
};

static int
take_number(struct scan *s, size_t digits)
{
	int	n = 0;
	size_t	i;

	if (s->bad || s->in.n < digits) {
		s->bad = true;
		return 0;
	}
	for (i = 0; i < digits; i++) {
		if (s->in.p[i] < '0' || s->in.p[i] > '9')
			s->bad = true;
		n = n * 10 + (s->in.p[i] - '0');
	}
	s->in.p += digits;
	s->in.n -= digits;
	return n;
}

static void
take_text(struct scan *s, const char *text)
{
	size_t	n = strlen(text);

	if (s->bad || s->in.n < n || memcmp(s->in.p, text, n) != 0) {
		s->bad = true;
		return;
	}
	s->in.p += n;
	s->in.n -= n;
}

static int
take_month(struct scan *s)
{
	int	m;

	if (s->bad || s->in.n < 3) {
		s->bad = true;
		return 1;
	}
	for (m = 0; m < 12; m++)
		if (memcmp(s->in.p, months + 3 * m, 3) == 0)
			break;
	if (m == 12)
		s->bad = true;
	s->in.p += 3;
	s->in.n -= 3;
	return m % 12 + 1;
}

/* The name of the day is not compared with the date. */
static void
take_wday(struct scan *s, const char *end)
{
	size_t	i;

	for (i = 0; i < s->in.n && ((s->in.p[i] | 0x20) >= 'a') &&
	    ((s->in.p[i] | 0x20) <= 'z'); i++)
		;
	if (i < 3)
		s->bad = true;
	s->in.p += i;
	s->in.n -= i;
	take_text(s, end);
}

static int
take_time(struct scan *s)
{
	int	h, m, sec;

	h = take_number(s, 2);
	take_text(s, ":");
	m = take_number(s, 2);
	take_text(s, ":");
	sec = take_number(s, 2);
	if (h > 23 || m > 59 || sec > 60)
		s->bad = true;
	return h * 3600 + m * 60 + sec;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static int
scan_fixdate(struct scan *s, struct civil *c, int year)
{
	int	t;

	(void)year;
	take_wday(s, ", ");
	c->day = take_number(s, 2);
	take_text(s, " ");
	c->month = take_month(s);
	take_text(s, " ");
	c->year = take_number(s, 4);
	take_text(s, " ");
	t = take_time(s);
	take_text(s, " GMT");
	return t;
}

/* Sunday, 06-Nov-94 08:49:37 GMT; not more than 50 years from now. */
static int
scan_rfc850(struct scan *s, struct civil *c, int year)
{
	int	t;

	take_wday(s, ", ");
	c->day = take_number(s, 2);
	take_text(s, "-");
	c->month = take_month(s);
	take_text(s, "-");
	c->year = take_number(s, 2) + year / 100 * 100;
	if (c->year > year + 50)
		c->year -= 100;
	take_text(s, " ");
	t = take_time(s);
	take_text(s, " GMT");
	return t;
}

/* Sun Nov  6 08:49:37 1994 */
static int
scan_asctime(struct scan *s, struct civil *c, int year)
{
	int	t;

	(void)year;
	take_wday(s, " ");
	c->month = take_month(s);
	take_text(s, " ");
	if (s->in.n > 0 && s->in.p[0] == ' ') {
		take_text(s, " ");
		c->day = take_number(s, 1);
	} else
		c->day = take_number(s, 2);
	take_text(s, " ");
	t = take_time(s);
	take_text(s, " ");
	c->year = take_number(s, 4);
	return t;
}

bool
httpdate_parse(struct str in, time_t now, time_t *when)
{
	static int	(*const forms[])(struct scan *, struct civil *, int) = {
		scan_fixdate, scan_rfc850, scan_asctime
	};
	struct civil	c, check, today;
	struct scan	s;
	size_t		i;
	int		t;

	civil_of(&today, now / DAY);
	for (i = 0; i < nitems(forms); i++) {
		s = (struct scan){ in, false };
		t = forms[i](&s, &c, today.year);
		if (s.bad || s.in.n != 0 || c.year < 1)
			continue;
		/* The 31st of June is another day when written back. */
		civil_of(&check, days_of(&c));
		if (check.day != c.day || check.month != c.month)
			return false;
		*when = (time_t)(days_of(&c) * DAY + t);
		return true;
	}
	return false;
}
