#include <stdio.h>
#include <string.h>

#include "doc.h"
#include "l4.h"

const char *
member_str(const json_t *o, const char *key)
{
	const char	*s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

json_int_t
member_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

double
member_real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

const json_t *
member_array(const json_t *o, const char *key)
{
	/* Functions of jansson take NULL for an array of no elements. */
	const json_t	*a = json_object_get(o, key);

	return json_is_array(a) ? a : NULL;
}

const char *
member_num(const json_t *o, const char *key, char dst[MEMBER_NUM_LEN])
{
	const json_t	*v = json_object_get(o, key);

	if (json_is_integer(v))
		snprintf(dst, MEMBER_NUM_LEN, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
	else
		snprintf(dst, MEMBER_NUM_LEN, "-");
	return dst;
}

const char *
format_age(double s, char dst[AGE_LEN])
{
	static const struct {
		unsigned int	 secs;
		const char	*big;
		unsigned int	 part;
		const char	*small;
	} unit[] = {
		{ 86400, "d", 3600, "h" }, { 3600, "h", 60, "m" },
		{ 60, "m", 1, "s" },
	};
	unsigned long	t = s < 0 || s > 1e12 ? 0 : (unsigned long)s;
	size_t		i;

	for (i = 0; i < nitems(unit); i++)
		if (t >= unit[i].secs) {
			snprintf(dst, AGE_LEN, "%lu%s %lu%s",
			    t / unit[i].secs, unit[i].big,
			    t % unit[i].secs / unit[i].part, unit[i].small);
			return dst;
		}
	if (s < 10)
		snprintf(dst, AGE_LEN, "%.2fs", s);
	else
		snprintf(dst, AGE_LEN, "%lus", t);
	return dst;
}

const char *
format_kib(json_int_t kib, char dst[SIZE_LEN])
{
	if (kib < 1024)
		snprintf(dst, SIZE_LEN, "%lluK", (unsigned long long)kib);
	else if (kib < 1024 * 1024)
		snprintf(dst, SIZE_LEN, "%.1fM", (double)kib / 1024);
	else
		snprintf(dst, SIZE_LEN, "%.2fG", (double)kib / 1024 / 1024);
	return dst;
}

const char *
format_bytes(json_int_t bytes, char dst[SIZE_LEN])
{
	if (bytes >= 1024 * 1024)
		return format_kib(bytes / 1024, dst);
	if (bytes >= 1024)
		snprintf(dst, SIZE_LEN, "%.1fK", (double)bytes / 1024);
	else
		snprintf(dst, SIZE_LEN, "%llu", (unsigned long long)bytes);
	return dst;
}

const char *
format_health(const json_t *target, char dst[HEALTH_LEN])
{
	json_int_t	all = member_int(target, "backends");
	json_int_t	up = member_int(target, "up");

	if (all == 0)
		snprintf(dst, HEALTH_LEN, "-");
	else if (up == 0 && member_int(target, "unknown") == all)
		snprintf(dst, HEALTH_LEN, "unknown");
	else if (all == 1)
		snprintf(dst, HEALTH_LEN, up == 1 ? "up" : "down");
	else
		snprintf(dst, HEALTH_LEN, "%" JSON_INTEGER_FORMAT " of %"
		    JSON_INTEGER_FORMAT " up", up, all);
	return dst;
}

const char *
format_process(const json_t *p, char dst[PROCESS_NAME_LEN])
{
	const char	*role = member_str(p, "role");
	const char	*name = member_str(p, "name");
	json_int_t	 n = member_int(p, "instance");

	if (strcmp(role, "master") == 0)
		snprintf(dst, PROCESS_NAME_LEN, "%s", role);
	else if (strcmp(role, name) == 0)
		snprintf(dst, PROCESS_NAME_LEN, "%s.%" JSON_INTEGER_FORMAT,
		    role, n);
	else
		snprintf(dst, PROCESS_NAME_LEN, "%s.%s.%" JSON_INTEGER_FORMAT,
		    role, name, n);
	return dst;
}
