#ifndef L4_H1_WRITE_H
#define L4_H1_WRITE_H

#include "h1.h"

/* The head of an answer, written to s->out, which has room for any; returns
 * its length.  minor: of the request's version. */
size_t	h1_write_head(struct h1_server *s, const struct response *,
	    uint8_t minor, bool close);

#endif
