#include "l4.h"
#include "proto.h"

const char *
role_name(enum role role)
{
	static const char *const names[ROLE__MAX] = {
		[ROLE_MASTER] = "master",
		[ROLE_WORKER] = "worker",
		[ROLE_PROXY] = "proxy",
		[ROLE_TLSTERM] = "tlsterm",
		[ROLE_KEYS] = "keys",
		[ROLE_ACME] = "acme",
		[ROLE_METRICS] = "metrics",
	};

	return role < nitems(names) ? names[role] : "?";
}
