#include <stdlib.h>

#include "common/l4.h"
#include "common/log.h"
#include "page.h"

/*
 * Lines over the last hour: time goes from 0 to WIDTH, values from HEIGHT up.
 * The drawing is stretched to its place; text is beside it, as text.
 */
#define WIDTH	360
#define HEIGHT	100
#define GAP	(3 * HISTORY_PERIOD * NSEC_PER_SEC)	/* nobody looked */

enum unit { UNIT_COUNT, UNIT_RATE, UNIT_BYTES, UNIT_PERCENT };

static const struct chart {
	const char	*id, *title;
	enum unit	 unit;
	enum series	 series[2];
	const char	*name[2];	/* of the lines; NULL: there is one */
} charts[] = {
	{ "new", "New connections", UNIT_RATE, { SERIES_NEW, SERIES_NEW },
	    { NULL, NULL } },
	{ "live", "Live connections", UNIT_COUNT, { SERIES_LIVE, SERIES_LIVE },
	    { NULL, NULL } },
	{ "traffic", "Traffic", UNIT_BYTES, { SERIES_OUT, SERIES_IN },
	    { "out", "in" } },
	{ "requests", "Requests of sites", UNIT_RATE,
	    { SERIES_REQUESTS, SERIES_REQUESTS }, { NULL, NULL } },
	{ "failed", "Refused or failed", UNIT_RATE,
	    { SERIES_FAILED, SERIES_FAILED }, { NULL, NULL } },
	{ "cpu", "CPU, of one", UNIT_PERCENT, { SERIES_CPU, SERIES_CPU },
	    { NULL, NULL } },
};

struct drawing {
	FILE			*f;
	const struct sample	*s;
	size_t			 n;
	uint64_t		 now;
	double			 max;	/* of the scale */
};

#define VALUE_LEN	32

/* Below 1024 of what the prefix says, where there are prefixes. */
static double
scaled(double v, enum unit unit, const char **prefix)
{
	static const char	*const all[] = { "", "K", "M", "G", "T" };
	size_t			 i = 0;

	for (; unit == UNIT_BYTES && v >= 1024 && i < nitems(all) - 1; i++)
		v /= 1024;
	*prefix = all[i];
	return v;
}

static const char *
format_value(char dst[VALUE_LEN], enum unit unit, double v)
{
	static const char	*const after[] = {
		[UNIT_COUNT] = "", [UNIT_RATE] = "/s", [UNIT_BYTES] = "/s",
		[UNIT_PERCENT] = " %",
	};
	const char		*prefix;

	v = scaled(v, unit, &prefix);
	snprintf(dst, VALUE_LEN, unit == UNIT_COUNT || v >= 100 ?
	    "%.0f%s%s" : "%.1f%s%s", v, prefix, after[unit]);
	return dst;
}

/* The next of 1, 2, 5, 10 ...: the scale does not jump with each value. */
static double
round_up(double v, double least)
{
	double	step = least;

	for (;;) {
		if (v <= step)
			return step;
		if (v <= 2 * step)
			return 2 * step;
		if (v <= 5 * step)
			return 5 * step;
		step *= 10;
	}
}

/* The same where 1024 make the next unit. */
static double
round_up_bytes(double v)
{
	double	unit = 1024;

	while (v > 500 * unit)
		unit *= 1024;
	return round_up(v / unit, 1) * unit;
}

static double
series_max(const struct drawing *d, enum series id)
{
	double	max = 0;
	size_t	i;

	for (i = 0; i < d->n; i++)
		if (d->s[i].v[id] > max)
			max = d->s[i].v[id];
	return max;
}

static double
at_x(const struct drawing *d, size_t i)
{
	double	ago = (double)(d->now - d->s[i].at) / (double)NSEC_PER_SEC;

	return WIDTH - ago * WIDTH / (HISTORY_SLOTS * HISTORY_PERIOD);
}

static double
at_y(const struct drawing *d, size_t i, enum series id)
{
	return HEIGHT - d->s[i].v[id] / d->max * HEIGHT;
}

