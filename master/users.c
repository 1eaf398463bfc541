#include <stdio.h>

#include "common/l4.h"
#include "common/priv.h"
#include "master.h"

bool
users_check(const struct master *m, const struct conf *conf, char *err,
    size_t errsize)
{
	static const struct {
		enum conf_user	 user;
		const char	*key;
	} roles[] = {
		{ USER_WORKER, "worker" }, { USER_PROXY, "proxy" },
		{ USER_TLSTERM, "tlsterm" }, { USER_KEYS, "keys" },
		{ USER_METRICS, "metrics" },
	};
	uid_t	uid[nitems(roles)];
	gid_t	gid;
	size_t	i, k, n = nitems(roles) - (conf->metrics == NULL);

	for (i = 0; m->privileged && i < n; i++) {
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
