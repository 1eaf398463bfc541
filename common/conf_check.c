#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_parts.h"

#define TOKEN	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"	\
		"0123456789!#$%&'*+-.^_`|~"	/* RFC 9110 5.6.2 */

static bool
is_printable(const char *v)
{
	for (; *v != '\0'; v++)
		if ((unsigned char)*v < 0x20 || *v == 0x7f)
			return false;
	return true;
}

const char *
conf_check_plain(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (v[0] != '\0' && is_printable(v))
		return v;
	conf_error(r, s, v[0] == '\0' ? "%s: must not be empty" :
	    "%s: control characters are not allowed here",
	    conf_quote(quoted, v));
	return NULL;
}

const char *
conf_check_path(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (conf_check_plain(r, s, v) == NULL)
		return NULL;
	if (v[0] != '/')
		conf_error(r, s, "%s: must be an absolute path, one that "
		    "begins with /", conf_quote(quoted, v));
	else if (strlen(v) >= PATH_MAX)
		conf_error(r, s, "%s: this path is too long",
		    conf_quote(quoted, v));
	else
		return v;
	return NULL;
}

const char *
conf_check_socket(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (conf_check_path(r, s, v) == NULL)
		return NULL;
	if (strlen(v) <= CONF_SOCKET_MAX)
		return v;
	conf_error(r, s, "%s: the path of a socket has at most %d bytes",
	    conf_quote(quoted, v), CONF_SOCKET_MAX);
	return NULL;
}

const char *
conf_check_file_name(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (conf_check_plain(r, s, v) == NULL)
		return NULL;
	if (strchr(v, '/') == NULL)
		return v;
	conf_error(r, s, "%s: must be a name without any /",
	    conf_quote(quoted, v));
	return NULL;
}

/* ".." nowhere between slashes. */
static bool
has_dotdot(const char *v)
{
	size_t	n;

	for (; *v != '\0'; v += n + (v[n] != '\0')) {
		n = strcspn(v, "/");
		if (n == 2 && v[0] == '.' && v[1] == '.')
			return true;
	}
	return false;
}

const char *
conf_check_url_path(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (conf_check_plain(r, s, v) == NULL)
		return NULL;
	if (v[0] == '/' && !has_dotdot(v))
		return v;
	conf_error(r, s, "%s: must begin with / and have no \"..\" in it",
	    conf_quote(quoted, v));
	return NULL;
}

/* What is wrong with a URL template; NULL for nothing. */
static const char *
redirect_fault(const char *v)
{
	static const char *const	known[] = {
		"{host}", "{uri}", "{path}", "{query}",
	};
	size_t	i, n = sizeof(known) / sizeof(known[0]);

	if (strncmp(v, "https://", 8) != 0 && strncmp(v, "http://", 7) != 0 &&
	    v[0] != '/')
		return "must begin with https://, http:// or /";
	for (; *v != '\0'; v++) {
		if (*v <= ' ' || *v > '~')
			return "a URL has no blanks, and nothing outside "
			    "ASCII; write such a byte as %XX";
		if (*v == '}')
			return "a } without its {; write it as %7D";
		if (*v != '{')
			continue;
		for (i = 0; i < n; i++)
			if (strncmp(v, known[i], strlen(known[i])) == 0)
				break;
		if (i == n)
			return "the words in braces are {host}, {uri}, "
			    "{path} and {query}";
		v += strlen(known[i]) - 1;
	}
	return NULL;
}

const char *
conf_check_redirect(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	const char	*fault = redirect_fault(v);
	char		 quoted[CONF_QUOTE_MAX];

	if (fault == NULL)
		return v;
	conf_error(r, s, "%s: %s", conf_quote(quoted, v), fault);
	return NULL;
}

/* Fields that frame the response are not the site's to set. */
static bool
is_framing(const char *v, size_t len)
{
	static const char *const	names[] = {
		"connection", "content-length", "keep-alive", "te",
		"trailer", "transfer-encoding", "upgrade",
	};
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len &&
		    strncasecmp(names[i], v, len) == 0)
			return true;
	return false;
}

