#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/l4.h"
#include "common/log.h"
#include "compress.h"
#include "content.h"
#include "encoder.h"
#include "form.h"

#define REST		3	/* times the work */
#define PIECE_MAX	(128 * 1024)	/* of what is read from a file */

struct compressor {
	const struct sites	*ss;
	struct cache		*cache;
	struct ev		*ev;
	struct ev_timer		 timer;
	struct form		*form;		/* being made, or NULL */
	struct encoder		*enc;
	struct blob		*plain;		/* held, or NULL: it is in the
						   file */
	struct file		 file;
	uint64_t		 done;
	char			 buf[PIECE_MAX];
};

static void
job_end(struct compressor *z)
{
	if (z->enc != NULL)
		encoder_free(z->enc);
	blob_drop(z->plain);
	file_close(&z->file);
	z->enc = NULL;
	z->plain = NULL;
	if (z->form != NULL)
		z->form->making = false;
	z->form = NULL;
}

static void
compress_forget(struct cache *c, struct form *f)
{
	struct compressor	*z = c->worker;

	if (z->form == f)
		job_end(z);
}

/* What is better takes the place of what was there; answers under way go on
 * with that. */
static void
job_done(struct compressor *z)
{
	struct form	*f = z->form;

	if (z->plain == NULL) {
		/* It was not in memory: has it stayed what it was? */
		file_close(&z->file);
		if (!content_open(&z->ss->v[f->entry->site],
		    &f->entry->form[FORM_PLAIN], &z->file))
			return;
	}
	form_forget_answer(f);
	blob_drop(f->body);
	f->body = encoder_take(z->enc);
	f->length = f->body->len;
	f->state = FORM_BEST;
}

/* Nothing better was found than what there is, if there is something. */
static void
job_failed(struct compressor *z)
{
	z->form->state = z->form->body != NULL ? FORM_BEST : FORM_USELESS;
}

/* False where it cannot be done. */
static bool
job_begin(struct compressor *z)
{
	struct form	*f = z->form, *plain = &f->entry->form[FORM_PLAIN];
	size_t		 which = (size_t)(f - f->entry->form), room;

	room = f->body != NULL ? f->body->len : (size_t)plain->length;
	z->done = 0;
	if (plain->body != NULL)
		z->plain = blob_hold(plain->body);
	else if (!content_open(&z->ss->v[f->entry->site], plain, &z->file))
		return false;
	/* What was made quickly is the measure.  For something so large that
	 * all else would have to go, nothing has to. */
	if (room > z->cache->budget.max / 4)
		room = z->cache->budget.max / 4;
	if (!cache_room(z->cache, f->entry, room + sizeof(struct blob)))
		return false;
	z->enc = encoder_new((enum encoding)which, EFFORT_BEST,
	    &z->cache->budget, (size_t)plain->length, room);
	return z->enc != NULL;
}

static const char *
job_piece(struct compressor *z, size_t n)
{
	ssize_t	got;

	if (z->plain != NULL)
		return z->plain->p + z->done;
	do
		got = pread(z->file.fd, z->buf, n, (off_t)z->done);
	while (got == -1 && errno == EINTR);
	return got == (ssize_t)n ? z->buf : NULL;
}

static void
job_step(struct compressor *z)
{
	size_t		 n = encoder_piece(z->enc);
	const char	*p = job_piece(z, n);

	switch (p == NULL ? ENCODER_FAILED : encoder_step(z->enc, p, n)) {
	case ENCODER_MORE:
		z->done += n;
		break;
	case ENCODER_DONE:
		job_done(z);
		job_end(z);
		break;
	default:
		job_failed(z);
		job_end(z);
		break;
	}
}

bool
compress_step(struct compressor *z)
{
	struct form	*f = TAILQ_FIRST(&z->cache->jobs);

	if (z->form != NULL) {
		job_step(z);
		return true;
	}
	if (f == NULL)
		return false;
	TAILQ_REMOVE(&z->cache->jobs, f, job);
	f->queued = false;
	f->making = true;
	z->form = f;
	/* Where it cannot begin it stays as it is: it may be asked again. */
	if (!job_begin(z))
		job_end(z);
	return true;
}

static void
compress_timer(struct ev_timer *t)
{
	struct compressor	*z = container_of(t, struct compressor, timer);
	uint64_t		 began = ev_clock(), now;

	if (!compress_step(z))
		return;
	now = ev_clock();
	ev_timer_set(z->ev, t, now + REST * (now - began) + 1);
}

static void
compress_work(struct cache *c)
{
	struct compressor	*z = c->worker;

	if (z->ev != NULL && z->timer.pos == 0)
		ev_timer_set(z->ev, &z->timer, ev_now(z->ev) + 1);
}

struct compressor *
compressor_new(const struct sites *ss, struct ev *ev)
{
	struct compressor	*z = calloc(1, sizeof(*z));

	if (z == NULL)
		fatal("calloc");
	z->ss = ss;
	z->cache = ss->cache;
	z->ev = ev;
	z->timer.cb = compress_timer;
	z->file.fd = -1;
	z->cache->worker = z;
	z->cache->work = compress_work;
	z->cache->forget = compress_forget;
	return z;
}

void
compressor_free(struct compressor *z)
{
	job_end(z);
	if (z->ev != NULL)
		ev_timer_cancel(z->ev, &z->timer);
	z->cache->work = NULL;
	z->cache->forget = NULL;
	free(z);
}
