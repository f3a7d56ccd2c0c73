/* SPDX-License-Identifier: ISC */
/*
 * lint_rc.c - what an rc file says, without running it
 *
 * The engine's own parser reads it; variables are followed as far as they are
 * plain text, programs are not run.
 */
#include "admin/lint.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lda/recipe/parser.h"
#include "lda/recipe/regex.h"
#include "lda/recipe/variables.h"
#include "maps/base/file.h"
#include "maps/base/path.h"

#define RC_MAX		(4 * 1024 * 1024)
#define DEPTH_MAX	16

const char *
lint_grade_name(enum lint_grade grade)
{
	static const char *const names[] = { "error", "manual", "mapped",
	    "note" };

	return names[grade];
}

static void PRINTF(6, 7)
find(struct lint *l, enum lint_grade grade, unsigned line, unsigned column,
    const char *what, const char *fmt, ...)
{
	json_t *o = must(json_object());
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = must(talloc_vasprintf(l->ctx, fmt, ap));
	va_end(ap);
	(void)json_object_set_new(o, "file", json_string(l->file));
	(void)json_object_set_new(o, "line", json_integer(line));
	(void)json_object_set_new(o, "column", json_integer(column));
	(void)json_object_set_new(o, "grade", json_string(
	    lint_grade_name(grade)));
	(void)json_object_set_new(o, "what", json_string(what));
	(void)json_object_set_new(o, "text", json_stringn_nocheck(text,
	    strlen(text)));
	(void)json_array_append_new(l->found, o);
	l->count[grade]++;
}

/* Substitution without programs: what is not known is marked. */

#define UNKNOWN	"\001"

static const char *
value(void *arg, const char *name)
{
	struct lint *l = arg;
	const char *v = vars_get(l->vars, name);

	return v != NULL ? v : (*name >= '0' && *name <= '9') ||
	    strcmp(name, "MATCH") == 0 ? UNKNOWN : NULL;
}

static const char *
special(void *arg, char which)
{
	(void)arg;
	(void)which;
	return UNKNOWN;
}

static void
command(void *arg, const char *text, size_t most, struct words *to)
{
	(void)arg;
	(void)text;
	(void)most;
	words_put(to, UNKNOWN, 1);
}

