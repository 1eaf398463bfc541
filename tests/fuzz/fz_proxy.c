#include "common/pp.h"
#include "fuzz.h"

/*
 * Any bytes as a PROXY header: verdicts stay, a header has its limits, and its
 * addresses written again read back the same.
 */

struct result {
	struct addr	src, dst;
	size_t		hdrlen;
};

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *arg)
{
	struct result	*r = arg;

	return pp_parse(p, len, &r->src, &r->dst, &r->hdrlen, need);
}

static bool
addr_same(const struct addr *a, const struct addr *b)
{
	return addr_equal_ip(a, b) && a->port == b->port;
}

static void
check_back(const struct result *r, enum pp_version version,
    const struct pp_tlvs *tlvs)
{
	struct result	back = { .hdrlen = 0 };
	uint8_t		out[PP_OUT_MAX];
	size_t		len, need;

	len = pp_write(version, &r->src, &r->dst, tlvs, out);
	if (version == PP_V1 && r->src.family == ADDR_NONE) {
		must(len == 0, "version 1 has no word for no address");
		return;
	}
	must(prefix_verdict(parse_fn, out, len, &need, &back) ==
	    VERDICT_MATCH, "what is written is a header");
	must(back.hdrlen == len, "what is written is the header");
	must(addr_same(&back.src, &r->src) && addr_same(&back.dst, &r->dst),
	    "addresses read back the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const struct pp_tlvs	 tlvs = { "name.example", "h2" };
	struct result			 r = { .hdrlen = 0 };
	struct result			 exact = { .hdrlen = 0 };
	enum verdict			 v;
	size_t				 need = 0;

	v = must_be_monotone(parse_fn, p, len, &r);
	if (v == VERDICT_NEED_MORE) {
		pp_parse(p, len, &r.src, &r.dst, &r.hdrlen, &need);
		must(need <= (len > 0 && p[0] == 'P' ? PP_V1_MAX :
		    PP_V2_IN_MAX), "no more is asked for than is taken");
	}
	if (v != VERDICT_MATCH)
		return 0;
	must(r.hdrlen <= len, "a header is there when it is taken");
	must(r.hdrlen <= (p[0] == 'P' ? PP_V1_MAX : PP_V2_IN_MAX),
	    "a header has its limit");
	must((r.src.family == ADDR_NONE) == (r.dst.family == ADDR_NONE),
	    "both addresses or none");
	must(prefix_verdict(parse_fn, p, r.hdrlen, &need, &exact) ==
	    VERDICT_MATCH && exact.hdrlen == r.hdrlen,
	    "a header ends where it says");
	must(prefix_verdict(parse_fn, p, r.hdrlen - 1, &need, &exact) ==
	    VERDICT_NEED_MORE && need == r.hdrlen,
	    "a header is not taken before");
	check_back(&r, PP_V1, NULL);
	check_back(&r, PP_V2, NULL);
	check_back(&r, PP_V2, &tlvs);
	return 0;
}
