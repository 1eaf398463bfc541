#ifndef L4_CONF_FULL_H
#define L4_CONF_FULL_H

#include <check.h>

#include "common/conf.h"

/* What good/full.conf says. */

static void
check_full_globals(const struct conf *c)
{
	ck_assert_uint_eq(c->processes.proxy, 6);
	ck_assert_uint_eq(c->limits.per_address, 64);
	ck_assert_double_eq(c->limits.idle_timeout, 100.0);
	ck_assert_double_eq(c->limits.header_timeout, 8.0);
	ck_assert_str_eq(c->user[USER_ACME], "4294967294");
	ck_assert_int_eq(c->log.target, LOG_TO_SYSLOG);
	ck_assert_int_eq(c->log.level, LOG_LVL_DEBUG);
	ck_assert(!c->strict && c->acme.on && c->acme.agree_to_terms);
	ck_assert_str_eq(c->acme.challenges.v[0], "tls-alpn-01");
	ck_assert_str_eq(c->acme.eab_kid, "kid-1");
	ck_assert_uint_eq(c->ncertificate, 1);
	ck_assert_str_eq(c->certificate[0].names.v[0], "vpn.example.org");
	ck_assert_str_eq(c->tls.min, "1.3");
	ck_assert_uint_eq(c->listener[2].naccept_proxy, 2);
	ck_assert_int_eq(c->fallback[FALLBACK_SILENT].kind, TARGET_UPSTREAM);
	ck_assert_uint_eq(c->fallback[FALLBACK_SILENT].index, 1);
	ck_assert_int_eq(c->fallback[FALLBACK_OVERSIZED].kind, TARGET_CLOSE);
	ck_assert_str_eq(conf_target_name(c, c->fallback[0]), "a");
	ck_assert_str_eq(conf_target_name(c, c->fallback[2]), "reset");
	ck_assert_str_eq(conf_fallback_name(FALLBACK_SILENT), "silent");
}

static void
check_full_parts(const struct conf *c)
{
	const struct conf_upstream	*u = &c->upstream[1];
	const struct conf_site		*s = &c->site[0];
	const struct conf_route		*r = &c->route[0];

	ck_assert_uint_eq(c->upstream[0].processes, 6);
	ck_assert(c->upstream[0].hand_over && !c->upstream[0].health);
	ck_assert_str_eq(u->backend[1].unix_path, "/run/x y");
	ck_assert_str_eq(u->backend[2].host, "::1");
	ck_assert_uint_eq(u->backend[2].port, 23);
	ck_assert(u->health && !u->hand_over && u->drain == 60);
	ck_assert_str_eq(s->names.v[0], "example.org");
	ck_assert_str_eq(s->names.v[2], "[2001:db8::7]");
	ck_assert_str_eq(s->root, "/srv/aA\\b\"c");
	ck_assert_int_eq(s->encode[0], ENC_GZIP);
	ck_assert_uint_eq(s->ncert, 2);
	ck_assert_uint_eq(s->proxy[0].upstream, 0);
	ck_assert_uint_eq(c->site[1].nencode, 0);
	ck_assert_int_eq(c->site[1].http, SITE_HTTP_OFF);
	ck_assert_int_eq(c->site[2].cert_kind, CERT_ACME);
	ck_assert_str_eq(r->match.sni.v[0], "");
	ck_assert_str_eq(r->match.sni.v[1], "*.example.com");
	ck_assert_uint_eq(r->match.protocols,
	    1u << PROTO_TLS | 1u << PROTO_SSH);
	ck_assert_uint_eq(r->match.listen[0], 1);
	ck_assert_uint_eq(r->match.listen[1], 0);
	ck_assert_str_eq(r->unless->sni.v[0], "not.example.com");
	ck_assert(!r->log && c->route[1].log && c->route[1].unless == NULL);
	ck_assert_int_eq(c->route[2].to.kind, TARGET_RESET);
}

#endif
