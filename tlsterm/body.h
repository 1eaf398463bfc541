#ifndef L4_BODY_H
#define L4_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "range.h"

/*
 * Where the body of an answer comes from, whatever version of HTTP it goes out
 * in.  It is read front to back, in pieces of any size.  Zero is an empty one,
 * but for fd.
 */
struct body {
	uint64_t	 left;		/* bytes still to be read */
	uint64_t	 offset;	/* of the next, in its source */

	/* the source, one of these: */
	const char	*text;		/* lives as long as the response: to be
					   read before the next one */
	int		 fd;		/* -1, or a file, owned */

	struct blob	*blob;		/* NULL, or what text is in: held, so
					   that it may be read any time */

	struct parts	*parts;		/* owned: pieces of the source, with
					   text between them */
};

void	body_init(struct body *);
/* Gives up what it owns; empty afterwards. */
void	body_close(struct body *);
/* The source is all of the blob, one more user of it. */
void	body_of_blob(struct body *, struct blob *);
/* dst must be empty; src is, afterwards. */
void	body_move(struct body *dst, struct body *src);

/*
 * Reads n bytes, or `left` if that is less, to dst.  Returns the count; -1 when
 * the file cannot be read or has become shorter than was announced: that
 * cannot be mended, the answer must be cut off.
 */
ssize_t	body_read(struct body *, char *dst, size_t n);
/*
 * The same, without a copy where there is one to point at: *p is set to dst or
 * into the source, and may be read until the body is closed.
 */
ssize_t	body_next(struct body *, char *dst, size_t n, const char **p);

#endif
