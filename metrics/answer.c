#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/l4.h"
#include "metrics.h"

static const struct {
	int		 status;
	const char	*text;
	const char	*fields;	/* of the head, beside the usual ones */
} statuses[] = {
	{ 200, "OK", "" },
	{ 400, "Bad Request", "" },
	{ 404, "Not Found", "" },
	{ 405, "Method Not Allowed", "Allow: GET, HEAD\r\n" },
	{ 414, "URI Too Long", "" },
	{ 431, "Request Header Fields Too Large", "" },
	{ 503, "Service Unavailable", "Retry-After: 5\r\n" },
	{ 505, "HTTP Version Not Supported", "" },
};

static const char *const types[CONTENT__MAX] = {
	[CONTENT_PAGE] = "text/html; charset=utf-8",
	[CONTENT_OPENMETRICS] = ("application/openmetrics-text; "
	    "version=1.0.0; charset=utf-8"),
	[CONTENT_PLAIN] = "text/plain; version=0.0.4; charset=utf-8",
};

void
body_drop(struct body *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	free(b->data);
	free(b);
}

void
answer_forget(struct metrics *m)
{
	size_t	i;

	for (i = 0; i < CONTENT__MAX; i++) {
		body_drop(m->body[i]);
		m->body[i] = NULL;
	}
}

static void
make_nonce(char dst[33])
{
	uint8_t	r[16];
	size_t	i;

	arc4random_buf(r, sizeof(r));
	for (i = 0; i < sizeof(r); i++)
		snprintf(dst + 2 * i, 3, "%02x", r[i]);
}

static struct body *
body_make(struct metrics *m, enum content content)
{
	const json_t	*doc = m->report[REPORT_COUNTERS].doc;
	struct body	*b;
	FILE		*f;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->refs = 1;
	if ((f = open_memstream(&b->data, &b->len)) == NULL) {
		body_drop(b);
		return NULL;
	}
	if (content == CONTENT_PAGE) {
		make_nonce(b->nonce);
		page_write(f, m, b->nonce);
	} else
		doc_metrics_text(f, json_object_get(doc, "metrics"),
		    content == CONTENT_OPENMETRICS ? DOC_OPENMETRICS :
		    DOC_PLAIN);
	if (fclose(f) == EOF) {
		body_drop(b);
		return NULL;
	}
	return b;
}

struct body *
answer_body(struct metrics *m, enum content content)
{
	if (m->body[content] == NULL)
		m->body[content] = body_make(m, content);
	if (m->body[content] != NULL)
		m->body[content]->refs++;
	return m->body[content];
}

/* RFC 9110 5.6.7 */
static const char *
http_date(char dst[40])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
	    "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
	    "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t		now = time(NULL);
	struct tm	tm;

	if (gmtime_r(&now, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	snprintf(dst, 40, "%s, %02u %s %u %02u:%02u:%02u GMT",
	    days[tm.tm_wday], (unsigned int)tm.tm_mday % 100,
	    months[tm.tm_mon], (unsigned int)(tm.tm_year + 1900) % 10000,
	    (unsigned int)tm.tm_hour % 100, (unsigned int)tm.tm_min % 100,
	    (unsigned int)tm.tm_sec % 100);
	return dst;
}

/* The page has one style and one script, and nothing from elsewhere. */
static int
print_policy(char *dst, size_t size, const char *nonce)
{
	return snprintf(dst, size, "Content-Security-Policy: default-src "
	    "'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
	    "img-src data:; connect-src 'self'; base-uri 'none'; "
	    "form-action 'none'; frame-ancestors 'none'\r\n", nonce, nonce);
}

/* What a body would have said. */
static int
print_refusal(char *dst, size_t size, int status, const char *text, bool head)
{
	char	line[64];

	snprintf(line, sizeof(line), "%d %s\n", status, text);
	return snprintf(dst, size, "Content-Type: text/plain; "
	    "charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s", strlen(line),
	    head ? "" : line);
}

static int
print_content(char *dst, size_t size, enum content content,
    const struct body *b)
{
	int	n = 0;

	if (b->nonce[0] != '\0')
		n = print_policy(dst, size, b->nonce);
	return n + snprintf(dst + n, size - (size_t)n, "Content-Type: %s\r\n"
	    "Content-Length: %zu\r\n\r\n", types[content], b->len);
}

size_t
answer_head(char dst[ANSWER_HEAD_MAX], int status, const struct request *r,
    const struct body *b)
{
	char	date[40];
	size_t	i = 0, left;
	int	n;

	while (statuses[i].status != status)
		i++;
	n = snprintf(dst, ANSWER_HEAD_MAX, "HTTP/1.1 %d %s\r\nDate: %s\r\n"
	    "Connection: close\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Cross-Origin-Resource-Policy: same-origin\r\n"
	    "Referrer-Policy: no-referrer\r\nVary: Accept\r\n%s", status,
	    statuses[i].text, http_date(date), statuses[i].fields);
	left = ANSWER_HEAD_MAX - (size_t)n;
	n += b == NULL ?
	    print_refusal(dst + n, left, status, statuses[i].text, r->head) :
	    print_content(dst + n, left, r->content, b);
	return (size_t)n;
}
