#ifndef L4_SITE_H
#define L4_SITE_H

#include <openssl/ssl.h>

#include "common/conf.h"
#include "common/conn.h"
#include "common/route.h"
#include "common/stats.h"
#include "cache.h"
#include "mime.h"
#include "request.h"
#include "response.h"

/*
 * A configured site as it is served.  Made at start, never changed.
 */
struct site {
	const struct conf_site	*conf;
	uint32_t		 index;
	int			 root;		/* directory, -1 = none */
	SSL_CTX			*ctx;		/* NULL: no certificate came */
	struct field		*header;	/* of `headers` */
	size_t			 nheader;
	volatile uint64_t	*requests;	/* counter cell */
	const struct challenges	*challenges;	/* not NULL: what answers a CA
						   and is no site: challenge.h */
};

/* What all of them share. */
struct sites {
	const struct conf	*conf;
	struct site		*v;
	size_t			 n;
	struct route_table	*names;
	struct mime		*mime;
	struct cache		*cache;		/* of files */
	uint16_t		 https_port;	/* for redirects; 0 = that of
						   the connection */
};

/* Where a request came in. */
struct origin {
	const struct site	*site;
	bool			 tls;
	uint16_t		 listener;
	enum conn_reason	 reason;
	const uint8_t		*info;		/* conn_write()'s record */
	size_t			 infolen;
	const char		*sni;		/* "" = none; plain: the host
						   that it was routed by */
	time_t			 now;		/* wall clock */
};

/* Before the sandbox.  Fatal without memory. */
void	sites_init(struct sites *, const struct conf *,
	    const struct stats *);

/*
 * Answers a request: the one door for every version of HTTP.  Where res says
 * `upstream`, that is to be asked, and what it says goes through
 * site_forwarded().  The fields are to be written before the next request is
 * answered, and before the loop turns; a body may be read as slowly as it goes.
 */
void	site_respond(const struct sites *, const struct origin *,
	    const struct request *, struct response *);
/* Adds the site's own fields to an answer of an upstream. */
void	site_forwarded(const struct site *, struct response *);
/* Answers with an error: the page of the site for it, or a plain one. */
void	site_error(const struct sites *, const struct site *, int status,
	    struct response *);

/* The same, for an answer that somebody makes here. */
void	site_add_headers(const struct site *, struct response *);

/* files.c: the answer from the docroot. */
void	files_respond(const struct sites *, const struct origin *,
	    const struct request *, struct response *);
/* The body of an error page into res, whose status stays; false where the file
 * cannot be had. */
bool	files_error_page(const struct sites *, const struct site *,
	    const char *file, struct response *);

#endif
