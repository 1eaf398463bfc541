#ifndef L4_MASTER_PUBLISH_H
#define L4_MASTER_PUBLISH_H

#include "proc.h"

/*
 * What a metrics process is given when it asks: documents in sealed files.  It
 * gets each kind a few times a second at most, however often it asks.
 */

/* From policy.c: IPC_ASK. */
int	publish_on_ask(void *proc, struct ipc_msg *);
/* The process is gone: it gets nothing more. No-op for other roles. */
void	publish_free(struct proc *);

#endif
