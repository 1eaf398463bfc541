#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "conf_parts.h"

/* The line of the text that libconfig did not understand, for people. */
static void
print_syntax_error(const struct conf_text *t, const config_t *tree, FILE *errs)
{
	unsigned int	 out = (unsigned int)config_error_line(tree), line;
	struct conf_seg	 place = conf_text_place(t, out);
	const char	*p = t->buf, *nl;
	char		 text[64], quoted[CONF_QUOTE_MAX];
	size_t		 len;

	for (line = 1; line < out && (nl = strchr(p, '\n')) != NULL; line++)
		p = nl + 1;
	p += strspn(p, " \t");
	len = strcspn(p, "\r\n");
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, p, len);
	text[len] = '\0';
	fprintf(errs, "%s:%u: %s", place.file, place.line,
	    config_error_text(tree));
	if (len == 0)
		fprintf(errs, " at the end: is a } or ) missing?\n");
	else
		fprintf(errs, "%s: %s\n", strstr(config_error_text(tree),
		    "syntax") != NULL ? ", here or on the line before" : "",
		    conf_quote(quoted, text));
}

static void
check_fallback(struct conf_reader *r, const config_setting_t *root)
{
	struct conf	*c = r->conf;

	if (config_setting_get_member(root, "fallback") != NULL ||
	    c->nsite + c->nupstream == 1)
		return;
	conf_error_missing(r, root, "fallback", c->nsite + c->nupstream == 0 ?
	    "and there is no site and no upstream it could be" :
	    "say who gets what no rule takes: a site, an upstream, \"close\" "
	    "or \"reset\"");
}

static bool
read_tree(struct conf *c, const config_t *tree, const struct conf_text *text,
    FILE *errs)
{
	struct conf_reader	 r = {
		.conf = c, .arena = c->arena, .text = text
	};
	const config_setting_t	*root = config_root_setting(tree);
	bool			 ok;

	conf_walk(&r, conf_root_keys, root, c);
	check_fallback(&r, root);
	conf_upstream_names(&r, root);
	conf_errors_print(&r, errs);
	ok = r.nerror == 0;
	conf_errors_free(&r);
	conf_names_free(&r.targets);
	conf_names_free(&r.hosts);
	conf_names_free(&r.binds);
	conf_names_free(&r.listeners);
	conf_names_free(&r.rules);
	return ok;
}

static bool
parse_text(struct conf *c, struct conf_text *text, FILE *errs)
{
	config_t	 tree;
	char		*cut;
	bool		 ok;

	config_init(&tree);
	/* The scanner has expanded every include; should it and libconfig
	 * ever differ on what is one, none is found there. */
	config_set_include_dir(&tree, "/dev/null");
	cut = conf_text_cut(text);
	ok = config_read_string(&tree, cut != NULL ? cut : text->buf) ==
	    CONFIG_TRUE;
	free(cut);
	if (ok)
		ok = read_tree(c, &tree, text, errs);
	else
		print_syntax_error(text, &tree, errs);
	config_destroy(&tree);
	/* A tree takes several times the room of what was made of it, and lies
	 * between that: without a word the process would keep it all. */
	malloc_trim(0);
	return ok;
}

/* fd is not looked at where it is -1. */
static struct conf *
load(int fd, const char *path, FILE *errs)
{
	struct conf_arena	*arena = conf_arena_new();
	struct conf		*c = conf_alloc(arena, 1, sizeof(*c));
	struct conf_text	*text = conf_text_new(arena);
	bool			 ok;

	c->arena = arena;
	c->tree = text;
	c->path = conf_strdup(arena, path);
	if (fd == -1)
		ok = conf_text_read(text, path, errs);
	else
		ok = conf_text_read_fd(text, fd, path, errs);
	if (ok && parse_text(c, text, errs))
		return c;
	conf_free(c);
	return NULL;
}

struct conf *
conf_load(const char *path, FILE *errs)
{
	return load(-1, path, errs);
}

struct conf *
conf_load_fd(int fd, const char *path, FILE *errs)
{
	if (fd >= 0)
		return load(fd, path, errs);
	fprintf(errs, "%s:1: %s\n", path, strerror(EBADF));
	return NULL;
}

int
conf_snapshot(const struct conf *c)
{
	return conf_text_snapshot(c->tree);
}

void
conf_forget_text(struct conf *c)
{
	conf_text_free(c->tree);
	c->tree = NULL;
}

/* The arena has c itself. */
void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	conf_text_free(c->tree);
	conf_arena_free(c->arena);
}

const char *
conf_target_name(const struct conf *c, struct conf_target t)
{
	switch (t.kind) {
	case TARGET_CLOSE:
		return "close";
	case TARGET_RESET:
		return "reset";
	case TARGET_SITE:
		return c->site[t.index].name;
	case TARGET_UPSTREAM:
		return c->upstream[t.index].name;
	case TARGET_CHALLENGE:
		return "acme";
	}
	return "-";
}

const char *
conf_fallback_name(enum fallback why)
{
	static const char *const	names[FALLBACK__MAX] = {
		[FALLBACK_UNKNOWN] = "unknown",
		[FALLBACK_SILENT] = "silent",
		[FALLBACK_MALFORMED] = "malformed",
		[FALLBACK_OVERSIZED] = "oversized",
	};

	return why < FALLBACK__MAX ? names[why] : "-";
}

static void
each_key(const struct conf_key *k, const char *prefix,
    void (*fn)(const char *, void *), void *arg)
{
	char	path[128];

	for (; k->name != NULL; k++) {
		snprintf(path, sizeof(path), "%s%s", prefix, k->name);
		fn(path, arg);
		if (k->sub == NULL)
			continue;
		snprintf(path, sizeof(path), "%s%s.%s", prefix, k->name,
		    k->named ? "NAME." : "");
		each_key(k->sub, path, fn, arg);
	}
}

void
conf_each_key(void (*fn)(const char *key, void *arg), void *arg)
{
	each_key(conf_root_keys, "", fn, arg);
}
