#ifndef L4_TEST_MONOTONE_H
#define L4_TEST_MONOTONE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/hello.h"

/*
 * What every parser of first bytes promises, tried on one input: a verdict
 * stays, nothing changes before the bytes that were asked for, and nothing
 * outside the prefix is read (each is a block of its own, for ASan to watch).
 */
typedef enum verdict prefix_fn(const uint8_t *, size_t, size_t *need, void *);

static inline enum verdict
prefix_verdict(prefix_fn *fn, const uint8_t *p, size_t len, size_t *need,
    void *arg)
{
	uint8_t		*copy = malloc(len);
	enum verdict	 v;

	if (copy == NULL && len > 0)
		abort();
	if (len > 0)
		memcpy(copy, p, len);
	v = fn(copy, len, need, arg);
	free(copy);
	return v;
}

/*
 * Returns what is wrong, or NULL.  Tries every step-th prefix and the whole.
 * *verdict is that of the whole, *first the length at which it was reached.
 */
static inline const char *
monotone_steps(prefix_fn *fn, const uint8_t *p, size_t len, size_t step,
    void *arg, enum verdict *verdict, size_t *first)
{
	enum verdict	v, last = VERDICT_NEED_MORE;
	size_t		k, need, floor = 0;

	*first = len;
	for (k = 0;; k = len - k < step ? len : k + step) {
		need = 0;
		v = prefix_verdict(fn, p, k, &need, arg);
		if (last != VERDICT_NEED_MORE && v != last)
			return "a verdict was taken back";
		if (v != VERDICT_NEED_MORE && k < floor)
			return "a verdict came before the bytes asked for";
		if (v == VERDICT_NEED_MORE && need <= k)
			return "more is needed, but not asked for";
		if (v == VERDICT_NEED_MORE && need < floor)
			return "less is asked for than before";
		if (v != VERDICT_NEED_MORE && last == VERDICT_NEED_MORE)
			*first = k;
		if (v == VERDICT_NEED_MORE)
			floor = need;
		last = v;
		if (k == len)
			break;
	}
	*verdict = last;
	return NULL;
}

static inline const char *
monotone_check(prefix_fn *fn, const uint8_t *p, size_t len, void *arg,
    enum verdict *verdict, size_t *first)
{
	return monotone_steps(fn, p, len, 1, arg, verdict, first);
}

#endif
