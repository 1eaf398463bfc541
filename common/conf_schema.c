#include "conf_parts.h"

/*
 * Every key there is, with its type, default and range.  The order is the one
 * in which they are read: what names something comes after what it names.
 */
#define F(f)	offsetof(struct conf, f)
#define YEAR	31536000.0
#define DAY	86400.0

static const struct conf_key processes_keys[] = {
	{ .name = "worker", .load = conf_load_processes,
	  .offset = F(processes.worker), .max = 1024 },
	{ .name = "tlsterm", .load = conf_load_processes,
	  .offset = F(processes.tlsterm), .max = 1024 },
	{ .name = "keys", .load = conf_load_processes,
	  .offset = F(processes.keys), .max = 1024, .def = 2 },
	{ .name = "proxy", .load = conf_load_processes,
	  .offset = F(processes.proxy), .max = 1024, .def = 1 },
	{ .name = NULL }
};

static const struct conf_key limits_keys[] = {
	{ .name = "connections", .load = conf_load_u32,
	  .offset = F(limits.connections), .max = INT32_MAX },
	{ .name = "undecided", .load = conf_load_u32,
	  .offset = F(limits.undecided), .max = INT32_MAX, .def = 4096 },
	{ .name = "per_address", .load = conf_load_u32,
	  .offset = F(limits.per_address), .max = INT32_MAX },
	{ .name = "rate_per_address", .load = conf_load_seconds,
	  .offset = F(limits.rate_per_address), .max = 1e6 },
	{ .name = "hello_timeout", .load = conf_load_seconds,
	  .offset = F(limits.hello_timeout), .max = 3600, .def = 5 },
	{ .name = "hello_bytes", .load = conf_load_u32,
	  .offset = F(limits.hello_bytes), .min = 1024, .max = 65536,
	  .def = 32768 },
	{ .name = "handshake_timeout", .load = conf_load_seconds,
	  .offset = F(limits.handshake_timeout), .max = 3600, .def = 10 },
	{ .name = "header_timeout", .load = conf_load_seconds,
	  .offset = F(limits.header_timeout), .max = 3600, .def = 10 },
	{ .name = "idle_timeout", .load = conf_load_seconds,
	  .offset = F(limits.idle_timeout), .max = YEAR, .def = 300 },
	{ .name = "loop", .load = conf_load_u32, .offset = F(limits.loop),
	  .max = INT32_MAX, .def = 512 },
	{ .name = "cache", .load = conf_load_u32, .offset = F(limits.cache),
	  .max = UINT32_MAX, .def = 32 * 1024 * 1024 },
	{ .name = NULL }
};

static const struct conf_key users_keys[] = {
	{ .name = "worker", .load = conf_load_user,
	  .offset = F(user[USER_WORKER]), .text = "l4mux-worker" },
	{ .name = "proxy", .load = conf_load_user,
	  .offset = F(user[USER_PROXY]), .text = "l4mux-proxy" },
	{ .name = "tlsterm", .load = conf_load_user,
	  .offset = F(user[USER_TLSTERM]), .text = "l4mux-tls" },
	{ .name = "keys", .load = conf_load_user, .offset = F(user[USER_KEYS]),
	  .text = "l4mux-keys" },
	{ .name = "acme", .load = conf_load_user, .offset = F(user[USER_ACME]),
	  .text = "l4mux-acme" },
	{ .name = "hook", .load = conf_load_user, .offset = F(user[USER_HOOK]),
	  .text = "l4mux-hook" },
	{ .name = "metrics", .load = conf_load_user,
	  .offset = F(user[USER_METRICS]), .text = "l4mux-metrics" },
	{ .name = NULL }
};

static const char *const	target_words[] = { "stderr", "syslog", NULL };
static const char *const	format_words[] = { "text", "json", NULL };
static const char *const	level_words[] = {
	"error", "warning", "info", "debug", NULL
};

static const struct conf_key log_keys[] = {
	{ .name = "target", .load = conf_load_enum, .offset = F(log.target),
	  .words = target_words, .def = LOG_TO_STDERR },
	{ .name = "format", .load = conf_load_enum, .offset = F(log.format),
	  .words = format_words, .def = LOG_FMT_TEXT },
	{ .name = "level", .load = conf_load_enum, .offset = F(log.level),
	  .words = level_words, .def = LOG_LVL_INFO },
	{ .name = "connections", .load = conf_load_bool,
	  .offset = F(log.connections), .def = true },
	{ .name = "rate", .load = conf_load_u32, .offset = F(log.rate),
	  .max = INT32_MAX, .def = 100 },
	{ .name = NULL }
};

