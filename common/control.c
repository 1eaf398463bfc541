#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "l4.h"
#include "log.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes %HH in place; false for anything that must not be in a word. */
static bool
word_decode(char *w)
{
	char	*out = w;
	int	 hi, lo;

	for (; *w != '\0'; w++) {
		if ((unsigned char)*w <= 0x20 || (unsigned char)*w >= 0x7f)
			return false;
		if (*w != '%') {
			*out++ = *w;
			continue;
		}
		if ((hi = hex_digit(w[1])) == -1 ||
		    (lo = hex_digit(w[2])) == -1 || (hi | lo) == 0)
			return false;
		*out++ = (char)(hi << 4 | lo);
		w += 2;
	}
	*out = '\0';
	return true;
}

int
control_split(char *line, char *word[CONTROL_WORDS_MAX])
{
	char	*w, *save = NULL;
	int	 n = 0;

	for (w = strtok_r(line, " ", &save); w != NULL;
	    w = strtok_r(NULL, " ", &save)) {
		if (n == CONTROL_WORDS_MAX || !word_decode(w))
			return -1;
		word[n++] = w;
	}
	return n > 0 ? n : -1;
}

bool
control_append(char *buf, size_t bufsize, const char *word)
{
	size_t		len = strlen(buf);
	unsigned char	c;

	if (len > 0 && len + 1 < bufsize)
		buf[len++] = ' ';
	for (; (c = (unsigned char)*word) != '\0'; word++) {
		if (len + 4 > bufsize)
			return false;
		if (c > 0x20 && c < 0x7f && c != '%')
			buf[len++] = (char)c;
		else
			len += (size_t)snprintf(buf + len, 4, "%%%02x", c);
	}
	buf[len] = '\0';
	return true;
}

/* What the arguments of `explain` say beyond struct facts. */
struct want {
	const struct conf *conf;
	struct facts	  *facts;
	bool		   hello_given, http_given;
};

static const char *
want_sni(struct want *w, const char *v)
{
	if (*v == '\0' || hostname_is_ip(v))
		return NULL;
	if (!hostname_normalize(w->facts->tls.sni, v, strlen(v)))
		return "not a host name";
	return NULL;
}

static const char *
want_alpn(struct want *w, const char *v)
{
	struct hello	*h = &w->facts->tls;
	size_t		 len = strlen(v);

	if (len == 0)
		return "empty";
	if (len + 1 > sizeof(h->alpn) - h->alpnlen)
		return "too many protocols";
	h->alpn[h->alpnlen] = (uint8_t)len;
	memcpy(h->alpn + h->alpnlen + 1, v, len);
	h->alpnlen = (uint8_t)(h->alpnlen + 1 + len);
	return NULL;
}

/* An IP literal is kept as written, as http_host_parse() does. */
static const char *
want_host(struct want *w, const char *v)
{
	char	*dst = w->facts->host;

	if (hostname_normalize(dst, v, strlen(v)))
		return NULL;
	if (!hostname_is_ip(v) || strlen(v) > HELLO_NAME_MAX)
		return "not a host name";
	for (; *v != '\0'; v++)
		*dst++ = (char)tolower((unsigned char)*v);
	*dst = '\0';
	return NULL;
}

static const char *
want_from(struct want *w, const char *v)
{
	return addr_parse_ip(&w->facts->peer, v) ? NULL : "not an IP address";
}

static const char *
want_to(struct want *w, const char *v)
{
	return addr_parse_ip(&w->facts->local, v) ? NULL : "not an IP address";
}

static const char *
want_listen(struct want *w, const char *v)
{
	size_t	i;

	for (i = 0; i < w->conf->nlistener; i++)
		if (strcmp(w->conf->listener[i].name, v) == 0) {
			w->facts->listener = (uint16_t)i;
			return NULL;
		}
	return "no such listener in the configuration";
}

static const char *
want_proto(struct want *w, const char *v)
{
	enum proto	p = proto_by_name(v);

	w->facts->proto_yes |= 1u << p;
	return p == PROTO_UNKNOWN ? "unknown protocol" : NULL;
}

static const char *
want_wait(struct want *w, const char *v)
{
	enum proto	p = proto_by_name(v);

	w->facts->proto_pending |= 1u << p;
	return p == PROTO_UNKNOWN ? "unknown protocol" : NULL;
}

static const char *const fact_name[] = {
	[FACT_PENDING] = "pending", [FACT_NONE] = "none",
	[FACT_KNOWN] = "known",
};

static const char *
want_fact(enum fact *f, bool *given, const char *v)
{
	size_t	i;

	for (i = 0; i < nitems(fact_name); i++)
		if (strcmp(fact_name[i], v) == 0) {
			*f = (enum fact)i;
			*given = true;
			return NULL;
		}
	return "must be known, none or pending";
}

static const char *
want_hello(struct want *w, const char *v)
{
	return want_fact(&w->facts->hello, &w->hello_given, v);
}

static const char *
want_http(struct want *w, const char *v)
{
	return want_fact(&w->facts->http, &w->http_given, v);
}

