#ifndef L4_RANGE_H
#define L4_RANGE_H

#include <sys/types.h>

#include "str.h"

#include <stdint.h>

/*
 * Byte ranges (RFC 9110 14).  Parsing is pure.
 */
#define RANGES_MAX	16	/* in one request; more are ignored */

struct range {
	uint64_t	first, last;	/* both inside the file */
};

enum range_result {
	RANGE_NONE,		/* other units, broken, too many, or more bytes
				   than the file: send all */
	RANGE_SOME,		/* *n of them, in the order asked for */
	RANGE_UNSATISFIABLE,
};

/* Those that lie outside of a file of that size are left out. */
enum range_result range_parse(struct str, uint64_t size,
	    struct range v[RANGES_MAX], size_t *n);

/*
 * A multipart/byteranges body: parts of a source with a head before each.
 */
struct parts;

/* type "" = none.  *total: length of the whole body.  The boundary, digits
 * only, is written to boundary.  NULL without memory. */
#define RANGE_BOUNDARY	32
struct parts *parts_new(const struct range *, size_t n, uint64_t size,
	    const char *type, char boundary[RANGE_BOUNDARY], uint64_t *total);
void	parts_free(struct parts *);

/* What comes next, at most n bytes: *text of the returned length, or where
 * *text is NULL so many bytes of the source at *offset.  0 at the end. */
size_t	parts_next(struct parts *, size_t n, const char **text,
	    uint64_t *offset);

#endif
