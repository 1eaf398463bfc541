#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv.h"

bool
priv_lookup(const char *user, uid_t *uid, gid_t *gid)
{
	struct passwd	*pw;
	unsigned long	 n;
	char		*end;

	if ((pw = getpwnam(user)) == NULL) {
		errno = 0;
		n = strtoul(user, &end, 10);
		if (*user < '0' || *user > '9' || *end != '\0' ||
		    errno != 0 || n >= UINT32_MAX)
			return false;
		*uid = (uid_t)n;
		*gid = (gid_t)n;
		pw = getpwuid(*uid);
	}
	if (pw != NULL) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
	}
	return *uid != 0 && *gid != 0;
}

static bool
dir_is_empty(int fd)
{
	struct dirent	*de;
	DIR		*d;
	int		 copy, n = 0;

	if ((copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return false;
	if ((d = fdopendir(copy)) == NULL) {
		close(copy);
		return false;
	}
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			n++;
	closedir(d);
	return n == 0;
}

int
priv_empty_dir(void)
{
	struct stat	st;
	char		parent[] = PRIV_EMPTY_DIR;
	int		fd;

	*strrchr(parent, '/') = '\0';
	if (mkdir(parent, 0755) == -1 && errno != EEXIST)
		return -1;
	if (mkdir(PRIV_EMPTY_DIR, 0555) == -1 && errno != EEXIST)
		return -1;
	fd = open(PRIV_EMPTY_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || !dir_is_empty(fd)) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

bool
priv_namespaces(int flags)
{
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0)
		return false;
	if (unshare(flags) == -1)
		fatal("unshare: namespaces of its own");
	return true;
}

void
priv_chroot(int dirfd, int cwd)
{
	if (fchdir(dirfd) == -1 || chroot(".") == -1 || chdir("/") == -1)
		fatal("chroot %s", PRIV_EMPTY_DIR);
	if (cwd != -1 && fchdir(cwd) == -1)
		fatal("fchdir");
}

/* While there are capabilities: none may come back through a program. */
static void
drop_bounding_set(void)
{
	int	cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			fatal("prctl: drop capability %d", cap);
}

void
priv_drop(uid_t uid, gid_t gid)
{
	uid_t	ruid, euid, suid;
	gid_t	rgid, egid, sgid;

	drop_bounding_set();
	if (setgroups(0, NULL) == -1)
		fatal("setgroups");
	if (setresgid(gid, gid, gid) == -1)
		fatal("setresgid %u", (unsigned int)gid);
	if (setresuid(uid, uid, uid) == -1)
		fatal("setresuid %u", (unsigned int)uid);
	if (getresuid(&ruid, &euid, &suid) == -1 ||
	    getresgid(&rgid, &egid, &sgid) == -1)
		fatal("getresuid");
	if (ruid != uid || euid != uid || suid != uid ||
	    rgid != gid || egid != gid || sgid != gid ||
	    getgroups(0, NULL) != 0)
		fatalx("the drop to uid %u is not complete", (unsigned int)uid);
	if (setresuid((uid_t)-1, 0, (uid_t)-1) != -1 ||
	    setresgid((gid_t)-1, 0, (gid_t)-1) != -1)
		fatalx("root could be regained");
}

static void
drop_capabilities(void)
{
	struct __user_cap_header_struct	head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct	none[2];

	memset(none, 0, sizeof(none));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 ||
	    syscall(SYS_capset, &head, none) == -1)
		fatal("capset");
}

void
priv_lock(pid_t parent)
{
	/* After setresuid(), which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == -1)
		fatal("prctl: parent death signal");
	if (getppid() != parent)
		fatalx("the master is gone");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("prctl: no new privileges");
	drop_capabilities();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("prctl: dumpable");
}
