#ifndef L4_TEST_CAPTURED_H
#define L4_TEST_CAPTURED_H

#include "common/child.h"

/*
 * Processes that start as a role does and then misuse all that they hold, with
 * no sandbox to stop them.  Never installed: the tests put them in the place
 * of the real ones.
 *
 * Each behaves until it gets SIGUSR1, and then misbehaves in the way that its
 * instance number says.  Counters, which outlive the process, tell the test
 * about it; real workers do not use them so.
 */
#define CAPTURED_SHOTS	STAT_LIMITED	/* messages that must be refused */
#define CAPTURED_DONE	STAT_SHED

/* A packet as it stands, header included; waits while the peer is slow. */
void	shoot(int chan, const void *packet, size_t len, const int *fd,
	    size_t nfds);
/* The same, with a good header. */
void	shoot_typed(int chan, uint16_t type, const void *data, size_t len,
	    const int *fd, size_t nfds);

/* What no child may send to master; i from 0.  False beyond the last. */
bool	shoot_master(unsigned int i);

/* A connected TCP socket, as good as any. */
int	good_socket(void);

/* From child_open() to ev_run(); the mischief in between, again as long as it
 * says that there is more: who is deaf for too long is ended. */
int	captured_run(struct child *, int argc, char **argv,
	    bool (*mischief)(struct child *));

#endif
