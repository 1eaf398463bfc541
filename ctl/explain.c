#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "explain.h"

#define RECORDED_MAX	(1u << 20)	/* more first bytes than any limit */

struct line {
	char	*buf;
	size_t	 size;
	bool	 cut;
};

static void
line_pair(struct line *l, const char *key, const char *value)
{
	char	pair[CONTROL_LINE_MAX];
	int	n;

	n = snprintf(pair, sizeof(pair), "%s=%s", key, value);
	if (n < 0 || (size_t)n >= sizeof(pair) ||
	    !control_append(l->buf, l->size, pair))
		l->cut = true;
}

/* The file, whole, "-" for standard input; NULL with errno set.  Freed by the
 * caller. */
static uint8_t *
recorded_read(const char *path, size_t *len)
{
	uint8_t	*buf = NULL;
	ssize_t	 n = -1;
	int	 fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0 &&
	    (fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return NULL;
	if ((buf = malloc(RECORDED_MAX)) == NULL)
		goto out;
	for (*len = 0; *len < RECORDED_MAX; *len += (size_t)n)
		if ((n = read(fd, buf + *len, RECORDED_MAX - *len)) <= 0)
			break;
out:
	if (n == -1) {
		free(buf);
		buf = NULL;
	}
	if (fd != STDIN_FILENO)
		close(fd);
	return buf;
}

/* The bytes are parsed here, without privilege; the daemon gets words. */
static int
explain_recorded(const char *path, struct line *l)
{
	struct facts	*f;
	uint8_t		*p;
	size_t		 len;

	if ((p = recorded_read(path, &len)) == NULL) {
		warn("%s", path);
		return 1;
	}
	if ((f = calloc(1, sizeof(*f))) == NULL)
		err(1, NULL);
	facts_learn(f, p, len, false);
	if (!control_facts_write(f, l->buf, l->size))
		l->cut = true;
	free(f);
	free(p);
	return 0;
}

static int
explain_usage(const char *why)
{
	warnx("explain: %s", why);
	fprintf(stderr, "usage: l4muxctl explain [-a alpn] [-f addr] "
	    "[-l listener] [-p protocol] NAME\n"
	    "       l4muxctl explain [-f addr] [-l listener] -x FILE\n");
	return 2;
}

struct explain_opts {
	const char	*file, *proto;
	bool		 alpn;
};

static int
explain_options(int argc, char **argv, struct line *l, struct explain_opts *o)
{
	int	c;

	optind = 1;
	while ((c = getopt(argc, argv, "+a:f:l:p:x:")) != -1)
		switch (c) {
		case 'a':
			o->alpn = true;
			line_pair(l, "alpn", optarg);
			break;
		case 'f':
			line_pair(l, "from", optarg);
			break;
		case 'l':
			line_pair(l, "listen", optarg);
			break;
		case 'p':
			o->proto = optarg;
			line_pair(l, "proto", optarg);
			break;
		case 'x':
			o->file = optarg;
			break;
		default:
			return explain_usage("no such option");
		}
	return 0;
}

int
explain_args(int argc, char **argv, char *buf, size_t size)
{
	struct explain_opts	 o = { NULL, NULL, false };
	struct line		 l = { buf, size, false };
	int			 rc;

	if ((rc = explain_options(argc, argv, &l, &o)) != 0)
		return rc;
	argc -= optind;
	argv += optind;
	if (o.file != NULL) {
		if (argc != 0 || o.alpn || o.proto != NULL)
			return explain_usage("-x takes no name, -a or -p");
		rc = explain_recorded(o.file, &l);
	} else if (argc == 1)
		line_pair(&l, o.proto != NULL && strcmp(o.proto, "http") == 0 ?
		    "host" : "sni", argv[0]);
	else if (argc != 0 || o.proto == NULL)
		return explain_usage("one name is needed");
	if (rc == 0 && l.cut)
		return explain_usage("too much for one request");
	return rc;
}
