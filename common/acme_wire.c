#include <stdlib.h>
#include <string.h>

#include "acme_wire.h"
#include "log.h"

#define HASH_LEN	43

void
acme_job_write(struct wr *w, const struct acme_job *j)
{
	uint16_t	i;

	wr_u8(w, (uint8_t)j->kind);
	wr_u8(w, j->nchallenge);
	wr_bytes(w, j->challenge, j->nchallenge);
	wr_str(w, j->directory);
	wr_u16(w, j->nnames);
	for (i = 0; i < j->nnames; i++)
		wr_str(w, j->name[i]);
}

bool
acme_job_read(struct rd *r, struct acme_job *j)
{
	char		 name[HELLO_NAME_MAX + 1];
	const uint8_t	*kinds;
	uint16_t	 i, n;

	j->nnames = 0;
	j->kind = rd_u8(r);
	j->nchallenge = rd_u8(r);
	kinds = rd_bytes(r, j->nchallenge);
	if (kinds == NULL || j->nchallenge > sizeof(j->challenge) ||
	    j->kind >= ACME_KIND__MAX)
		return false;
	memcpy(j->challenge, kinds, j->nchallenge);
	rd_str(r, j->directory, sizeof(j->directory));
	n = rd_u16(r);
	for (i = 0; i < n && i < ACME_NAMES_MAX && !r->bad; i++) {
		rd_str(r, name, sizeof(name));
		if ((j->name[j->nnames++] = strdup(name)) == NULL)
			fatal("strdup");
	}
	return rd_done(r);
}

void
acme_offer_write(struct wr *w, const struct challenge *c)
{
	wr_u8(w, (uint8_t)c->kind);
	wr_str(w, c->name);
	wr_str(w, c->token);
	wr_str(w, c->proof);
}

/* SHA-256 in base64url. */
static bool
is_hash(const char *s)
{
	return strlen(s) == HASH_LEN && challenge_token_valid(s, HASH_LEN);
}

/* RFC 8555 8.1 and 8.4 */
static bool
is_proof(const struct challenge *c)
{
	size_t	n = strlen(c->token);

	if (!challenge_token_valid(c->token, n))
		return false;
	if (c->kind == CHALLENGE_DNS)
		return is_hash(c->proof);
	return strncmp(c->proof, c->token, n) == 0 && c->proof[n] == '.' &&
	    is_hash(c->proof + n + 1);
}

bool
acme_offer_read(struct rd *r, struct challenge *c)
{
	c->kind = rd_u8(r);
	rd_str(r, c->name, sizeof(c->name));
	rd_str(r, c->token, sizeof(c->token));
	rd_str(r, c->proof, sizeof(c->proof));
	return rd_done(r) && c->kind > CHALLENGE_NONE &&
	    c->kind < CHALLENGE__MAX && is_proof(c);
}

void
acme_done_write(struct wr *w, const struct acme_done *d)
{
	wr_u8(w, (uint8_t)d->outcome);
	wr_u8(w, (uint8_t)d->challenge);
	wr_u32(w, d->retry);
	wr_u64(w, d->from);
	wr_u64(w, d->to);
	wr_str(w, d->text);
}

bool
acme_done_read(struct rd *r, struct acme_done *d)
{
	char	*p;

	d->outcome = rd_u8(r);
	d->challenge = rd_u8(r);
	d->retry = rd_u32(r);
	d->from = rd_u64(r);
	d->to = rd_u64(r);
	rd_str(r, d->text, sizeof(d->text));
	for (p = d->text; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f)
			*p = '?';
	return rd_done(r) && d->outcome < ACME_OUTCOME__MAX &&
	    d->challenge < CHALLENGE__MAX && d->from <= d->to &&
	    d->to <= ACME_TIME_MAX;
}
