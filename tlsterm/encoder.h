#ifndef L4_ENCODER_H
#define L4_ENCODER_H

#include <stdbool.h>

#include "blob.h"
#include "common/conf.h"

/*
 * One body being encoded, piece by piece.  How much work a piece is depends on
 * the effort: at the best it takes some ten milliseconds.
 */
struct encoder;

enum effort { EFFORT_FAST, EFFORT_BEST };

enum encoder_result {
	ENCODER_MORE,		/* go on with the next piece */
	ENCODER_DONE,		/* encoder_take() has it */
	ENCODER_FAILED,		/* no memory, or more than there is room for */
};

/* For len bytes that become at most room bytes.  NULL without memory, or
 * where the budget has no room. */
struct encoder *encoder_new(enum encoding, enum effort, struct budget *,
	    size_t len, size_t room);
/* What encoder_step() wants next; the last is what is left. */
size_t	encoder_piece(const struct encoder *);
enum encoder_result encoder_step(struct encoder *, const char *p, size_t n);
/* The result, the caller's from now on. */
struct blob *encoder_take(struct encoder *);
void	encoder_free(struct encoder *);

#endif
