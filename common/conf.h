#ifndef L4_CONF_H
#define L4_CONF_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "addr.h"
#include "log.h"
#include "pp.h"
#include "probe.h"

/*
 * l4mux.conf(5) as the daemon uses it.  Read by conf_load() from a file or from
 * the snapshot that master made of one; never changed afterwards.  Every
 * pointer belongs to struct conf and lives as long.  Strings are never NULL
 * unless said so; lists are (pointer, count).  Times are seconds, sizes bytes,
 * 0 = no limit unless said otherwise.
 */

struct conf_strs {
	const char	**v;
	size_t		  n;
};

enum target_kind {
	TARGET_CLOSE,		/* end the connection: FIN */
	TARGET_RESET,		/* end it: RST */
	TARGET_SITE,
	TARGET_UPSTREAM,
	TARGET_CHALLENGE,	/* what answers a CA: in tlsterm */
};

struct conf_target {
	enum target_kind	kind;
	uint32_t		index;	/* of the site or upstream */
};

struct conf_listener {
	const char	*name;		/* as written: "HOST:PORT" */
	struct addr	 addr[2];	/* no host: IPv4 any and IPv6 any */
	size_t		 naddr;		/* one socket each */
	struct cidr	*accept_proxy;	/* who may send a PROXY header */
	size_t		 naccept_proxy;
	int		 backlog;	/* default 4096 */
	bool		 defer_accept;
	unsigned int	 line;
};

enum cert_kind { CERT_ACME, CERT_SELF_SIGNED, CERT_FILES };
enum site_http { SITE_HTTP_REDIRECT, SITE_HTTP_SERVE, SITE_HTTP_OFF };
enum encoding { ENC_ZSTD, ENC_BR, ENC_GZIP, ENC__MAX };

struct conf_cert {
	const char	*chain;		/* absolute paths, PEM */
	const char	*key;
	const char	*file;		/* that names them, and where */
	unsigned int	 line;
};

struct conf_error_page {
	int		 status;	/* 400 to 599 */
	const char	*file;		/* begins with '/', below root */
};

struct conf_site_proxy {
	const char	*path;		/* prefix, begins with '/' */
	uint32_t	 upstream;
};

struct conf_site {
	const char	*name;
	struct conf_strs names;		/* normalised; "*.x" for a wildcard */
	const char	*root;		/* NULL where there is none */
	struct conf_strs index;
	enum encoding	 encode[ENC__MAX];	/* in order of preference */
	size_t		 nencode;
	struct conf_error_page *error_page;
	size_t		 nerror_page;
	const char	*redirect;	/* URL template, or NULL */
	int		 redirect_status;
	enum cert_kind	 cert_kind;
	struct conf_cert *cert;		/* CERT_FILES */
	size_t		 ncert;
	enum site_http	 http;
	struct conf_strs headers;	/* "Name: value", checked */
	struct conf_strs hide;		/* globs */
	bool		 browse;
	struct conf_site_proxy *proxy;
	size_t		 nproxy;
	unsigned int	 line;
};

struct conf_backend {		/* one address of an upstream */
	const char	*name;		/* as written */
	const char	*unix_path;	/* absolute, or NULL for TCP */
	const char	*host;		/* name or numeric; no brackets */
	uint16_t	 port;
};

enum balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONN, BALANCE_HASH };

struct conf_upstream {
	const char	*name;
	struct conf_backend *backend;
	size_t		 nbackend;
	enum pp_version	 send_proxy;
	enum balance	 balance;
	double		 connect_timeout;
	double		 idle_timeout;
	double		 keepalive;
	uint32_t	 max_connections;
	bool		 tls_terminate;
	struct conf_site tls;		/* what TLS that ends here shows: name,
					   names (sni of the routes to it) and
					   certificate; no more of a site */
	struct conf_strs alpn;		/* what is agreed on then, best first */
	bool		 health;	/* the group is there */
	double		 health_interval, health_timeout;
	uint32_t	 health_rise, health_fall;
	uint32_t	 processes;	/* resolved: at least 1 */
	bool		 hand_over;	/* drain = "hand-over" */
	double		 drain;		/* else seconds */
	unsigned int	 line;
};

/* A certificate of a CA for a program beside us: acme.on_renew. */
struct conf_certificate {
	const char	*name;
	struct conf_strs names;		/* as of a site */
	unsigned int	 line;
};

/* Keys of one rule.  An empty list tests nothing. */
struct conf_match {
	struct conf_strs sni;		/* exact, "*.x", or "" */
	struct conf_strs alpn;
	struct conf_strs host;
	uint32_t	 protocols;	/* bit 1 << enum proto; 0 = any */
	struct cidr	*from, *to_address;
	size_t		 nfrom, nto_address;
	uint32_t	*listen;	/* listener indexes */
	size_t		 nlisten;
};

struct conf_route {
	struct conf_match  match;
	struct conf_match *unless;	/* `not`; NULL where there is none */
	struct conf_target to;
	bool		   log;
	unsigned int	   line;
};