/* RFC 9110 5.1 and 5.5: "Name: value" in this form exactly. */
const char *
conf_check_header(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	size_t	name = strspn(v, TOKEN), len = strlen(v), i;
	char	quoted[CONF_QUOTE_MAX];
	bool	ok = name > 0 && v[name] == ':' && v[name + 1] == ' ' &&
	    len > name + 2 && v[name + 2] != ' ' && v[len - 1] != ' ' &&
	    v[name + 2] != '\t' && v[len - 1] != '\t';

	for (i = name; ok && i < len; i++)
		ok = v[i] == '\t' || ((unsigned char)v[i] >= 0x20 &&
		    v[i] != 0x7f);
	if (!ok)
		conf_error(r, s, "%s: must be \"Name: value\": a field name, "
		    "a colon, one blank, and a value without control "
		    "characters", conf_quote(quoted, v));
	else if (is_framing(v, name))
		conf_error(r, s, "%s: this field is l4mux's own to set",
		    conf_quote(quoted, v));
	return ok && !is_framing(v, name) ? v : NULL;
}

const char *
conf_check_group(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (v[0] != '\0' && strspn(v, TOKEN) == strlen(v) && strlen(v) < 64)
		return v;
	conf_error(r, s, "%s: not the name of a group; a name is for example "
	    "\"X25519\"", conf_quote(quoted, v));
	return NULL;
}

const char *
conf_check_email(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	const char	*at = strchr(v, '@');
	char		 quoted[CONF_QUOTE_MAX];

	if (v[0] == '\0' || (at != NULL && at > v && at[1] != '\0' &&
	    strpbrk(v, " ,?\"") == NULL && is_printable(v)))
		return v;
	conf_error(r, s, "%s: not a mail address", conf_quote(quoted, v));
	return NULL;
}

const char *
conf_check_https(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];
	size_t	i, len = strlen(v);

	for (i = 0; i < len && v[i] > ' ' && v[i] <= '~'; i++)
		;
	if (strncmp(v, "https://", 8) == 0 && len > 8 && i == len)
		return v;
	conf_error(r, s, "%s: must be a URL that begins with https://",
	    conf_quote(quoted, v));
	return NULL;
}

const char *
conf_check_alpn(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (v[0] != '\0' && strlen(v) <= HELLO_ALPN_MAX - 1)
		return v;
	conf_error(r, s, "%s: a protocol name has 1 to %d bytes",
	    conf_quote(quoted, v), HELLO_ALPN_MAX - 1);
	return NULL;
}

/* A host name in the form that clients' names are brought to. */
static const char *
host_normal(struct conf_reader *r, const config_setting_t *s, const char *v)
{
	char	name[HELLO_NAME_MAX + 3], quoted[CONF_QUOTE_MAX];
	bool	wild = v[0] == '*' && v[1] == '.';
	size_t	skip = wild ? 2 : 0;

	memcpy(name, "*.", 3);
	if (strlen(v) <= HELLO_NAME_MAX && hostname_normalize(name + skip,
	    v + skip, strlen(v + skip)) && !(wild &&
	    hostname_is_ip(name + skip)))
		return conf_strdup(r->arena, name);
	conf_error(r, s, "%s: not a host name; one is \"www.example.com\" or "
	    "\"*.example.com\", in ASCII (other scripts in their xn-- form)",
	    conf_quote(quoted, v));
	return NULL;
}

/* Addresses as they stand in a Host field: IPv6 in brackets. */
const char *
conf_check_host(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char		buf[ADDR_STRLEN], out[ADDR_STRLEN + 2];
	size_t		len = strlen(v), skip;
	struct addr	a;

	skip = v[0] == '[' && v[len - 1] == ']';
	if (len - 2 * skip >= sizeof(buf))
		return host_normal(r, s, v);
	memcpy(buf, v + skip, len - 2 * skip);
	buf[len - 2 * skip] = '\0';
	if (!addr_parse_ip(&a, buf))
		return host_normal(r, s, v);
	addr_format_ip(&a, buf);
	snprintf(out, sizeof(out), a.family == ADDR_V6 ? "[%s]" : "%s", buf);
	return conf_strdup(r->arena, out);
}

