#include "h1_write.h"

/* Appends; h1_server.out has room for the largest response there can be. */
struct out {
	char	*p;
	size_t	 len;
};

static void
put(struct out *o, struct str s)
{
	memcpy(o->p + o->len, s.p, s.n);
	o->len += s.n;
}

static void
put_text(struct out *o, const char *s)
{
	put(o, (struct str){ s, strlen(s) });
}

static void
put_number(struct out *o, uint64_t n)
{
	char	digits[20];
	size_t	i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	put(o, (struct str){ digits + i, sizeof(digits) - i });
}

static void
put_field(struct out *o, struct str name, struct str value)
{
	put(o, name);
	put(o, STR(": "));
	put(o, value);
	put(o, STR("\r\n"));
}

/* What is the same whenever, and to whomever, the answer is sent. */
static void
put_fields(struct out *o, const struct response *res)
{
	size_t	i;

	/* An answer on the way to the answer says nothing of itself. */
	if (res->status >= 200 && !response_has(res, STR("server")))
		put(o, STR("Server: l4mux\r\n"));
	for (i = 0; i < res->nfields; i++)
		put_field(o, res->field[i].name, res->field[i].value);
	if (res->framed) {
		put(o, STR("Content-Length: "));
		put_number(o, res->length);
		put(o, STR("\r\n"));
	}
}

size_t
h1_ready_fields(char *dst, const struct response *res)
{
	struct out	o = { dst, 0 };

	put_fields(&o, res);
	return o.len;
}

size_t
h1_write_head(struct h1_server *s, const struct response *res, uint8_t minor,
    bool close)
{
	struct out	o = { s->out, 0 };

	put(&o, STR("HTTP/1.1 "));
	put_number(&o, (uint64_t)res->status);
	put(&o, STR(" "));
	put_text(&o, response_phrase(res->status));
	put(&o, STR("\r\n"));
	if (res->status >= 200 && (res->ready.p != NULL ||
	    !response_has(res, STR("date"))))
		put_field(&o, STR("Date"), (struct str){ s->date,
		    HTTPDATE_LEN });
	if (res->ready.p != NULL)
		put(&o, res->ready);
	else
		put_fields(&o, res);
	if (res->status == 101)
		put(&o, STR("Connection: Upgrade\r\n"
		    "Upgrade: websocket\r\n"));
	else if (res->status < 200)
		;
	else if (close)
		put(&o, STR("Connection: close\r\n"));
	else if (minor == 0)
		put(&o, STR("Connection: keep-alive\r\n"));
	put(&o, STR("\r\n"));
	return o.len;
}
