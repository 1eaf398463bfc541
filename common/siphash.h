#ifndef L4_SIPHASH_H
#define L4_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash whose collisions cannot
 * be found without the key.  For every table whose keys a client chooses.
 */
#define SIPHASH_KEY	16

uint64_t siphash(const uint8_t key[SIPHASH_KEY], const void *p, size_t len);
/* Fills the key; fatal when the kernel has no randomness to give. */
void	siphash_new_key(uint8_t key[SIPHASH_KEY]);

#endif
