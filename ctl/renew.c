#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "common/control.h"
#include "common/log.h"
#include "render.h"
#include "renew.h"

#define RENEW_WAIT	"360"	/* acme waits 300 s for an authority to decide */

static int
renew_usage(const char *why)
{
	warnx("renew: %s", why);
	fprintf(stderr, "usage: l4muxctl renew [-w seconds] name\n");
	return 2;
}

int
renew_args(int argc, char **argv, char *line, size_t size)
{
	const char	*wait = RENEW_WAIT, *bad = NULL;
	int		 c;

	optind = 1;
	while ((c = getopt(argc, argv, "+w:")) != -1) {
		if (c != 'w')
			return renew_usage("no such option");
		wait = optarg;
	}
	(void)strtonum(wait, 0, CONTROL_RENEW_MAX, &bad);
	if (bad != NULL)
		return renew_usage("-w takes seconds, 3600 at most");
	if (argc - optind != 1)
		return renew_usage("one name is needed");
	if (!control_append(line, size, argv[optind]) ||
	    !control_append(line, size, wait))
		return renew_usage("the name is too long");
	return 0;
}

/* Nothing where it was not waited for. */
void
render_renewed(const json_t *doc)
{
	const char	*name = member_str(doc, "certificate");
	time_t		 end = (time_t)member_int(doc, "not_after");
	struct tm	 tm;
	char		 date[16], safe[1024];

	log_escape(safe, sizeof(safe), name, strlen(name));
	if (end > 0 && gmtime_r(&end, &tm) != NULL &&
	    strftime(date, sizeof(date), "%Y-%m-%d", &tm) > 0)
		printf("certificate %s: renewed, expires on %s\n", safe,
		    date);
}
