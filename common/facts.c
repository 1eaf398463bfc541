#include <string.h>

#include "route.h"

#define BIT(proto)	(UINT32_C(1) << (proto))

static void
want(struct facts *f, size_t need)
{
	if (f->need == 0 || need < f->need)
		f->need = need;
}

/* A protocol that matches is the only one: nothing else starts like that. */
static void
learn_proto(struct facts *f, const uint8_t *p, size_t len)
{
	enum proto	proto;
	size_t		need = 0;

	for (proto = PROTO_UNKNOWN + 1; proto < PROTO__MAX; proto++)
		switch (probe(proto, p, len, &need)) {
		case VERDICT_MATCH:
			f->proto_yes = BIT(proto);
			f->proto_pending = 0;
			f->need = 0;
			return;
		case VERDICT_NEED_MORE:
			f->proto_pending |= BIT(proto);
			want(f, need);
			break;
		case VERDICT_MALFORMED:
			f->malformed = true;
			break;
		case VERDICT_NO_MATCH:
			break;
		}
}

/* Before its protocol is decided, what it may say is pending too. */
static enum fact
fact_of_proto(const struct facts *f, enum proto proto)
{
	return f->proto_pending & BIT(proto) ? FACT_PENDING : FACT_NONE;
}

static enum fact
learn_part(struct facts *f, enum verdict v, size_t need)
{
	switch (v) {
	case VERDICT_MATCH:
		return FACT_KNOWN;
	case VERDICT_NEED_MORE:
		want(f, need);
		return FACT_PENDING;
	case VERDICT_MALFORMED:
		f->malformed = true;
		break;
	case VERDICT_NO_MATCH:
		break;
	}
	return FACT_NONE;
}

/* No more will come.  A TLS client that was cut off said nothing valid. */
static void
settle(struct facts *f, size_t len)
{
	if (f->hello == FACT_PENDING) {
		f->malformed |= len > 0;
		f->hello = FACT_NONE;
	}
	if (f->http == FACT_PENDING)
		f->http = FACT_NONE;
	f->proto_pending = 0;
	f->need = 0;
}

void
facts_learn(struct facts *f, const uint8_t *p, size_t len, bool final)
{
	enum verdict	v;
	size_t		need = 0;

	f->proto_yes = f->proto_pending = 0;
	f->malformed = false;
	f->need = 0;
	learn_proto(f, p, len);
	f->hello = fact_of_proto(f, PROTO_TLS);
	f->http = fact_of_proto(f, PROTO_HTTP);
	if (f->proto_yes == BIT(PROTO_TLS)) {
		v = hello_parse(p, len, &f->tls, &need);
		f->hello = learn_part(f, v, need);
	} else if (f->proto_yes == BIT(PROTO_HTTP)) {
		v = http_host_parse(p, len, f->host, &need);
		f->http = learn_part(f, v, need);
	}
	if (final)
		settle(f, len);
}
