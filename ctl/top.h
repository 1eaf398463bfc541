#ifndef L4_CTL_TOP_H
#define L4_CTL_TOP_H

/* Shows the daemon at that socket on the terminal until `q`, once a second.
 * Returns the exit code. */
int	top_run(const char *path);

#endif
