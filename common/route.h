#ifndef L4_ROUTE_H
#define L4_ROUTE_H

#include "conf.h"
#include "conn.h"

/*
 * From what is known of a connection to the target that shall have it.
 * Pure: no descriptor, no clock.  Used by worker on live connections and by
 * master to explain.
 */

/* What the payload says so far. */
enum fact { FACT_PENDING, FACT_NONE, FACT_KNOWN };

struct facts {
	uint16_t	listener;
	struct addr	peer, local;

	/* from facts_learn(), or set by hand to explain: */
	uint32_t	proto_yes;	/* bits 1 << enum proto */
	uint32_t	proto_pending;
	enum fact	hello;		/* is there a ClientHello: sni, alpn */
	enum fact	http;		/* is there an HTTP head: host */
	bool		malformed;
	size_t		need;		/* bytes, while anything is pending */
	struct hello	tls;
	char		host[HELLO_NAME_MAX + 1];
};

/*
 * Sets what the prefix says; `final` when no more will come (FIN, or nothing
 * larger is allowed): what is pending then becomes NONE, or malformed where a
 * ClientHello was cut.
 */
void	facts_learn(struct facts *, const uint8_t *p, size_t len, bool final);

enum route_verdict {
	ROUTE_TAKE,		/* target, reason and rule are set */
	ROUTE_WAIT,		/* facts.need bytes may decide it */
};

struct decision {
	struct conf_target target;
	enum conn_reason   reason;
	uint32_t	   rule;
	bool		   log;
};

struct route_table;		/* the rules, with an index over their names */

/* conf must outlive it.  Fatal without memory. */
struct route_table *route_table_new(const struct conf *);
void	route_table_free(struct route_table *);

enum route_verdict route_decide(const struct route_table *,
	    const struct facts *, struct decision *);

/* The decision for a connection that no rule may have any more. */
void	route_fallback(const struct conf *, enum fallback, struct decision *);

/* For explain: does rule `i` take it, and if not, which key says no?
 * "" = it does; else for example "sni" or "not". */
const char *route_explain(const struct conf *, uint32_t i,
	    const struct facts *);
/* Which site has the name (implied routes)? -1 = none. */
int	route_site_by_name(const struct route_table *, const char *name);

#endif
