#include <stdio.h>
#include <string.h>

#include "certinfo.h"
#include "l4.h"

#define DAY	INT64_C(86400)

/* The years 0 to 9999: there are no others in a certificate. */
#define DATE_MIN	(-INT64_C(62167219200))
#define DATE_MAX	INT64_C(253402300799)

static bool
is_date(int64_t t)
{
	return t >= DATE_MIN && t <= DATE_MAX;
}

void
cert_info_write(struct wr *w, const char *wrong, const struct cert_info *c)
{
	wr_str(w, wrong);
	wr_u8(w, (uint8_t)c->key);
	wr_u16(w, c->bits);
	wr_u8(w, c->self_signed);
	wr_u64(w, (uint64_t)c->from);
	wr_u64(w, (uint64_t)c->to);
	wr_str(w, c->issuer);
	wr_u16(w, c->nnames);
	wr_str(w, c->names);
	wr_str(w, c->note);
}

static void
make_plain(char *p)
{
	for (; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f)
			*p = '?';
}

bool
cert_info_read(struct rd *r, char wrong[CERT_WHY_MAX], struct cert_info *c)
{
	uint8_t	key, self;

	memset(c, 0, sizeof(*c));
	rd_str(r, wrong, CERT_WHY_MAX);
	key = rd_u8(r);
	c->bits = rd_u16(r);
	self = rd_u8(r);
	c->from = (int64_t)rd_u64(r);
	c->to = (int64_t)rd_u64(r);
	rd_str(r, c->issuer, sizeof(c->issuer));
	c->nnames = rd_u16(r);
	rd_str(r, c->names, sizeof(c->names));
	rd_str(r, c->note, sizeof(c->note));
	if (!rd_done(r) || key >= CERT_KEY__MAX || self > 1 ||
	    !is_date(c->from) || !is_date(c->to))
		return false;
	c->key = (enum cert_key)key;
	c->self_signed = self == 1;
	make_plain(wrong);
	make_plain(c->issuer);
	make_plain(c->names);
	make_plain(c->note);
	return true;
}

const char *
cert_key_name(const struct cert_info *c, char dst[CERT_KEY_NAMELEN])
{
	static const char *const	fmt[CERT_KEY__MAX] = {
		[CERT_KEY_NONE] = "", [CERT_KEY_RSA] = "RSA ",
		[CERT_KEY_EC] = "ECDSA P-", [CERT_KEY_ED25519] = "Ed25519",
	};

	if (c->key == CERT_KEY_RSA || c->key == CERT_KEY_EC)
		snprintf(dst, CERT_KEY_NAMELEN, "%s%u", fmt[c->key], c->bits);
	else
		snprintf(dst, CERT_KEY_NAMELEN, "%s", fmt[c->key]);
	return dst;
}

enum cert_age
cert_age(const struct cert_info *c, int64_t now)
{
	if (now >= c->to)
		return CERT_EXPIRED;
	if (now < c->from)
		return CERT_EARLY;
	return now >= c->to - CERT_SOON_DAYS * DAY ? CERT_SOON : CERT_GOOD;
}

int64_t
cert_days_left(const struct cert_info *c, int64_t now)
{
	int64_t	left = c->to - now;

	return left > 0 ? left / DAY : -(-left / DAY + 1);
}

int64_t
cert_next_change(const struct cert_info *c, int64_t now, int64_t most)
{
	const int64_t	when[] = { c->from, c->to - CERT_SOON_DAYS * DAY,
			    c->to };
	size_t		i;

	for (i = 0; i < nitems(when); i++)
		if (when[i] > now && when[i] - now < most)
			most = when[i] - now;
	return most;
}
