#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_read.h"

static const char *
type_name(const config_setting_t *s)
{
	static const char *const	names[] = {
		[CONFIG_TYPE_NONE] = "nothing",
		[CONFIG_TYPE_GROUP] = "a group { }",
		[CONFIG_TYPE_INT] = "a whole number",
		[CONFIG_TYPE_INT64] = "a whole number",
		[CONFIG_TYPE_FLOAT] = "a number with a fraction",
		[CONFIG_TYPE_STRING] = "a string",
		[CONFIG_TYPE_BOOL] = "true or false",
		[CONFIG_TYPE_ARRAY] = "an array [ ]",
		[CONFIG_TYPE_LIST] = "a list ( )",
	};
	int	type = config_setting_type(s);

	return type < 0 || type > CONFIG_TYPE_LIST ? "something" : names[type];
}

static void
wrong_type(struct conf_reader *r, const config_setting_t *s, const char *want)
{
	conf_error(r, s, "must be %s, this is %s", want, type_name(s));
}

/* Edit distance, given up above `max`. */
static size_t
word_distance(const char *a, const char *b, size_t max)
{
	size_t	row[32], la = strlen(a), lb = strlen(b), i, j, diag, next;

	if (la >= 32 || lb >= 32)
		return max + 1;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			next = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			if (next + 1 < row[j])
				row[j] = next + 1;
			diag = next;
		}
	}
	return row[lb];
}

static void
unknown_key(struct conf_reader *r, const struct conf_key *keys,
    const config_setting_t *s)
{
	const char	*name = config_setting_name(s), *best = NULL;
	size_t		 d, min = strlen(name) < 5 ? 1 : 2;

	for (; keys->name != NULL; keys++) {
		d = word_distance(name, keys->name, min);
		if (d <= min && (best == NULL || d < min)) {
			best = keys->name;
			min = d;
		}
	}
	if (best != NULL)
		conf_error(r, s, "unknown key; did you mean \"%s\"?", best);
	else
		conf_error(r, s, "unknown key");
}

static size_t
key_index(const struct conf_key *keys, const char *name)
{
	size_t	i;

	for (i = 0; keys[i].name != NULL; i++)
		if (strcmp(keys[i].name, name) == 0)
			break;
	return i;
}

void
conf_walk(struct conf_reader *r, const struct conf_key *keys,
    const config_setting_t *group, void *base)
{
	const config_setting_t	*found[CONF_KEYS_MAX] = { NULL }, *s;
	unsigned int		 i, n;
	size_t			 k;

	n = group == NULL ? 0 : (unsigned int)config_setting_length(group);
	for (i = 0; i < n; i++) {
		s = config_setting_get_elem(group, i);
		if (conf_cut_base(r->text, config_setting_name(s)) > 0 &&
		    config_setting_is_root(group))
			continue;	/* conf_members() has it */
		k = key_index(keys, config_setting_name(s));
		if (keys[k].name == NULL)
			unknown_key(r, keys, s);
		else
			found[k] = s;
	}
	for (k = 0; keys[k].name != NULL; k++) {
		if (found[k] == NULL && keys[k].required && group != NULL)
			conf_error_missing(r, group, keys[k].name, NULL);
		keys[k].load(r, &keys[k], found[k], base);
	}
}

bool
conf_integer(struct conf_reader *r, const config_setting_t *s, double min,
    double max, uint32_t *out)
{
	long long	v;

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
		v = config_setting_get_int(s);
		break;
	case CONFIG_TYPE_INT64:
		v = config_setting_get_int64(s);
		break;
	default:
		wrong_type(r, s, "a whole number");
		return false;
	}
	if (v < (long long)min || v > (long long)max) {
		conf_error(r, s, "%lld is out of range: %.0f to %.0f", v, min,
		    max);
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

const char *
conf_string(struct conf_reader *r, const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return config_setting_get_string(s);
	wrong_type(r, s, "a string");
	return NULL;
}

bool
conf_is_group(struct conf_reader *r, const config_setting_t *s)
{
	if (config_setting_is_group(s))
		return true;
	wrong_type(r, s, "a group { }");
	return false;
}

int
conf_word(struct conf_reader *r, const config_setting_t *s,
    const char *const *words)
{
	char		 quoted[CONF_QUOTE_MAX], list[CONF_QUOTE_MAX] = "";
	const char	*v;
	size_t		 len = 0;
	int		 i;

	if ((v = conf_string(r, s)) == NULL)
		return -1;
	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], v) == 0)
			return i;
		len += (size_t)snprintf(list + len, sizeof(list) - len,
		    "%s\"%s\"", i > 0 ? ", " : "", words[i]);
	}
	conf_error(r, s, "%s is not one of %s", conf_quote(quoted, v), list);
	return -1;
}

