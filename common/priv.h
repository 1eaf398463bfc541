#ifndef L4_PRIV_H
#define L4_PRIV_H

#include <sys/types.h>

#include <stdbool.h>

/*
 * A role's user as the configuration names it: a name, or a numeric uid whose
 * group is that user's or, where there is no such user, the same number.
 * False where there is none, or it is root.
 */
bool	priv_lookup(const char *user, uid_t *, gid_t *);

/*
 * Descriptor of the empty directory that children take as root, made if it is
 * not there; -1 with errno set when it is not root's alone or not empty.
 */
#define PRIV_EMPTY_DIR	"/run/l4mux/empty"
int	priv_empty_dir(void);

/*
 * Each fatal when it fails or cannot be proved.  priv_namespaces() leaves the
 * host's namespaces, flags as for unshare(2), and is false where who started
 * the daemon has ruled that out by taking CAP_SYS_ADMIN from its bounding set
 * (docs/decisions/009-systemd.md); priv_chroot() makes the directory the root
 * and `cwd` the working directory (-1: the root); priv_drop() gives up root
 * for good; priv_lock(): no capabilities, no new privileges, not dumpable, no
 * core, SIGTERM when the parent, whose pid is given, dies.
 */
bool	priv_namespaces(int flags);
void	priv_chroot(int dirfd, int cwd);
void	priv_drop(uid_t, gid_t);
void	priv_lock(pid_t parent);

#endif