static const char *
want_need(struct want *w, const char *v)
{
	char	*end;

	if (!isdigit((unsigned char)*v) || strlen(v) > 9)
		return "not a number of bytes";
	w->facts->need = strtoul(v, &end, 10);
	return *end == '\0' ? NULL : "not a number of bytes";
}

static const char *
want_malformed(struct want *w, const char *v)
{
	w->facts->malformed = strcmp(v, "1") == 0;
	return w->facts->malformed || strcmp(v, "0") == 0 ? NULL :
	    "must be 0 or 1";
}

static const struct {
	const char	 *key;
	/* Returns what is wrong with the value, or NULL. */
	const char	*(*take)(struct want *, const char *value);
} want_key[] = {
	{ "sni", want_sni }, { "alpn", want_alpn }, { "host", want_host },
	{ "from", want_from }, { "to", want_to }, { "listen", want_listen },
	{ "proto", want_proto }, { "wait", want_wait },
	{ "hello", want_hello }, { "http", want_http }, { "need", want_need },
	{ "malformed", want_malformed },
};

static const char *
want_take(struct want *w, const char *arg)
{
	const char	*eq = strchr(arg, '=');
	size_t		 i;

	if (eq == NULL)
		return "not key=value";
	for (i = 0; i < nitems(want_key); i++)
		if (strlen(want_key[i].key) == (size_t)(eq - arg) &&
		    strncmp(arg, want_key[i].key, (size_t)(eq - arg)) == 0)
			return want_key[i].take(w, eq + 1);
	return "unknown key";
}

/* What the head of a protocol is, where the arguments did not say. */
static enum fact
fact_of(const struct facts *f, enum proto p)
{
	if (f->proto_yes & 1u << p)
		return FACT_KNOWN;
	return f->proto_pending & 1u << p ? FACT_PENDING : FACT_NONE;
}

bool
control_facts_read(const struct conf *conf, char *const *word, int n,
    struct facts *f, char *err, size_t errsize)
{
	struct want	 w = { conf, f, false, false };
	const char	*why;
	char		 quoted[128];
	int		 i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < n; i++)
		if ((why = want_take(&w, word[i])) != NULL) {
			log_escape(quoted, sizeof(quoted), word[i],
			    strlen(word[i]));
			snprintf(err, errsize, "%s: %s", quoted, why);
			return false;
		}
	if (f->proto_yes == 0 && f->proto_pending == 0 && !f->malformed &&
	    !w.hello_given && !w.http_given)
		f->proto_yes = 1u << (f->host[0] != '\0' ? PROTO_HTTP :
		    PROTO_TLS);
	if (!w.hello_given)
		f->hello = fact_of(f, PROTO_TLS);
	if (!w.http_given)
		f->http = fact_of(f, PROTO_HTTP);
	return true;
}

static bool
append_pair(char *buf, size_t bufsize, const char *key, const char *value)
{
	char	pair[CONTROL_TEXT_MAX];

	snprintf(pair, sizeof(pair), "%s=%s", key, value);
	return control_append(buf, bufsize, pair);
}

static bool
append_protos(char *buf, size_t bufsize, const char *key, uint32_t bits)
{
	unsigned int	p;
	bool		ok = true;

	for (p = PROTO_UNKNOWN + 1; p < PROTO__MAX; p++)
		if (bits & 1u << p)
			ok = ok && append_pair(buf, bufsize, key,
			    proto_name((enum proto)p));
	return ok;
}

/* A protocol with a NUL in it cannot be said in a word and is left out. */
static bool
append_alpn(char *buf, size_t bufsize, const struct hello *h)
{
	char	proto[HELLO_ALPN_MAX + 1];
	size_t	i, len;
	bool	ok = true;

	for (i = 0; i < h->alpnlen; i += 1 + len) {
		len = h->alpn[i];
		memcpy(proto, h->alpn + i + 1, len);
		proto[len] = '\0';
		if (strlen(proto) == len)
			ok = ok && append_pair(buf, bufsize, "alpn", proto);
	}
	return ok;
}

bool
control_facts_write(const struct facts *f, char *buf, size_t bufsize)
{
	char	need[24];
	bool	ok;

	ok = append_protos(buf, bufsize, "proto", f->proto_yes) &&
	    append_protos(buf, bufsize, "wait", f->proto_pending) &&
	    append_pair(buf, bufsize, "hello", fact_name[f->hello]) &&
	    append_pair(buf, bufsize, "http", fact_name[f->http]);
	if (f->hello == FACT_KNOWN)
		ok = ok && append_pair(buf, bufsize, "sni", f->tls.sni) &&
		    append_alpn(buf, bufsize, &f->tls);
	if (f->http == FACT_KNOWN && f->host[0] != '\0')
		ok = ok && append_pair(buf, bufsize, "host", f->host);
	if (f->need > 0) {
		snprintf(need, sizeof(need), "%zu", f->need);
		ok = ok && append_pair(buf, bufsize, "need", need);
	}
	return ok && append_pair(buf, bufsize, "malformed",
	    f->malformed ? "1" : "0");
}
