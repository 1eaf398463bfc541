#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/conf/dump.h"

/*
 * Any bytes give a configuration or an error, and a configuration survives its
 * own snapshot, and the snapshot of that.
 */
int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct conf *
reload(const struct conf *c, FILE *errs)
{
	int		 fd = conf_snapshot(c);
	struct conf	*copy = conf_load_fd(fd, c->path, errs);

	close(fd);
	return copy;
}

static void
check_stable(const struct conf *c, FILE *errs)
{
	struct conf	*copy = reload(c, errs), *again;
	char		*a, *b, *d;

	if (copy == NULL || (again = reload(copy, errs)) == NULL)
		abort();
	a = conf_dump(c);
	b = conf_dump(copy);
	d = conf_dump(again);
	if (strcmp(a, b) != 0 || strcmp(b, d) != 0)
		abort();
	free(a);
	free(b);
	free(d);
	conf_free(copy);
	conf_free(again);
}

/* Each line of an error has its place. */
static void
check_errors(const char *text)
{
	const char	*p, *nl;

	if (*text == '\0')
		abort();
	for (p = text; *p != '\0'; p = nl + 1)
		if ((nl = strchr(p, '\n')) == NULL ||
		    memmem(p, (size_t)(nl - p), ": ", 2) == NULL)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int		 fd = memfd_create("fuzz", MFD_CLOEXEC);
	char		*text = NULL;
	size_t		 len;
	FILE		*errs = open_memstream(&text, &len);
	struct conf	*c;

	if (fd == -1 || errs == NULL ||
	    write(fd, data, size) != (ssize_t)size)
		abort();
	c = conf_load_fd(fd, "fuzz", errs);
	if (c != NULL)
		check_stable(c, errs);
	fclose(errs);
	if (c == NULL)
		check_errors(text);
	free(text);
	conf_free(c);
	close(fd);
	return 0;
}

const char	*__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it is at when it meets a syntax error. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}
