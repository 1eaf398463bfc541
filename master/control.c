#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/l4.h"
#include "common/log.h"
#include "acme.h"
#include "control.h"
#include "gather.h"
#include "generation.h"

#define CLIENTS_MAX	CONTROL_WAITING_MAX
#define CLIENT_SECONDS	5	/* for the question and for the answer */
#define ANSWER_MAX	(32u << 20)
#define PAUSE		NSEC_PER_SEC
#define GROUP		"l4mux"

struct client {
	struct control	*control;
	struct client	*next;
	struct ev_io	 io;
	struct ev_timer	 deadline;
	char		 line[CONTROL_LINE_MAX + 1];
	size_t		 len;
	struct json	 json;
	struct gather	 gather;
	bool		 gathering;
	uint64_t	 awaits;	/* the number of a reload, or 0 */
	char		*renews;	/* a certificate that it waits for, or
					   NULL */
	const char	*answer;	/* of json; NULL while we read */
	size_t		 left;
};

struct control {
	struct master	*master;
	struct ev_io	 io;
	char		*path;
	gid_t		 group;
	struct ev_timer	 pause;		/* io is not watched meanwhile */
	struct ev_timer	*settled;	/* nor here: set when nobody is left
					   who asks or is answered */
	struct client	*clients;	/* newest first */
	unsigned int	 nclients;
};

static void
client_close(struct client *c)
{
	struct control	*ctl = c->control;
	struct client	**pp;

	for (pp = &ctl->clients; *pp != c; pp = &(*pp)->next)
		;
	*pp = c->next;
	ctl->nclients--;
	if (c->gathering)
		gather_cancel(&c->gather);
	if (ctl->settled != NULL)
		ev_timer_set(ctl->master->ev, ctl->settled, ev_clock());
	ev_timer_cancel(ctl->master->ev, &c->deadline);
	ev_del(ctl->master->ev, &c->io);
	close(c->io.fd);
	json_free(&c->json);
	free(c->renews);
	free(c);
}

static bool
client_waits(const struct client *c)
{
	return c->awaits != 0 || c->renews != NULL || c->gathering;
}

static void
client_write(struct client *c)
{
	ssize_t	n;

	while (c->left > 0) {
		n = send(c->io.fd, c->answer, c->left,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN) {
			ev_mod(c->control->master->ev, &c->io, EPOLLOUT);
			return;
		}
		if (n == -1)
			break;
		c->answer += n;
		c->left -= (size_t)n;
	}
	client_close(c);
}

static void
client_fail(struct client *c, const char *why)
{
	json_free(&c->json);
	json_init(&c->json, ANSWER_MAX);
	json_object(&c->json, NULL);
	json_bool(&c->json, "ok", false);
	json_str(&c->json, "error", why);
}

static void
client_finish(struct client *c)
{
	struct ev	*ev = c->control->master->ev;

	c->awaits = 0;
	free(c->renews);
	c->renews = NULL;
	json_end(&c->json);
	c->answer = json_done(&c->json, &c->left);
	if (c->answer == NULL) {
		client_fail(c, "the answer is too large");
		json_end(&c->json);
		c->answer = json_done(&c->json, &c->left);
	}
	ev_timer_set(ev, &c->deadline,
	    ev_clock() + CLIENT_SECONDS * NSEC_PER_SEC);
	if (c->answer == NULL)
		client_close(c);
	else
		client_write(c);
}

static void
client_late(struct ev_timer *t)
{
	struct client	*c = container_of(t, struct client, deadline);

	if (c->renews == NULL) {
		client_close(c);
		return;
	}
	client_fail(c, "the certificate was not had in time: it is still "
	    "being tried");
	client_finish(c);
}

static void
client_begin(struct client *c)
{
	json_init(&c->json, ANSWER_MAX);
	json_object(&c->json, NULL);
	json_bool(&c->json, "ok", true);
}

static void
client_gathered(struct gather *g, const char *error)
{
	struct client	*c = container_of(g, struct client, gather);

	c->gathering = false;
	if (error != NULL)
		client_fail(c, error);
	client_finish(c);
}

