#include <sys/socket.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/addr.h"
#include "common/l4.h"
#include "common/log.h"
#include "http.h"

#define ADDRESSES_MAX	16
#define RESOLVE_TEXT	(HTTP_HOST_MAX + 32 + ADDRESSES_MAX * (ADDR_STRLEN + 3))

struct http {
	CURLM			*multi;
	CURL			*easy;
	struct curl_slist	*resolved, *post_headers;
	X509_STORE		*trusted;
	char			 host[HTTP_HOST_MAX + 1];
	uint16_t		 port;
	char			 origin[ACME_URL_MAX + 1];
	char			 error[CURL_ERROR_SIZE + 64];
	bool			 too_large;
	struct http_answer	*answer;	/* of the request under way */
	char			*body;
	size_t			 len;
	int			 channel;
	void			(*heed)(void *);
	void			*arg;
};

/* Where distributions keep the certificates that they vouch for. */
static const char *const	bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

static const char *
load_trust(struct http *h, const char *ca_file)
{
	bool	ok = false;
	size_t	i;

	if ((h->trusted = X509_STORE_new()) == NULL)
		return "out of memory";
	if (ca_file != NULL)
		ok = X509_STORE_load_file(h->trusted, ca_file) == 1;
	for (i = 0; ca_file == NULL && !ok && i < nitems(bundles); i++)
		ok = X509_STORE_load_file(h->trusted, bundles[i]) == 1;
	ERR_clear_error();
	if (ok)
		return NULL;
	return ca_file != NULL ? "acme.ca_file cannot be read, or holds no "
	    "certificate" : "no list of certificate authorities on this "
	    "machine; install ca-certificates, or set acme.ca_file";
}

/* Here and not in the library, which would start a thread for it. */
static const char *
resolve(struct http *h)
{
	struct addrinfo		 hints = { .ai_socktype = SOCK_STREAM },
				*res, *ai;
	char			 text[RESOLVE_TEXT], ip[ADDR_STRLEN];
	struct sockaddr_storage	 ss;
	struct addr		 a;
	int			 n, k = 0, rc;

	if ((rc = getaddrinfo(h->host, NULL, &hints, &res)) != 0)
		return gai_strerror(rc);
	n = snprintf(text, sizeof(text), strchr(h->host, ':') != NULL ?
	    "[%s]:%u" : "%s:%u", h->host, h->port);
	for (ai = res; ai != NULL && k < ADDRESSES_MAX; ai = ai->ai_next) {
		memset(&ss, 0, sizeof(ss));
		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
		addr_from_sockaddr(&a, &ss);
		if (a.family == ADDR_NONE)
			continue;
		addr_format_ip(&a, ip);
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    a.family == ADDR_V6 ? "%c[%s]" : "%c%s",
		    k++ == 0 ? ':' : ',', ip);
	}
	freeaddrinfo(res);
	if (k == 0)
		return "the name has no address";
	h->resolved = curl_slist_append(NULL, text);
	return h->resolved == NULL ? "out of memory" : NULL;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http	*h = arg;

	n *= size;
	if (n > HTTP_BODY_MAX - h->len) {
		h->too_large = true;
		return 0;
	}
	memcpy(h->body + h->len, p, n);
	h->len += n;
	return n;
}

/* The value of a field of that name, without blanks around it, if it fits. */
static void
take_field(char *dst, size_t size, const char *name, const char *p, size_t n)
{
	size_t	k = strlen(name);

	if (n <= k || strncasecmp(p, name, k) != 0)
		return;
	for (p += k, n -= k; n > 0 && (*p == ' ' || *p == '\t'); p++, n--)
		;
	while (n > 0 && strchr(" \t\r\n", p[n - 1]) != NULL)
		n--;
	if (n >= size)
		return;
	memcpy(dst, p, n);
	dst[n] = '\0';
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http	*h = arg;

	n *= size;
	take_field(h->answer->nonce, sizeof(h->answer->nonce),
	    "Replay-Nonce:", p, n);
	take_field(h->answer->location, sizeof(h->answer->location),
	    "Location:", p, n);
	return n;
}

static CURLcode
on_tls(CURL *easy, void *ctx, void *arg)
{
	struct http	*h = arg;

	(void)easy;
	SSL_CTX_set1_cert_store(ctx, h->trusted);
	return CURLE_OK;
}

/* Flags as the filter of system calls has them. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)arg;
	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKET_BAD;
	return socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
}

#define SET(option, value)						\
	(curl_easy_setopt(h->easy, option, value) == CURLE_OK)

/* What holds for every request. */
static bool
set_up(struct http *h)
{
	return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_NOPROGRESS, 1L) &&
	    SET(CURLOPT_ERRORBUFFER, h->error) &&
	    SET(CURLOPT_RESOLVE, h->resolved) &&
	    SET(CURLOPT_PROXY, "") && SET(CURLOPT_NETRC, 0L) &&
	    SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	    SET(CURLOPT_TIMEOUT, (long)HTTP_SECONDS) &&
	    SET(CURLOPT_CONNECTTIMEOUT, (long)HTTP_SECONDS / 2) &&
	    SET(CURLOPT_USERAGENT, "l4mux/" L4_VERSION) &&
	    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	    SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_CAPATH, NULL) &&
	    SET(CURLOPT_SSL_CTX_FUNCTION, on_tls) &&
	    SET(CURLOPT_SSL_CTX_DATA, h) &&
	    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket) &&
	    SET(CURLOPT_WRITEFUNCTION, on_body) &&
	    SET(CURLOPT_WRITEDATA, h) &&
	    SET(CURLOPT_HEADERFUNCTION, on_header) &&
	    SET(CURLOPT_HEADERDATA, h);
}

