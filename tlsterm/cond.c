#include "cond.h"
#include "httpdate.h"

static bool
is_weak(struct str tag)
{
	return tag.n >= 2 && tag.p[0] == 'W' && tag.p[1] == '/';
}

/* RFC 9110 8.8.3.2: weak comparison does not look at W/. */
static bool
etag_listed(struct str list, const struct validator *v, bool weak)
{
	struct str	tag;

	if (str_eq(str_trim(list), STR("*")))
		return true;
	while (str_next(&list, &tag)) {
		if (is_weak(tag)) {
			if (!weak)
				continue;
			tag.p += 2;
			tag.n -= 2;
		}
		if (str_eq(tag, v->etag) || str_eq(tag, v->plain))
			return true;
	}
	return false;
}

/* Was it changed after the date of the field?  A date that is none says
 * nothing: the answer is then `otherwise`. */
static bool
changed_since(struct str date, const struct validator *v, bool otherwise)
{
	time_t	t;

	if (!httpdate_parse(date, v->now, &t))
		return otherwise;
	return v->mtime > t;
}

int
cond_check(const struct request *req, const struct validator *v)
{
	if (req->if_match.p != NULL) {
		if (!etag_listed(req->if_match, v, false))
			return 412;
	} else if (req->if_unmodified_since.p != NULL &&
	    changed_since(req->if_unmodified_since, v, false))
		return 412;
	if (req->if_none_match.p != NULL) {
		if (etag_listed(req->if_none_match, v, true))
			return 304;
	} else if (req->if_modified_since.p != NULL &&
	    !changed_since(req->if_modified_since, v, true))
		return 304;
	return 0;
}

bool
cond_range(const struct request *req, const struct validator *v)
{
	struct str	s = req->if_range;
	time_t		t;

	if (s.p == NULL)
		return true;
	if (s.n > 0 && (s.p[0] == '"' || is_weak(s)))
		return str_eq(s, v->plain);
	/* A date is a strong validator only when it is not of this second. */
	return httpdate_parse(s, v->now, &t) && t == v->mtime &&
	    v->now > v->mtime;
}
