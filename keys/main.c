#include <openssl/crypto.h>

#include "common/l4.h"
#include "keys.h"

#define NAMES_MAX	IPC_DATA_MAX

/* What master sends beside the common messages. */
static const struct ipc_rule keys_rules[] = {
	/* type		 phase	      fds			size */
	{ IPC_KEY,	 CHILD_SETUP, IPC_FD_FILE, 1, 1,	4, 4,
	    keys_on_key },
	{ IPC_KEYS,	 CHILD_SETUP, IPC_FD_CHANNEL, 1, 1,	0, 0,
	    keys_on_channel },
	{ IPC_SELF_SIGN, CHILD_SETUP, IPC_FD_FILE, 2, 2,	2, NAMES_MAX,
	    keys_on_self_sign },
	{ IPC_CHECK_PAIR, CHILD_SETUP, IPC_FD_FILE, 0, 2,	2, NAMES_MAX,
	    keys_on_check_pair },
	{ IPC_MAKE_CSR,	 CHILD_SETUP, IPC_FD_FILE, 2, 2,	2, NAMES_MAX,
	    keys_on_make_csr },
};

static const struct child_jail keys_jail = {
	.policy = &keys_policy,
	.user = USER_KEYS,
	.cwd = -1,
};

int
main(int argc, char **argv)
{
	static struct keys	k;	/* zeroed; not on the stack */

	k.child.role = ROLE_KEYS;
	k.child.arg = &k;
	k.child.rules = keys_rules;
	k.child.nrules = nitems(keys_rules);
	k.child.drain = keys_drain;

	/* No file and no variable of the system's has a say in this. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("the cryptographic library does not start");
	child_open(&k.child, argc, argv);
	if (k.njobs > 0)
		keys_work(&k);
	child_confine(&k.child, &keys_jail);
	keys_serve(&k);
	child_ready(&k.child);
	ev_run(k.child.ev);
	keys_forget(&k);
	return 0;
}
