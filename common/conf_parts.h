#ifndef L4_CONF_PARTS_H
#define L4_CONF_PARTS_H

#include "conf_read.h"
#include "hello.h"

/*
 * What the schema's tables name beside the plain loaders of conf_read.h: one
 * file for each part of the configuration.
 */
#define CONF_LOADER(name)						\
	void name(struct conf_reader *, const struct conf_key *,	\
	    const struct config_setting_t *, void *)
#define CONF_CHECK(name)						\
	const char *name(struct conf_reader *,				\
	    const struct config_setting_t *, const char *)

#define CONF_LISTENERS_MAX	256	/* their descriptors are inherited */
#define CONF_SOCKET_MAX		107	/* sun_path without its NUL */

extern const struct conf_key conf_root_keys[];	/* conf_schema.c */

/* conf_check.c: values */
CONF_CHECK(conf_check_path);
CONF_CHECK(conf_check_socket);
CONF_CHECK(conf_check_plain);		/* printable, not empty */
CONF_CHECK(conf_check_file_name);	/* no slash */
CONF_CHECK(conf_check_url_path);	/* begins with one */
CONF_CHECK(conf_check_redirect);
CONF_CHECK(conf_check_header);
CONF_CHECK(conf_check_group);		/* of a key exchange */
CONF_CHECK(conf_check_email);
CONF_CHECK(conf_check_https);
CONF_CHECK(conf_check_alpn);
CONF_CHECK(conf_check_sni);
CONF_CHECK(conf_check_host);
CONF_LOADER(conf_load_cidrs);
/* Indexes among words, each once, as an array of enum at offset. */
CONF_LOADER(conf_load_enums);

/* Splits "HOST:PORT"; host (without brackets) may be "".  Reports. */
#define CONF_HOST_MAX	(HELLO_NAME_MAX + 1)
bool	conf_host_port(struct conf_reader *, const struct config_setting_t *,
	    const char *text, char host[CONF_HOST_MAX], uint16_t *port);

/* conf_global.c: keys with a rule of their own */
CONF_LOADER(conf_load_users);		/* all different */
CONF_LOADER(conf_load_user);		/* a name or a number, not root */
CONF_LOADER(conf_load_sandbox);
CONF_LOADER(conf_load_tls_min);
CONF_LOADER(conf_load_agree);
CONF_LOADER(conf_load_challenges);

/* conf_acme.c */
#define CONF_ACME_DIRECTORY	"https://acme-v02.api.letsencrypt.org/directory"
extern const struct conf_key conf_certificate_keys[];
CONF_LOADER(conf_load_acme);
CONF_LOADER(conf_load_certificates);
/* Reports those that no CA could make a certificate of. */
void	conf_acme_names(struct conf_reader *,
	    const struct config_setting_t *, const struct conf_strs *);

/* conf_listen.c */
extern const struct conf_key conf_listener_keys[];
CONF_LOADER(conf_load_listen);
CONF_LOADER(conf_load_metrics);
/* Would a connection to host:port come back to one of our own listeners, as
 * far as that can be known here?  Its name, or NULL. */
const char *conf_own_listener(struct conf_reader *, const char *host,
	    uint16_t port);

/* conf_upstream.c */
extern const struct conf_key conf_upstream_keys[];
/* When routes are known: the names for which TLS ends here. */
void	conf_upstream_names(struct conf_reader *,
	    const struct config_setting_t *root);
CONF_LOADER(conf_load_upstreams);
CONF_LOADER(conf_load_processes);	/* 0 = one per CPU */

/* conf_site.c */
extern const struct conf_key conf_site_keys[], conf_cert_keys[];
CONF_LOADER(conf_load_certificate);	/* base: a struct conf_site */
CONF_LOADER(conf_load_sites);

/* conf_route.c */
extern const struct conf_key conf_route_keys[], conf_fallback_keys[];
CONF_LOADER(conf_load_routes);
CONF_LOADER(conf_load_fallback);
/* Names that routes and fallback use.  Reports a name used twice. */
void	conf_target_add(struct conf_reader *, const struct config_setting_t *,
	    enum target_kind, size_t index);
bool	conf_target(struct conf_reader *, const struct config_setting_t *,
	    struct conf_target *);

#endif
