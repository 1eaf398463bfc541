#include <string.h>

#include "proxy.h"

/* The relayed connections, for master. */
static void
list_begin(void *arg)
{
	struct proxy	*p = arg;

	memset(&p->listed, 0, sizeof(p->listed));
}

static bool
list_next(void *arg, struct conn_row *row)
{
	struct proxy	*p = arg;
	struct session	*s = sessions_next(&p->sessions, &p->listed);

	if (s == NULL)
		return false;
	session_row(s, row);
	return true;
}

static bool
list_kill(void *arg, uint64_t id)
{
	struct proxy		*p = arg;
	struct session_walk	 w = { NULL, 0 };
	struct session		*s;

	while ((s = sessions_next(&p->sessions, &w)) != NULL)
		if (s->id == id) {
			session_end(s, "killed", SESSION_RST);
			return true;
		}
	return false;
}

const struct child_sessions proxy_sessions = {
	list_begin, list_next, list_kill
};