/* The part of the group that begins with that member; NULL for none. */
static const config_setting_t *
group_part(struct conf_reader *r, const config_setting_t *group, size_t at)
{
	char	name[CONF_CUT_NAME_MAX + 32];

	if (at == 0)
		return group;
	snprintf(name, sizeof(name), "%s*%zu", config_setting_name(group), at);
	if (conf_cut_base(r->text, name) == 0)
		return NULL;
	return config_setting_get_member(config_setting_parent(group), name);
}

const config_setting_t **
conf_members(struct conf_reader *r, const config_setting_t *group, size_t *n)
{
	const config_setting_t	**v = NULL, *part;
	size_t			  i, len;

	*n = 0;
	while ((part = group_part(r, group, *n)) != NULL) {
		len = (size_t)config_setting_length(part);
		if ((v = reallocarray(v, *n + len + 1, sizeof(*v))) == NULL)
			fatal("reallocarray");
		for (i = 0; i < len; i++)
			v[*n + i] = config_setting_get_elem(part,
			    (unsigned int)i);
		*n += len;
		if (len < CONF_CUT)
			break;
	}
	return v;
}

size_t
conf_items(const config_setting_t *s)
{
	if (config_setting_is_array(s) || config_setting_is_list(s))
		return (size_t)config_setting_length(s);
	return 1;
}

const config_setting_t *
conf_item(const config_setting_t *s, size_t i)
{
	if (config_setting_is_array(s) || config_setting_is_list(s))
		return config_setting_get_elem(s, (unsigned int)i);
	return s;
}

static void *
field(const struct conf_key *k, void *base)
{
	return (char *)base + k->offset;
}

void
conf_load_bool(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	bool	*dst = field(k, base);

	*dst = k->def != 0;
	if (s == NULL)
		return;
	if (config_setting_type(s) == CONFIG_TYPE_BOOL)
		*dst = config_setting_get_bool(s) != 0;
	else
		wrong_type(r, s, "true or false");
}

void
conf_load_u32(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	uint32_t	*dst = field(k, base);

	*dst = (uint32_t)k->def;
	if (s != NULL)
		conf_integer(r, s, k->min, k->max, dst);
}

void
conf_load_seconds(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	double	*dst = field(k, base), v;

	*dst = k->def;
	if (s == NULL)
		return;
	if (config_setting_type(s) == CONFIG_TYPE_FLOAT)
		v = config_setting_get_float(s);
	else if (config_setting_type(s) == CONFIG_TYPE_INT)
		v = config_setting_get_int(s);
	else if (config_setting_type(s) == CONFIG_TYPE_INT64)
		v = (double)config_setting_get_int64(s);
	else {
		wrong_type(r, s, "a number");
		return;
	}
	if (isfinite(v) && v >= k->min && v <= k->max)
		*dst = v;
	else
		conf_error(r, s, "%g is out of range: %g to %.15g", v, k->min,
		    k->max);
}

void
conf_load_enum(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	int	word = (int)k->def;

	if (s != NULL)
		word = conf_word(r, s, k->words);
	memcpy(field(k, base), &word, sizeof(word));
}

/* The default of a key without one is NULL. */
void
conf_load_string(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	const char	**dst = field(k, base), *v;

	*dst = k->text;
	if (s == NULL || (v = conf_string(r, s)) == NULL)
		return;
	if (k->check != NULL && (v = k->check(r, s, v)) == NULL)
		return;
	*dst = conf_strdup(r->arena, v);
}

static void
strings_default(struct conf_reader *r, const char *text, struct conf_strs *dst)
{
	const char	*p, *end;

	dst->n = text != NULL && text[0] != '\0';
	for (p = text; dst->n > 0 && *p != '\0'; p++)
		dst->n += *p == ' ';
	dst->v = conf_alloc(r->arena, dst->n, sizeof(*dst->v));
	for (dst->n = 0, p = text; p != NULL && *p != '\0';
	    p = *end == ' ' ? end + 1 : end) {
		end = p + strcspn(p, " ");
		dst->v[dst->n++] = conf_strndup(r->arena, p,
		    (size_t)(end - p));
	}
}

void
conf_load_strings(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf_strs	*dst = field(k, base);
	const config_setting_t	*item;
	const char		*v;
	size_t			 i, n;

	if (s == NULL) {
		strings_default(r, k->text, dst);
		return;
	}
	if (config_setting_is_group(s)) {
		wrong_type(r, s, "an array of strings");
		return;
	}
	n = conf_items(s);
	if (n < (size_t)k->min)
		conf_error(r, s, "must not be empty");
	dst->v = conf_alloc(r->arena, n, sizeof(*dst->v));
	for (i = 0; i < n; i++) {
		item = conf_item(s, i);
		if ((v = conf_string(r, item)) != NULL && k->check != NULL)
			v = k->check(r, item, v);
		if (v != NULL)
			dst->v[dst->n++] = conf_strdup(r->arena, v);
	}
}

void
conf_load_group(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	if (s != NULL && !conf_is_group(r, s))
		s = NULL;
	conf_walk(r, k->sub, s, base);
}

void
conf_load_optional(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	bool	*dst = field(k, base);

	*dst = s != NULL;
	conf_load_group(r, k, s, base);
}
