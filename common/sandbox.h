#ifndef L4_SANDBOX_H
#define L4_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <seccomp.h>

/*
 * What a role may still do.  Policy is a static table in the role's sandbox.c;
 * this module applies it and nothing else decides.
 */

/* A system call, and what one or two of its arguments must be. */
enum sb_action {
	SB_ALLOW,
	SB_ERRNO,		/* refuse with EPERM: libc or a library may
				   try it and goes on without */
};

/* A value that is known only when the process has its descriptors. */
enum sb_var {
	SB_CONST,		/* .value */
	SB_LISTEN_LAST,		/* the last listener; FD_CHANNEL if none */
	SB_SIGNALS,		/* the signalfd */
	SB_SELF,		/* getpid() */
};

struct sb_arg {
	unsigned int	 index;		/* of the argument, 0 to 5 */
	enum scmp_compare op;
	uint64_t	 value;		/* the mask, for SCMP_CMP_MASKED_EQ */
	uint64_t	 masked;	/* what the masked argument equals */
	enum sb_var	 var;		/* SB_CONST: value; else computed */
};

struct sb_rule {
	int		 nr;		/* SCMP_SYS(name) */
	enum sb_action	 action;
	unsigned int	 nargs;
	struct sb_arg	 arg[3];
};

enum sb_landlock_kind { SB_LL_READ_DIR, SB_LL_CONNECT_PORT };
struct sb_landlock {
	enum sb_landlock_kind kind;
	int		 fd;		/* SB_LL_READ_DIR */
	uint16_t	 port;		/* SB_LL_CONNECT_PORT */
};

/*
 * What a role names here for a system call replaces what the common base says
 * of that call.
 */
struct sb_policy {
	const char		*role;
	const struct sb_rule	*rules;
	size_t			 nrules;
};

/* The values of enum sb_var. */
struct sb_vars {
	int	listen_last;
	int	signals;
};

/* Mechanisms, as reported in IPC_READY and `l4muxctl status`. */
#define SB_HAS_UID		(1u << 0)
#define SB_HAS_CHROOT		(1u << 1)
#define SB_HAS_NO_NEW_PRIVS	(1u << 2)
#define SB_HAS_LANDLOCK		(1u << 3)
#define SB_HAS_LANDLOCK_NET	(1u << 4)
#define SB_HAS_SECCOMP		(1u << 5)
#define SB_HAS_RLIMIT		(1u << 6)
#define SB_HAS_NAMESPACES	(1u << 7)
const char *sandbox_mechanism_name(unsigned int bit);

/*
 * Landlock: all file access, and where the kernel can, TCP bind and connect,
 * denied except for the rules.  Returns the SB_HAS_* in force, or -1: refused
 * by the kernel (strict is then fatal, the caller's choice).  *abi is what the
 * kernel offers, 0 for none.
 */
int	sandbox_landlock(const struct sb_landlock *, size_t n, int *abi);

/* seccomp, default kill; 0, or -1 with errno set. */
int	sandbox_seccomp(const struct sb_policy *, const struct sb_vars *);

/*
 * For the golden files: writes the policy of a role, base included, one rule a
 * line in the order it is compiled.
 */
int	sandbox_print(const struct sb_policy *, int fd);

/*
 * Index of a role's rule that voids an argument rule of the same call by
 * allowing it without arguments (libseccomp drops the narrower one silently),
 * or -1.
 */
int	sandbox_voided(const struct sb_policy *);

#endif
