#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>

#include "common/hello.h"
#include "common/proto.h"
#include "common/wire.h"
#include "cert.h"
#include "keys.h"
#include "pem.h"

#define PATIENCE_MS	10000

static bool
job_names(const struct ipc_msg *m, struct cert_names *names)
{
	char		 buf[HELLO_NAME_MAX + 1];
	struct rd	 r;
	size_t		 i;

	rd_init(&r, m->data, m->len);
	names->n = rd_u16(&r);
	if ((names->v = calloc(names->n + 1, sizeof(*names->v))) == NULL)
		fatal("calloc");
	for (i = 0; i < names->n && !r.bad; i++) {
		rd_str(&r, buf, sizeof(buf));
		if ((names->v[i] = strdup(buf)) == NULL)
			fatal("strdup");
	}
	return rd_done(&r);
}

static const char *
self_sign(const struct cert_names *names, int chainfd, int keyfd)
{
	BIO		*chain = BIO_new(BIO_s_mem());
	BIO		*key = BIO_new(BIO_s_mem());	/* wiped when freed */
	const char	*why = "";

	if (chain == NULL || key == NULL ||
	    cert_self_sign(names, chain, key) == -1)
		why = "a certificate could not be made";
	else if (pem_write(chainfd, chain) == -1 || pem_write(keyfd, key) == -1)
		why = "a new certificate could not be written";
	BIO_free(chain);
	BIO_free(key);
	return why;
}

static const char *
make_csr(const struct cert_names *names, int csrfd, int keyfd)
{
	BIO		*csr = BIO_new(BIO_s_mem());
	BIO		*key = BIO_new(BIO_s_mem());	/* wiped when freed */
	const char	*why = "";

	if (csr == NULL || key == NULL || cert_request(names, csr, key) == -1)
		why = "a request could not be made";
	else if (pem_write(csrfd, csr) == -1 || pem_write(keyfd, key) == -1)
		why = "a new key could not be written";
	BIO_free(csr);
	BIO_free(key);
	return why;
}

static int
add_job(struct keys *k, struct ipc_msg *m, int kind)
{
	struct keys_job	*j;

	j = reallocarray(k->job, k->njobs + 1, sizeof(*j));
	if (j == NULL)
		fatal("reallocarray");
	k->job = j;
	j = &k->job[k->njobs++];
	j->kind = kind;
	j->chain = m->nfds > 0 ? m->fd[0] : -1;
	j->key = m->nfds > 0 ? m->fd[1] : -1;
	return job_names(m, &j->names) ? 0 : -1;
}

int
keys_on_self_sign(void *arg, struct ipc_msg *m)
{
	return add_job(arg, m, JOB_SELF_SIGN);
}

int
keys_on_check_pair(void *arg, struct ipc_msg *m)
{
	struct keys	*k = arg;

	if (m->nfds == 2)
		return add_job(k, m, JOB_CHECK);
	if (m->nfds == 0 && k->njobs > 0 &&
	    k->job[k->njobs - 1].kind <= JOB_CHECK_AGAIN)
		return add_job(k, m, JOB_CHECK_AGAIN);
	ipc_close_fds(m);
	return -1;
}

/* The key is the first of the files here. */
int
keys_on_make_csr(void *arg, struct ipc_msg *m)
{
	int	key = m->fd[0];

	m->fd[0] = m->fd[1];
	m->fd[1] = key;
	return add_job(arg, m, JOB_CSR);
}

/* An answer is lost if the channel is full: wait until it takes one. */
static void
job_done(struct keys *k, const char *why, const struct cert_info *info)
{
	struct pollfd	pfd = { .fd = FD_CHANNEL, .events = POLLOUT };
	uint8_t		buf[CERT_INFO_WIRE_MAX];
	struct wr	w;

	if (poll(&pfd, 1, PATIENCE_MS) == -1)
		fatal("poll");
	wr_init(&w, buf, sizeof(buf));
	cert_info_write(&w, why, info);
	child_done(&k->child, &w);
}

/* What was made is looked at like what was found. */
static void
job_do(struct keys *k, const struct keys_job *j, struct cert_info *info,
    char why[CERT_WHY_MAX])
{
	const char	*wrong = "";

	memset(info, 0, sizeof(*info));
	why[0] = '\0';
	if (j->kind == JOB_CSR)
		wrong = make_csr(&j->names, j->chain, j->key);
	else if (j->kind == JOB_SELF_SIGN)
		wrong = self_sign(&j->names, j->chain, j->key);
	if (j->kind == JOB_CSR || *wrong != '\0') {
		snprintf(why, CERT_WHY_MAX, "%s", wrong);
		return;
	}
	if (j->kind != JOB_CHECK_AGAIN)
		cert_check_files(&k->pem, j->chain, j->key, &k->checked);
	cert_check_names(&k->checked, &j->names, info, why);
}

void
keys_work(struct keys *k)
{
	static const struct child_jail	jail = {
		.policy = &keys_oneshot_policy,
		.user = USER_KEYS,
		.cwd = -1,
	};
	const struct keys_job	*j;
	struct cert_info	 info;
	char			 why[CERT_WHY_MAX];

	child_confine(&k->child, &jail);
	for (j = k->job; j < k->job + k->njobs; j++) {
		job_do(k, j, &info, why);
		job_done(k, why, &info);
	}
	exit(0);
}
