#ifndef L4_RESPONSE_H
#define L4_RESPONSE_H

#include "body.h"
#include "request.h"

/*
 * What a handler answers, whatever version of HTTP it goes out in.  A process
 * has one at a time: it is written out before the next request is looked at.
 */
#define RESPONSE_FIELDS_MAX	64
#define RESPONSE_TEXT_MAX	(32 * 1024)

struct response {
	int		 status;
	int64_t		 upstream;	/* -1, or its index: no answer yet, to
					   be had through forward.h */
	bool		 close;		/* not to be followed by another */
	bool		 complete;	/* has the site's own fields */
	bool		 framed;	/* length is to be announced */

	/* The sender takes the body over with body_move().  `length` is what
	 * GET gets, also for HEAD and where nothing is to be sent. */
	struct body	 body;
	uint64_t	 length;

	/* The same fields as lines of HTTP/1, with the length and whatever
	 * else does not depend on the connection or the time, and no date; p
	 * is NULL where they were not made ready. */
	struct str	 ready;
	/* Whose bytes ready and all names and values are: then the fields have
	 * what the lines have, and their names are in lower case.  NULL where
	 * they are of different places. */
	struct blob	*strings;

	struct field	 field[RESPONSE_FIELDS_MAX];
	size_t		 nfields;
	size_t		 used;		/* of buf */
	bool		 full;		/* something did not fit */
	char		 buf[RESPONSE_TEXT_MAX];
};

/* Begins; closes what an earlier one still held. */
void	response_begin(struct response *, int status);
/* Once per process, before the first. */
void	response_init(struct response *);

/* The strings are not copied. */
void	response_field(struct response *, struct str name, struct str value);
/* The value is formatted into the response. */
void	response_printf(struct response *, struct str name,
	    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Takes the place of a field of this name that is there. */
void	response_replace(struct response *, struct str name,
	    struct str value);
bool	response_has(const struct response *, struct str name);
/* The body is len bytes of text, which lives as long as the response. */
void	response_text(struct response *, const char *text, size_t len);
/* Space for n bytes that live as long as the response; NULL when full. */
char	*response_room(struct response *, size_t n);

/* "Not Found" */
const char *response_phrase(int status);
/* Begins again as an error with a small page that says so.  A status below
 * 400 gets a page as well: "Moved". */
void	response_error(struct response *, int status);

#endif