const char *
conf_check_sni(struct conf_reader *r, const config_setting_t *s,
    const char *v)
{
	char	quoted[CONF_QUOTE_MAX];

	if (v[0] == '\0')
		return v;
	if (!hostname_is_ip(v))
		return host_normal(r, s, v);
	conf_error(r, s, "%s: clients send no SNI for an address; use \"\" "
	    "for those without SNI", conf_quote(quoted, v));
	return NULL;
}

void
conf_load_cidrs(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	struct cidr	**dst = (void *)((char *)base + k->offset);
	size_t		 *n = (void *)((char *)base + k->count), i, max;
	char		  quoted[CONF_QUOTE_MAX];
	const config_setting_t *item;
	const char	 *v;

	max = s == NULL ? 0 : conf_items(s);
	if (s != NULL && max < (size_t)k->min)
		conf_error(r, s, "must not be empty");
	*dst = conf_alloc(r->arena, max, sizeof(**dst));
	for (*n = 0, i = 0; i < max; i++) {
		item = conf_item(s, i);
		if ((v = conf_string(r, item)) == NULL)
			continue;
		if (cidr_parse(&(*dst)[*n], v))
			(*n)++;
		else
			conf_error(r, item, "%s: not a network; one is "
			    "\"192.0.2.0/24\", \"2001:db8::/32\" or a single "
			    "address, with no bits set beyond its length",
			    conf_quote(quoted, v));
	}
}

void
conf_load_enums(struct conf_reader *r, const struct conf_key *k,
    const config_setting_t *s, void *base)
{
	unsigned int	*dst = (void *)((char *)base + k->offset), seen = 0;
	size_t		*n = (void *)((char *)base + k->count), i, max;
	const config_setting_t *item;
	int		 word;

	*n = 0;
	if (s == NULL)
		for (; k->words[*n] != NULL; (*n)++)
			dst[*n] = (unsigned int)*n;
	max = s == NULL ? 0 : conf_items(s);
	for (i = 0; i < max; i++) {
		item = conf_item(s, i);
		if ((word = conf_word(r, item, k->words)) == -1)
			continue;
		if ((seen & 1u << word) != 0)
			conf_error(r, item, "\"%s\" is there twice",
			    k->words[word]);
		else
			dst[(*n)++] = (unsigned int)word;
		seen |= 1u << word;
	}
}

static bool
parse_port(const char *v, uint16_t *port)
{
	size_t	n = strspn(v, "0123456789");
	long	p;

	if (n < 1 || n > 5 || v[n] != '\0' || v[0] == '0')
		return false;
	p = strtol(v, NULL, 10);
	*port = (uint16_t)p;
	return p <= 65535;
}

bool
conf_host_port(struct conf_reader *r, const config_setting_t *s,
    const char *text, char host[CONF_HOST_MAX], uint16_t *port)
{
	const char	*colon = strrchr(text, ':');
	size_t		 len = colon == NULL ? 0 : (size_t)(colon - text);
	size_t		 bracket = text[0] == '[';
	char		 quoted[CONF_QUOTE_MAX];
	bool		 ok;

	conf_quote(quoted, text);
	if (bracket)
		ok = len > 2 && text[len - 1] == ']';
	else
		ok = colon != NULL && memchr(text, ':', len) == NULL;
	if (ok && (ok = len - 2 * bracket < CONF_HOST_MAX)) {
		memcpy(host, text + bracket, len - 2 * bracket);
		host[len - 2 * bracket] = '\0';
	}
	if (!ok)
		conf_error(r, s, "%s: must be \"HOST:PORT\"; an IPv6 address "
		    "goes in brackets: \"[::1]:443\"", quoted);
	else if (!(ok = parse_port(colon + 1, port)))
		conf_error(r, s, "%s: the port must be 1 to 65535", quoted);
	return ok;
}
