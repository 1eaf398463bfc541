#include <string.h>
#include <unistd.h>

#include "acme/http.h"
#include "acme/jws.h"
#include "common/acme_wire.h"
#include "fuzz.h"
#include "master/ledger.h"

/*
 * What a CA, and a captured acme, can send to who believes it least.  The first
 * byte says what the rest is.
 */
static enum verdict
token_fn(const uint8_t *p, size_t len, size_t *need, void *token)
{
	return challenge_token(p, len, token, need);
}

static void
fuzz_token(const uint8_t *p, size_t len)
{
	char	token[CHALLENGE_TOKEN_MAX + 1];

	if (must_be_monotone(token_fn, p, len, token) == VERDICT_MATCH)
		must(challenge_token_valid(token, strlen(token)), "a token");
}

/* What is read writes back to the same. */
static void
fuzz_done(const uint8_t *p, size_t len)
{
	struct acme_done	a, b;
	uint8_t			buf[ACME_DONE_MAX];
	struct wr		w;
	struct rd		r;

	rd_init(&r, p, len);
	if (!acme_done_read(&r, &a))
		return;
	wr_init(&w, buf, sizeof(buf));
	acme_done_write(&w, &a);
	must(!w.bad && w.len == len, "the size of a message");
	rd_init(&r, buf, w.len);
	must(acme_done_read(&r, &b) && strcmp(a.text, b.text) == 0 &&
	    a.retry == b.retry && a.to == b.to, "a message");
}

static void
fuzz_offer(const uint8_t *p, size_t len)
{
	struct challenge	c;
	struct rd		r;
	char			sni[HELLO_NAME_MAX + 1];

	rd_init(&r, p, len);
	if (acme_offer_read(&r, &c))
		challenge_sni(c.name, sni);
}

static void
fuzz_ledger(const char *text)
{
	struct ledger		a, b;
	struct acme_done	d = { .outcome = ACME_REFUSED };
	struct ledger_ways	w = { { CHALLENGE_HTTP }, 1, true, true };
	char			out[LEDGER_TEXT_MAX];

	if (!ledger_parse(&a, text))
		return;
	ledger_format(&a, out);
	must(ledger_parse(&b, out) && memcmp(&a, &b, sizeof(a)) == 0,
	    "the ledger");
	(void)ledger_due(&a, true, 0.33);
	ledger_failure(&a, &d, &w, INT64_C(1800000000), 7);
	must(ledger_due(&a, true, 0.33) >= a.next, "a pause");
}

static void
fuzz_text(const char *text)
{
	char		host[HTTP_HOST_MAX + 1], back[JWS_B64(256)];
	unsigned char	raw[256];
	uint16_t	port;
	size_t		origin;
	long		n;

	if (http_url_parse(text, host, &port, &origin))
		must(origin <= strlen(text) && text[origin] == '/' &&
		    host[0] != '\0' && port != 0, "a URL");
	if ((n = jws_unb64(raw, sizeof(raw), text)) < 0)
		return;
	jws_b64(back, raw, (size_t)n);
	must(strlen(back) == strcspn(text, "="), "base64url");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	char	*text;

	if (len == 0)
		return 0;
	if ((text = calloc(1, len)) == NULL)
		abort();
	memcpy(text, p + 1, len - 1);
	switch (p[0] % 5) {
	case 0:
		fuzz_token(p + 1, len - 1);
		break;
	case 1:
		fuzz_done(p + 1, len - 1);
		break;
	case 2:
		fuzz_offer(p + 1, len - 1);
		break;
	case 3:
		fuzz_ledger(text);
		break;
	case 4:
		fuzz_text(text);
		break;
	}
	free(text);
	return 0;
}
