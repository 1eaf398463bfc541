#include "common/control.h"
#include "common/route.h"
#include "control.h"
#include "generation.h"

/* One rule that was tried, and the key that says no. */
static void
explain_rule(struct json *j, const struct conf *conf, uint32_t i,
    const char *no)
{
	char	text[CONTROL_TEXT_MAX];

	json_object(j, NULL);
	json_uint(j, "rule", i + 1);
	json_str(j, "text", control_route_text(conf, i, text));
	json_str(j, "to", conf_target_name(conf, conf->route[i].to));
	json_uint(j, "line", conf->route[i].line);
	json_str(j, "no", no);
	json_end(j);
}

static void
explain_rules(struct json *j, const struct conf *conf,
    const struct facts *f)
{
	const char	*no;
	uint32_t	 i, left_out = 0;

	json_array(j, "rules");
	for (i = 0; i < conf->nroute; i++) {
		no = route_explain(conf, i, f);
		if (i < CONTROL_RULES_MAX)
			explain_rule(j, conf, i, no);
		else
			left_out++;
		if (*no == '\0')
			break;
	}
	json_end(j);
	json_uint(j, "rules_left_out", left_out);
}

static void
explain_decision(struct json *j, const struct conf *conf,
    const struct decision *d)
{
	char	reason[24];

	json_str(j, "to", conf_target_name(conf, d->target));
	json_str(j, "kind", report_kind_name(d->target.kind));
	json_str(j, "reason", conn_reason_format(d->reason, d->rule, reason));
	json_uint(j, "line", d->reason == REASON_ROUTE ?
	    conf->route[d->rule].line : 0);
	json_bool(j, "log", d->log);
}

bool
explain_run(struct request *r)
{
	const struct conf	*conf = r->master->gen->conf;
	struct route_table	*table;
	struct facts		 f;
	struct decision		 d;

	if (!control_facts_read(conf, r->word + 1, r->nwords - 1, &f, r->err,
	    sizeof(r->err)))
		return false;
	table = route_table_new(conf);
	if (route_decide(table, &f, &d) == ROUTE_TAKE) {
		json_str(r->json, "verdict", "take");
		explain_decision(r->json, conf, &d);
	} else {
		json_str(r->json, "verdict", "wait");
		json_uint(r->json, "need", f.need);
	}
	route_table_free(table);
	explain_rules(r->json, conf, &f);
	return true;
}
