#include <stdio.h>

#include "common/l4.h"
#include "common/priv.h"
#include "master.h"

bool
users_check(const struct master *m, const struct conf *conf, char *err,
    size_t errsize)
{
	const struct {
		enum conf_user	 user;
		const char	*key;
		bool		 unused;
	} roles[] = {
		{ USER_WORKER, "worker", false },
		{ USER_PROXY, "proxy", false },
		{ USER_TLSTERM, "tlsterm", false },
		{ USER_KEYS, "keys", false },
		{ USER_METRICS, "metrics", conf->metrics == NULL },
		{ USER_ACME, "acme", !conf->acme.on },
		{ USER_HOOK, "hook", conf->acme.dns_hook == NULL &&
		    conf->acme.on_renew == NULL },
	};
	uid_t	uid[nitems(roles)] = { 0 };
	gid_t	gid;
	size_t	i, k;

	for (i = 0; m->privileged && i < nitems(roles); i++) {
		if (roles[i].unused)
			continue;
		if (!priv_lookup(conf->user[roles[i].user], &uid[i], &gid)) {
			snprintf(err, errsize, "%s: users.%s: there is no "
			    "user \"%s\"; make it with `useradd --system "
			    "--no-create-home --shell /usr/sbin/nologin %s`, "
			    "or all of them with `systemd-sysusers`",
			    conf->path, roles[i].key,
			    conf->user[roles[i].user],
			    conf->user[roles[i].user]);
			return false;
		}
		for (k = 0; k < i; k++) {
			if (uid[k] != uid[i])
				continue;
			snprintf(err, errsize, "%s: users.%s and users.%s "
			    "are the same user", conf->path, roles[k].key,
			    roles[i].key);
			return false;
		}
	}
	return true;
}
