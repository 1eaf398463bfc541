#include <string.h>

#include "fuzz.h"
#include "metrics/request.h"

/*
 * Any bytes to the metrics listener: they are read as they come, the first
 * answer is one of those there are, and what follows a whole head changes
 * nothing.
 */
static int
parse(const uint8_t *p, size_t len, struct request *r)
{
	char	*copy = malloc(len + (len == 0));
	int	 status;

	if (copy == NULL)
		abort();
	memcpy(copy, p, len);
	status = request_parse(copy, len, r);
	free(copy);
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct request	r, all;
	int		status = 0;
	size_t		n;

	if (len > REQUEST_MAX)
		return 0;
	for (n = 0; n <= len && status == 0; n++)
		status = parse(p, n, &r);
	must(status == 0 || status == 200 || status == 400 || status == 404 ||
	    status == 405 || status == 414 || status == 431 || status == 505,
	    "a status that there is");
	must(r.content < CONTENT__MAX, "something that there is");
	if (status == 200 || status == 404 || status == 405) {
		must(parse(p, len, &all) == status, "the same status");
		must(memcmp(&all, &r, sizeof(r)) == 0, "the same request");
	}
	must(request_accepts((const char *)p, len) != CONTENT_PAGE,
	    "a format of metrics");
	return 0;
}
