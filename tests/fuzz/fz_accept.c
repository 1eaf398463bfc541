#include "fuzz.h"
#include "tlsterm/accept.h"

/*
 * Any bytes as Accept-Encoding: what comes out are encodings of the site, each
 * once, in the order of their weights, and more of the same says nothing else.
 */
static void
check_choice(const struct accept *a, const enum encoding *mine, size_t n)
{
	unsigned int	seen = 0;
	size_t		i, k;

	must(a->n <= n, "no more than the site has");
	for (i = 0; i < a->n; i++) {
		for (k = 0; k < n && mine[k] != a->v[i]; k++)
			;
		must(k < n, "one of the site's");
		must((seen & 1u << a->v[i]) == 0, "each once");
		must(a->q[i] >= 1 && a->q[i] <= 1000, "a weight");
		must(i == 0 || a->q[i] <= a->q[i - 1], "best first");
		seen |= 1u << a->v[i];
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const enum encoding	all[] = { ENC_ZSTD, ENC_BR, ENC_GZIP };
	struct accept			a, b;
	char				*twice;

	accept_parse(&a, (struct str){ (const char *)p, len }, all, 3);
	check_choice(&a, all, 3);
	accept_parse(&b, (struct str){ (const char *)p, len }, all + 1, 1);
	check_choice(&b, all + 1, 1);
	if (memchr(p, '"', len) != NULL)
		return 0;
	/* The field twice in a list is the field. */
	if ((twice = malloc(2 * len + 1)) == NULL)
		return 0;
	memcpy(twice, p, len);
	twice[len] = ',';
	memcpy(twice + len + 1, p, len);
	accept_parse(&b, (struct str){ twice, 2 * len + 1 }, all, 3);
	must(a.n == b.n && a.plain == b.plain, "the same twice");
	free(twice);
	return 0;
}
