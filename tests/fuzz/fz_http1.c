#include "common/probe.h"
#include "fuzz.h"
#include "tlsterm/http1.h"

/*
 * Any bytes as the head of a request: the answer does not depend on how they
 * came, nothing beyond the head is taken, and the host is the one that the
 * worker would have routed by.  What follows is read as a chunked body, whole
 * and byte by byte.
 */
static int
parse(const uint8_t *p, size_t len, size_t cut, struct request *req)
{
	size_t	scanned = 0;
	int	rc = 0;

	if (cut < len)
		rc = http1_parse((const char *)p, cut, &scanned, req);
	if (rc == 0)
		rc = http1_parse((const char *)p, len, &scanned, req);
	return rc;
}

static void
check_host(const uint8_t *p, size_t len, const struct request *req)
{
	char	host[HELLO_NAME_MAX + 1];
	size_t	need;

	if (http_host_parse(p, len, host, &need) == VERDICT_MATCH)
		must(strcmp(host, req->host) == 0, "one host for all");
}

static void
check_head(const uint8_t *p, int rc, const struct request *req)
{
	struct request	again;
	const char	*end = (const char *)p + rc;
	size_t		i;

	must(memcmp(end - 4, "\r\n\r\n", 4) == 0, "a head ends");
	must(parse(p, (size_t)rc, SIZE_MAX, &again) == rc,
	    "a head needs nothing behind it");
	must(parse(p, (size_t)rc - 1, SIZE_MAX, &again) <= 0,
	    "a head is not whole before its end");
	must(req->path.n > 0 && (req->path.p[0] == '/' ||
	    req->path.p[0] == '*'), "a path is one");
	must(!req->chunked || req->length == 0, "one length");
	for (i = 0; i < req->nfields; i++)
		must(req->field[i].name.n > 0 &&
		    memchr(req->field[i].value.p, '\n',
		    req->field[i].value.n) == NULL, "a field is a line");
	check_host(p, (size_t)rc, req);
}

/* Bytes of data, and how it ended. */
static enum chunk_state
dechunk(const uint8_t *p, size_t len, size_t piece, size_t *total,
    size_t *taken)
{
	struct chunked	c = { 0 };
	struct str	data;
	size_t		off = 0, n;

	*total = 0;
	while (off < len && c.state < CHUNK_DONE) {
		n = len - off < piece ? len - off : piece;
		n = chunked_next(&c, (const char *)p + off, n, &data);
		must(n > 0, "bytes are taken");
		must(data.n <= n, "data is of what was taken");
		*total += data.n;
		off += n;
	}
	*taken = off;
	return c.state;
}

static void
check_chunked(const uint8_t *p, size_t len)
{
	size_t			n1, n2, off1, off2;
	enum chunk_state	s1, s2;

	s1 = dechunk(p, len, SIZE_MAX, &n1, &off1);
	s2 = dechunk(p, len, 1, &n2, &off2);
	must(s1 == s2 && n1 == n2 && off1 == off2,
	    "a body does not depend on its pieces");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct request	req, other;
	size_t		cut = len > 0 ? p[0] * len / 256 : 0;
	int		whole, pieces;

	check_chunked(p, len);
	whole = parse(p, len, SIZE_MAX, &req);
	pieces = parse(p, len, cut, &other);
	must(whole <= (int)len, "no more than there is");
	/* An error may be seen before the head is whole, and be another. */
	must((whole > 0) == (pieces > 0) && (whole >= 0 || pieces < 0),
	    "an answer does not depend on the pieces");
	if (whole > 0) {
		must(whole == pieces, "a head has one end");
		check_head(p, whole, &req);
	}
	return 0;
}
