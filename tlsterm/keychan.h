#ifndef L4_KEYCHAN_H
#define L4_KEYCHAN_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "common/ev.h"

/*
 * The channel to the keys processes.  A handshake that needs a signature
 * pauses as an ASYNC_JOB; the requests of one turn of the loop go out in
 * common packets; an answer resumes the handshake it is for.  Nothing blocks.
 *
 * Set-up, before the sandbox closes:
 *
 *	chan = keychan_new(ev, fd);		fd: of IPC_KEYS
 *	prov = keyprov_new();			keyprov.h
 *	key = keyprov_key(prov, chan, X509_get0_pubkey(leaf), key_id);
 *	SSL_CTX_use_certificate(ctx, leaf);
 *	SSL_CTX_use_PrivateKey(ctx, key);	and EVP_PKEY_free(key)
 *	ev_each_turn(ev, keychan_flush, chan);	or call it in your own
 *
 * A connection embeds a struct keywait, sets chan and resume, and then:
 *
 *	r = keychan_handshake(&c->keywait, c->ssl);	for SSL_do_handshake()
 *	switch (SSL_get_error(c->ssl, r)) {
 *	case SSL_ERROR_WANT_ASYNC:
 *		watch nothing but the deadline and return: resume() comes,
 *		whatever happens, within KEYCHAN_TIMEOUT_MS, and calls
 *		keychan_handshake() again
 *
 *	keychan_end(&c->keywait, c->ssl);		before SSL_free()
 *
 * The SSL_CTX is one of the default library context without property query,
 * with ECDHE cipher suites only (keys does not decrypt) and
 * SSL_OP_NO_RENEGOTIATION.  SSL_MODE_ASYNC is on in handshakes only, set and
 * cleared here.  Callbacks of OpenSSL inside a handshake (server name, ALPN,
 * tickets) run on the job's stack of 32 KiB without a guard page: no large
 * arrays there.  System calls: sendmsg and recvmsg on fd, rt_sigprocmask.
 */
#define KEYCHAN_TIMEOUT_MS	1000	/* then the handshake fails */
#define KEYCHAN_RETRY_MS	250	/* then the request is sent again, once:
					   a keys process may have died with
					   it */

struct keychan;				/* opaque */
struct keysig;				/* one signature being waited for */

/* A connection's side; all zero but for the first two. */
struct keywait {
	struct keychan	*chan;
	/* From the loop, never from inside the calls below.  May free the
	 * connection. */
	void		(*resume)(struct keywait *);
	struct keysig	*sig;		/* the channel's; NULL = not waiting */
};

/* Owns fd and watches it.  Fatal without memory. */
struct keychan *keychan_new(struct ev *, int fd);
/* All connections ended before; the keys made for it freed, or unused. */
void	keychan_free(struct keychan *);

/* Sends what was asked for in this turn; takes the struct keychan. */
void	keychan_flush(void *);

/* SSL_do_handshake() with signatures from keys: same result and errors. */
int	keychan_handshake(struct keywait *, SSL *);

/*
 * Before SSL_free() of a connection in any state, and before its descriptor is
 * closed: a handshake that waits is brought to its end as failed (it may send
 * an alert), as a paused job cannot be freed.  Clears the error queue.
 */
void	keychan_end(struct keywait *, SSL *);

/* Handshakes that wait now. */
size_t	keychan_waiting(const struct keychan *);

/*
 * For keyprov.c: a signature by key `key`, from inside keychan_handshake().
 * Returns its length, at most sigsize, or 0: refused, timed out, no channel,
 * or not in a handshake.
 */
size_t	keychan_sign(struct keychan *, uint32_t key, uint16_t scheme,
	    const uint8_t *tbs, size_t len, uint8_t *sig, size_t sigsize);

#endif
