#include <stdio.h>
#include <string.h>

#include "control.h"

/* A bounded text that ends in "..." once something did not fit. */
struct text {
	char	*dst;
	size_t	 len;
	bool	 full;
};

static void
text_add(struct text *t, const char *s)
{
	size_t	n = strlen(s);

	if (t->full)
		return;
	if (t->len + n + sizeof("...") > CONTROL_TEXT_MAX) {
		s = "...";
		n = 3;
		t->full = true;
	}
	memcpy(t->dst + t->len, s, n + 1);
	t->len += n;
}

/* Starts a key: ", key" or, as the first since `start`, "key". */
static void
text_key(struct text *t, size_t start, const char *key)
{
	if (t->len > start)
		text_add(t, ", ");
	text_add(t, key);
}

static void
text_strs(struct text *t, size_t start, const char *key,
    const struct conf_strs *s)
{
	size_t	i;

	if (s->n == 0)
		return;
	text_key(t, start, key);
	for (i = 0; i < s->n && !t->full; i++) {
		text_add(t, " ");
		text_add(t, s->v[i][0] == '\0' ? "\"\"" : s->v[i]);
	}
}

static void
text_cidrs(struct text *t, size_t start, const char *key,
    const struct cidr *c, size_t n)
{
	char	ip[ADDR_STRLEN], bits[8];
	size_t	i;

	if (n == 0)
		return;
	text_key(t, start, key);
	for (i = 0; i < n && !t->full; i++) {
		text_add(t, " ");
		text_add(t, addr_format_ip(&c[i].net, ip));
		if (c[i].bits == (c[i].net.family == ADDR_V4 ? 32 : 128))
			continue;
		snprintf(bits, sizeof(bits), "/%u", c[i].bits);
		text_add(t, bits);
	}
}

static void
text_protos(struct text *t, size_t start, uint32_t protocols)
{
	unsigned int	p;

	if (protocols == 0)
		return;
	text_key(t, start, "protocol");
	for (p = PROTO_UNKNOWN + 1; p < PROTO__MAX; p++)
		if (protocols & 1u << p) {
			text_add(t, " ");
			text_add(t, proto_name((enum proto)p));
		}
}

static void
text_match(struct text *t, const struct conf *conf,
    const struct conf_match *m)
{
	size_t	start = t->len, i;

	text_strs(t, start, "sni", &m->sni);
	text_strs(t, start, "alpn", &m->alpn);
	text_strs(t, start, "host", &m->host);
	text_protos(t, start, m->protocols);
	text_cidrs(t, start, "from", m->from, m->nfrom);
	text_cidrs(t, start, "to_address", m->to_address, m->nto_address);
	if (m->nlisten == 0)
		return;
	text_key(t, start, "listen");
	for (i = 0; i < m->nlisten && !t->full; i++) {
		text_add(t, " ");
		text_add(t, conf->listener[m->listen[i]].name);
	}
}

const char *
control_route_text(const struct conf *conf, uint32_t rule,
    char dst[CONTROL_TEXT_MAX])
{
	const struct conf_route	*r = &conf->route[rule];
	struct text		 t = { dst, 0, false };

	dst[0] = '\0';
	text_match(&t, conf, &r->match);
	if (r->unless != NULL) {
		text_key(&t, 0, "not (");
		text_match(&t, conf, r->unless);
		text_add(&t, ")");
	}
	if (t.len == 0)
		text_add(&t, "any");
	return dst;
}
