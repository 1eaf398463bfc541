#ifndef L4_STR_H
#define L4_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Bytes that belong to somebody else; not terminated. */
struct str {
	const char	*p;
	size_t		 n;
};

#define STR(literal)	((struct str){ literal, sizeof(literal) - 1 })

/* Of a literal, which goes last, the compiler knows the length: no call. */
static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (b.n == 0 || memcmp(a.p, b.p, b.n) == 0);
}

/* ASCII letters compare equal in either case. */
static inline bool
str_caseeq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* Without spaces and tabs at both ends. */
static inline struct str
str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/*
 * Takes the next element of a comma-separated list (RFC 9110 5.6.1) off *list,
 * trimmed; commas inside a quoted string do not count.  False at the end.
 */
static inline bool
str_next(struct str *list, struct str *item)
{
	size_t	i;
	bool	quoted = false;

	if (list->n == 0)
		return false;
	for (i = 0; i < list->n && (quoted || list->p[i] != ','); i++)
		if (list->p[i] == '"')
			quoted = !quoted;
	*item = str_trim((struct str){ list->p, i });
	if (i < list->n)
		i++;
	list->p += i;
	list->n -= i;
	return true;
}

/* Is the token one of the comma-separated list, in either case? */
static inline bool
str_listed(struct str list, struct str token)
{
	struct str	item;

	while (str_next(&list, &item))
		if (str_caseeq(item, token))
			return true;
	return false;
}

#endif
