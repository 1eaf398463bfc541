#ifndef L4_SELFTEST_H
#define L4_SELFTEST_H

#include "child.h"

/*
 * `l4muxd --selftest-sandbox ROLE`: called in place of child_confine() by a
 * process that was started for this alone and is told everything that an
 * ordinary one of its role is.  For each attempt a process of its own enters
 * the sandbox, and then tries.  Prints a line for each on standard output and
 * exits: 0 when all were refused, 1 when one was not, 2 when the sandbox or
 * the scene could not be set up.
 */
void	selftest(struct child *, const struct child_jail *)
	    __attribute__((noreturn));

#endif
