#ifndef L4_CHILD_SESSIONS_H
#define L4_CHILD_SESSIONS_H

#include "ipc.h"

/* Handlers of IPC_SESSIONS and IPC_KILL; arg is the struct child. */
int	child_on_sessions(void *arg, struct ipc_msg *);
int	child_on_kill(void *arg, struct ipc_msg *);

#endif
