#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_parts.h"

#define USER_LEN_MAX	32		/* useradd(8) */

/* A uid in one way of writing only, so that equal ones are equal strings. */
static const char *
user_numeric(struct conf_reader *r, const config_setting_t *s, long long uid)
{
	char	text[24];

	if (uid < 1 || uid > UINT32_MAX - 1LL) {
		conf_error(r, s, "uid %lld is not one for this: it must be 1 "
		    "to %lld", uid, UINT32_MAX - 1LL);
		return NULL;
	}
	snprintf(text, sizeof(text), "%lld", uid);
	return conf_strdup(r->arena, text);
}

static const char *
user_name(struct conf_reader *r, const config_setting_t *s, const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	conf_quote(quoted, v);
	if (strcmp(v, "root") == 0)
		conf_error(r, s, "%s: must not be root", quoted);
	else if (v[0] == '\0' || v[0] == '-' || strlen(v) > USER_LEN_MAX ||
	    strpbrk(v, ":/ \t\r\n,") != NULL)
		conf_error(r, s, "%s: not a user's name", quoted);
	else if (strspn(v, "0123456789") == strlen(v))
		return user_numeric(r, s, atoll(v));
	else
		return conf_strdup(r->arena, v);
	return NULL;
}

void
conf_load_user(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	const char	**dst = (void *)((char *)base + k->offset), *v = NULL;

	*dst = k->text;
	if (s == NULL)
		return;
	if (config_setting_type(s) == CONFIG_TYPE_INT)
		v = user_numeric(r, s, config_setting_get_int(s));
	else if (config_setting_type(s) == CONFIG_TYPE_INT64)
		v = user_numeric(r, s, config_setting_get_int64(s));
	else if ((v = conf_string(r, s)) != NULL)
		v = user_name(r, s, v);
	if (v != NULL)
		*dst = v;
}

/* Two roles of one uid could send signals to, and trace, each other. */
void
conf_load_users(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct conf		*c = base;
	struct conf_names	 users = { NULL, 0, 0 };
	char			 quoted[CONF_QUOTE_MAX];
	uint32_t		 other, i;

	conf_load_group(r, k, s, base);
	for (i = 0; i < USER__MAX; i++) {
		other = i;
		if (!conf_names_add(&users, c->user[i], &other))
			conf_error(r, s, "%s and %s are both %s: each needs "
			    "a user of its own", k->sub[other].name,
			    k->sub[i].name, conf_quote(quoted, c->user[i]));
	}
	conf_names_free(&users);
}

void
conf_load_sandbox(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	static const char *const	words[] = {
		"best-effort", "strict", NULL
	};
	bool	*strict = (void *)((char *)base + k->offset);

	*strict = s == NULL || conf_word(r, s, words) == 1;
}

void
conf_load_tls_min(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	static const char *const	words[] = { "1.2", "1.3", NULL };
	const char	**dst = (void *)((char *)base + k->offset);
	int		  word;

	*dst = k->text;
	if (s != NULL && (word = conf_word(r, s, words)) != -1)
		*dst = words[word];
}

void
conf_load_agree(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	conf_load_bool(r, k, s, base);
	if (s != NULL && config_setting_type(s) == CONFIG_TYPE_BOOL &&
	    !config_setting_get_bool(s))
		conf_error(r, s, "must be true: no certificates without "
		    "consent to the terms of the certificate authority");
}

void
conf_load_challenges(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	static const char *const	words[] = {
		"http-01", "tls-alpn-01", "dns-01", NULL
	};
	size_t	i;

	conf_load_strings(r, k, s, base);
	for (i = 0; s != NULL && i < conf_items(s); i++)
		if (config_setting_type(conf_item(s, i)) ==
		    CONFIG_TYPE_STRING)
			conf_word(r, conf_item(s, i), words);
}
