#ifndef L4_METRICS_H
#define L4_METRICS_H

#include "common/child.h"
#include "common/doc.h"
#include "history.h"
#include "request.h"

/*
 * The process that shows what the others do: over HTTP, on a listener of its
 * own.  It gets documents from master, when it asks, and knows nothing else.
 */
#define CLIENTS_MAX	64
#define ANSWER_HEAD_MAX	1024

struct metrics;

/* An answer's content, made once for all who want it at that time. */
struct body {
	unsigned int	 refs;
	char		*data;
	size_t		 len;
	char		 nonce[33];	/* of the page's Content-Security-
					   Policy; "" = none */
};

enum client_state {
	CLIENT_FREE,
	CLIENT_READING,		/* the head of a request */
	CLIENT_WAITING,		/* for master's documents */
	CLIENT_WRITING,
	CLIENT_CLOSING,		/* all is written: for the client's end */
	CLIENT__MAX
};

struct client {
	struct metrics	*m;
	enum client_state state;
	struct ev_io	 io;
	struct ev_timer	 late;
	uint64_t	 since;		/* ns: accepted; of its request */
	struct request	 req;
	size_t		 len;		/* of buf */
	char		 buf[REQUEST_MAX];
	size_t		 head_len, sent;	/* of head, then body */
	char		 head[ANSWER_HEAD_MAX];
	struct body	*body;		/* NULL: none */
};

/* The latest document of a kind. */
struct report {
	json_t		*doc;		/* NULL: none yet */
	uint64_t	 came;		/* ns */
	uint64_t	 asked;		/* ns; 0 = not, or answered */
};

struct listener {
	struct ev_io	 io;
	struct ev_timer	 retry;		/* it could not accept */
	struct metrics	*m;
};

struct metrics {
	struct child	 child;
	struct listener	*listener;	/* child.nlisteners of them */
	struct client	 client[CLIENTS_MAX];
	unsigned int	 nclients;

	struct report	 report[REPORT__MAX];
	struct body	*body[CONTENT__MAX];	/* of these reports; NULL:
						   not made yet */
	json_t		*sampled;	/* status of the last sample */
	uint64_t	 sampled_at;
	struct history	*history;
	struct ev_timer	 sampler;
};

extern const struct sb_policy metrics_policy;

/* listen.c */
void	listen_open(struct metrics *);
void	listen_start(struct metrics *);
void	listen_drain(struct metrics *);

/* client.c: takes the socket. */
void	client_start(struct metrics *, int fd);
/* New documents are there. */
void	clients_go_on(struct metrics *);
void	clients_drain(struct metrics *);

/* report.c: from master. */
int	report_on_history(void *, struct ipc_msg *);
int	report_on_document(void *, struct ipc_msg *);
/* Are the documents for this as new as of `since`?  Asks for those that are
 * not; clients_go_on() follows when they come. */
bool	report_ready(struct metrics *, enum content, uint64_t since);
void	report_start(struct metrics *);

/* sample.c: what happened between two documents of status, in `secs`. */
void	sample_make(const json_t *now, const json_t *old, double secs,
	    struct sample *);

/* answer.c: the body is the caller's to body_drop(); NULL without memory. */
struct body *answer_body(struct metrics *, enum content);
void	body_drop(struct body *);
/* The cached ones are of older documents. */
void	answer_forget(struct metrics *);
/* Writes the head of an answer, and all of one that has no body (NULL); returns
 * its length. */
size_t	answer_head(char dst[ANSWER_HEAD_MAX], int status,
	    const struct request *, const struct body *);

/* page.c: the status page of the documents there are. */
void	page_write(FILE *, const struct metrics *, const char *nonce);

#endif
