#ifndef L4_JSON_H
#define L4_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes one JSON document (RFC 8259) into memory of its own that grows up to
 * a limit.  The document is ASCII throughout: every other character is written
 * as \uXXXX, so that no byte of it means anything to a terminal, and a byte
 * that is not UTF-8 becomes U+FFFD.  Errors are sticky: write everything, then
 * look once.  There is no parser here; of the daemon, only the
 * metrics process has one, and reads what master wrote.
 *
 * `key` is the member's name inside an object and NULL inside an array or at
 * the top; a key where none belongs, or none where one does, is an error.
 */
#define JSON_DEPTH_MAX	15

struct json {
	char		*buf;
	size_t		 len, cap, max;
	unsigned int	 depth;
	char		 close[JSON_DEPTH_MAX + 1];	/* '}' or ']' */
	bool		 first;		/* no comma before the next value */
	bool		 bad;
};

/* A document of at most max bytes; allocates nothing yet. */
void	json_init(struct json *, size_t max);
void	json_free(struct json *);

void	json_object(struct json *, const char *key);
void	json_array(struct json *, const char *key);
/* Closes the innermost of these. */
void	json_end(struct json *);

/* NULL is written as null. */
void	json_str(struct json *, const char *key, const char *);
void	json_strn(struct json *, const char *key, const void *, size_t);
void	json_uint(struct json *, const char *key, uint64_t);
void	json_int(struct json *, const char *key, int64_t);
/* Three decimals; what is no number becomes null. */
void	json_real(struct json *, const char *key, double);
void	json_bool(struct json *, const char *key, bool);

/*
 * The finished document with a newline at its end, *len bytes, valid until
 * json_free(); NULL when anything went wrong: memory, the limit, the depth, or
 * an object or array left open.
 */
const char *json_done(struct json *, size_t *len);

#endif
