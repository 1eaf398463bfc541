#ifndef L4_CONTROL_H
#define L4_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "route.h"

/*
 * The control socket: a UNIX stream socket on which a client sends one line of
 * words and the daemon answers with one JSON document and closes.  The
 * commands and documents are in docs/control.md.
 *
 *	line	 = command *( SP argument ) LF
 *
 * A word holds printable ASCII; every other byte, the space and '%' are
 * written as %HH.
 */
#define CONTROL_SOCKET		"/run/l4mux/l4muxd.sock"
#define CONTROL_LINE_MAX	4096	/* with its LF */
#define CONTROL_WORDS_MAX	96
#define CONTROL_RULES_MAX	1000	/* rules listed by one `explain` */
#define CONTROL_TEXT_MAX	512	/* a rule as text */
#define CONTROL_RENEW_MAX	3600	/* s that `renew` may wait */

/*
 * Splits a line (terminated, without its LF) in place and decodes the words.
 * Returns their number, at least 1, or -1: no word, too many, a byte that must
 * be encoded, a bad or zero %HH.
 */
int	control_split(char *line, char *word[CONTROL_WORDS_MAX]);

/* Appends " word" to the line in buf, encoded; "word" if buf is empty.  False
 * when it does not fit. */
bool	control_append(char *buf, size_t bufsize, const char *word);

/*
 * The arguments of `explain` as facts: sni= alpn= host= from= to= listen=
 * proto= wait= need= hello= http= malformed=.  On false, err says which word
 * is wrong and why.
 */
bool	control_facts_read(const struct conf *, char *const *word, int n,
	    struct facts *, char *err, size_t errsize);
/* The inverse for what facts_learn() found: appends the words.  Says nothing
 * of listener and addresses. */
bool	control_facts_write(const struct facts *, char *buf, size_t bufsize);

/* The keys of a rule for people, as `sni a.example *.b.example, not (alpn
 * h2)`; "any" for a rule without keys.  What does not fit ends in "...".
 * Returns dst. */
const char *control_route_text(const struct conf *, uint32_t rule,
	    char dst[CONTROL_TEXT_MAX]);

#endif
