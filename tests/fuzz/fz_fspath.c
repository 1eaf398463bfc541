#include "fuzz.h"
#include "tlsterm/fspath.h"

/*
 * Any bytes as the path of a request: what comes out names something below the
 * docroot, and would be the same when asked for as it stands.
 */
static void
check_segments(const char *rel)
{
	const char	*s = rel, *end;
	size_t		 n;

	for (;; s = end + 1) {
		end = strchrnul(s, '/');
		n = (size_t)(end - s);
		must(n > 0 && n <= 255, "a segment is a name");
		must(strncmp(s, ".", n) != 0 && strncmp(s, "..", n) != 0,
		    "no segment leads elsewhere");
		if (*end == '\0')
			return;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fspath	f, again;
	int		status;

	status = fspath_decode(&f, (struct str){ (const char *)p, len });
	must(status == 0 || status == 400 || status == 404, "a status");
	if (status != 0)
		return 0;
	must(f.len == strlen(f.rel) && f.len < sizeof(f.rel), "a string");
	must(utf8_valid(f.rel, f.len), "UTF-8");
	if (f.len == 0)
		return 0;
	check_segments(f.rel);
	if (memchr(f.rel, '%', f.len) == NULL) {
		must(fspath_decode(&again, (struct str){ f.rel, f.len }) == 0,
		    "what is decoded is good");
		must(strcmp(again.rel, f.rel) == 0, "what is decoded stays");
	}
	return 0;
}
