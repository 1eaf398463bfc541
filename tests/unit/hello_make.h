#ifndef L4_TEST_HELLO_MAKE_H
#define L4_TEST_HELLO_MAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hello_msg.h"

/*
 * Builds ClientHellos for tests, as a client would send them, or nearly.
 * Zero everywhere is a plain TLS 1.3 hello without name and ALPN.
 */
struct hello_spec {
	const char	*sni;		/* NULL: none */
	size_t		 snilen;	/* 0: strlen(sni) */
	const char	*alpn[8];	/* NULL ends */
	size_t		 keyshare;	/* bytes of key share; X25519MLKEM768
					   has 1216 */
	size_t		 pad;		/* bytes in a padding extension */
	size_t		 empty;		/* so many empty extensions */
	size_t		 cut;		/* bytes of each record; 0: 16384 */
	uint16_t	 version;	/* 0: 0x0303 */
	uint16_t	 recversion;	/* 0: 0x0301 */
	bool		 grease;	/* in ciphers and extensions, and ECH */
	bool		 bare;		/* ends before the extensions */
	const void	*extra;		/* bytes after the extensions */
	size_t		 extralen;
};

static inline void
hm_extensions(struct hello_msg *m, const struct hello_spec *s)
{
	size_t	all = hm_open(m, 2), i;

	if (s->grease) {
		hm_ext_fill(m, 0x3a3a, 0, 0);
		hm_ext_fill(m, 0xfe0d, 0x5e, 218);
	}
	for (i = 0; i < s->empty; i++)
		hm_ext_fill(m, (uint16_t)(0x8000 + i), 0, 0);
	if (s->keyshare > 0)
		hm_ext_fill(m, 51, 0x4b, s->keyshare);
	if (s->sni != NULL)
		hm_ext_sni(m, s->sni,
		    s->snilen != 0 ? s->snilen : strlen(s->sni));
	if (s->alpn[0] != NULL)
		hm_ext_alpn(m, s->alpn);
	if (s->grease)
		hm_ext_fill(m, 0xdada, 0, 1);
	if (s->pad > 0)
		hm_ext_fill(m, 21, 0, s->pad);
	if (s->extra != NULL)
		hm_bytes(m, s->extra, s->extralen);
	hm_close(m, all, 2);
}

/* Everything but the extensions is at a fixed offset of the message. */
enum {
	HELLO_AT_LEN	 = 1,
	HELLO_AT_VERSION = 4,
	HELLO_AT_SID	 = 38,
	HELLO_AT_CIPHERS = HELLO_AT_SID + 1 + 32,
	HELLO_AT_COMPR	 = HELLO_AT_CIPHERS + 2 + 6,
	HELLO_AT_EXTS	 = HELLO_AT_COMPR + 1 + 1,
};

/* The handshake message, without records. */
static inline void
hello_make_msg(struct hello_msg *m, const struct hello_spec *s)
{
	size_t	msg, v;

	m->len = m->nlens = 0;
	hm_int(m, 1, 1);
	msg = hm_open(m, 3);
	hm_int(m, s->version != 0 ? s->version : 0x0303, 2);
	hm_fill(m, 0x52, 32);
	v = hm_open(m, 1);
	hm_fill(m, 0x53, 32);
	hm_close(m, v, 1);
	v = hm_open(m, 2);
	hm_int(m, s->grease ? 0x0a0a : 0x1302, 2);
	hm_int(m, 0x1301, 2);
	hm_int(m, 0xc02b, 2);
	hm_close(m, v, 2);
	v = hm_open(m, 1);
	hm_int(m, 0, 1);
	hm_close(m, v, 1);
	if (!s->bare)
		hm_extensions(m, s);
	hm_close(m, msg, 3);
}

/* In records of `cut` bytes.  To be freed by the caller. */
static inline uint8_t *
hello_make_records(const struct hello_msg *m, size_t cut, uint16_t version,
    size_t *len)
{
	size_t	 off, part, max = cut != 0 ? cut : 16384;
	uint8_t	*wire = malloc(m->len + (m->len + max - 1) / max * 5), *p = wire;

	for (off = 0; p != NULL && off < m->len; off += part) {
		part = m->len - off < max ? m->len - off : max;
		*p++ = 22;
		*p++ = (uint8_t)(version >> 8);
		*p++ = (uint8_t)version;
		*p++ = (uint8_t)(part >> 8);
		*p++ = (uint8_t)part;
		memcpy(p, m->b + off, part);
		p += part;
	}
	*len = (size_t)(p - wire);
	return wire;
}

/* What goes over the wire, NULL without memory.  To be freed by the caller. */
static inline uint8_t *
hello_make(const struct hello_spec *s, size_t *len)
{
	struct hello_msg	*m = malloc(sizeof(*m));
	uint8_t			*wire = NULL;

	*len = 0;
	if (m != NULL) {
		hello_make_msg(m, s);
		wire = hello_make_records(m, s->cut,
		    s->recversion != 0 ? s->recversion : 0x0301, len);
	}
	free(m);
	return wire;
}

#endif
