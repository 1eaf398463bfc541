#ifndef L4_CTL_REQUEST_H
#define L4_CTL_REQUEST_H

#include <stddef.h>
#include <time.h>

#include "common/control.h"

#define ANSWER_MAX	(256u << 20)	/* bytes; more is no answer of ours */
#define ANSWER_WAIT	30		/* seconds without a byte */
#define ANSWER_WAIT_LONG 0		/* as long as it takes */
/* The daemon answers earlier, as it was told. */
#define ANSWER_WAIT_RENEW (CONTROL_RENEW_MAX + ANSWER_WAIT)

/*
 * Sends one line (without its LF) to the daemon at the socket and returns the
 * answer, terminated, *len bytes; the caller frees it.  NULL: it cannot be
 * reached, or the answer is cut; *why then says what failed (errno is set, or
 * 0 where it has nothing to add).  wait: ANSWER_WAIT, ...
 */
char	*request_send(const char *path, const char *line, time_t wait,
	    size_t *len, const char **why);

#endif
