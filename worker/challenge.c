#include <string.h>

#include "common/challenge.h"
#include "worker.h"

static const uint8_t	alpn[] = "\x0a" CHALLENGE_ALPN;

static enum challenge_verdict
wait_unless(bool final, size_t need, size_t max, size_t *wait)
{
	if (final || need > max)
		return CHALLENGE_IS_NOT;
	*wait = need;
	return CHALLENGE_MAY_BE;
}

/* A hello that offers nothing but the protocol of the challenge, RFC 8737 3. */
static bool
is_tls(const struct challenges *page, const struct hello *h)
{
	struct challenge	c;

	return h->alpnlen == sizeof(alpn) - 1 && !h->alpn_cut &&
	    memcmp(h->alpn, alpn, sizeof(alpn) - 1) == 0 &&
	    challenges_by_sni(page, h->sni, &c);
}

static enum challenge_verdict
look_at_http(const struct worker *w, const uint8_t *p, size_t len, bool final,
    size_t *wait)
{
	char			token[CHALLENGE_TOKEN_MAX + 1];
	struct challenge	c;
	size_t			need = 0;

	switch (challenge_token(p, len, token, &need)) {
	case VERDICT_NEED_MORE:
		return wait_unless(final, need,
		    w->child.conf->limits.hello_bytes, wait);
	case VERDICT_MATCH:
		return challenges_by_token(w->challenges, token, &c) ?
		    CHALLENGE_IS : CHALLENGE_IS_NOT;
	default:
		return CHALLENGE_IS_NOT;
	}
}

enum challenge_verdict
challenge_look(const struct worker *w, const struct facts *f,
    const uint8_t *p, size_t len, bool final, size_t *wait)
{
	const uint32_t	 mine = 1u << PROTO_TLS | 1u << PROTO_HTTP;

	if (!challenges_any(w->challenges))
		return CHALLENGE_IS_NOT;
	if (f->hello == FACT_KNOWN)
		return is_tls(w->challenges, &f->tls) ? CHALLENGE_IS :
		    CHALLENGE_IS_NOT;
	if (f->proto_yes & 1u << PROTO_HTTP)
		return look_at_http(w, p, len, final, wait);
	if (f->hello == FACT_PENDING || (f->proto_pending & mine) != 0)
		return wait_unless(final, f->need,
		    w->child.conf->limits.hello_bytes, wait);
	return CHALLENGE_IS_NOT;
}
