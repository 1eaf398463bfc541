#ifndef L4_CTL_RENDER_H
#define L4_CTL_RENDER_H

#include <jansson.h>

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
void	render_nothing(const json_t *);
void	render_generation(const json_t *);
void	render_stop(const json_t *);

/* Members, never NULL: "-", an empty array, 0. */
const char *member_str(const json_t *, const char *key);
json_int_t member_int(const json_t *, const char *key);
double	member_real(const json_t *, const char *key);
const json_t *member_array(const json_t *, const char *key);
/* A number, or "-" where it is none. */
#define MEMBER_NUM_LEN	24
const char *member_num(const json_t *, const char *key,
	    char dst[MEMBER_NUM_LEN]);

/* Strings of an array with a separator; the caller frees.  Fatal without
 * memory. */
char	*join_strings(const json_t *array, const char *sep);

/* "0.31s" below ten seconds, then "42s", "3m 12s", "5h 4m", "12d 3h". */
#define AGE_LEN	32
const char *format_age(double seconds, char dst[AGE_LEN]);
/* "812K", "3.1M", "1.20G". */
#define SIZE_LEN 24
const char *format_kib(json_int_t kib, char dst[SIZE_LEN]);
/* The same for bytes: "512", "3.4K". */
const char *format_bytes(json_int_t bytes, char dst[SIZE_LEN]);

/* Of an element of `targets`: "up", "down", "1 of 2 up", "unknown", "-". */
#define HEALTH_LEN 64
const char *format_health(const json_t *, char dst[HEALTH_LEN]);

/* "worker.0", "proxy.reality.0", "master": of an element of `processes`. */
#define PROCESS_NAME_LEN 320
const char *format_process(const json_t *, char dst[PROCESS_NAME_LEN]);

#endif
