#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "l4.h"
#include "sandbox.h"
#include "sandbox_base.h"

const char *
sandbox_mechanism_name(unsigned int bit)
{
	static const struct {
		unsigned int	 bit;
		const char	*name;
	} names[] = {
		{ SB_HAS_UID, "uid" },
		{ SB_HAS_CHROOT, "chroot" },
		{ SB_HAS_NO_NEW_PRIVS, "no_new_privs" },
		{ SB_HAS_LANDLOCK, "landlock" },
		{ SB_HAS_LANDLOCK_NET, "landlock_net" },
		{ SB_HAS_SECCOMP, "seccomp" },
		{ SB_HAS_RLIMIT, "rlimit" },
		{ SB_HAS_NAMESPACES, "namespaces" },
	};
	size_t	i;

	for (i = 0; i < nitems(names); i++)
		if (names[i].bit == bit)
			return names[i].name;
	return NULL;
}

/* Does the role say anything of this call? */
static bool
role_covers(const struct sb_policy *p, int nr)
{
	size_t	i;

	for (i = 0; i < p->nrules; i++)
		if (p->rules[i].nr == nr)
			return true;
	return false;
}

/*
 * The rules in force, base first; i counts over both tables.  NULL at the end;
 * *skip when the role replaces it.
 */
static const struct sb_rule *
rule_at(const struct sb_policy *p, size_t i, bool *skip)
{
	*skip = false;
	if (i < sandbox_nbase) {
		*skip = role_covers(p, sandbox_base[i].nr);
		return &sandbox_base[i];
	}
	i -= sandbox_nbase;
	return i < p->nrules ? &p->rules[i] : NULL;
}

static uint64_t
arg_value(const struct sb_arg *a, const struct sb_vars *v)
{
	switch (a->var) {
	case SB_LISTEN_LAST:
		return (uint64_t)v->listen_last;
	case SB_SIGNALS:
		return (uint64_t)v->signals;
	case SB_SELF:
		return (uint64_t)getpid();
	case SB_CONST:
		break;
	}
	return a->value;
}

static int
rule_add(scmp_filter_ctx ctx, const struct sb_rule *r,
    const struct sb_vars *v)
{
	struct scmp_arg_cmp	cmp[nitems(r->arg)];
	unsigned int		i;
	uint32_t		action;

	for (i = 0; i < r->nargs; i++) {
		cmp[i].arg = r->arg[i].index;
		cmp[i].op = r->arg[i].op;
		cmp[i].datum_a = arg_value(&r->arg[i], v);
		cmp[i].datum_b = r->arg[i].masked;
	}
	action = r->action == SB_ALLOW ? SCMP_ACT_ALLOW :
	    SCMP_ACT_ERRNO(EPERM);
	return seccomp_rule_add_array(ctx, action, r->nr, r->nargs, cmp);
}

/* Is the argument compared as being larger than something? */
static bool
arg_opens_upwards(const struct sb_arg *a)
{
	return a->op == SCMP_CMP_GT || a->op == SCMP_CMP_GE ||
	    a->op == SCMP_CMP_NE;
}

/*
 * Descriptors are 32 bits to the kernel and 64 to a filter: with a high bit
 * set, a listener's number would be "larger than the last listener".  A filter
 * of its own, as libseccomp tests an argument once in a rule.
 */
static int
guard_add(scmp_filter_ctx ctx, const struct sb_rule *r, int *added)
{
	struct scmp_arg_cmp	cmp = { .op = SCMP_CMP_GT,
				    .datum_a = UINT32_MAX };
	unsigned int		i;
	int			rc = 0;

	for (i = 0; rc == 0 && i < r->nargs; i++) {
		if (!arg_opens_upwards(&r->arg[i]))
			continue;
		cmp.arg = r->arg[i].index;
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_KILL_PROCESS,
		    r->nr, 1, &cmp);
		if (rc == -EEXIST)
			rc = 0;
		++*added;
	}
	return rc;
}

static int
sandbox_guard(const struct sb_policy *p)
{
	const struct sb_rule	*r;
	scmp_filter_ctx		 ctx;
	size_t			 i;
	bool			 skip;
	int			 rc = 0, added = 0;

	if ((ctx = seccomp_init(SCMP_ACT_ALLOW)) == NULL)
		return -ENOMEM;
	for (i = 0; rc == 0 && (r = rule_at(p, i, &skip)) != NULL; i++)
		if (!skip)
			rc = guard_add(ctx, r, &added);
	if (rc == 0 && added > 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

int
sandbox_seccomp(const struct sb_policy *p, const struct sb_vars *v)
{
	const struct sb_rule	*r;
	scmp_filter_ctx		 ctx;
	size_t			 i;
	bool			 skip;
	int			 rc;

	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	rc = sandbox_guard(p);
	/* Rules stand in a binary tree: their number costs little. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; rc == 0 && (r = rule_at(p, i, &skip)) != NULL; i++)
		if (!skip)
			rc = rule_add(ctx, r, v);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return 0;
}

static void
arg_print(FILE *f, const struct sb_arg *a)
{
	static const char *const ops[] = {
		[SCMP_CMP_NE] = "!=", [SCMP_CMP_LT] = "<",
		[SCMP_CMP_LE] = "<=", [SCMP_CMP_EQ] = "==",
		[SCMP_CMP_GE] = ">=", [SCMP_CMP_GT] = ">",
	};
	static const char *const vars[] = {
		[SB_LISTEN_LAST] = "last-listener",
		[SB_SIGNALS] = "signalfd", [SB_SELF] = "self",
	};

	if (a->op == SCMP_CMP_MASKED_EQ)
		fprintf(f, " arg%u&%#llx==%#llx", a->index,
		    (unsigned long long)a->value,
		    (unsigned long long)a->masked);
	else if (a->var != SB_CONST)
		fprintf(f, " arg%u%s%s", a->index, ops[a->op], vars[a->var]);
	else
		fprintf(f, " arg%u%s%#llx", a->index, ops[a->op],
		    (unsigned long long)a->value);
}

static void
rule_print(FILE *f, const struct sb_rule *r)
{
	char		*name;
	unsigned int	 i;

	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, r->nr);
	fprintf(f, "%s %s", r->action == SB_ALLOW ? "allow" : "eperm",
	    name == NULL ? "?" : name);
	for (i = 0; i < r->nargs; i++)
		arg_print(f, &r->arg[i]);
	fputc('\n', f);
	free(name);
}

int
sandbox_print(const struct sb_policy *p, int fd)
{
	const struct sb_rule	*r;
	FILE			*f;
	size_t			 i;
	bool			 skip;
	int			 copy;

	if ((copy = dup(fd)) == -1)
		return -1;
	if ((f = fdopen(copy, "w")) == NULL) {
		close(copy);
		return -1;
	}
	for (i = 0; (r = rule_at(p, i, &skip)) != NULL; i++)
		if (!skip)
			rule_print(f, r);
	return fclose(f) == 0 ? 0 : -1;
}

int
sandbox_voided(const struct sb_policy *p)
{
	size_t	i, j;

	for (i = 0; i < p->nrules; i++)
		for (j = 0; j < p->nrules; j++)
			if (p->rules[i].nr == p->rules[j].nr &&
			    p->rules[i].nargs == 0 && p->rules[j].nargs > 0)
				return (int)i;
	return -1;
}