/* Why a connection fell through all routes (INTERFACE: fallback). */
enum fallback {
	FALLBACK_UNKNOWN,
	FALLBACK_SILENT,
	FALLBACK_MALFORMED,
	FALLBACK_OVERSIZED,
	FALLBACK__MAX
};

enum conf_user {
	USER_WORKER, USER_PROXY, USER_TLSTERM, USER_KEYS, USER_ACME, USER_HOOK,
	USER_METRICS, USER__MAX
};

struct conf {
	const char	*path;		/* the file; for messages */

	struct conf_listener *listener;
	size_t		 nlistener;
	struct conf_site *site;
	size_t		 nsite;
	struct conf_upstream *upstream;
	size_t		 nupstream;
	struct conf_certificate *certificate;
	size_t		 ncertificate;
	struct conf_route *route;
	size_t		 nroute;
	struct conf_target fallback[FALLBACK__MAX];

	struct {			/* resolved: never 0 */
		uint32_t worker, tlsterm, keys, proxy;
	} processes;

	struct {
		uint32_t connections, undecided, per_address;
		double	 rate_per_address;
		double	 hello_timeout;
		uint32_t hello_bytes;		/* 1024 to 65536 */
		double	 handshake_timeout, header_timeout, idle_timeout;
		uint32_t loop;		/* live sessions of one proxy from
					   this host's own addresses that have
					   had no answer yet; default 512 */
		uint32_t cache;		/* bytes of files that each tlsterm
					   keeps; 0 = none */
	} limits;

	const char	*user[USER__MAX];	/* name or numeric uid */
	bool		 strict;		/* sandbox = "strict" */
	double		 drain;
	const char	*control;
	const char	*state;
	struct {
		enum log_target	 target;
		enum log_format	 format;
		enum log_level	 level;
		bool		 connections;
		uint32_t	 rate;		/* lines a second */
	} log;
	struct conf_listener *metrics;	/* NULL: none */
	struct {
		const char	*min;		/* "1.2" or "1.3" */
		struct conf_strs groups;	/* n = 0: OpenSSL's */
		double		 tickets;
	} tls;
	struct {
		bool		 on;		/* the group is there */
		const char	*email;		/* may be "" */
		bool		 agree_to_terms;
		const char	*directory;
		struct conf_strs challenges;
		const char	*ca_file;	/* NULL: the system's */
		const char	*profile;	/* NULL: the CA's default */
		double		 renew_at;
		const char	*fallback;	/* another directory, or NULL */
		const char	*staging;	/* to try in while it refuses,
						   or NULL */
		const char	*eab_kid;	/* external account, or NULL */
		const char	*eab_key_file;
		const char	*dns_hook;	/* program, or NULL: dns-01 */
		const char	*on_renew;	/* program, or NULL */
	} acme;

	void		*tree;		/* the loader's own */
	struct conf_arena *arena;	/* the loader's own: all memory */
};

/*
 * Reads and checks the whole file.  Returns NULL when anything is wrong, after
 * printing every error, each as one line "FILE:LINE: message", to errs.
 * conf_free() what it returns.
 */
struct conf *conf_load(const char *path, FILE *errs);

/* The same from the text of a snapshot; path is for messages only. */
struct conf *conf_load_fd(int fd, const char *path, FILE *errs);

/* A sealed memfd with the text of the configuration, includes expanded, that
 * conf_load_fd() reads to the same values; -1 with errno set. */
int	conf_snapshot(const struct conf *);

/* Gives up the text, for who makes no snapshots of it. */
void	conf_forget_text(struct conf *);

void	conf_free(struct conf *);

/*
 * Who has certificates, by one index: the sites, then the upstreams, of which
 * those without tls_terminate have none.
 */
static inline uint32_t
conf_nholders(const struct conf *c)
{
	return (uint32_t)(c->nsite + c->nupstream);
}
static inline const struct conf_site *
conf_holder(const struct conf *c, uint32_t i)
{
	return i < c->nsite ? &c->site[i] : &c->upstream[i - c->nsite].tls;
}

/*
 * All that is bound, by one index: the listeners of connections, then that of
 * metrics, if there is one.
 */
static inline uint32_t
conf_nbound(const struct conf *c)
{
	return (uint32_t)c->nlistener + (c->metrics != NULL);
}
static inline const struct conf_listener *
conf_bound(const struct conf *c, uint32_t i)
{
	return i < c->nlistener ? &c->listener[i] : c->metrics;
}

/* "site blog", "upstream reality", "close", "reset": the name for people is
 * the site's or upstream's alone. */
const char *conf_target_name(const struct conf *, struct conf_target);
const char *conf_fallback_name(enum fallback);

/*
 * For the test that the man page is complete: calls fn with the dotted path of
 * every key the schema knows ("limits.hello_timeout", "sites.NAME.root").
 */
void	conf_each_key(void (*fn)(const char *key, void *arg), void *arg);

#endif
