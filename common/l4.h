#ifndef L4_L4_H
#define L4_L4_H

/*
 * What every file may assume.
 */
#include <stddef.h>
#include <stdint.h>

#define L4_VERSION	"0.1.0"

#define nitems(a)	(sizeof(a) / sizeof((a)[0]))

/* The structure of type `type` that holds `ptr` as its member `member`. */
#define container_of(ptr, type, member)					\
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* For a large variable of a hot path, which is written before it is read: else
 * the build has it filled with zeros each time. */
#define L4_UNSET	__attribute__((uninitialized))

#define NSEC_PER_SEC	UINT64_C(1000000000)
#define NSEC_PER_MSEC	UINT64_C(1000000)

/* Seconds, as the configuration has them, to nanoseconds. */
static inline uint64_t
sec_to_ns(double s)
{
	return s <= 0 ? 0 : (uint64_t)(s * 1e9);
}

#endif
