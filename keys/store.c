#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/wire.h"
#include "keys.h"
#include "pem.h"

/* Where the id is, or would be. */
static size_t
place(const struct keys *k, uint32_t id)
{
	size_t	lo = 0, hi = k->nentries, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (k->entry[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct signer_key *
keys_find(const struct keys *k, uint32_t id)
{
	size_t	at = place(k, id);

	return at < k->nentries && k->entry[at].id == id ? &k->entry[at].key :
	    NULL;
}

static void
store(struct keys *k, uint32_t id, const struct signer_key *key)
{
	size_t			at = place(k, id);
	struct keys_entry	*e;

	e = reallocarray(k->entry, k->nentries + 1, sizeof(*e));
	if (e == NULL)
		fatal("reallocarray");
	k->entry = e;
	memmove(&e[at + 1], &e[at], (k->nentries - at) * sizeof(*e));
	e[at].id = id;
	e[at].key = *key;
	k->nentries++;
}

int
keys_on_key(void *arg, struct ipc_msg *m)
{
	struct keys		*k = arg;
	struct signer_key	 key = { .pkey = NULL };
	EVP_PKEY		*pkey;
	const char		*why;
	struct rd		 r;
	uint32_t		 id;

	rd_init(&r, m->data, m->len);
	id = rd_u32(&r);
	if (!rd_done(&r) || keys_find(k, id) != NULL) {
		ipc_close_fds(m);
		return -1;
	}
	pkey = pem_read_key(&k->pem, m->fd[0], &why);
	ipc_close_fds(m);
	if (pkey == NULL)
		child_fail(&k->child, "key %u: the file %s", id, why);
	if ((why = signer_key_init(&key, pkey)) != NULL)
		child_fail(&k->child, "key %u: %s", id, why);
	if (signer_try(&key) != SIGN_OK)
		child_fail(&k->child, "key %u: does not sign", id);
	store(k, id, &key);
	return 0;
}

void
keys_forget(struct keys *k)
{
	while (k->nentries > 0)
		signer_key_clear(&k->entry[--k->nentries].key);
	free(k->entry);
	k->entry = NULL;
	pem_reader_clear(&k->pem);
}
