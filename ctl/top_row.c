#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/l4.h"
#include "common/log.h"
#include "render.h"
#include "top_row.h"

#define BAR	10	/* characters */

/* The element of the array for which all these members are the same. */
static const json_t *
same_element(const json_t *array, const json_t *e, const char *const *keys)
{
	const json_t	*o;
	size_t		 i, k;

	json_array_foreach(array, i, o) {
		for (k = 0; keys[k] != NULL; k++)
			if (!json_equal(json_object_get(o, keys[k]),
			    json_object_get(e, keys[k])))
				break;
		if (keys[k] == NULL)
			return o;
	}
	return NULL;
}

/* How fast a number grows; one that fell began anew. */
static double
growth(const json_t *now, const json_t *old, const char *key, double secs)
{
	double	d = member_real(now, key) - member_real(old, key);

	return old == NULL || d < 0 || secs <= 0 ? 0 : d / secs;
}

static struct top_row *
rows_alloc(const json_t *array, struct top_rows *rows)
{
	rows->n = 0;
	rows->v = calloc(json_array_size(array) + 1, sizeof(*rows->v));
	if (rows->v == NULL)
		err(1, NULL);
	return rows->v;
}

static void
set_text(char *dst, size_t size, const char *s)
{
	log_escape(dst, size, s, strlen(s));
}

static void
row_counts(struct top_row *r, const json_t *e, const json_t *old, double secs)
{
	r->live = member_real(e, "live");
	r->total = member_real(e, "total");
	r->failed = member_real(e, "failed");
	r->rate = growth(e, old, "total", secs);
}

void
top_targets(const json_t *now, const json_t *old, double secs,
    struct top_rows *rows)
{
	static const char *const	 keys[] = { "name", "kind", NULL };
	const json_t			*all = member_array(now, "targets"), *e;
	struct top_row			*r = rows_alloc(all, rows);
	char				 health[HEALTH_LEN];
	size_t				 i;

	json_array_foreach(all, i, e) {
		set_text(r->name, sizeof(r->name), member_str(e, "name"));
		set_text(r->kind, sizeof(r->kind), member_str(e, "kind"));
		set_text(r->note, sizeof(r->note), format_health(e, health));
		row_counts(r, e, same_element(member_array(old, "targets"), e,
		    keys), secs);
		r++;
		rows->n++;
	}
}

void
top_processes(const json_t *now, const json_t *old, double secs,
    struct top_rows *rows)
{
	static const char *const	 keys[] = { "pid", NULL };
	const json_t			*all, *e, *was;
	struct top_row			*r;
	char				 name[PROCESS_NAME_LEN];
	size_t				 i;

	all = member_array(now, "processes");
	r = rows_alloc(all, rows);
	json_array_foreach(all, i, e) {
		if (member_int(e, "pid") == 0)
			continue;
		was = same_element(member_array(old, "processes"), e, keys);
		set_text(r->name, sizeof(r->name), format_process(e, name));
		set_text(r->kind, sizeof(r->kind), member_str(e, "state"));
		snprintf(r->note, sizeof(r->note), "%" JSON_INTEGER_FORMAT
		    "/%" JSON_INTEGER_FORMAT, member_int(e, "pid"),
		    member_int(e, "generation"));
		row_counts(r, e, was, secs);
		r->cpu = growth(e, was, "cpu_ms", secs) / 10;
		r->rss_kib = member_int(e, "rss_kib");
		r++;
		rows->n++;
	}
}

static int
by_number(double a, double b)
{
	return a > b ? -1 : a < b;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct top_row *)a)->name,
	    ((const struct top_row *)b)->name);
}

#define BY(field)							\
static int								\
by_##field(const void *a, const void *b)				\
{									\
	int	d = by_number(((const struct top_row *)a)->field,	\
		    ((const struct top_row *)b)->field);		\
									\
	return d != 0 ? d : by_name(a, b);				\
}
BY(rate)
BY(live)
BY(total)
BY(cpu)

void
top_sort(struct top_rows *rows, enum top_sort how)
{
	static int	(*const by[SORT__MAX])(const void *, const void *) = {
		[SORT_RATE] = by_rate, [SORT_LIVE] = by_live,
		[SORT_TOTAL] = by_total, [SORT_CPU] = by_cpu,
		[SORT_NAME] = by_name,
	};

	qsort(rows->v, rows->n, sizeof(*rows->v), by[how]);
}

static void
print_bar(FILE *f, double v, double max)
{
	int	n = max <= 0 ? 0 : (int)(v / max * BAR + 0.5);

	if (n > BAR)
		n = BAR;
	if (v > 0 && n == 0)
		n = 1;
	fprintf(f, " %.*s%*s", n, "##########", BAR - n, "");
}

static double
max_rate(const struct top_rows *rows)
{
	double	max = 0;
	size_t	i;

	for (i = 0; i < rows->n; i++)
		if (rows->v[i].rate > max)
			max = rows->v[i].rate;
	return max;
}

/* How many rows there are places for; the rest is for the line of `more`. */
static size_t
rows_shown(const struct top_rows *rows, size_t lines)
{
	return rows->n <= lines ? rows->n : lines > 0 ? lines - 1 : 0;
}

static void
print_more(FILE *f, const struct top_rows *rows, size_t shown, size_t lines)
{
	if (shown < rows->n && lines > 0)
		fprintf(f, "and %zu more\n", rows->n - shown);
}

void
top_print_targets(FILE *f, const struct top_rows *rows, size_t lines)
{
	const struct top_row	*r;
	size_t			 n = rows_shown(rows, lines);
	double			 max = max_rate(rows);

	fprintf(f, "%-16s %-8s %6s %8s %-*s %9s %6s %s\n", "TARGET", "KIND",
	    "LIVE", "NEW/S", BAR, "", "TOTAL", "FAILED", "HEALTH");
	for (r = rows->v; r < rows->v + n; r++) {
		fprintf(f, "%-16.16s %-8.8s %6.0f %8.1f", r->name, r->kind,
		    r->live, r->rate);
		print_bar(f, r->rate, max);
		fprintf(f, " %9.0f %6.0f %s\n", r->total, r->failed,
		    r->note);
	}
	print_more(f, rows, n, lines);
}

void
top_print_processes(FILE *f, const struct top_rows *rows, size_t lines)
{
	const struct top_row	*r;
	char			 mem[SIZE_LEN];
	size_t			 n = rows_shown(rows, lines);

	fprintf(f, "%-18s %-8s %6s %8s %5s %-*s %-7s %s\n", "PROCESS",
	    "STATE", "LIVE", "NEW/S", "CPU%", BAR, "", "MEM", "PID/GEN");
	for (r = rows->v; r < rows->v + n; r++) {
		fprintf(f, "%-18.18s %-8.8s %6.0f %8.1f %5.1f", r->name,
		    r->kind, r->live, r->rate, r->cpu);
		print_bar(f, r->cpu, 100);
		fprintf(f, " %-7s %s\n", format_kib(r->rss_kib, mem),
		    r->note);
	}
	print_more(f, rows, n, lines);
}
