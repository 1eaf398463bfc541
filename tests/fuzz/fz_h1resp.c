#include "fuzz.h"
#include "tlsterm/forward_head.h"

/*
 * Any bytes as the head of an upstream's answer: the verdict does not depend
 * on how they came, nothing beyond the head is taken, and there is one way to
 * tell where the body ends.
 */
static int
parse(const uint8_t *p, size_t len, size_t cut, struct uphead *h)
{
	size_t	scanned = 0;
	int	rc = 0;

	if (cut < len)
		rc = uphead_parse((const char *)p, cut, &scanned, h);
	if (rc == 0)
		rc = uphead_parse((const char *)p, len, &scanned, h);
	return rc;
}

static void
check_head(const uint8_t *p, int rc, const struct uphead *h)
{
	const char	*end = (const char *)p + rc;
	struct uphead	 again;
	size_t		 i;

	must(memcmp(end - 4, "\r\n\r\n", 4) == 0, "a head ends");
	must(parse(p, (size_t)rc, SIZE_MAX, &again) == rc,
	    "a head needs nothing behind it");
	must(parse(p, (size_t)rc - 1, SIZE_MAX, &again) <= 0,
	    "a head is not whole before its end");
	must(h->status >= 100 && h->status <= 599, "a status is one");
	must(!h->chunked || (!h->has_length && h->minor > 0 &&
	    h->status >= 200 && h->status != 204), "one framing");
	for (i = 0; i < h->nfields; i++) {
		must(h->field[i].name.n > 0 &&
		    memchr(h->field[i].value.p, '\n', h->field[i].value.n) ==
		    NULL, "a field is a line");
		must(!forward_field(h, &h->field[i]) ||
		    !str_caseeq(h->field[i].name, STR("content-length")),
		    "framing does not go on");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct uphead	h, other;
	size_t		cut = len > 0 ? p[len - 1] * len / 256 : 0;
	int		whole, pieces;

	whole = parse(p, len, SIZE_MAX, &h);
	pieces = parse(p, len, cut, &other);
	must(whole <= (int)len, "no more than there is");
	/* An error may be seen before the head is whole. */
	must((whole > 0) == (pieces > 0) && (whole >= 0 || pieces < 0),
	    "an answer does not depend on the pieces");
	if (whole > 0) {
		must(whole == pieces, "a head has one end");
		check_head(p, whole, &h);
	}
	return 0;
}
