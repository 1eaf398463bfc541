#ifndef L4_CONF_READ_H
#define L4_CONF_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "conf_names.h"
#include "conf_text.h"

struct config_setting_t;		/* libconfig's */

#define CONF_KEYS_MAX	24		/* of one group */

/* What a load carries along. */
struct conf_reader {
	struct conf		*conf;
	struct conf_arena	*arena;
	const struct conf_text	*text;
	struct conf_names	 targets;	/* name: conf_target_add() */
	struct conf_names	 hosts;		/* name of a site: its index */
	struct conf_names	 binds;		/* address bound: listener */
	struct conf_names	 listeners;	/* as written: index */
	struct conf_names	 rules;		/* what a rule tests: line */
	struct conf_error	*error;
	size_t			 nerror, errorcap;
};

/*
 * One key of a group.  load() is called for each key of the table, in its
 * order; s is NULL where the file does not have the key and the default is
 * meant.  base is the struct that offset counts from.
 */
struct conf_key {
	const char	*name;		/* NULL ends the table */
	void		(*load)(struct conf_reader *, const struct conf_key *,
			    const struct config_setting_t *s, void *base);
	size_t		 offset;
	size_t		 count;		/* offset of the size_t of a list */
	double		 min, max, def;
	const char	*text;		/* default: a string; for a list the
					   words with a blank between */
	const char *const *words;	/* of an enum, NULL-terminated */
	/* Returns what to keep of a string, or NULL, the error reported. */
	const char	*(*check)(struct conf_reader *,
			    const struct config_setting_t *, const char *);
	const struct conf_key *sub;	/* keys of a group */
	bool		 named;		/* sub are keys of sub.NAME */
	bool		 required;
};

/* "FILE:LINE: path.of.key: message", kept until conf_errors_print(). */
void	conf_error(struct conf_reader *, const struct config_setting_t *,
	    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same about a key that is not in the group. */
void	conf_error_missing(struct conf_reader *,
	    const struct config_setting_t *group, const char *key,
	    const char *why);
/* In the order of their lines. */
void	conf_errors_print(struct conf_reader *, FILE *);
void	conf_errors_free(struct conf_reader *);
/* For messages: in quotes, escaped, shortened. */
#define CONF_QUOTE_MAX	160
const char *conf_quote(char dst[CONF_QUOTE_MAX], const char *);
/* Where the setting is written, and the line alone. */
struct conf_seg conf_place(const struct conf_reader *,
	    const struct config_setting_t *);
unsigned int conf_line(const struct conf_reader *,
	    const struct config_setting_t *);

/* Every key of the group against the table. */
void	conf_walk(struct conf_reader *, const struct conf_key *keys,
	    const struct config_setting_t *group, void *base);

/* The value, if it is of that type; else reports and returns false or NULL. */
bool	conf_integer(struct conf_reader *, const struct config_setting_t *,
	    double min, double max, uint32_t *);
const char *conf_string(struct conf_reader *, const struct config_setting_t *);
bool	conf_is_group(struct conf_reader *, const struct config_setting_t *);
/* Index among the words; -1, reported. */
int	conf_word(struct conf_reader *, const struct config_setting_t *,
	    const char *const *words);

/*
 * The members of a group of the root, however it was cut: an array to be freed.
 */
const struct config_setting_t **conf_members(struct conf_reader *,
	    const struct config_setting_t *group, size_t *n);

/* "A word or an array of words": a scalar or a group counts as one item. */
size_t	conf_items(const struct config_setting_t *);
const struct config_setting_t *conf_item(const struct config_setting_t *,
	    size_t);

/* Loaders for struct conf_key. */
void	conf_load_bool(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
void	conf_load_u32(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
void	conf_load_seconds(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
void	conf_load_enum(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
void	conf_load_string(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
void	conf_load_strings(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
/* The bool at offset: is the group there? */
void	conf_load_group(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);
void	conf_load_optional(struct conf_reader *, const struct conf_key *,
	    const struct config_setting_t *, void *);

#endif
