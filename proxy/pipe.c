#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "pipe.h"

#define PIPE_WANT	(1024 * 1024)
#define PIPE_LEAST	(64 * 1024)	/* less moves slower than a copy */
#define PIPE_KEEP	8		/* idle ones */

/*
 * Above its share of pipe memory (pipe(7), pipe-user-pages-soft) a user gets
 * pipes of a page or two and may not enlarge them; all proxies are one user.
 */
static uint32_t
pipe_size(int fd)
{
	int	want, got;

	for (want = PIPE_WANT; want >= PIPE_LEAST; want /= 2)
		if ((got = fcntl(fd, F_SETPIPE_SZ, want)) >= want)
			return (uint32_t)got;
	return 0;
}

static void
pipe_close(struct pipes *ps, struct pipe *p)
{
	close(p->fd[0]);
	close(p->fd[1]);
	free(p);
	ps->n--;
}

static struct pipe *
pipe_new(struct pipes *ps)
{
	struct pipe	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	if (pipe2(p->fd, O_CLOEXEC | O_NONBLOCK) == -1) {
		free(p);
		return NULL;
	}
	ps->n++;
	if ((p->cap = pipe_size(p->fd[1])) == 0) {
		pipe_close(ps, p);
		return NULL;
	}
	return p;
}

struct pipe *
pipe_get(struct pipes *ps, bool more, uint64_t now)
{
	struct pipe	*p = ps->free;

	if (p != NULL) {
		ps->free = p->next;
		ps->nfree--;
		return p;
	}
	if (!more || ps->n >= PIPES_MAX || now < ps->retry)
		return NULL;
	if ((p = pipe_new(ps)) == NULL)
		ps->retry = now + NSEC_PER_SEC;
	return p;
}

void
pipe_put(struct pipes *ps, struct pipe *p)
{
	if (p == NULL)
		return;
	if (p->len > 0 || p->foreign || ps->nfree >= PIPE_KEEP) {
		pipe_close(ps, p);
		return;
	}
	p->next = ps->free;
	ps->free = p;
	ps->nfree++;
}

struct pipe *
pipe_adopt(struct pipes *ps, const int fd[2], uint32_t len)
{
	struct pipe	*p;
	int		 size = fcntl(fd[1], F_GETPIPE_SZ);

	if (size <= 0 || (p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->fd[0] = fd[0];
	p->fd[1] = fd[1];
	p->cap = (uint32_t)size;
	p->len = len;
	p->foreign = true;
	ps->n++;
	return p;
}

void
pipe_disown(struct pipes *ps, struct pipe *p)
{
	free(p);
	ps->n--;
}
