#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/addr.h"
#include "acme.h"

#define CSR_MAX		65536
#define PAUSE_MIN	250u		/* ms between two looks */
#define PAUSE_MAX	10000u

static const char	pem_begin[] = "-----BEGIN CERTIFICATE-----";

static json_t *
identifiers(const struct acme *a)
{
	json_t		*list = json_pack("[]");
	struct addr	 ip;
	uint16_t	 i;

	for (i = 0; i < a->job.nnames; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "type",
		    addr_parse_ip(&ip, a->job.name[i]) ? "ip" : "dns",
		    "value", a->job.name[i]));
	return list;
}

/* Does the CA have the profile? Where it names none, it is asked all the
 * same, and says so itself. */
static bool
profile_known(struct acme *a)
{
	const char	*want = a->child.conf->acme.profile;
	const json_t	*all;

	all = json_object_get(json_object_get(a->directory, "meta"),
	    "profiles");
	if (want == NULL || all == NULL || json_object_get(all, want) != NULL)
		return true;
	return acme_fail(a, "acme.profile: the CA has no profile \"%.64s\"",
	    want);
}

static char *
order_payload(struct acme *a, bool replaces)
{
	json_t	*v = json_pack("{s:o}", "identifiers", identifiers(a));
	char	 id[256];

	if (a->child.conf->acme.profile != NULL)
		json_object_set_new(v, "profile",
		    json_string(a->child.conf->acme.profile));
	if (replaces && json_object_get(a->directory, "renewalInfo") != NULL &&
	    renewal_id(a->chain_fd, id, sizeof(id)))
		json_object_set_new(v, "replaces", json_string(id));
	return ca_text(v);
}

/* The order, its URL in ans->location.  A CA that does not take it as the
 * replacement of another (RFC 9773 5) is asked without. */
static json_t *
order_new(struct acme *a, struct http_answer *ans)
{
	const char	*url;
	json_t		*order = NULL;
	char		*payload;
	int		 i;

	if ((url = ca_url(a, "newOrder")) == NULL || !profile_known(a))
		return NULL;
	for (i = 0; i < 2; i++) {
		payload = order_payload(a, i == 0);
		order = ca_post_json(a, url, payload, ans);
		free(payload);
		if (order != NULL || ans->status != 409)
			break;
		a->done.text[0] = '\0';
		a->done.outcome = ACME_OK;
	}
	if (order != NULL && !http_is_ours(a->http, ans->location)) {
		acme_fail(a, "%.200s: the order has no URL", url);
		json_decref(order);
		return NULL;
	}
	return order;
}

static uint64_t
seconds_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

json_t *
order_poll(struct acme *a, const char *url, const char *pending,
    const char *also)
{
	uint64_t		 end = seconds_now() + PATIENCE_SECONDS;
	unsigned int		 pause = PAUSE_MIN, ms;
	struct http_answer	 ans;
	const char		*status;
	json_t			*v;

	while ((v = ca_post_json(a, url, "", &ans)) != NULL) {
		status = ca_string(v, "status");
		if (strcmp(status, pending) != 0 && strcmp(status, also) != 0)
			return v;
		json_decref(v);
		ms = ans.retry > 0 ? ans.retry * 1000u : pause;
		if (ans.retry > PATIENCE_SECONDS ||
		    seconds_now() + ms / 1000 >= end)
			break;
		http_sleep(a->http, ms);
		pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
	}
	if (v != NULL)
		acme_fail(a, "%.200s: still %s after %d seconds", url, pending,
		    PATIENCE_SECONDS);
	return NULL;
}

static bool
authorize(struct acme *a, const json_t *order)
{
	const json_t	*list = json_object_get(order, "authorizations");
	const char	*url;
	size_t		 i;

	if (json_array_size(list) == 0 ||
	    json_array_size(list) > ACME_NAMES_MAX)
		return acme_fail(a, "the order has no authorizations");
	for (i = 0; i < json_array_size(list); i++) {
		url = json_string_value(json_array_get(list, i));
		if (url == NULL || !http_is_ours(a->http, url))
			return acme_fail(a, "an authorization has no URL");
		if (!authz_run(a, url))
			return false;
	}
	return true;
}

static char *
csr_payload(struct acme *a)
{
	size_t	 len = 0;
	char	*der = acme_read(a->csr_fd, CSR_MAX, &len), *b64, *text;

	if (der == NULL || len == 0 ||
	    (b64 = malloc(JWS_B64(len))) == NULL) {
		free(der);
		acme_fail(a, "there is no request to send");
		return NULL;
	}
	jws_b64(b64, der, len);
	text = ca_text(json_pack("{s:s}", "csr", b64));
	free(der);
	free(b64);
	return text;
}

/* Takes the order, returns one that has that status, or NULL. */
static json_t *
expect(struct acme *a, json_t *order, const char *status)
{
	const json_t	*error;

	if (order == NULL || strcmp(ca_string(order, "status"), status) == 0)
		return order;
	if ((error = json_object_get(order, "error")) != NULL)
		ca_problem(a, "the order", error);
	else
		acme_fail(a, "the order is %.32s, and should be %s",
		    ca_string(order, "status"), status);
	json_decref(order);
	return NULL;
}

static json_t *
finalize(struct acme *a, const char *url, const json_t *order)
{
	const char		*to = ca_string(order, "finalize");
	struct http_answer	 ans;
	char			*payload;
	json_t			*v;

	if (!http_is_ours(a->http, to)) {
		acme_fail(a, "the order has no URL to finalize it");
		return NULL;
	}
	if ((payload = csr_payload(a)) == NULL)
		return NULL;
	v = ca_post_json(a, to, payload, &ans);
	free(payload);
	if (v == NULL)
		return NULL;
	json_decref(v);
	return expect(a, order_poll(a, url, "processing", "ready"), "valid");
}

static bool
download(struct acme *a, const json_t *order)
{
	const char		*url = ca_string(order, "certificate");
	struct http_answer	 ans;

	if (!http_is_ours(a->http, url))
		return acme_fail(a, "the order has no certificate");
	if (!ca_post(a, url, "", false, &ans))
		return false;
	if (ans.len > ACME_CHAIN_MAX || memchr(ans.body, '\0', ans.len) !=
	    NULL || strncmp(ans.body, pem_begin, sizeof(pem_begin) - 1) != 0)
		return acme_fail(a, "%.200s: not a chain of certificates in "
		    "PEM", url);
	acme_send_chain(a, ans.body, ans.len);
	return true;
}

bool
order_run(struct acme *a)
{
	struct http_answer	 ans;
	char			 url[ACME_URL_MAX + 1];
	json_t			*order, *ready, *valid = NULL;
	bool			 ok;

	if ((order = order_new(a, &ans)) == NULL)
		return false;
	memcpy(url, ans.location, sizeof(url));
	ok = authorize(a, order);
	json_decref(order);
	if (!ok)
		return false;
	ready = expect(a, order_poll(a, url, "pending", "pending"), "ready");
	if (ready != NULL)
		valid = finalize(a, url, ready);
	ok = valid != NULL && download(a, valid);
	json_decref(ready);
	json_decref(valid);
	return ok;
}
