#ifndef L4_SANDBOX_BASE_H
#define L4_SANDBOX_BASE_H

#include "sandbox.h"

/* What every child may do; a role's own rules for a call replace these. */
extern const struct sb_rule sandbox_base[];
extern const size_t sandbox_nbase;

#endif
