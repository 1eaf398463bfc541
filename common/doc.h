#ifndef L4_DOC_H
#define L4_DOC_H

#include <stdio.h>

#include <jansson.h>

/*
 * Reads the documents that master writes (docs/control.md), for those who show
 * them: l4muxctl and the metrics process.  A member that is missing or of
 * another type is shown as "-": a newer or older daemon is still read.
 */

/* Members, never NULL: "-", an empty array, 0. */
const char *member_str(const json_t *, const char *key);
json_int_t member_int(const json_t *, const char *key);
double	member_real(const json_t *, const char *key);
const json_t *member_array(const json_t *, const char *key);
/* A number, or "-" where it is none. */
#define MEMBER_NUM_LEN	24
const char *member_num(const json_t *, const char *key,
	    char dst[MEMBER_NUM_LEN]);

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

/* The families of a `metrics` document as text: OpenMetrics 1.0, or the format
 * before it (text/plain; version=0.0.4), which has fewer types. */
enum doc_metrics { DOC_OPENMETRICS, DOC_PLAIN };
void	doc_metrics_text(FILE *, const json_t *, enum doc_metrics);

#endif