static void
client_request(struct client *c)
{
	char		*word[CONTROL_WORDS_MAX];
	struct request	 r = { .master = c->control->master, .word = word,
			    .json = &c->json, .gather = &c->gather };

	r.nwords = control_split(c->line, word);
	client_begin(c);
	if (r.nwords == -1)
		client_fail(c, "not a line of words");
	else if (r.master->gen == NULL)
		client_fail(c, r.master->stopping ? "stopping" : "starting");
	else if (!command_run(&r))
		client_fail(c, r.err);
	c->awaits = r.awaits;
	c->gathering = r.gathers;
	c->gather.done = client_gathered;
	if (r.renews != NULL && (c->renews = strdup(r.renews)) == NULL)
		fatal("strdup");
	if (!client_waits(c)) {
		client_finish(c);
		return;
	}
	ev_timer_cancel(r.master->ev, &c->deadline);
	ev_mod(r.master->ev, &c->io, 0);	/* hang-up only */
	if (c->gathering)
		gather_start(&c->gather);
	else if (c->renews != NULL)
		ev_timer_set(r.master->ev, &c->deadline,
		    ev_clock() + r.patience);
	else
		r.then(r.master);
}

void
control_outcome(struct control *ctl, uint64_t number, const char *error)
{
	struct client	*c, *next;

	for (c = ctl == NULL ? NULL : ctl->clients; c != NULL; c = next) {
		next = c->next;
		if (c->awaits == 0 || c->awaits > number)
			continue;
		if (error == NULL)
			json_uint(&c->json, "generation",
			    ctl->master->gen->id);
		else
			client_fail(c, error);
		client_finish(c);
	}
}

static void
client_renewed(struct client *c, const struct acme_cert *cert,
    const char *error)
{
	char	text[2048];

	if (error != NULL) {
		snprintf(text, sizeof(text), "certificate %s: %s", cert->name,
		    error);
		client_fail(c, text);
	} else {
		json_str(&c->json, "certificate", cert->name);
		json_int(&c->json, "not_after", cert->led.valid_to);
		json_uint(&c->json, "generation",
		    c->control->master->gen->id);
	}
	client_finish(c);
}

void
control_renewed(struct control *ctl, const struct acme_cert *cert,
    const char *error)
{
	struct client	*c, *next;

	for (c = ctl == NULL ? NULL : ctl->clients; c != NULL; c = next) {
		next = c->next;
		if (c->renews != NULL && strcmp(c->renews, cert->name) == 0)
			client_renewed(c, cert, error);
	}
}

void
control_interrupt(struct control *ctl)
{
	struct client	*c, *next;

	for (c = ctl->clients; c != NULL; c = next) {
		next = c->next;
		if (!c->gathering)
			continue;
		gather_cancel(&c->gather);
		client_gathered(&c->gather, "interrupted by an upgrade: "
		    "ask again");
	}
}

static void
client_read(struct client *c)
{
	ssize_t	 n;
	char	*end;

	n = recv(c->io.fd, c->line + c->len, CONTROL_LINE_MAX - c->len,
	    MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->len += (size_t)n;
	end = memchr(c->line, '\n', c->len);
	if (end == NULL && c->len < CONTROL_LINE_MAX)
		return;
	if (end == NULL || memchr(c->line, '\0', c->len) != NULL)
		end = c->line;		/* an empty line is no request */
	*end = '\0';
	client_request(c);
}

static void
client_event(struct ev_io *io, uint32_t events)
{
	struct client	*c = container_of(io, struct client, io);

	if (c->answer != NULL)
		client_write(c);
	else if (!client_waits(c))
		client_read(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		client_close(c);	/* does not wait any more */
}

/* The mode of the socket says the same; this holds also where it was changed,
 * and before a byte is read. */
static bool
peer_allowed(const struct control *ctl, int fd)
{
	struct ucred	cred;
	gid_t		groups[256];
	socklen_t	len = sizeof(cred), glen = sizeof(groups);
	size_t		i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	if (ctl->group == 0)
		return false;
	if (cred.gid == ctl->group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &glen) == -1)
		return false;
	for (i = 0; i < glen / sizeof(*groups); i++)
		if (groups[i] == ctl->group)
			return true;
	return false;
}

/* When all places are taken, the client that has waited longest goes. */
static void
client_make_room(struct control *ctl)
{
	struct client	*c = ctl->clients;

	if (ctl->nclients < CLIENTS_MAX)
		return;
	while (c->next != NULL)
		c = c->next;
	client_close(c);
}

static struct client *
client_new(struct control *ctl, int fd)
{
	struct client	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatal("calloc");
	c->control = ctl;
	c->io.fd = fd;
	c->io.cb = client_event;
	c->deadline.cb = client_late;
	c->next = ctl->clients;
	ctl->clients = c;
	ctl->nclients++;
	return c;
}

static void
control_watch(struct control *ctl)
{
	if (ev_add(ctl->master->ev, &ctl->io, EPOLLIN) == -1)
		fatal("epoll_ctl: control");
}

static void
control_resume(struct ev_timer *t)
{
	control_watch(container_of(t, struct control, pause));
}

/* No descriptor for who waits, who would wake us again and again. */
static void
control_pause(struct control *ctl)
{
	struct ev	*ev = ctl->master->ev;

	log_warn("control: accept");
	ev_del(ev, &ctl->io);
	ctl->pause.cb = control_resume;
	ev_timer_set(ev, &ctl->pause, ev_clock() + PAUSE);
}

static void
control_accept(struct ev_io *io, uint32_t events)
{
	struct control	*ctl = container_of(io, struct control, io);
	struct client	*c;
	int		 fd;

	(void)events;
	fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			control_pause(ctl);
		return;
	}
	if (!peer_allowed(ctl, fd)) {
		close(fd);
		return;
	}
	client_make_room(ctl);
	c = client_new(ctl, fd);
	ev_timer_set(ctl->master->ev, &c->deadline,
	    ev_now(ctl->master->ev) + CLIENT_SECONDS * NSEC_PER_SEC);
	if (ev_add(ctl->master->ev, &c->io, EPOLLIN) == -1)
		client_close(c);
}

