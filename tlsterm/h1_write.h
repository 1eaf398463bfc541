#ifndef L4_H1_WRITE_H
#define L4_H1_WRITE_H

#include "h1.h"

/* The head of an answer, written to s->out, which has room for any; returns
 * its length.  minor: of the request's version. */
size_t	h1_write_head(struct h1_server *s, const struct response *,
	    uint8_t minor, bool close);

/* The lines of it for response.ready; dst has room for H1_READY_EXTRA bytes
 * and, for each field, name and value and 4.  Returns the length. */
#define H1_READY_EXTRA	64
size_t	h1_ready_fields(char *dst, const struct response *);

#endif
