#ifndef L4_CTL_EXPLAIN_H
#define L4_CTL_EXPLAIN_H

#include <stddef.h>

/*
 * Appends the arguments of `explain` to the request line.  argv[0] is the
 * command.  Returns the exit code: 0, or 2 after saying what is wrong, 1 if
 * the file of -x cannot be read.
 */
int	explain_args(int argc, char **argv, char *line, size_t size);

#endif
