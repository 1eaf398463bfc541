#include "common/probe.h"
#include "fuzz.h"

/*
 * Any bytes: every probe keeps its word, and no two take the same ones.
 */

static enum verdict
probe_fn(const uint8_t *p, size_t len, size_t *need, void *proto)
{
	return probe(*(enum proto *)proto, p, len, need);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	enum proto	proto;
	enum verdict	v;
	unsigned int	matches = 0;

	for (proto = PROTO_UNKNOWN; proto <= PROTO__MAX; proto++) {
		v = must_be_monotone(probe_fn, p, len, &proto);
		must(v != VERDICT_MALFORMED || proto == PROTO_TLS,
		    "only TLS is malformed");
		matches += v == VERDICT_MATCH;
	}
	must(matches <= 1, "bytes are one protocol's");
	return 0;
}
