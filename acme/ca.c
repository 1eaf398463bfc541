#include <stdlib.h>
#include <string.h>

#include "acme.h"

#define NONCES_MAX	20	/* that may be refused in a row */

static json_t *
parse(const struct http_answer *a)
{
	json_t	*v;

	v = json_loadb(a->body, a->len, JSON_REJECT_DUPLICATES, NULL);
	if (v != NULL && !json_is_object(v)) {
		json_decref(v);
		v = NULL;
	}
	return v;
}

char *
ca_text(json_t *v)
{
	char	*text = v == NULL ? NULL : json_dumps(v, JSON_COMPACT);

	json_decref(v);
	if (text == NULL)
		fatal("json");
	return text;
}

const char *
ca_string(const json_t *v, const char *key)
{
	const char	*s = json_string_value(json_object_get(v, key));

	return s == NULL ? "" : s;
}

/* The name of an error without what all of them begin with. */
static const char *
short_type(const char *type)
{
	static const char	urn[] = "urn:ietf:params:acme:error:";

	return strncmp(type, urn, sizeof(urn) - 1) == 0 ?
	    type + sizeof(urn) - 1 : type;
}

void
ca_problem(struct acme *a, const char *what, const json_t *problem)
{
	const json_t	*sub = json_object_get(problem, "subproblems");
	const char	*detail = ca_string(problem, "detail");

	/* Of several names the first that was refused tells more. */
	if (json_array_size(sub) > 0)
		detail = ca_string(json_array_get(sub, 0), "detail");
	acme_fail(a, "%s: %s: %.250s", what,
	    short_type(ca_string(problem, "type")), detail);
}

static bool
is_bad_nonce(const struct http_answer *ans)
{
	json_t	*v;
	bool	 bad;

	if (ans->status != 400 || (v = parse(ans)) == NULL)
		return false;
	bad = strcmp(short_type(ca_string(v, "type")), "badNonce") == 0;
	json_decref(v);
	return bad;
}

/* Notes what the CA refused, and whether it wants to be left alone. */
static bool
refused(struct acme *a, const char *url, const struct http_answer *ans)
{
	json_t	*problem = parse(ans);
	char	 what[ACME_URL_MAX + 32];

	snprintf(what, sizeof(what), "%.200s: status %ld", url, ans->status);
	if (ans->status == 429 || ans->status == 503)
		a->done.outcome = ACME_LIMITED;
	a->done.retry = ans->retry;
	if (problem != NULL)
		ca_problem(a, what, problem);
	else
		acme_fail(a, "%s", what);
	json_decref(problem);
	return false;
}

static bool
take_nonce(struct acme *a, const struct http_answer *ans)
{
	size_t	n = strlen(ans->nonce);

	a->nonce[0] = '\0';
	if (n > 0 && strspn(ans->nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_") == n)
		memcpy(a->nonce, ans->nonce, n + 1);
	return a->nonce[0] != '\0';
}

static bool
request(struct acme *a, const char *url, const char *body, bool head,
    struct http_answer *ans)
{
	if (!http_request(a->http, url, body, head, ans))
		return acme_fail(a, "%.200s: %.150s", url,
		    http_error(a->http));
	take_nonce(a, ans);
	return true;
}

bool
ca_open(struct acme *a)
{
	struct http_answer	ans;

	if (!request(a, a->job.directory, NULL, false, &ans))
		return false;
	if (ans.status != 200)
		return refused(a, a->job.directory, &ans);
	if ((a->directory = parse(&ans)) == NULL)
		return acme_fail(a, "%s: not a directory of ACME",
		    a->job.directory);
	return true;
}

const char *
ca_url(struct acme *a, const char *resource)
{
	const char	*url = ca_string(a->directory, resource);

	if (http_is_ours(a->http, url))
		return url;
	acme_fail(a, "%s: no %s there, or not on the same host",
	    a->job.directory, resource);
	return NULL;
}

static bool
fetch_nonce(struct acme *a)
{
	struct http_answer	 ans;
	const char		*url;

	if (a->nonce[0] != '\0')
		return true;
	if ((url = ca_url(a, "newNonce")) == NULL ||
	    !request(a, url, NULL, true, &ans))
		return false;
	if (ans.status / 100 != 2)
		return refused(a, url, &ans);
	if (a->nonce[0] == '\0')
		return acme_fail(a, "%.200s: no nonce in the answer", url);
	return true;
}

/* Uses the nonce up. */
static char *
sign(struct acme *a, const char *url, const char *payload, bool new_account)
{
	json_t	*header;
	char	*text, *jws;

	if (new_account)
		header = json_pack("{s:s, s:o, s:s, s:s}", "alg", "ES256",
		    "jwk", json_loads(a->jwk, 0, NULL), "nonce", a->nonce,
		    "url", url);
	else
		header = json_pack("{s:s, s:s, s:s, s:s}", "alg", "ES256",
		    "kid", a->account, "nonce", a->nonce, "url", url);
	a->nonce[0] = '\0';
	text = ca_text(header);
	jws = jws_sign(a->key, text, payload);
	free(text);
	return jws;
}

bool
ca_post(struct acme *a, const char *url, const char *payload,
    bool new_account, struct http_answer *ans)
{
	char	*jws;
	bool	 ok;
	int	 i;

	memset(ans, 0, sizeof(*ans));
	for (i = 0; i < NONCES_MAX; i++) {
		if (!fetch_nonce(a))
			return false;
		jws = sign(a, url, payload, new_account);
		if (jws == NULL)
			return acme_fail(a, "a request cannot be signed");
		ok = request(a, url, jws, false, ans);
		free(jws);
		if (!ok)
			return false;
		if (ans->status / 100 == 2)
			return true;
		if (!is_bad_nonce(ans))
			return refused(a, url, ans);
	}
	return acme_fail(a, "%.200s: %d nonces in a row were refused", url,
	    NONCES_MAX);
}

json_t *
ca_post_json(struct acme *a, const char *url, const char *payload,
    struct http_answer *ans)
{
	json_t	*v;

	if (!ca_post(a, url, payload, false, ans))
		return NULL;
	if ((v = parse(ans)) == NULL)
		acme_fail(a, "%.200s: the answer is no JSON object", url);
	return v;
}
