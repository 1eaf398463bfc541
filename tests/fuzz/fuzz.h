#ifndef L4_FUZZ_H
#define L4_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/monotone.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* An invariant: what it should be, for the report. */
static inline void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* The promises of monotone.h, on some 300 prefixes of long input. */
static inline enum verdict
must_be_monotone(prefix_fn *fn, const uint8_t *p, size_t len, void *arg)
{
	enum verdict	 v = VERDICT_NEED_MORE;
	const char	*err;
	size_t		 first;

	err = monotone_steps(fn, p, len, 1 + len / 300, arg, &v, &first);
	must(err == NULL, err != NULL ? err : "");
	return v;
}

#endif
