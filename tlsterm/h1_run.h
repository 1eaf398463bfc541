#ifndef L4_H1_RUN_H
#define L4_H1_RUN_H

#include "h1.h"

/* What h1.c and h1_forward.c share. */

/* "Go on" beside what h1_run() returns. */
#define GO_ON		((enum h1_result)-1)

/* One run over one connection. */
struct run {
	struct h1_server	*s;
	struct h1		*h;
	struct io		*io;
	const struct origin	*o;
	size_t			 budget;
};

static inline void
run_spend(struct run *r, size_t n)
{
	r->budget -= n < r->budget ? n : r->budget;
}

/* Writes the answer in s->res; req NULL: there is none to go by.  After an
 * answer to forward the body is the caller's. */
enum h1_result h1_answer(struct run *, const struct request *);
/* More from the client into s->in; what it returns beside GO_ON tells what it
 * is waiting for, or that the client is gone. */
enum h1_result h1_receive(struct run *);
/* H1_SENDING: the socket is full. */
enum h1_result h1_flush(struct run *);
/* Writes n bytes to the client, and flushes once many are there: what h1_flush()
 * returns, or GO_ON. */
enum h1_result h1_write(struct run *, const char *p, size_t n);

/* h1_forward.c: the request in s->req goes to s->res.upstream. */
enum h1_result h1_forward_begin(struct run *);
/* While h->fwd is there: moves what can be moved, both ways. */
enum h1_result h1_forward_step(struct run *);

#endif
