#ifndef L4_STORE_H
#define L4_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf.h"

/*
 * The files below `state`:
 *
 *	certs/NAME		link to the pair in force, NAME.NUMBER/
 *	certs/NAME.NUMBER/	chain.pem, key.pem, names (one a line)
 *	certs/NAME.new/		a pair that is being had
 *	acme/NAME.state		ledger.h
 *	acme/HOST.key		the account key for that directory
 *
 * A pair changes by one rename of the link: at every moment, also after a
 * crash, it is the old one or the new one, whole.  Master opens, moves and
 * copies these files; what is in keys and chains it does not read.
 */
struct store_pair {
	int	 chain, key;		/* for reading; -1 */
	char	**name;			/* what the certificate is for */
	size_t	 nnames;
};
/* False where there is none, or a part of it is missing. */
bool	store_open(const char *state, const char *name, struct store_pair *);
void	store_close(struct store_pair *);

/* A pair that is being had; -1 in all for none. */
struct store_new {
	int	 certs, dir;		/* directories */
	int	 chain, key;		/* empty, for writing and reading */
};
/* On false errno is set and nothing is left. */
bool	store_begin(const char *state, const char *name, struct store_new *);
/* Writes it out and puts it in force, as NAME.number or, where that is taken,
 * the next free one. */
bool	store_commit(struct store_new *, const char *name,
	    const struct conf_strs *names, int64_t number);
/* Throws it away; no-op for none. */
void	store_abort(struct store_new *, const char *name);

/* The account key for a directory: opened, or made empty; -1 with errno. */
int	store_account(const char *state, const char *directory);

/* A small file of text: NULL where there is none.  The caller's to free. */
char	*store_read(const char *state, const char *sub, const char *file);
/* In one step: temporary file, fsync, rename; false with errno set. */
bool	store_write(const char *state, const char *sub, const char *file,
	    const char *text, size_t len);

/* A sealed copy in memory of what the descriptor is of, made by the kernel: no
 * byte of a key comes into master's memory.  -1 with errno set. */
int	store_copy(int fd);

#endif
