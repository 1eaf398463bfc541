#ifndef L4_CACHE_H
#define L4_CACHE_H

#include <sys/queue.h>
#include <sys/stat.h>

#include <stdbool.h>
#include <time.h>

#include "blob.h"
#include "common/conf.h"
#include "common/stats.h"
#include "request.h"

/*
 * What is known of files that were asked for: what is in them, what they become
 * when encoded, and the fields of their answers.  Bounded; who was not asked
 * for the longest makes room.
 *
 * An entry is trusted for the rest of the second in which its file was last
 * looked at.
 */
#define CACHE_TAG_MAX	64
#define CACHE_PASSING	((size_t)16 * 1024 * 1024)

/* Which file it is, and in which state: any change makes another. */
struct file_id {
	dev_t		dev;
	ino_t		ino;
	off_t		size;
	struct timespec	mtime, ctime;
};

enum form_state {
	FORM_NONE,		/* not made yet */
	FORM_FAST,		/* quickly; a better one may follow */
	FORM_BEST,
	FORM_BESIDE,		/* a file beside the file has it */
	FORM_USELESS,		/* it would not be smaller */
};

/* The file as it is, or in one of the encodings. */
#define FORM_PLAIN	ENC__MAX
#define FORM__MAX	(ENC__MAX + 1)

struct form {
	TAILQ_ENTRY(form)	 job;		/* if queued */
	struct entry		*entry;
	enum form_state		 state;
	bool			 queued, making;
	uint32_t		 asked;
	struct file_id		 beside;	/* FORM_BESIDE */
	struct blob		*body;		/* NULL: in its file */
	uint64_t		 length;
	char			 tag[CACHE_TAG_MAX];	/* with quotes */

	/* the answer, once it was made; NULL: not yet */
	struct blob		*answer;	/* all strings below */
	struct str		 head;
	struct field		*field;
	size_t			 nfields;
};

struct entry {
	struct entry		*chain;
	TAILQ_ENTRY(entry)	 lru;
	bool			 kept;		/* in the table */
	uint64_t		 hash;
	uint32_t		 site;
	size_t			 cost;		/* of the budget, for itself */
	time_t			 checked;
	struct file_id		 id;
	const char		*type;		/* or NULL */
	bool			 encode;	/* of a type that is */
	bool			 list;		/* of a directory */
	struct form		 form[FORM__MAX];
	char			*key;		/* what was asked for, */
	char			*name;		/* and the file that is */
	char			 text[];
};
TAILQ_HEAD(entries, entry);
TAILQ_HEAD(jobs, form);

struct cache {
	struct budget		 budget;
	struct budget		 passing_budget;	/* CACHE_PASSING bytes:
						   for what is sent but cannot
						   be kept */
	uint64_t		 spent;		/* on work for answers, as bytes
						   that are read and hashed;
						   whoever answers charges it
						   to the client */
	uint8_t			 hash_key[16];
	struct entry		**slot;
	size_t			 nslots;	/* a power of two */
	struct entries		 lru;		/* the next to go is last */
	struct entry		*passing;	/* the one that is not kept,
						   until the next request */
	const struct stats	*stats;		/* NULL: not counted */
	struct jobs		 jobs;
	void			*worker;
	/* compress.c: something is in jobs; NULL: nobody cares */
	void			(*work)(struct cache *);
	/* ... and this one is not to be worked on any more */
	void			(*forget)(struct cache *, struct form *);
};

/* max: bytes, of everything.  Fatal without memory. */
void	cache_init(struct cache *, size_t max, const struct stats *);
void	cache_free(struct cache *);

/* Most recently used from now on; NULL if there is none. */
struct entry *cache_find(struct cache *, uint32_t site, const char *key);
/* Neither in the table nor used by anybody; NULL without room. */
struct entry *entry_new(struct cache *, uint32_t site, const char *key,
	    const char *name);
/* Puts it into the table in place of one with its key, or, if it is not worth
 * that, lets it live until the next request. */
void	cache_add(struct cache *, struct entry *, bool keep);
/* Takes it out and frees it.  Answers under way go on. */
void	cache_drop(struct cache *, struct entry *);
/* Frees what the last request left behind. */
void	cache_pass(struct cache *);
/* Counts a request: answered from an entry that was there? */
void	cache_count(const struct cache *, bool hit);
/* Makes room for size bytes more, if need be at the cost of all entries but
 * this one; false where even that is not enough. */
bool	cache_room(struct cache *, const struct entry *spare, size_t size);

/* A budget with room for size bytes: the cache's if it can be made, else that
 * of what is passing; NULL where neither has. */
struct budget *cache_budget(struct cache *, const struct entry *spare,
	    size_t size);

/* Forgets what it was. */
void	form_reset(struct cache *, struct form *);
/* It is another, or goes out otherwise: the answer is to be made anew. */
void	form_forget_answer(struct form *);

void	file_id_of(struct file_id *, const struct stat *);
bool	file_id_same(const struct file_id *, const struct file_id *);

#endif
