#ifndef L4_CTL_RENEW_H
#define L4_CTL_RENEW_H

#include <stddef.h>

/*
 * Appends the arguments of `renew` to the request line.  argv[0] is the
 * command.  Returns the exit code: 0, or 2 after saying what is wrong.
 */
int	renew_args(int argc, char **argv, char *line, size_t size);

#endif
