#ifndef L4_FORWARD_H
#define L4_FORWARD_H

#include "request.h"
#include "response.h"
#include "site.h"
#include "upstream.h"

/*
 * One request that an upstream answers, or one connection that is relayed to
 * it as it is, whatever version of HTTP the client speaks:
 *
 *	forward_request(), then in any order, as far as each can:
 *	  forward_room() > 0:	forward_send() the body of the request as it
 *				comes, forward_send_end() after the last byte
 *	  forward_head()	until it is FORWARD_OK, then
 *	  forward_read()	until it is FORWARD_END
 *	forward_free()		at any time
 *
 * Nothing blocks; wake is called from the loop when what had to wait may go
 * on, never from inside these functions, and may free the forward.
 *
 * After an answer of 101, to a request that asked for WebSocket, and after
 * forward_relay(), forward_tunnel() is true: bytes go both ways as they are,
 * forward_send_end() passes on the end of one direction.
 */
struct forward;

/* What wants a forward, and is told of it. */
struct forward_for {
	const struct origin	*origin;
	void			(*wake)(void *arg);
	void			*arg;
};

enum forward_result {
	FORWARD_OK,
	FORWARD_WAIT,		/* for wake */
	FORWARD_INTERIM,	/* an answer 1xx; another follows */
	FORWARD_END,
	FORWARD_FAILED,		/* before a head: forward_status(); after it,
				   the answer cannot be completed */
};

/*
 * Sends the head of the request.  websocket: of an HTTP/2 request that
 * `:protocol` says so of (RFC 8441); for HTTP/1 its fields tell.  NULL without
 * memory or descriptors, or with a head that is too large (*status).
 */
struct forward *forward_request(struct upstream *, const struct request *,
	    bool websocket, const struct forward_for *, int *status);
/* A connection whose TLS ended here. */
struct forward *forward_relay(struct upstream *, const char *alpn,
	    const struct forward_for *);
/* Gives the connection back, or closes it when the exchange is not over. */
void	forward_free(struct forward *);

bool	forward_tunnel(const struct forward *);
/* Nothing that is sent would arrive. */
bool	forward_gone(const struct forward *);
/* Bytes of the body that would be taken now. */
size_t	forward_room(const struct forward *);
void	forward_send(struct forward *, const char *p, size_t n);
void	forward_send_end(struct forward *);

/*
 * FORWARD_OK, or FORWARD_INTERIM: begins res with the status and the fields to
 * pass on, which live until the next call for this forward.  If the length is
 * known res->framed is set and res->length is it.
 */
enum forward_result forward_head(struct forward *, struct response *res);
/* Is there a body to read?  After FORWARD_OK. */
bool	forward_has_body(const struct forward *);
/* 502 or 504. */
int	forward_status(const struct forward *);

/* FORWARD_OK: *n bytes of the body, at least one; size: at least 4096. */
enum forward_result forward_read(struct forward *, char *dst, size_t size,
	    size_t *n);

#endif