static void
bad(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

static char *
expanded(struct lint *l, struct text in, enum words_mode mode, struct words *w)
{
	const struct expander x = { l, value, special, command, bad };
	struct words own;

	if (w == NULL)
		w = &own;
	words_begin(w, l->ctx, 65536);
	(void)lexer_read(w, &in, mode, &x);
	return w->buf;
}

static bool
is_known(const char *text)
{
	return strchr(text, UNKNOWN[0]) == NULL;
}

/* Below which root does a path lie?  SIDE_NONE: neither. */
static enum side
side_of(const struct lint *l, const char *path)
{
	const char *dir = vars_text(l->vars, "MAILDIR"), *full;
	enum side s;

	if (*path == '\0' || !is_known(path) || (*path != '/' && (*dir != '/' ||
	    !is_known(dir))))
		return SIDE_NONE;
	full = path_resolve(l->ctx, dir, path);
	for (s = OLD; full != NULL && s <= NEW; s++)
		if (l->root[s] != NULL && path_below(full, l->root[s]) != NULL)
			return s;
	return SIDE_NONE;
}

/* A path into a filer, or into a mail root, somewhere in a text. */
static const char *
names_filer(const struct lint *l, const char *text)
{
	int s;

	for (s = OLD; s <= NEW; s++) {
		if (l->root[s] != NULL && strstr(text, l->root[s]) != NULL)
			return l->root[s];
		if (l->filer[s] != NULL && l->filer[s][1] != '\0' &&
		    strstr(text, l->filer[s]) != NULL)
			return l->filer[s];
	}
	return NULL;
}

/* Programs: the first word of each command of a line. */

static void
count_program(struct lint *l, const char *name, size_t len)
{
	const char *slash = memrchr(name, '/', len);
	json_t *n;
	char *key;

	if (slash != NULL) {
		len -= (size_t)(slash + 1 - name);
		name = slash + 1;
	}
	if (len == 0 || len > 60)
		return;
	key = must(talloc_strndup(l->ctx, name, len));
	n = json_object_get(l->programs, key);
	(void)json_object_set_new(l->programs, key, json_integer(
	    json_integer_value(n) + 1));
}

static bool
calls(const char *line, const char *name)
{
	const char *p = line;
	size_t len = strlen(name);

	while ((p = strstr(p, name)) != NULL) {
		if ((p == line || strchr(" \t|;&(/`\"'", p[-1]) != NULL) &&
		    (p[len] == '\0' || strchr(" \t|;&)\"'\n", p[len]) != NULL))
			return true;
		p += len;
	}
	return false;
}

static void
look_at_command(struct lint *l, unsigned line, const char *text)
{
	static const char *const agents[] = { "dovecot-lda", "deliver",
	    "maildrop", "procmail", "safecat", "deliverquota", "mdeliver" };
	const char *p = text, *begin, *root;
	size_t i;

	while (*p != '\0') {
		p += strspn(p, " \t\n|;&(){}\\");
		begin = p;
		p += strcspn(p, " \t\n|;&()<>");
		if (p > begin && memchr(begin, '=', (size_t)(p -
		    begin)) == NULL && strchr("$\"'-<>#", *begin) == NULL)
			count_program(l, begin, (size_t)(p - begin));
		p += strcspn(p, "|;&(\n");
	}
	for (i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (calls(text, agents[i]))
			find(l, LINT_MANUAL, line, 1, "agent", "%s delivers by "
			    "itself: that mail is on one filer, without our "
			    "UIDs", agents[i]);
	if (calls(text, "formail") && strstr(text, "-D") != NULL)
		find(l, LINT_MANUAL, line, 1, "cache", "formail -D keeps a "
		    "cache in a file, which does not move with the mailbox");
	root = names_filer(l, text);
	if (root != NULL)
		find(l, LINT_MANUAL, line, 1, "path", "a program gets a path "
		    "in %s: only folders of recipes are mapped", root);
}

/* Backquotes anywhere in a piece of the file. */
static void
look_for_backquotes(struct lint *l, unsigned line, struct text in)
{
	const char *p = in.p, *end;

	while ((p = memchr(p, '`', (size_t)(in.end - p))) != NULL) {
		end = memchr(p + 1, '`', (size_t)(in.end - p - 1));
		if (end == NULL)
			return;
		look_at_command(l, line, must(talloc_strndup(l->ctx, p + 1,
		    (size_t)(end - p - 1))));
		p = end + 1;
	}
}

static void
look_at_condition(struct lint *l, unsigned line, const char *text)
{
	const char *p = text + strspn(text, " \t!");
	bool broken = false;
	const char *q;

	while (*p != '\0' && strchr("0123456789.-+^ \t", *p) != NULL)
		p++;
	if (strchr("<>$", *p) != NULL && *p != '\0')
		return;
	if (*p == '?') {
		look_at_command(l, line, p + 1);
		return;
	}
	q = strstr(p, "??");
	if (q != NULL && q > p && isalpha((unsigned char)*p)) {
		look_at_condition(l, line, q + 2 + strspn(q + 2, " \t"));
		return;
	}
	talloc_free(regex_compile(l->ctx, *p == '\\' ? p + 1 : p, true,
	    &broken));
	if (broken)
		find(l, LINT_ERROR, line, 1, "regex", "parentheses do not "
		    "pair: %s", text);
}

/* Folders. */

static void
look_at_folder(struct lint *l, const struct statement *s, const char *name)
{
	size_t len = strlen(name);
	bool maildir = len > 1 && name[len - 1] == '/';
	bool mh = len > 2 && strcmp(name + len - 2, "/.") == 0;
	enum side side = side_of(l, name);

	if (!is_known(name)) {
		find(l, LINT_NOTE, s->action_line, 1, "folder", "a folder "
		    "whose name is known only when mail comes");
		return;
	}
	if (strcmp(name, "/dev/null") == 0)
		return;
	if (side != SIDE_NONE && maildir)
		find(l, LINT_MAPPED, s->action_line, 1, "maildir",
		    "%s is a mailbox of the plan%s", name, *name == '/' &&
		    side == OLD ? " (a path into the old filer, which may "
		    "stay)" : "");
	else if (side != SIDE_NONE)
		find(l, LINT_MANUAL, s->action_line, 1, mh ? "mh" : "mbox",
		    "%s is %s below the mail root: written on the leader only, "
		    "without UIDs", name, mh ? "an MH folder" : "an mbox");
	else if (names_filer(l, name) != NULL)
		find(l, LINT_MANUAL, s->action_line, 1, "path", "%s is on a "
		    "filer, but in no mail root of %s: it stays there", name,
		    l->user);
	else if (!maildir)
		find(l, LINT_NOTE, s->action_line, 1, mh ? "mh" : "mbox",
		    "%s stays where it is", name);
}

/* What is wrong with a recipe's form, and with its conditions. */
static void
look_at_recipe(struct lint *l, const struct statement *s)
{
	size_t i;

	if (s->missing)
		find(l, LINT_ERROR, s->line, s->column, "syntax",
		    "a recipe without action");
	else if (s->action == ACTION_NONE)
		find(l, LINT_ERROR, s->line, s->column, "syntax",
		    "the file ends within a recipe");
	if (s->open)
		find(l, LINT_ERROR, s->line, s->column, "syntax",
		    "a block without its closing brace");
	if (s->fixed && s->fixed_head.left != NULL &&
	    *s->fixed_head.left != '\0')
		find(l, LINT_ERROR, s->line, s->column, "syntax",
		    "no flag, and skipped: %s", s->fixed_head.left);
	for (i = 0; s->condition != NULL && s->condition[i] != NULL; i++)
		look_at_condition(l, s->condition_line[i], s->condition[i]);
}

static void
look_at_action(struct lint *l, const struct statement *s)
{
	const char *name;
	struct words w;

	switch (s->action) {
	case ACTION_PIPE:
		look_at_command(l, s->action_line, s->command);
		break;
	case ACTION_FORWARD:
		find(l, LINT_NOTE, s->action_line, 1, "forward", "forwards "
		    "to%.*s", (int)strcspn(s->text.p, "\n"), s->text.p);
		break;
	case ACTION_FOLDER:
		(void)expanded(l, s->text, WORDS_SPLIT, &w);
		for (name = words_next(&w, NULL); name != NULL;
		    name = words_next(&w, name))
			look_at_folder(l, s, name);
		look_for_backquotes(l, s->action_line, s->text);
		break;
	case ACTION_BLOCK: case ACTION_NONE:
		break;
	}
	if (s->capture != NULL)
		vars_set(l->vars, s->capture, UNKNOWN);
}

static void
include(struct lint *l, const struct statement *s, const char *path)
{
	const char *full, *file = l->file;
	struct err err;

	if (!is_known(path) || *path == '\0' || l->depth >= DEPTH_MAX) {
		if (*path != '\0')
			find(l, LINT_NOTE, s->line, s->column, "include",
			    "%s: not followed here", s->name);
		return;
	}
	full = *path == '/' ? path : must(talloc_asprintf(l->ctx, "%s/%s",
	    vars_text(l->vars, "MAILDIR"), path));
	l->depth++;
	if (lint_file(l, full, &err) != ST_OK) {
		l->file = file;
		find(l, LINT_ERROR, s->line, s->column, "include", "%s",
		    err.text);
	}
	l->file = file;
	l->depth--;
}

static void
look_at_assignment(struct lint *l, const struct statement *s)
{
	const char *v = expanded(l, s->value, WORDS_VALUE, NULL), *root;
	bool folder = strcmp(s->name, "MAILDIR") == 0 ||
	    strcmp(s->name, "DEFAULT") == 0 || strcmp(s->name, "ORGMAIL") == 0;

	look_for_backquotes(l, s->line, s->value);
	vars_set(l->vars, s->name, v);
	if (strcmp(s->name, "INCLUDERC") == 0 ||
	    strcmp(s->name, "SWITCHRC") == 0)
		include(l, s, v);
	else if (strcmp(s->name, "TRAP") == 0)
		look_at_command(l, s->line, v);
	if (folder && side_of(l, v) != SIDE_NONE) {
		find(l, LINT_MAPPED, s->line, s->column, "path", "%s=%s is "
		    "inside of the plan", s->name, v);
		return;
	}
	root = names_filer(l, v);
	if (root != NULL)
		find(l, LINT_MANUAL, s->line, s->column, "path", "%s has a "
		    "path in %s", s->name, root);
}

static void
look_at_statement(struct lint *l, const struct statement *s)
{
	if (s->unclosed)
		find(l, LINT_ERROR, s->line, s->column, "syntax",
		    "a quote that is not closed");
	switch (s->kind) {
	case S_RECIPE:
		look_at_recipe(l, s);
		if (!s->missing)
			look_at_action(l, s);
		break;
	case S_ASSIGN:
		look_at_assignment(l, s);
		break;
	case S_UNSET:
		vars_set(l->vars, s->name, NULL);
		break;
	case S_CLOSE:
		if (s->stray)
			find(l, LINT_ERROR, s->line, s->column, "syntax",
			    "a closing brace too many");
		break;
	case S_GARBAGE:
		if (*s->name != '\0')
			find(l, LINT_ERROR, s->line, s->column, "syntax",
			    "neither recipe nor assignment: %s", s->name);
		break;
	}
}

void
lint_text(struct lint *l, const char *name, const char *data, size_t len)
{
	struct rcfile *rc = rcfile_parse(l->ctx, name, data, len);
	size_t i;

	l->file = must(talloc_strdup(l->ctx, name));
	for (i = 0; i < rc->n; i++)
		look_at_statement(l, &rc->statement[i]);
	talloc_free(rc);
}

enum status
lint_file(struct lint *l, const char *path, struct err *err)
{
	enum status st;
	char *data;
	size_t len;

	st = file_read(l->ctx, AT_FDCWD, path, RC_MAX, &data, &len, err);
	if (st == ST_NONE)
		return err_set(err, ST_NONE, "%s: there is no such file", path);
	if (st == ST_OK)
		lint_text(l, path, data, len);
	return st;
}

void
lint_unread(struct lint *l, const char *path, const char *why)
{
	l->file = path;
	find(l, LINT_ERROR, 1, 1, "file", "it cannot be read: %s", why);
}

void
lint_begin(struct lint *l)
{
	l->found = must(json_array());
	l->programs = must(json_object());
	memset(l->count, 0, sizeof(l->count));
	l->vars = vars_new(l->ctx);
	vars_set(l->vars, "HOME", l->home);
	vars_set(l->vars, "MAILDIR", l->home);
	vars_set(l->vars, "LOGNAME", l->user);
	vars_set(l->vars, "LOCKEXT", ".lock");
	if (l->root[OLD] != NULL) {
		vars_set(l->vars, "DEFAULT", must(talloc_asprintf(l->ctx, "%s/",
		    l->root[OLD])));
		vars_set(l->vars, "ORGMAIL", vars_get(l->vars, "DEFAULT"));
	}
}
