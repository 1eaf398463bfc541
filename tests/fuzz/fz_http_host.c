#include "common/probe.h"
#include "fuzz.h"

/*
 * Any bytes as a request's head: verdicts stay, only HTTP is parsed as HTTP,
 * and a host is one.
 */

static enum verdict
parse_fn(const uint8_t *p, size_t len, size_t *need, void *host)
{
	return http_host_parse(p, len, host, need);
}

static void
check_host(const char *host)
{
	char	again[HELLO_NAME_MAX + 1];

	if (host[0] == '\0')
		return;
	if (host[0] == '[') {
		must(hostname_is_ip(host), "brackets have an address");
		return;
	}
	must(hostname_normalize(again, host, strlen(host)),
	    "a host is a host name");
	must(strcmp(host, again) == 0, "a host is normal");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	char		host[HELLO_NAME_MAX + 1];
	enum verdict	v;
	size_t		need;

	v = must_be_monotone(parse_fn, p, len, host);
	if (v == VERDICT_MATCH || v == VERDICT_MALFORMED)
		must(probe(PROTO_HTTP, p, len, &need) == VERDICT_MATCH,
		    "only HTTP is parsed as HTTP");
	if (v == VERDICT_MATCH) {
		must(memmem(p, len, "\r\n\r\n", 4) != NULL, "a head ends");
		check_host(host);
	}
	return 0;
}
