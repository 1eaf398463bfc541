#ifndef L4_CTL_RENDER_H
#define L4_CTL_RENDER_H

#include "common/doc.h"

/*
 * An answer of the daemon (docs/control.md) as text on stdout.  A member that
 * is missing or of another type is shown as "-": a newer or older daemon is
 * still read.
 */
void	render_status(const json_t *);
void	render_routes(const json_t *);
void	render_upstreams(const json_t *);
void	render_certificates(const json_t *);
void	render_explain(const json_t *);
void	render_sessions(const json_t *);
void	render_metrics(const json_t *);		/* as OpenMetrics 1.0 */
void	render_renewed(const json_t *);
void	render_nothing(const json_t *);
void	render_generation(const json_t *);
void	render_stop(const json_t *);

/* Strings of an array with a separator; the caller frees.  Fatal without
 * memory. */
char	*join_strings(const json_t *array, const char *sep);

#endif
