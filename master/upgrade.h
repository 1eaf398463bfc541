#ifndef L4_UPGRADE_H
#define L4_UPGRADE_H

#include "master.h"

/*
 * A new binary takes over without a listener, child or session being touched:
 * the process stays, execve(2) replaces the program, and a file in memory says
 * what every inherited descriptor is.  The new program then reloads: its
 * children are a new generation, and the old one drains as after any reload.
 *
 * Whether the file is one of ours is asked first, by running it; until that
 * answer nothing has happened, and afterwards only execve() can still fail,
 * which also changes nothing.
 */
#define UPGRADE_FORMAT	"l4mux-state 4\n"

/* Begins; the outcome is that of the reload number life_next_reload(). */
void	upgrade_begin(struct master *);
/* The new program, started with the descriptor of the file: takes over what
 * it says.  Fatal when it cannot be read; the children then drain. */
void	upgrade_resume(struct master *, int fd);
/* --upgrade-format: what the old program wants to hear.  False without it when
 * the configuration on standard input, the one in force, does not load. */
bool	upgrade_print_format(void);

/* state.c: the file.  A memfd, or -1 with errno set. */
int	state_save(struct master *);
bool	state_load(struct master *, int fd);
/* All descriptors that the file names: close-on-exec or not. */
void	state_keep(struct master *, bool keep);

#endif
