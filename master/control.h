#ifndef L4_MASTER_CONTROL_H
#define L4_MASTER_CONTROL_H

#include <sys/types.h>

#include "common/json.h"
#include "common/proto.h"
#include "common/stats.h"
#include "master.h"

/*
 * The control socket (docs/control.md).  One line from each client, one JSON
 * document back.
 */

struct acme_cert;

/* Fatal when the socket cannot be made, or another daemon answers on it. */
struct control *control_open(struct master *, const char *path);
/* control_socket.c: makes it, bound; nobody but us may use it yet.  Fatal as
 * control_open(). */
int	control_socket(const char *path);
/* Removes the socket from the file system as well. */
void	control_close(struct control *);
/* The reload of that number is over: answers who waits for it. error is NULL,
 * or the reasons, a line each.  A NULL control is fine. */
#define CONTROL_WAITING_MAX	64
void	control_outcome(struct control *, uint64_t number, const char *error);

/* The same for who waits for a certificate: it is in force, or error says why
 * it is not. */
void	control_renewed(struct control *, const struct acme_cert *,
	    const char *error);

/* Before an upgrade: who waits for what processes tell is told to ask again,
 * for the next program does not know of the question. */
void	control_interrupt(struct control *);
/*
 * Before that: takes nobody new, who waits in the queue of the socket instead.
 * True when nobody is in the midst of a question or an answer; else the timer
 * is set when that may be so, which takes seconds, as theirs are counted.
 */
bool	control_settled(struct control *, struct ev_timer *);
/* There was no upgrade. */
void	control_go_on(struct control *);
/*
 * For an upgrade: the listening socket, then the clients that wait for an
 * outcome; returns how many.  And the inverse: they wait for the next one.
 */
size_t	control_fds(const struct control *, int *fds, size_t max);
struct control *control_adopt(struct master *, const char *path,
	    const int *fds, size_t n);

/*
 * report.c, metrics.c, explain.c: the members of the document after "ok".  On false, err
 * says why not.  word[0] is the command.
 */
struct request {
	struct master	*master;
	char		*const *word;
	int		 nwords;
	struct json	*json;
	uint64_t	 awaits;	/* set: answered when that reload ends */
	void		(*then)(struct master *);	/* begins it */
	const char	*renews;	/* set: answered when that certificate
					   is had, or could not be, or late */
	uint64_t	 patience;	/* ns: not longer than this */
	struct gather	*gather;	/* what to ask the children */
	bool		 gathers;	/* set: ask it, then answer */
	char		 err[256];
};
bool	command_run(struct request *);	/* command.c: finds and runs it */
bool	report_status(struct request *);
bool	report_routes(struct request *);
bool	report_upstreams(struct request *);
bool	report_metrics(struct request *);
bool	report_certificates(struct request *);
bool	explain_run(struct request *);

struct generation;
/* report_certs.c: strings into the array that is open, of certificates that
 * an operator should know something about. */
void	report_cert_warnings(struct json *, const struct generation *);
void	report_targets(struct json *, const struct generation *);

/* The same values for metrics.c.  report.c: */
void	report_usage(pid_t, uint64_t *cpu_ms, uint64_t *rss_kib);
/* Does the counter concern processes of that role? */
bool	report_counts(enum role, enum stat_id);
const char *report_state(const struct master *);

/* report_targets.c: sums over the processes of a generation. */
enum { TARGET_COUNT_LIVE, TARGET_COUNT_TOTAL, TARGET_COUNT_FAILED,
	TARGET_COUNT__MAX };
struct target_counts {
	const char	*name, *kind;
	bool		 has[TARGET_COUNT__MAX];
	uint64_t	 count[TARGET_COUNT__MAX];
};
/* The i-th target, sites first; false when there are fewer. */
bool	report_target(const struct generation *, uint32_t i,
	    struct target_counts *);

/* What decides: rules, then names of sites, then fallbacks.  why: as in the
 * log.  False when there are fewer. */
bool	report_reason(const struct generation *, uint32_t i, char why[24],
	    const char **to, uint64_t *hits);

enum { BACKEND_COUNT_UP, BACKEND_COUNT_LIVE, BACKEND_COUNT_TOTAL,
	BACKEND_COUNT_FAILED, BACKEND_COUNT__MAX };
struct backend_counts {
	uint64_t	state;		/* BACKEND_UNKNOWN, ... */
	uint64_t	count[BACKEND_COUNT__MAX];
};
void	report_backend(const struct generation *, uint32_t upstream,
	    uint32_t backend, struct backend_counts *);
const char *report_kind_name(enum target_kind);

#endif
