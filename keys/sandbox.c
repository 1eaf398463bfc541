#include <sys/socket.h>

#include "common/l4.h"
#include "common/proto.h"
#include "keys.h"

#define ALLOW_FROM(name, first)						\
	{ SCMP_SYS(name), SB_ALLOW, 1, { { 0, SCMP_CMP_GE, first, 0,	\
	    SB_CONST } } }

/* Every descriptor above the log's is a channel, or the loop's. */
static const struct sb_rule keys_rules[] = {
	ALLOW_FROM(recvmsg, FD_CHANNEL),
	{ SCMP_SYS(sendmsg), SB_ALLOW, 2, {
	    { 0, SCMP_CMP_GE, FD_CHANNEL, 0, SB_CONST },
	    { 2, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0, SB_CONST } } },
};

const struct sb_policy keys_policy = {
	.role = "keys",
	.rules = keys_rules,
	.nrules = nitems(keys_rules),
};

/* Files that master opened, whose position may be shared. */
static const struct sb_rule oneshot_rules[] = {
	ALLOW_FROM(pread64, FD_CHANNEL + 1),
	ALLOW_FROM(pwrite64, FD_CHANNEL + 1),

	/* master may be slower than we are */
	{ SCMP_SYS(poll), SB_ALLOW, 0, { { 0 } } },
	{ SCMP_SYS(ppoll), SB_ALLOW, 0, { { 0 } } },
};

const struct sb_policy keys_oneshot_policy = {
	.role = "keys-oneshot",
	.rules = oneshot_rules,
	.nrules = nitems(oneshot_rules),
};
