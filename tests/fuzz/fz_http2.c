#include "common/hello.h"
#include "fuzz.h"
#include "tlsterm/http2.h"

/*
 * Any bytes as the fields of an HTTP/2 request: NAME 0 VALUE 0 each.  What is
 * accepted could be written as HTTP/1 and read back as the same.
 */
static char	buf[HTTP2_HEAD_MAX], cookies[HTTP2_HEAD_MAX];

static struct str
piece(const uint8_t **p, size_t *len)
{
	struct str	s = { (const char *)*p, 0 };

	while (s.n < *len && (*p)[s.n] != 0)
		s.n++;
	*p += s.n;
	*len -= s.n;
	if (*len > 0) {
		(*p)++;
		(*len)--;
	}
	return s;
}

static void
check_field(const struct field *f)
{
	size_t	i;

	must(f->name.n > 0 && request_bytes(f->name, REQUEST_TOKEN) &&
	    request_bytes(f->value, REQUEST_VALUE), "a field is one");
	for (i = 0; i < f->name.n; i++)
		must(f->name.p[i] < 'A' || f->name.p[i] > 'Z', "lower case");
	must(!str_eq(f->name, STR("connection")) &&
	    !str_eq(f->name, STR("transfer-encoding")) &&
	    !str_eq(f->name, STR("upgrade")), "no framing");
}

static void
check_request(const struct request *req, bool end, bool websocket)
{
	size_t	i, hosts = 0, cookie = 0;

	must(req->host[0] != '\0' && req->path.n > 0, "it goes somewhere");
	must(req->path.p[0] == '/' || str_eq(req->path, STR("*")),
	    "a path is one");
	must(request_bytes(req->uri, REQUEST_TARGET), "a target is one");
	must(!req->chunked || (!end && !req->has_length && !websocket),
	    "one length");
	must(!end || req->length == 0, "no body after the end");
	for (i = 0; i < req->nfields; i++) {
		check_field(&req->field[i]);
		hosts += str_eq(req->field[i].name, STR("host"));
		cookie += str_eq(req->field[i].name, STR("cookie"));
	}
	must(hosts == 1 && cookie <= 1, "one host, one cookie");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct http2_head	h;
	struct request		req;
	struct str		name, value;
	bool			end, websocket;
	int			rc;

	if (len == 0)
		return 0;
	end = *p++ & 1;
	len--;
	http2_head_init(&h, buf);
	while (len > 0) {
		name = piece(&p, &len);
		value = piece(&p, &len);
		http2_head_add(&h, name, value);
	}
	rc = http2_parse(&h, cookies, end, &req, &websocket);
	must(rc == 0 || rc == HTTP2_MALFORMED || (rc <= -400 && rc > -600),
	    "a verdict");
	if (rc == 0)
		check_request(&req, end, websocket);
	return 0;
}
