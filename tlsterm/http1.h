#ifndef L4_HTTP1_H
#define L4_HTTP1_H

#include "request.h"

/*
 * The head of an HTTP/1.x request (RFC 9112), strictly: one way to write it,
 * everything else is an error.  Pure: no allocation, reads only p[0..len).
 */
#define HTTP1_LINE_MAX		8192	/* request line, without its end */
#define HTTP1_FIELDS_MAX	16384	/* field lines with their ends */
/* A buffer of this size never fills without a verdict. */
#define HTTP1_HEAD_MAX		(2 + HTTP1_LINE_MAX + 2 + HTTP1_FIELDS_MAX + 4)

/*
 * Returns the length of the head, empty line included, with *req filled; 0 when
 * more is needed; else the negative HTTP status of the error, after which the
 * connection cannot go on.  *scanned is kept by the caller between calls on a
 * growing buffer, 0 at first: what was looked at is not looked at again.
 */
int	http1_parse(const char *p, size_t len, size_t *scanned,
	    struct request *req);

/* What a head is made of; for answers of upstreams too. */

/* Length of the head, its end found at or after from; 0: not there.  A bare LF
 * ends it too, to be refused. */
size_t	http1_head_end(const char *p, size_t len, size_t from);
/* Where the next line ends: *line is set without CR LF.  NULL: bare LF. */
const char *http1_next_line(const char *p, const char *end, struct str *line);
/* False where the line is no field (RFC 9112 5). */
bool	http1_field(struct str line, struct field *);

/*
 * A chunked body (RFC 9112 7.1) that comes in pieces.  Zero at first.
 */
enum chunk_state {
	CHUNK_SIZE, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_DATA_LF,
	CHUNK_TRAILER, CHUNK_TRAILER_LINE, CHUNK_TRAILER_LF, CHUNK_END_LF,
	CHUNK_DONE, CHUNK_BAD
};
struct chunked {
	enum chunk_state state;
	uint64_t	 left;		/* of this chunk */
	uint8_t		 digits;	/* of its size */
	bool		 ext;		/* in a chunk extension */
	uint32_t	 overhead;	/* bytes that are no data, in a row */
};
/*
 * Takes bytes up to and including the end of the next run of data, which is
 * returned in *data (n may be 0).  Returns the bytes taken; look at state:
 * CHUNK_DONE when the body is over, CHUNK_BAD when it is broken.
 */
size_t	chunked_next(struct chunked *, const char *p, size_t len,
	    struct str *data);

#endif
