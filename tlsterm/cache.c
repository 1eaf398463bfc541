#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "common/l4.h"
#include "common/log.h"
#include "common/siphash.h"

#define BYTES_A_SLOT	4096	/* of the budget: entries are rarely smaller */
#define SLOTS_MIN	64

void
cache_init(struct cache *c, size_t max, const struct stats *stats)
{
	memset(c, 0, sizeof(*c));
	c->budget.max = max;
	c->passing_budget.max = CACHE_PASSING;
	c->stats = stats;
	TAILQ_INIT(&c->lru);
	TAILQ_INIT(&c->jobs);
	siphash_new_key(c->hash_key);
	c->nslots = SLOTS_MIN;
	while (c->nslots < max / BYTES_A_SLOT)
		c->nslots *= 2;
	if ((c->slot = calloc(c->nslots, sizeof(*c->slot))) == NULL)
		fatal("calloc");
}

void
cache_free(struct cache *c)
{
	struct entry	*e;

	cache_pass(c);
	while ((e = TAILQ_FIRST(&c->lru)) != NULL)
		cache_drop(c, e);
	free(c->slot);
}

void
cache_count(const struct cache *c, bool hit)
{
	if (c->stats == NULL)
		return;
	stats_add(c->stats, hit ? STAT_CACHE_HITS : STAT_CACHE_MISSES, 1);
	c->stats->count[STAT_CACHE_BYTES] = c->budget.used;
}

static struct entry **
cache_slot(struct cache *c, uint64_t hash)
{
	return &c->slot[hash & (c->nslots - 1)];
}

static struct entry *
cache_look(struct cache *c, uint64_t hash, uint32_t site, const char *key)
{
	struct entry	*e = *cache_slot(c, hash);

	while (e != NULL && (e->hash != hash || e->site != site ||
	    strcmp(e->key, key) != 0))
		e = e->chain;
	return e;
}

static uint64_t
cache_hash(const struct cache *c, uint32_t site, const char *key)
{
	return siphash(c->hash_key, key, strlen(key)) ^
	    site * UINT64_C(0x9e3779b97f4a7c15);
}

struct entry *
cache_find(struct cache *c, uint32_t site, const char *key)
{
	struct entry	*e = cache_look(c, cache_hash(c, site, key), site,
			    key);

	if (e != NULL && e != TAILQ_FIRST(&c->lru)) {
		TAILQ_REMOVE(&c->lru, e, lru);
		TAILQ_INSERT_HEAD(&c->lru, e, lru);
	}
	return e;
}

struct entry *
entry_new(struct cache *c, uint32_t site, const char *key, const char *name)
{
	size_t		 keylen = strlen(key) + 1, namelen = strlen(name) + 1,
			 size = sizeof(struct entry) + keylen + namelen, i;
	struct entry	*e;

	if ((e = calloc(1, size)) == NULL)
		return NULL;
	e->cost = size;
	e->site = site;
	e->hash = cache_hash(c, site, key);
	e->key = memcpy(e->text, key, keylen);
	e->name = memcpy(e->text + keylen, name, namelen);
	for (i = 0; i < FORM__MAX; i++)
		e->form[i].entry = e;
	return e;
}

void
form_forget_answer(struct form *f)
{
	blob_drop(f->answer);
	f->answer = NULL;
	f->head = (struct str){ NULL, 0 };
}

void
form_reset(struct cache *c, struct form *f)
{
	if (f->queued) {
		TAILQ_REMOVE(&c->jobs, f, job);
		f->queued = false;
	}
	if (c->forget != NULL)
		c->forget(c, f);
	form_forget_answer(f);
	blob_drop(f->body);
	f->body = NULL;
	f->state = FORM_NONE;
	f->asked = 0;
}

static void
entry_free(struct cache *c, struct entry *e)
{
	size_t	i;

	for (i = 0; i < FORM__MAX; i++)
		form_reset(c, &e->form[i]);
	if (e->kept)
		c->budget.used -= e->cost;
	free(e);
}

void
cache_drop(struct cache *c, struct entry *e)
{
	struct entry	**p = cache_slot(c, e->hash);

	while (*p != e)
		p = &(*p)->chain;
	*p = e->chain;
	TAILQ_REMOVE(&c->lru, e, lru);
	entry_free(c, e);
}

void
cache_add(struct cache *c, struct entry *e, bool keep)
{
	struct entry	*old = cache_look(c, e->hash, e->site, e->key), **slot;

	if (old != NULL)
		cache_drop(c, old);
	if (!keep || !cache_room(c, NULL, e->cost)) {
		cache_pass(c);
		c->passing = e;
		return;
	}
	e->kept = true;
	c->budget.used += e->cost;
	slot = cache_slot(c, e->hash);
	e->chain = *slot;
	*slot = e;
	TAILQ_INSERT_HEAD(&c->lru, e, lru);
}

void
cache_pass(struct cache *c)
{
	if (c->passing == NULL)
		return;
	entry_free(c, c->passing);
	c->passing = NULL;
}

bool
cache_room(struct cache *c, const struct entry *spare, size_t size)
{
	struct budget	*b = &c->budget;
	struct entry	*last;

	if (size > b->max)
		return false;
	while (b->used > b->max - size &&
	    (last = TAILQ_LAST(&c->lru, entries)) != NULL && last != spare)
		cache_drop(c, last);
	return b->used <= b->max - size;
}

struct budget *
cache_budget(struct cache *c, const struct entry *spare, size_t size)
{
	if (cache_room(c, spare, size))
		return &c->budget;
	return size <= c->passing_budget.max - c->passing_budget.used ?
	    &c->passing_budget : NULL;
}

void
file_id_of(struct file_id *id, const struct stat *st)
{
	id->dev = st->st_dev;
	id->ino = st->st_ino;
	id->size = st->st_size;
	id->mtime = st->st_mtim;
	id->ctime = st->st_ctim;
}

static bool
time_same(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
file_id_same(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    time_same(&a->mtime, &b->mtime) && time_same(&a->ctime, &b->ctime);
}
