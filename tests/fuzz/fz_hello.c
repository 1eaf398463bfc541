#include "common/hello.h"
#include "fuzz.h"
#include "tests/unit/hello_make.h"

/*
 * Any bytes as a connection: verdicts stay, other records under the same hello
 * change nothing, and what comes out is sound.
 */

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *h)
{
	return hello_parse(p, len, h, need);
}

static void
check_result(const struct hello *h)
{
	char	again[HELLO_NAME_MAX + 1], name[UINT8_MAX + 1];
	size_t	i, n;

	if (h->sni[0] != '\0') {
		must(hostname_normalize(again, h->sni, strlen(h->sni)),
		    "a name is a host name");
		must(strcmp(again, h->sni) == 0, "a name is normal");
		must(!hostname_is_ip(h->sni), "a name is no address");
	}
	for (i = 0; i < h->alpnlen; i += 1 + n) {
		n = h->alpn[i];
		must(n > 0 && i + 1 + n <= h->alpnlen, "ALPN is a list");
		memcpy(name, h->alpn + i + 1, n);
		name[n] = '\0';
		must(strlen(name) < n || hello_offers(h, name),
		    "ALPN has its names");
	}
}

static enum verdict
parse_records(const struct hello_msg *m, size_t cut, struct hello *h)
{
	size_t		 len, need;
	uint8_t		*wire = hello_make_records(m, cut, 0x0301, &len);
	enum verdict	 v;

	must(wire != NULL, "there is memory");
	memset(h, 0, sizeof(*h));
	v = hello_parse(wire, len, h, &need);
	if (len < 2000)
		must(must_be_monotone(parse_fn, wire, len, h) == v,
		    "a verdict does not depend on where the bytes are");
	free(wire);
	return v;
}

/* What the records hold, whatever they are, as a hello of that length. */
static bool
join_records(struct hello_msg *m, const uint8_t *p, size_t len)
{
	size_t	n;

	m->len = m->nlens = 0;
	for (; len > 5; p += n, len -= n) {
		n = (size_t)p[3] << 8 | p[4];
		p += 5;
		len -= 5;
		n = n < len ? n : len;
		hm_bytes(m, p, n);
	}
	if (m->len < 4)
		return false;
	n = m->len;
	m->len = 0;
	hm_int(m, 1, 1);
	hm_int(m, (uint32_t)n - 4, 3);
	m->len = n;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct hello_msg	m;
	struct hello		h, cut;
	enum verdict		v;

	if (len > 16000)
		return 0;
	if (must_be_monotone(parse_fn, p, len, &h) == VERDICT_MATCH)
		check_result(&h);
	if (!join_records(&m, p, len))
		return 0;
	v = parse_records(&m, 0, &h);
	must(v == VERDICT_MATCH || v == VERDICT_MALFORMED,
	    "a whole hello has its verdict");
	must(parse_records(&m, p[len - 1] % 32 + 1u, &cut) == v,
	    "records change no verdict");
	if (v != VERDICT_MATCH)
		return 0;
	check_result(&h);
	must(memcmp(&h, &cut, sizeof(h)) == 0, "records change no result");
	return 0;
}
