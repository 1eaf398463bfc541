#ifndef L4_METRICS_PAGE_H
#define L4_METRICS_PAGE_H

#include <stdio.h>

#include "metrics.h"

/*
 * The parts of the status page.  Each is a section with an id, which the script
 * of the page replaces when it has changed; text is escaped by what writes it.
 */

/* html.c: with every byte outside printable ASCII as \xHH, and what means
 * something to HTML as a reference. */
void	html_text(FILE *, const char *);

struct column {
	const char	*head;
	const char	*class;		/* "" or of page.css: "n" number, "opt"
					   left out where it is narrow */
};

struct html_table {
	FILE			*f;
	const struct column	*col;
	size_t			 ncols, at;
	size_t			 rows;
};

/* Section, heading and head of a table; its cells follow, row by row, the first
 * of each row being its name; then the end.  note is shown in place of a table
 * without rows. */
void	html_section(FILE *, const char *id, const char *title);
void	html_table(struct html_table *, FILE *, const char *id,
	    const char *title, const struct column *, size_t ncols);
void	html_cell(struct html_table *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* A state, with a colour: "good", "busy" or "bad". */
void	html_state(struct html_table *, const char *how, const char *text);
/* A number and a bar, `share` of 1 long. */
void	html_bar(struct html_table *, const char *text, double share);
void	html_table_end(struct html_table *, const char *note);

/* page_tables.c */
void	page_targets(FILE *, const json_t *status);
void	page_backends(FILE *, const json_t *upstreams);
void	page_decisions(FILE *, const json_t *routes);
void	page_processes(FILE *, const json_t *status);
void	page_generations(FILE *, const json_t *status);
void	page_certificates(FILE *, const json_t *certificates);
void	page_sessions(FILE *, const json_t *sessions, const json_t *status);

/* page_charts.c */
void	page_charts(FILE *, const struct history *);

/* assets.c: page.css and page.js, terminated. */
extern const char page_css[], page_js[];

#endif