static bool
allocate(struct http *h)
{
	h->body = malloc(HTTP_BODY_MAX + 1);
	h->post_headers = curl_slist_append(NULL,
	    "Content-Type: application/jose+json");
	if (h->post_headers != NULL)
		curl_slist_append(h->post_headers, "Expect:");
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	return h->body != NULL && h->post_headers != NULL &&
	    h->multi != NULL && h->easy != NULL;
}

/* What went wrong, or NULL. */
static const char *
http_open(struct http *h, const char *url, const char *ca_file)
{
	const char	*why;
	size_t		 n;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return "the HTTP library does not start";
	if (strlen(url) > ACME_URL_MAX ||
	    !http_url_parse(url, h->host, &h->port, &n))
		return "not a URL of https";
	memcpy(h->origin, url, n);
	if ((why = load_trust(h, ca_file)) != NULL ||
	    (why = resolve(h)) != NULL)
		return why;
	return allocate(h) && set_up(h) ? NULL :
	    "the HTTP library does not start";
}

static void
http_free(struct http *h)
{
	curl_multi_cleanup(h->multi);
	curl_easy_cleanup(h->easy);
	curl_slist_free_all(h->post_headers);
	curl_slist_free_all(h->resolved);
	X509_STORE_free(h->trusted);
	free(h->body);
	free(h);
}

struct http *
http_new(const char *url, const char *ca_file, const char **why)
{
	struct http	*h = calloc(1, sizeof(*h));

	*why = "out of memory";
	if (h == NULL)
		return NULL;
	h->channel = -1;
	if ((*why = http_open(h, url, ca_file)) == NULL)
		return h;
	http_free(h);
	return NULL;
}

uint16_t
http_port(const struct http *h)
{
	return h->port;
}

bool
http_is_ours(const struct http *h, const char *url)
{
	size_t	n = strlen(h->origin);

	return strlen(url) <= ACME_URL_MAX &&
	    strncmp(url, h->origin, n) == 0 && url[n] == '/';
}

const char *
http_error(const struct http *h)
{
	return h->error;
}

void
http_on_channel(struct http *h, int fd, void (*fn)(void *), void *arg)
{
	h->channel = fd;
	h->heed = fn;
	h->arg = arg;
}

void
http_wait(struct http *h, unsigned int ms)
{
	struct curl_waitfd	w = { .fd = h->channel,
				    .events = CURL_WAIT_POLLIN };

	if (curl_multi_poll(h->multi, &w, 1, (int)ms, NULL) != CURLM_OK)
		fatalx("the HTTP library does not wait");
	if (w.revents != 0)
		h->heed(h->arg);
}

static uint64_t
now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
http_sleep(struct http *h, unsigned int ms)
{
	uint64_t	now, end = now_ms() + ms;

	while ((now = now_ms()) < end)
		http_wait(h, (unsigned int)(end - now));
}

/* Until the transfer is over; its result. */
static CURLcode
transfer(struct http *h)
{
	CURLMsg	*m;
	int	 running = 1, left;

	while (running > 0) {
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			return CURLE_FAILED_INIT;
		if (running > 0)
			http_wait(h, 1000);
	}
	while ((m = curl_multi_info_read(h->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			return m->data.result;
	return CURLE_FAILED_INIT;
}

static void
take_answer(struct http *h, struct http_answer *a)
{
	curl_off_t	retry = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &a->status);
	curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &retry);
	a->retry = retry <= 0 ? 0 : retry > UINT32_MAX ? UINT32_MAX :
	    (uint32_t)retry;
	h->body[h->len] = '\0';
	a->body = h->body;
	a->len = h->len;
}

bool
http_request(struct http *h, const char *url, const char *body, bool head,
    struct http_answer *a)
{
	CURLcode	rc = CURLE_FAILED_INIT;

	memset(a, 0, sizeof(*a));
	h->answer = a;
	h->len = 0;
	h->too_large = false;
	h->error[0] = '\0';
	if (!http_is_ours(h, url)) {
		snprintf(h->error, sizeof(h->error),
		    "the CA names a URL of another host");
		return false;
	}
	if (SET(CURLOPT_URL, url) && SET(CURLOPT_HTTPGET, 1L) &&
	    SET(CURLOPT_NOBODY, (long)head) && SET(CURLOPT_HTTPHEADER,
	    body == NULL ? NULL : h->post_headers) &&
	    (body == NULL || SET(CURLOPT_POSTFIELDS, body)) &&
	    curl_multi_add_handle(h->multi, h->easy) == CURLM_OK) {
		rc = transfer(h);
		curl_multi_remove_handle(h->multi, h->easy);
	}
	if (rc == CURLE_OK) {
		take_answer(h, a);
		return true;
	}
	if (h->too_large)
		snprintf(h->error, sizeof(h->error),
		    "the answer is larger than %d bytes", HTTP_BODY_MAX);
	else if (h->error[0] == '\0')
		snprintf(h->error, sizeof(h->error), "%s",
		    curl_easy_strerror(rc));
	return false;
}
