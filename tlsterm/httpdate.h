#ifndef L4_HTTPDATE_H
#define L4_HTTPDATE_H

#include <stdbool.h>
#include <time.h>

#include "str.h"

/* Dates of HTTP (RFC 9110 5.6.7), without time zone files or locale. */
#define HTTPDATE_LEN	29

/* "Sun, 06 Nov 1994 08:49:37 GMT"; years 1 to 9999.  Returns dst. */
const char *httpdate_format(char dst[HTTPDATE_LEN + 1], time_t);
/* "1994-11-06T08:49:37Z" (RFC 3339). Returns dst. */
#define HTTPDATE_ISO_LEN	20
const char *httpdate_iso(char dst[HTTPDATE_ISO_LEN + 1], time_t);
/* Any of the three forms; false for everything else. `now` gives the century
 * to a year of two digits. */
bool	httpdate_parse(struct str, time_t now, time_t *);

#endif
