#include <stdio.h>

#include "common/l4.h"
#include "form.h"
#include "encoder.h"
#include "h1_write.h"

#define MUST_EXTRA	1024	/* what is encoded whether it helps or not
				   may grow by this */
#define ENCODE_COST	8	/* times that of reading */
#define ASKED_ENOUGH	2	/* for a better one */
#define OURS		2	/* fields of keep_ours() */
#define OURS_SIZE	64	/* and what they take */

static struct form *
form_beside(struct entry *e, const struct accept *a, unsigned int least)
{
	size_t	i;

	for (i = 0; i < a->n && a->q[i] >= least; i++)
		if (e->form[a->v[i]].state == FORM_BESIDE)
			return &e->form[a->v[i]];
	return NULL;
}

static void
form_queue(struct cache *c, struct form *f)
{
	if (f->queued || f->making || !f->entry->kept || c->work == NULL)
		return;
	f->queued = true;
	TAILQ_INSERT_TAIL(&c->jobs, f, job);
	c->work(c);
}

/* At once, from what is in memory. */
static void
form_make(struct cache *c, struct form *f, size_t extra)
{
	const struct blob	*plain = f->entry->form[FORM_PLAIN].body;
	size_t			 which = (size_t)(f - f->entry->form), n;
	struct budget		*budget;
	struct encoder		*enc;
	enum encoder_result	 rc;

	budget = cache_budget(c, f->entry, plain->len + extra +
	    sizeof(*plain));
	if (budget == NULL || (enc = encoder_new((enum encoding)which,
	    EFFORT_FAST, budget, plain->len, plain->len + extra)) == NULL)
		return;
	c->spent += ENCODE_COST * plain->len;
	n = encoder_piece(enc);
	rc = encoder_step(enc, plain->p, n);
	if (rc == ENCODER_DONE) {
		f->body = encoder_take(enc);
		f->length = f->body->len;
		f->state = FORM_FAST;
	} else
		f->state = FORM_USELESS;
	encoder_free(enc);
}

/* Is there anything to send in this form?  must: nothing else will do. */
static bool
form_ready(struct cache *c, struct form *f, bool must)
{
	struct entry		*e = f->entry;
	const struct form	*plain = &e->form[FORM_PLAIN];

	if (f->state == FORM_USELESS && must)
		f->state = FORM_NONE;
	if (f->state == FORM_NONE && plain->body != NULL &&
	    (must || plain->length <= FORM_NOW_MAX))
		form_make(c, f, must ? MUST_EXTRA : 0);
	f->asked++;
	if ((f->state == FORM_FAST && f->asked == ASKED_ENOUGH) ||
	    (f->state == FORM_NONE && plain->length <= FORM_MAX))
		form_queue(c, f);
	return f->body != NULL;
}

struct form *
form_choose(struct cache *c, struct entry *e, const struct accept *a)
{
	struct form	*plain = &e->form[FORM_PLAIN], *f;
	size_t		 i;

	if (a->n == 0)
		return a->plain ? plain : NULL;
	if ((f = form_beside(e, a, a->q[0])) != NULL)
		return f;
	if (e->encode && plain->length >= FORM_MIN) {
		f = &e->form[a->v[0]];
		if (form_ready(c, f, false))
			return f;
	}
	if ((f = form_beside(e, a, 0)) != NULL || a->plain)
		return f != NULL ? f : plain;
	for (i = 0; i < a->n; i++)
		if (form_ready(c, &e->form[a->v[i]], true))
			return &e->form[a->v[i]];
	return NULL;
}

bool
form_answer(const struct form *f, struct response *res)
{
	if (f->answer == NULL)
		return false;
	response_begin(res, 200);
	memcpy(res->field, f->field, f->nfields * sizeof(*f->field));
	res->nfields = f->nfields;
	res->ready = f->head;
	res->strings = f->answer;
	res->length = f->length;
	return true;
}

static struct str
copy_str(struct blob *b, struct str s)
{
	struct str	copy = { b->p + b->len, s.n };

	memcpy(b->p + b->len, s.p, s.n);
	b->len += s.n;
	return copy;
}

/* The names as HTTP/2 wants them. */
static struct str
copy_lower(struct blob *b, struct str s)
{
	char	*p = b->p + b->len;
	size_t	 i;

	for (i = 0; i < s.n; i++)
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) :
		    s.p[i];
	b->len += s.n;
	return (struct str){ p, s.n };
}

static void
keep_field(struct form *f, struct str name, struct str value)
{
	struct field	*to = &f->field[f->nfields++];

	to->name = copy_lower(f->answer, name);
	to->value = copy_str(f->answer, value);
}

/* What the lines of HTTP/1 have besides. */
static void
keep_ours(struct form *f, const struct response *res)
{
	char	text[24];
	int	n = snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)res->length);

	keep_field(f, STR("content-length"), (struct str){ text, (size_t)n });
	if (!response_has(res, STR("server")))
		keep_field(f, STR("server"), STR("l4mux"));
}

void
form_keep_answer(struct cache *c, struct form *f, const struct response *res)
{
	size_t		 i, size, fields = (res->nfields + OURS) *
			    sizeof(*f->field);
	struct blob	*b;

	size = fields + OURS_SIZE + H1_READY_EXTRA;
	for (i = 0; i < res->nfields; i++)
		size += 2 * (res->field[i].name.n + res->field[i].value.n + 4);
	/* One that is not whole becomes an error, every time. */
	if (res->full || !f->entry->kept ||
	    res->nfields + OURS > RESPONSE_FIELDS_MAX ||
	    !cache_room(c, f->entry, size + sizeof(*b)) ||
	    (b = blob_new(&c->budget, size)) == NULL)
		return;
	f->answer = b;
	f->field = (struct field *)(void *)b->p;
	f->nfields = 0;
	b->len = fields;
	for (i = 0; i < res->nfields; i++)
		keep_field(f, res->field[i].name, res->field[i].value);
	keep_ours(f, res);
	f->head.p = b->p + b->len;
	f->head.n = h1_ready_fields(b->p + b->len, res);
	b->len += f->head.n;
}
