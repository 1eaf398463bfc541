#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "common/control.h"
#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "control.h"
#include "gather.h"

/* What may be asked on the control socket (docs/control.md). */
static bool
refuse(struct request *r, const char *why)
{
	snprintf(r->err, sizeof(r->err), "%s", why);
	return false;
}

static bool
command_stop(struct request *r)
{
	json_int(r->json, "pid", getpid());
	life_stop(r->master);
	return true;
}

static bool
command_drain(struct request *r)
{
	json_int(r->json, "pid", getpid());
	life_drain(r->master);
	return true;
}

static bool
command_reload(struct request *r)
{
	if (r->master->stopping)
		return refuse(r, "stopping");
	r->awaits = life_next_reload(r->master);
	r->then = life_reload;
	return true;
}

static bool
command_upgrade(struct request *r)
{
	if (!command_reload(r))
		return false;
	r->then = life_upgrade;
	return true;
}

static void
gather(struct request *r, enum gather_kind kind)
{
	r->gather->master = r->master;
	r->gather->json = r->json;
	r->gather->kind = kind;
	r->gathers = true;
}

static bool
command_sessions(struct request *r)
{
	r->gather->any = r->nwords == 1;
	if (!r->gather->any) {
		if (!gather_knows(r->master, r->word[1]))
			return refuse(r, "no such target");
		if ((r->gather->target = strdup(r->word[1])) == NULL)
			fatal("strdup");
	}
	gather(r, GATHER_SESSIONS);
	return true;
}

static bool
command_kill(struct request *r)
{
	const char		*s = r->word[1];
	char			*end;
	unsigned long long	 id;

	errno = 0;
	id = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0)
		return refuse(r, "the id of a connection is a number");
	r->gather->id = id;
	gather(r, GATHER_KILL);
	return true;
}

static bool
command_log(struct request *r)
{
	enum log_level	level;

	if (!log_level_parse(r->word[1], &level))
		return refuse(r, "the level is debug, info, warning or error");
	json_str(r->json, "level", r->word[1]);
	life_log_level(r->master, level);
	return true;
}

/* Without a number of seconds, the answer does not wait for the outcome. */
static bool
command_renew(struct request *r)
{
	struct acme_cert	*c = acme_find(r->master, r->word[1]);
	const char		*why = NULL;
	long long		 seconds = 0;

	if (r->nwords == 3)
		seconds = strtonum(r->word[2], 0, CONTROL_RENEW_MAX, &why);
	if (why != NULL)
		return refuse(r, "the seconds to wait are a number up to 3600");
	if ((why = acme_renew(r->master, c)) != NULL)
		return refuse(r, why);
	if (seconds > 0)
		r->renews = c->name;
	r->patience = (uint64_t)seconds * NSEC_PER_SEC;
	return true;
}

static bool
command_revoke(struct request *r)
{
	const char	*why = acme_revoke(r->master, r->word[1]);

	return why == NULL || refuse(r, why);
}

static const struct {
	const char	*name;
	int		 min, max;	/* words, the command included */
	bool		(*run)(struct request *);
} commands[] = {
	{ "status", 1, 1, report_status },
	{ "routes", 1, 1, report_routes },
	{ "upstreams", 1, 1, report_upstreams },
	{ "certificates", 1, 1, report_certificates },
	{ "metrics", 1, 1, report_metrics },
	{ "renew", 2, 3, command_renew },
	{ "revoke", 2, 2, command_revoke },
	{ "sessions", 1, 2, command_sessions },
	{ "kill", 2, 2, command_kill },
	{ "explain", 1, CONTROL_WORDS_MAX, explain_run },
	{ "reload", 1, 1, command_reload },
	{ "upgrade", 1, 1, command_upgrade },
	{ "log", 2, 2, command_log },
	{ "drain", 1, 1, command_drain },
	{ "stop", 1, 1, command_stop },
};

bool
command_run(struct request *r)
{
	size_t	i;

	for (i = 0; i < nitems(commands); i++) {
		if (strcmp(commands[i].name, r->word[0]) != 0)
			continue;
		if (r->nwords >= commands[i].min &&
		    r->nwords <= commands[i].max)
			return commands[i].run(r);
		snprintf(r->err, sizeof(r->err), "%s takes %s argument",
		    r->word[0], commands[i].max == 1 ? "no" : "one");
		return false;
	}
	return refuse(r, "unknown command");
}
