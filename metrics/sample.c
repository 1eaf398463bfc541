#include <string.h>

#include "common/l4.h"
#include "metrics.h"

/* Is this the same process, at another time? */
static bool
same_process(const json_t *a, const json_t *b)
{
	static const char *const keys[] = { "role", "name", "instance",
	    "generation" };
	size_t	i;

	for (i = 0; i < nitems(keys); i++)
		if (!json_equal(json_object_get(a, keys[i]),
		    json_object_get(b, keys[i])))
			return false;
	return true;
}

/* They come in the same order, with few gone or new: hint is where to begin. */
static const json_t *
find_process(const json_t *all, const json_t *p, size_t *hint)
{
	const json_t	*q;
	size_t		 i, n = json_array_size(all);

	for (i = 0; i < n; i++) {
		q = json_array_get(all, (*hint + i) % n);
		if (same_process(p, q)) {
			*hint = (*hint + i + 1) % n;
			return q;
		}
	}
	return NULL;
}

/* What a counter grew by; one that fell began anew, and so did one that was not
 * there. */
static double
growth(const json_t *now, const json_t *old, const char *key)
{
	double	a = member_real(now, key), b = member_real(old, key);

	return a >= b ? a - b : a;
}

static void
add_counters(struct sample *s, const char *role, const json_t *now,
    const json_t *old, double secs)
{
	static const struct {
		const char	*role;	/* NULL: all that have it */
		const char	*counter;
		enum series	 series;
	} sums[] = {
		{ NULL, "accepted", SERIES_NEW },
		{ NULL, "relayed_in", SERIES_IN },
		{ "tlsterm", "bytes_in", SERIES_IN },
		{ NULL, "relayed_out", SERIES_OUT },
		{ "tlsterm", "bytes_out", SERIES_OUT },
		{ NULL, "requests", SERIES_REQUESTS },
		{ NULL, "shed", SERIES_FAILED },
		{ NULL, "limited", SERIES_FAILED },
		{ NULL, "proxy_bad", SERIES_FAILED },
		{ NULL, "connect_failed", SERIES_FAILED },
		{ NULL, "refused", SERIES_FAILED },
		{ NULL, "handshake_failed", SERIES_FAILED },
	};
	size_t	i;

	for (i = 0; i < nitems(sums); i++)
		if (sums[i].role == NULL || strcmp(sums[i].role, role) == 0)
			s->v[sums[i].series] += (float)(growth(now, old,
			    sums[i].counter) / secs);
}

static void
add_process(struct sample *s, const json_t *now, const json_t *old,
    double secs)
{
	const char	*role = member_str(now, "role");

	if (strcmp(role, "metrics") != 0)
		s->v[SERIES_LIVE] += (float)member_real(now, "live");
	s->v[SERIES_CPU] += (float)(growth(now, old, "cpu_ms") / 10 / secs);
	s->v[SERIES_MEMORY] += (float)(member_real(now, "rss_kib") * 1024);
	add_counters(s, role, json_object_get(now, "counters"),
	    json_object_get(old, "counters"), secs);
}

void
sample_make(const json_t *now, const json_t *old, double secs,
    struct sample *s)
{
	const json_t	*was = member_array(old, "processes"), *p;
	size_t		 i, hint = 0;

	memset(s->v, 0, sizeof(s->v));
	if (secs <= 0)
		return;
	json_array_foreach(member_array(now, "processes"), i, p)
		add_process(s, p, find_process(was, p, &hint), secs);
}