static void
control_own(struct control *ctl)
{
	struct group	*gr;

	if (geteuid() == 0 && (gr = getgrnam(GROUP)) != NULL)
		ctl->group = gr->gr_gid;
	if (ctl->group != 0 && lchown(ctl->path, 0, ctl->group) == -1)
		fatal("control: %s: chown", ctl->path);
	if (chmod(ctl->path, 0660) == -1)
		fatal("control: %s: chmod", ctl->path);
}

static struct control *
control_new(struct master *m, const char *path)
{
	struct control	*ctl;

	if ((ctl = calloc(1, sizeof(*ctl))) == NULL ||
	    (ctl->path = strdup(path)) == NULL)
		fatal("calloc");
	ctl->master = m;
	ctl->io.cb = control_accept;
	return ctl;
}

struct control *
control_open(struct master *m, const char *path)
{
	struct control	*ctl = control_new(m, path);

	ctl->io.fd = control_socket(path);
	control_own(ctl);
	if (listen(ctl->io.fd, 128) == -1)
		fatal("control: %s: listen", path);
	control_watch(ctl);
	return ctl;
}

/* Each has CLIENT_SECONDS for what it does. */
bool
control_settled(struct control *ctl, struct ev_timer *t)
{
	const struct client	*c;
	unsigned int		 n = 0;

	for (c = ctl->clients; c != NULL; c = c->next)
		n += !client_waits(c);
	if (n > 0 && ctl->settled == NULL)
		log_info("control: %u clients are answered before the upgrade",
		    n);
	ctl->settled = t;
	ev_timer_cancel(ctl->master->ev, &ctl->pause);
	ev_del(ctl->master->ev, &ctl->io);
	return n == 0;
}

void
control_go_on(struct control *ctl)
{
	if (ctl->settled == NULL)
		return;
	ctl->settled = NULL;
	control_watch(ctl);
}

size_t
control_fds(const struct control *ctl, int *fds, size_t max)
{
	const struct client	*c;
	size_t			 n = 0;

	fds[n++] = ctl->io.fd;
	for (c = ctl->clients; c != NULL && n < max; c = c->next)
		if (c->awaits != 0)
			fds[n++] = c->io.fd;
	return n;
}

struct control *
control_adopt(struct master *m, const char *path, const int *fds, size_t n)
{
	struct control	*ctl = control_new(m, path);
	struct client	*c;
	size_t		 i;

	ctl->io.fd = fds[0];
	control_own(ctl);
	control_watch(ctl);
	for (i = 1; i < n; i++) {
		c = client_new(ctl, fds[i]);
		client_begin(c);
		c->awaits = life_next_reload(m);
		if (ev_add(m->ev, &c->io, 0) == -1)
			client_close(c);
	}
	return ctl;
}

void
control_close(struct control *ctl)
{
	if (ctl == NULL)
		return;
	while (ctl->clients != NULL)
		client_close(ctl->clients);
	ev_timer_cancel(ctl->master->ev, &ctl->pause);
	ev_del(ctl->master->ev, &ctl->io);
	close(ctl->io.fd);
	unlink(ctl->path);
	free(ctl->path);
	free(ctl);
}
