#ifndef L4_CONF_TEXT_H
#define L4_CONF_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf_arena.h"
#include "conf_names.h"

/*
 * The text of a configuration with its includes expanded, and which file and
 * line each line of it came from.  libconfig sees this text only: it never
 * opens a file by itself.
 *
 * libconfig 1.5 cuts integers to 32 bits and the text at a NUL, and takes a
 * comment that never ends; all of that is dealt with here.
 */
#define CONF_FILE_MAX	((size_t)16 * 1024 * 1024)	/* one file */
#define CONF_TEXT_MAX	((size_t)64 * 1024 * 1024)	/* with includes */
#define CONF_DEPTH_MAX	8				/* of includes */
#define CONF_NEST_MAX	32				/* of { [ ( */
#define CONF_NAME_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
			"0123456789-_*"

/* From line `out` of the text on, lines are those of `file` from `line` on. */
struct conf_seg {
	unsigned int	 out, line;
	const char	*file;
};

/* A name in a group of the root: its offset, and that of the group's name. */
struct conf_member {
	size_t		 at, group;
};

struct conf_text {
	struct conf_arena *arena;	/* of the file names; not owned */
	char		*buf;		/* NUL-terminated */
	size_t		 len, cap;
	unsigned int	 line;		/* the one that is being written */
	unsigned int	 nest;		/* brackets open there */
	struct conf_seg	*seg;
	size_t		 nseg, segcap;
	size_t		 group;		/* the last name outside of groups */
	struct conf_member *name;
	size_t		 nname, namecap;
	struct conf_names cut;		/* by conf_text_cut() */
	unsigned int	 cpus;		/* "0 = one per CPU" means this */
};

struct conf_text *conf_text_new(struct conf_arena *);
void	conf_text_free(struct conf_text *);

/* Each prints what is wrong as "FILE:LINE: message" and returns false. */
bool	conf_text_read(struct conf_text *, const char *path, FILE *errs);
bool	conf_text_read_fd(struct conf_text *, int fd, const char *path,
	    FILE *errs);

/* A sealed memfd that conf_text_read_fd() reads to the same; -1 and errno. */
int	conf_text_snapshot(const struct conf_text *);

/* The file and line that line `out` came from. */
struct conf_seg conf_text_place(const struct conf_text *, unsigned int out);

/*
 * libconfig compares a new name in a group with each that is there: two seconds
 * for 10,000 sites, in every process.  So a group of the root is cut into
 * several of CONF_CUT members: "sites = { ...", "}; sites*256 = { ..." and so
 * on, on the lines that there are.  The text with the cuts, to be freed; NULL
 * where none is needed.
 */
#define CONF_CUT		256
#define CONF_CUT_NAME_MAX	512	/* longer names are not cut */
char	*conf_text_cut(struct conf_text *);
/* The name of a part after the first; its length without what was added to it,
 * or 0 for names that are none. */
size_t	conf_cut_base(const struct conf_text *, const char *name);

/* For the scanner. */
void	conf_text_append(struct conf_text *, const char *, size_t);
void	conf_text_name(struct conf_text *);	/* one begins here */
void	conf_text_mark(struct conf_text *, const char *file,
	    unsigned int line);

/* Scans len bytes of a file into the text; depth 0 is the main file,
 * CONF_DEPTH_MAX one that may include nothing. */
bool	conf_scan(struct conf_text *, const char *file, const char *p,
	    size_t len, unsigned int depth, FILE *errs);

/*
 * The whole of a file, to be freed, with its length; NULL with *why set when
 * it cannot be had or must not be trusted.
 */
char	*conf_file_read(const char *path, size_t *len, const char **why);

#endif
