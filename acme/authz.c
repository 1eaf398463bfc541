#include <string.h>

#include <bsd/string.h>

#include "acme.h"

/* The offered challenge of that kind, or NULL. */
static const json_t *
find_kind(const json_t *list, enum challenge_kind kind)
{
	const json_t	*c;
	size_t		 i;

	for (i = 0; i < json_array_size(list); i++) {
		c = json_array_get(list, i);
		if (strcmp(ca_string(c, "type"), challenge_kind_name(kind)) ==
		    0)
			return c;
	}
	return NULL;
}

/* The first of those we may use that the CA offers for this name. */
static const json_t *
choose(const struct acme *a, const json_t *authz, enum challenge_kind *kind)
{
	const json_t	*list = json_object_get(authz, "challenges"), *c;
	uint8_t		 i;

	for (i = 0; i < a->job.nchallenge; i++) {
		*kind = a->job.challenge[i];
		if (*kind > CHALLENGE_NONE && *kind < CHALLENGE__MAX &&
		    (c = find_kind(list, *kind)) != NULL)
			return c;
	}
	return NULL;
}

/* RFC 8555 8.1 and 8.4 */
static bool
prove(struct acme *a, const char *token, struct challenge *c)
{
	char	proof[CHALLENGE_PROOF_MAX + 1];

	if (!challenge_token_valid(token, strlen(token)))
		return acme_fail(a, "%s: a token that is none", c->name);
	strlcpy(c->token, token, sizeof(c->token));
	snprintf(proof, sizeof(proof), "%s.%s", token, a->thumbprint);
	if (c->kind != CHALLENGE_DNS)
		memcpy(c->proof, proof, sizeof(proof));
	else if (!jws_hash(c->proof, proof))
		return acme_fail(a, "out of memory");
	return true;
}

/* Whose URLs the CA sends is for the CA to know: a name that was not asked
 * for is not answered for. */
static bool
is_ours(const struct acme *a, const char *name, bool wildcard)
{
	const char	*mine;
	uint16_t	 i;

	for (i = 0; i < a->job.nnames; i++) {
		mine = a->job.name[i];
		if (strcmp(wildcard && strncmp(mine, "*.", 2) == 0 ?
		    mine + 2 : mine, name) == 0)
			return true;
	}
	return false;
}

static bool
identify(struct acme *a, const json_t *authz, struct challenge *c)
{
	const char	*name = ca_string(json_object_get(authz,
			    "identifier"), "value");

	if (!is_ours(a, name,
	    json_is_true(json_object_get(authz, "wildcard"))))
		return acme_fail(a, "the CA asks for \"%.64s\", which is "
		    "none of the names", name);
	strlcpy(c->name, name, sizeof(c->name));
	return true;
}

/* What the CA did not like: with the challenge that failed. */
static bool
explain(struct acme *a, const struct challenge *c, const json_t *authz)
{
	const json_t	*mine = find_kind(json_object_get(authz, "challenges"),
			    c->kind);
	char		 what[HELLO_NAME_MAX + 32];

	snprintf(what, sizeof(what), "%s: %s", c->name,
	    challenge_kind_name(c->kind));
	a->done.outcome = ACME_REFUSED;
	if (json_object_get(mine, "error") != NULL)
		ca_problem(a, what, json_object_get(mine, "error"));
	else
		acme_fail(a, "%s: the authorization is %.32s", what,
		    ca_string(authz, "status"));
	return false;
}

static bool
answer(struct acme *a, const char *url, const json_t *offered,
    const struct challenge *c)
{
	const char		*to = ca_string(offered, "url");
	struct http_answer	 ans;
	json_t			*authz;
	bool			 ok;

	if (!http_is_ours(a->http, to))
		return acme_fail(a, "%s: a challenge without a URL", c->name);
	if (!acme_offer(a, c)) {
		a->done.outcome = ACME_REFUSED;
		return acme_fail(a, "%s: %s: could not be set up", c->name,
		    challenge_kind_name(c->kind));
	}
	if (!ca_post(a, to, "{}", false, &ans))
		return false;
	if ((authz = order_poll(a, url, "pending", "processing")) == NULL)
		return false;
	ok = strcmp(ca_string(authz, "status"), "valid") == 0;
	if (!ok)
		explain(a, c, authz);
	json_decref(authz);
	return ok;
}

static bool
pending(struct acme *a, const char *url, const json_t *authz)
{
	struct challenge	 c = { .kind = CHALLENGE_NONE };
	const json_t		*offered;

	if (!identify(a, authz, &c))
		return false;
	if ((offered = choose(a, authz, &c.kind)) == NULL)
		return acme_fail(a, "%s: the CA offers no challenge that is "
		    "configured", c.name);
	a->done.challenge = c.kind;
	return prove(a, ca_string(offered, "token"), &c) &&
	    answer(a, url, offered, &c);
}

bool
authz_run(struct acme *a, const char *url)
{
	struct http_answer	 ans;
	json_t			*authz;
	const char		*status;
	bool			 ok;

	if ((authz = ca_post_json(a, url, "", &ans)) == NULL)
		return false;
	status = ca_string(authz, "status");
	if (strcmp(status, "valid") == 0)
		ok = true;
	else if (strcmp(status, "pending") == 0)
		ok = pending(a, url, authz);
	else
		ok = acme_fail(a, "%.200s: the authorization is %.32s", url,
		    status);
	json_decref(authz);
	return ok;
}