/* The samples after i that nothing is missing between. */
static size_t
run_end(const struct drawing *d, size_t i)
{
	while (i + 1 < d->n && d->s[i + 1].at - d->s[i].at <= GAP)
		i++;
	return i;
}

static void
draw_points(const struct drawing *d, size_t from, size_t to, enum series id)
{
	size_t	i;

	for (i = from; i <= to; i++)
		fprintf(d->f, "%c%.1f %.1f", i == from ? 'M' : 'L', at_x(d, i),
		    at_y(d, i, id));
	if (from == to)
		fprintf(d->f, "h.5");
}

static void
draw_line(const struct drawing *d, enum series id, const char *class)
{
	size_t	i, end;

	fprintf(d->f, "<path class=\"area %s\" d=\"", class);
	for (i = 0; i < d->n; i = end + 1) {
		end = run_end(d, i);
		draw_points(d, i, end, id);
		fprintf(d->f, "V%dH%.1fZ", HEIGHT, at_x(d, i));
	}
	fprintf(d->f, "\"/><path class=\"line %s\" d=\"", class);
	for (i = 0; i < d->n; i = end + 1) {
		end = run_end(d, i);
		draw_points(d, i, end, id);
	}
	fprintf(d->f, "\"/>");
}

static void
draw_grid(FILE *f)
{
	int	i;

	fputs("<path class=\"grid\" d=\"", f);
	for (i = 0; i <= 4; i++)
		fprintf(f, "M0 %dH%d", i * HEIGHT / 4, WIDTH);
	for (i = 0; i <= 4; i++)
		fprintf(f, "M%d 0V%d", i * WIDTH / 4, HEIGHT);
	fputs("\"/>", f);
}

/* What it is now, for each line of it. */
static void
chart_caption(const struct drawing *d, const struct chart *c)
{
	char	text[VALUE_LEN];
	int	i, lines = c->name[0] == NULL ? 1 : 2;

	fprintf(d->f, "<figcaption><span class=\"title\">%s</span>", c->title);
	for (i = 0; i < lines; i++)
		fprintf(d->f, " <span class=\"%s\"><b>%s</b> %s</span>",
		    i == 0 ? "a" : "b", d->n == 0 ? "-" : format_value(text,
		    c->unit, d->s[d->n - 1].v[c->series[i]]),
		    c->name[i] != NULL ? c->name[i] : "");
	fputs("</figcaption>\n", d->f);
}

static void
chart_draw(struct drawing *d, const struct chart *c)
{
	double	a = series_max(d, c->series[0]), b = series_max(d,
		    c->series[1]), most = a > b ? a : b;
	char	top[VALUE_LEN], max[VALUE_LEN];

	d->max = c->unit == UNIT_BYTES ? round_up_bytes(most) :
	    round_up(most, c->unit == UNIT_COUNT ? 10 : 1);
	format_value(top, c->unit, d->max);
	format_value(max, c->unit, most);
	fprintf(d->f, "<figure id=\"c-%s\">\n", c->id);
	chart_caption(d, c);
	fprintf(d->f, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
	    "role=\"img\" aria-label=\"%s in the last hour: %s at most\">",
	    WIDTH, HEIGHT, c->title, max);
	draw_grid(d->f);
	if (c->name[1] != NULL)
		draw_line(d, c->series[1], "b");
	draw_line(d, c->series[0], "a");
	fprintf(d->f, "</svg>\n<div class=\"axis\" aria-hidden=\"true\">"
	    "<span>1 h ago</span><span class=\"top\">%s</span>"
	    "<span>now</span></div>\n</figure>\n", top);
}

void
page_charts(FILE *f, const struct history *h)
{
	struct sample	*s;
	struct drawing	 d = { .f = f, .now = ev_clock() };
	size_t		 i;

	if ((s = calloc(HISTORY_SLOTS, sizeof(*s))) == NULL)
		fatal("calloc");
	d.n = history_get(h, d.now, s);
	d.s = s;
	html_section(f, "charts", "The last hour");
	fputs("<div class=\"charts\">\n", f);
	for (i = 0; i < nitems(charts); i++)
		chart_draw(&d, &charts[i]);
	fputs("</div>\n</section>\n", f);
	free(s);
}
