#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/landlock.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "l4.h"
#include "sandbox.h"

/*
 * Debian 12's <linux/landlock.h> ends at ABI 2; these are of the kernel's
 * user interface (Documentation/userspace-api/landlock.rst).
 */
#define FS_READ_FILE		(UINT64_C(1) << 2)
#define FS_READ_DIR		(UINT64_C(1) << 3)
#define NET_BIND_TCP		(UINT64_C(1) << 0)
#define NET_CONNECT_TCP		(UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX	(UINT64_C(1) << 0)
#define SCOPE_SIGNAL		(UINT64_C(1) << 1)
#define RULE_NET_PORT		2

struct ll_attr {
	uint64_t	fs, net, scoped;
};

struct ll_net_port {
	uint64_t	access, port;
};

/* All rights that an ABI knows of: everything not allowed is refused. */
static uint64_t
fs_rights(int abi)
{
	int	bits = 13;		/* ABI 1 */

	if (abi >= 2)
		bits = 14;		/* REFER */
	if (abi >= 3)
		bits = 15;		/* TRUNCATE */
	if (abi >= 5)
		bits = 16;		/* IOCTL_DEV */
	return (UINT64_C(1) << bits) - 1;
}

static size_t
attr_fill(struct ll_attr *a, int abi)
{
	memset(a, 0, sizeof(*a));
	a->fs = fs_rights(abi);
	if (abi >= 4)
		a->net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6)
		a->scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	if (abi >= 6)
		return sizeof(*a);
	return abi >= 4 ? offsetof(struct ll_attr, scoped) :
	    offsetof(struct ll_attr, net);
}

static int
rule_add(int ruleset, const struct sb_landlock *r, int abi)
{
	struct landlock_path_beneath_attr	path;
	struct ll_net_port			port;

	if (r->kind == SB_LL_READ_DIR) {
		memset(&path, 0, sizeof(path));
		path.allowed_access = FS_READ_FILE | FS_READ_DIR;
		path.parent_fd = r->fd;
		return (int)syscall(SYS_landlock_add_rule, ruleset,
		    LANDLOCK_RULE_PATH_BENEATH, &path, 0);
	}
	if (abi < 4)
		return 0;
	port.access = NET_CONNECT_TCP;
	port.port = r->port;
	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT,
	    &port, 0);
}

int
sandbox_landlock(const struct sb_landlock *rules, size_t n, int *abi)
{
	struct ll_attr	attr;
	size_t		size, i;
	int		ruleset, rc = 0;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi < 1) {
		*abi = 0;
		return -1;
	}
	size = attr_fill(&attr, *abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset == -1)
		return -1;
	for (i = 0; rc == 0 && i < n; i++)
		rc = rule_add(ruleset, &rules[i], *abi);
	if (rc == 0)
		rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
	if (rc == -1)
		return -1;
	return SB_HAS_LANDLOCK | (*abi >= 4 ? SB_HAS_LANDLOCK_NET : 0);
}