static const struct conf_key tls_keys[] = {
	{ .name = "min", .load = conf_load_tls_min, .offset = F(tls.min),
	  .text = "1.2" },
	{ .name = "groups", .load = conf_load_strings, .offset = F(tls.groups),
	  .check = conf_check_group },
	/* RFC 8446 4.6.1: no ticket lives longer than a week. */
	{ .name = "tickets", .load = conf_load_seconds,
	  .offset = F(tls.tickets), .min = 1, .max = 7 * DAY, .def = 43200 },
	{ .name = NULL }
};

static const struct conf_key acme_keys[] = {
	{ .name = "email", .load = conf_load_string, .offset = F(acme.email),
	  .text = "", .check = conf_check_email },
	{ .name = "agree_to_terms", .load = conf_load_agree,
	  .offset = F(acme.agree_to_terms), .required = true },
	{ .name = "directory", .load = conf_load_string,
	  .offset = F(acme.directory), .check = conf_check_https,
	  .text = CONF_ACME_DIRECTORY },
	{ .name = "challenges", .load = conf_load_challenges,
	  .offset = F(acme.challenges), .text = "http-01 tls-alpn-01",
	  .min = 1 },
	{ .name = "ca_file", .load = conf_load_string,
	  .offset = F(acme.ca_file), .check = conf_check_path },
	{ .name = "profile", .load = conf_load_string,
	  .offset = F(acme.profile), .check = conf_check_plain },
	{ .name = "renew_at", .load = conf_load_seconds,
	  .offset = F(acme.renew_at), .min = 0.01, .max = 0.99, .def = 0.33 },
	{ .name = "fallback", .load = conf_load_string,
	  .offset = F(acme.fallback), .check = conf_check_https },
	{ .name = "staging", .load = conf_load_string,
	  .offset = F(acme.staging), .check = conf_check_https },
	{ .name = "eab_kid", .load = conf_load_string,
	  .offset = F(acme.eab_kid), .check = conf_check_plain },
	{ .name = "eab_key_file", .load = conf_load_string,
	  .offset = F(acme.eab_key_file), .check = conf_check_path },
	{ .name = "dns_hook", .load = conf_load_string,
	  .offset = F(acme.dns_hook), .check = conf_check_path },
	{ .name = "on_renew", .load = conf_load_string,
	  .offset = F(acme.on_renew), .check = conf_check_path },
	{ .name = NULL }
};

const struct conf_key conf_root_keys[] = {
	{ .name = "processes", .load = conf_load_group,
	  .sub = processes_keys },
	{ .name = "limits", .load = conf_load_group, .sub = limits_keys },
	{ .name = "users", .load = conf_load_users, .sub = users_keys },
	{ .name = "sandbox", .load = conf_load_sandbox, .offset = F(strict) },
	{ .name = "drain", .load = conf_load_seconds, .offset = F(drain),
	  .max = YEAR, .def = 30 },
	{ .name = "control", .load = conf_load_string, .offset = F(control),
	  .text = "/run/l4mux/l4muxd.sock", .check = conf_check_socket },
	{ .name = "state", .load = conf_load_string, .offset = F(state),
	  .text = "/var/lib/l4mux", .check = conf_check_path },
	{ .name = "log", .load = conf_load_group, .sub = log_keys },
	{ .name = "tls", .load = conf_load_group, .sub = tls_keys },
	{ .name = "acme", .load = conf_load_acme, .offset = F(acme.on),
	  .sub = acme_keys },
	{ .name = "listen", .load = conf_load_listen,
	  .sub = conf_listener_keys },
	{ .name = "metrics", .load = conf_load_metrics },
	{ .name = "upstreams", .load = conf_load_upstreams,
	  .sub = conf_upstream_keys, .named = true },
	{ .name = "sites", .load = conf_load_sites, .sub = conf_site_keys,
	  .named = true },
	{ .name = "certificates", .load = conf_load_certificates,
	  .sub = conf_certificate_keys, .named = true },
	{ .name = "routes", .load = conf_load_routes,
	  .sub = conf_route_keys },
	{ .name = "fallback", .load = conf_load_fallback,
	  .sub = conf_fallback_keys },
	{ .name = NULL }
};
