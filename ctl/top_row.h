#ifndef L4_CTL_TOP_ROW_H
#define L4_CTL_TOP_ROW_H

#include <stdio.h>

#include <jansson.h>

/*
 * The lines of `l4muxctl top`: targets and processes, with what changed since
 * the answer before.
 */
struct top_row {
	char		name[40];
	char		kind[12];	/* of a target; state of a process */
	char		note[24];	/* health; pid and generation */
	double		live, total, failed;
	double		rate;		/* connections a second */
	double		cpu;		/* percent of one */
	json_int_t	rss_kib;
};

enum top_sort { SORT_RATE, SORT_LIVE, SORT_TOTAL, SORT_CPU, SORT_NAME,
	SORT__MAX };

struct top_rows {
	struct top_row	*v;
	size_t		 n;
};

/* From two answers, `secs` apart; old may be NULL.  The caller frees v; fatal
 * without memory. */
void	top_targets(const json_t *now, const json_t *old, double secs,
	    struct top_rows *);
void	top_processes(const json_t *now, const json_t *old, double secs,
	    struct top_rows *);
void	top_sort(struct top_rows *, enum top_sort);

/* The head, then at most `lines` rows: those that do not fit are counted in
 * the last. */
void	top_print_targets(FILE *, const struct top_rows *, size_t lines);
void	top_print_processes(FILE *, const struct top_rows *, size_t lines);

#endif
