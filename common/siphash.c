#include <sys/random.h>

#include <endian.h>
#include <string.h>

#include "log.h"
#include "siphash.h"

struct sip {
	uint64_t	v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline uint64_t
load64(const uint8_t *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void
sip_block(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY], const void *data, size_t len)
{
	uint64_t	 k0 = load64(key), k1 = load64(key + 8);
	/* The constants are "somepseudorandomlygeneratedbytes". */
	struct sip	 s = {
		k0 ^ UINT64_C(0x736f6d6570736575),
		k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t	*p = data;
	uint8_t		 last[8] = { 0 };
	size_t		 left;
	int		 i;

	for (left = len; left >= 8; left -= 8, p += 8)
		sip_block(&s, load64(p));
	if (left > 0)
		memcpy(last, p, left);
	last[7] = (uint8_t)len;
	sip_block(&s, load64(last));
	s.v2 ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void
siphash_new_key(uint8_t key[SIPHASH_KEY])
{
	if (getrandom(key, SIPHASH_KEY, 0) != SIPHASH_KEY)
		fatal("getrandom");
}
