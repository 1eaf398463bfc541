#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/l4.h"
#include "explain.h"
#include "render.h"
#include "renew.h"
#include "request.h"
#include "table.h"
#include "top.h"

enum {
	EXIT_REFUSED = 1,	/* the daemon said no */
	EXIT_USAGE,
	EXIT_UNREACHABLE
};

static const struct command {
	const char	*name;
	void		(*render)(const json_t *);
	time_t		 wait;
	int		 min, max;	/* plain arguments */
	/* Appends other arguments to the line; NULL: there are none. */
	int		(*args)(int argc, char **argv, char *line, size_t);
	/* Instead of one question and one answer. */
	int		(*run)(const char *path);
} command[] = {
	{ "status", render_status, ANSWER_WAIT, 0, 0, NULL, NULL },
	{ "sessions", render_sessions, ANSWER_WAIT, 0, 1, NULL, NULL },
	{ "routes", render_routes, ANSWER_WAIT, 0, 0, NULL, NULL },
	{ "upstreams", render_upstreams, ANSWER_WAIT, 0, 0, NULL, NULL },
	{ "certificates", render_certificates, ANSWER_WAIT, 0, 0, NULL, NULL },
	{ "renew", render_renewed, ANSWER_WAIT_RENEW, 0, 0, renew_args, NULL },
	{ "revoke", render_nothing, ANSWER_WAIT, 1, 1, NULL, NULL },
	{ "metrics", render_metrics, ANSWER_WAIT, 0, 0, NULL, NULL },
	{ "explain", render_explain, ANSWER_WAIT, 0, 0, explain_args, NULL },
	{ "top", NULL, 0, 0, 0, NULL, top_run },
	{ "kill", render_nothing, ANSWER_WAIT, 1, 1, NULL, NULL },
	{ "log", render_nothing, ANSWER_WAIT, 1, 1, NULL, NULL },
	{ "reload", render_generation, ANSWER_WAIT_LONG, 0, 0, NULL, NULL },
	{ "upgrade", render_generation, ANSWER_WAIT_LONG, 0, 0, NULL, NULL },
	{ "drain", render_stop, ANSWER_WAIT, 0, 0, NULL, NULL },
	{ "stop", render_stop, ANSWER_WAIT, 0, 0, NULL, NULL },
};

static int
usage(void)
{
	size_t	i;

	fprintf(stderr, "usage: l4muxctl [-j] [-s socket] command\n"
	    "commands:");
	for (i = 0; i < nitems(command); i++)
		fprintf(stderr, " %s", command[i].name);
	fprintf(stderr, "\n");
	return EXIT_USAGE;
}

static const struct command *
command_find(const char *name)
{
	size_t	i;

	for (i = 0; i < nitems(command); i++)
		if (strcmp(command[i].name, name) == 0)
			return &command[i];
	return NULL;
}

static int
unreachable(const char *why)
{
	if (errno != 0)
		warn("%s", why);
	else
		warnx("%s", why);
	return EXIT_UNREACHABLE;
}

/* The reason may quote what was asked: escaped like everything else.  The
 * errors of a configuration are several lines. */
static int
refused(const json_t *doc)
{
	const char	*s = member_str(doc, "error");
	char		*safe;
	size_t		 len;

	if ((safe = calloc(strlen(s) + 1, 4)) == NULL)
		err(EXIT_REFUSED, NULL);
	do {
		len = strcspn(s, "\n");
		log_escape(safe, (len + 1) * 4, s, len);
		warnx("%s", safe);
		s += len + (s[len] == '\n');
	} while (*s != '\0');
	free(safe);
	return EXIT_REFUSED;
}

static int
answer_print(const struct command *cmd, const char *answer, size_t len,
    bool as_json)
{
	const json_t	*ok;
	json_t		*doc;
	int		 rc = 0;

	doc = json_loadb(answer, len, JSON_ALLOW_NUL, NULL);
	ok = json_object_get(doc, "ok");
	if (!json_is_boolean(ok)) {
		errno = 0;
		rc = unreachable("the answer is not that of l4muxd");
		goto out;
	}
	if (as_json)
		fwrite(answer, 1, len, stdout);
	else if (json_is_true(ok))
		cmd->render(doc);
	if (!json_is_true(ok))
		rc = refused(doc);
	if (fflush(stdout) == EOF || ferror(stdout))
		err(EXIT_REFUSED, "standard output");
out:
	json_decref(doc);
	return rc;
}

static int
command_run(const struct command *cmd, const char *path, const char *line,
    bool as_json)
{
	const char	*why;
	char		*answer;
	size_t		 len;
	int		 rc;

	if ((answer = request_send(path, line, cmd->wait,
	    &len, &why)) == NULL)
		return unreachable(why);
	rc = answer_print(cmd, answer, len, as_json);
	free(answer);
	return rc;
}

/* The request; an exit code where it cannot be made. */
static int
command_line(const struct command *cmd, int argc, char **argv, char *line,
    size_t size)
{
	int	i;

	control_append(line, size, cmd->name);
	if (cmd->args != NULL)
		return cmd->args(argc, argv, line, size);
	if (argc - 1 < cmd->min || argc - 1 > cmd->max)
		return usage();
	for (i = 1; i < argc; i++)
		if (!control_append(line, size, argv[i])) {
			warnx("%s: the argument is too long", cmd->name);
			return EXIT_USAGE;
		}
	return 0;
}

int
main(int argc, char **argv)
{
	const struct command	*cmd;
	const char		*path = CONTROL_SOCKET;
	char			 line[CONTROL_LINE_MAX] = "";
	bool			 as_json = false;
	int			 c, rc;

	while ((c = getopt(argc, argv, "+js:")) != -1)
		switch (c) {
		case 'j':
			as_json = true;
			break;
		case 's':
			path = optarg;
			break;
		default:
			return usage();
		}
	argc -= optind;
	argv += optind;
	if (argc == 0 || (cmd = command_find(argv[0])) == NULL ||
	    (cmd->run != NULL && as_json))
		return usage();
	/* The LF needs a place as well. */
	if ((rc = command_line(cmd, argc, argv, line, sizeof(line) - 1)) != 0)
		return rc;
	return cmd->run != NULL ? cmd->run(path) :
	    command_run(cmd, path, line, as_json);
}
