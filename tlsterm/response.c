#include <stdarg.h>
#include <stdio.h>

#include "common/l4.h"
#include "response.h"

static const struct {
	int		 status;
	const char	*phrase;
} phrases[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 102, "Processing" },
	{ 103, "Early Hints" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 203, "Non-Authoritative Information" },
	{ 204, "No Content" },
	{ 205, "Reset Content" },
	{ 206, "Partial Content" },
	{ 207, "Multi-Status" },
	{ 300, "Multiple Choices" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 424, "Failed Dependency" },
	{ 425, "Too Early" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *
response_phrase(int status)
{
	size_t	i;

	for (i = 0; i < nitems(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return status < 300 ? "OK" : status < 400 ? "Redirect" : "Error";
}

void
response_init(struct response *r)
{
	body_init(&r->body);
}

void
response_begin(struct response *r, int status)
{
	body_close(&r->body);
	r->close = false;
	r->length = 0;
	r->status = status;
	r->upstream = -1;
	r->complete = false;
	r->ready = (struct str){ NULL, 0 };
	r->strings = NULL;
	r->framed = status != 204 && status != 304;
	r->nfields = 0;
	r->used = 0;
	r->full = false;
}

void
response_field(struct response *r, struct str name, struct str value)
{
	if (r->nfields == nitems(r->field)) {
		r->full = true;
		return;
	}
	r->field[r->nfields++] = (struct field){ name, value };
}

void
response_replace(struct response *r, struct str name, struct str value)
{
	size_t	i;

	for (i = 0; i < r->nfields; i++)
		if (str_caseeq(r->field[i].name, name)) {
			r->field[i].value = value;
			return;
		}
	response_field(r, name, value);
}

bool
response_has(const struct response *r, struct str name)
{
	size_t	i;

	for (i = 0; i < r->nfields; i++)
		if (str_caseeq(r->field[i].name, name))
			return true;
	return false;
}

void
response_text(struct response *r, const char *text, size_t len)
{
	r->body.text = text;
	r->body.left = len;
	r->length = len;
}

char *
response_room(struct response *r, size_t n)
{
	char	*p = r->buf + r->used;

	if (n > sizeof(r->buf) - r->used) {
		r->full = true;
		return NULL;
	}
	r->used += n;
	return p;
}

void
response_printf(struct response *r, struct str name, const char *fmt, ...)
{
	size_t		room = sizeof(r->buf) - r->used;
	struct str	value = { r->buf + r->used, 0 };
	va_list		ap;
	int		n;

	va_start(ap, fmt);
	n = vsnprintf(r->buf + r->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		r->full = true;
		return;
	}
	value.n = (size_t)n;
	r->used += (size_t)n;
	response_field(r, name, value);
}

void
response_error(struct response *r, int status)
{
	static const char	page[] =
	    "<!DOCTYPE html>\n"
	    "<html lang=\"en\">\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<title>%d %s</title>\n"
	    "<style>body{font:1.1rem/1.5 system-ui,sans-serif;margin:20vh auto;"
	    "max-width:30rem;padding:0 1rem;text-align:center}"
	    "h1{font-size:4rem;margin:0}"
	    "@media(prefers-color-scheme:dark)"
	    "{body{background:#16181d;color:#ddd}}</style>\n"
	    "<h1>%d</h1>\n"
	    "<p>%s</p>\n"
	    "</html>\n";
	const char		*phrase = response_phrase(status);
	int			 n;

	response_begin(r, status);
	response_field(r, STR("Content-Type"),
	    STR("text/html; charset=utf-8"));
	n = snprintf(r->buf, sizeof(r->buf), page, status, phrase, status,
	    phrase);
	r->used = (size_t)n;
	response_text(r, r->buf, (size_t)n);
}
