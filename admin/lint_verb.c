/* SPDX-License-Identifier: ISC */
/*
 * lint_verb.c - mailferry lint: users' rc files, before anybody is moved
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lint.h"
#include "admin/users.h"
#include "admin/verbs.h"
#include "maps/base/path.h"

struct total {
	json_t		*files, *programs;
	unsigned	 users, without, count[LINT_NOTE + 1];
};

/* Where the user's mail is: as the map says, else as the templates do. */
static void
find_roots(struct admin *ad, struct lint *l)
{
	struct record *rec;
	struct err err;
	enum status st;
	int s;

	st = l->user == NULL ? ST_NONE : admin_get(ad, l->user, &rec, &err);
	if (st != ST_OK && l->user != NULL) {
		rec = admin_record(l->ctx, l->user, NULL);
		st = record_locate(rec, ad->conf, l->home, &err);
	}
	for (s = OLD; s <= NEW; s++) {
		l->filer[s] = ad->conf->filer[s];
		if (st == ST_OK && rec->side[s].mail != NULL)
			l->root[s] = path_resolve(l->ctx, "/",
			    rec->side[s].mail);
	}
}

/* A word of the file may hold LFs. */
static char *
one_line(const char *text)
{
	char *line = must(talloc_strdup(NULL, text)), *p = line;

	while ((p = strchr(p, '\n')) != NULL)
		*p = ' ';
	return line;
}

static void
print(const struct lint *l)
{
	json_t *o;
	size_t i;

	json_array_foreach(l->found, i, o) {
		char *text = one_line(json_string_value(
		    json_object_get(o, "text")));

		(void)printf("%s:%lld:%lld: %s: %s\n",
		    json_string_value(json_object_get(o, "file")),
		    (long long)json_integer_value(json_object_get(o, "line")),
		    (long long)json_integer_value(json_object_get(o, "column")),
		    json_string_value(json_object_get(o, "grade")), text);
		talloc_free(text);
	}
}

static void
add_up(struct total *t, const struct lint *l, const char *path, bool json)
{
	json_t *o, *n;
	const char *key;
	int g;

	for (g = LINT_ERROR; g <= LINT_NOTE; g++)
		t->count[g] += l->count[g];
	json_object_foreach(l->programs, key, n)
		(void)json_object_set_new(t->programs, key, json_integer(
		    json_integer_value(json_object_get(t->programs, key)) + 1));
	if (json) {
		o = must(json_object());
		(void)json_object_set_new(o, "file", json_string(path));
		(void)json_object_set_new(o, "user", l->user == NULL ?
		    json_null() : json_string(l->user));
		(void)json_object_set(o, "found", l->found);
		(void)json_object_set(o, "programs", l->programs);
		(void)json_array_append_new(t->files, o);
	} else
		print(l);
	json_decref(l->found);
	json_decref(l->programs);
}

/* A file by its name, or a user's own. */
static enum status
one(struct admin *ad, const char *word, struct total *t, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct lint l = { .ctx = ctx };
	struct passwd *pw;
	struct stat sb;
	enum status st;
	char *path;

	if (strchr(word, '/') != NULL) {
		path = must(talloc_strdup(ctx, word));
		pw = stat(word, &sb) == 0 ? getpwuid(sb.st_uid) : NULL;
	} else {
		pw = getpwnam(word);
		if (pw == NULL) {
			talloc_free(ctx);
			return err_set(err, ST_NEVER, "no such user: %s (a "
			    "file is named with a / in it)", word);
		}
		path = must(talloc_asprintf(ctx, "%s/.procmailrc", pw->pw_dir));
	}
	l.user = pw == NULL ? NULL : must(talloc_strdup(ctx, pw->pw_name));
	l.home = pw == NULL ? "/nonexistent" : must(talloc_strdup(ctx,
	    pw->pw_dir));
	find_roots(ad, &l);
	lint_begin(&l);
	t->users++;
	st = lint_file(&l, path, err);
	if (st == ST_NONE && strchr(word, '/') == NULL) {
		t->without++;		/* a user without an rc file is fine */
		st = ST_OK;
	}
	add_up(t, &l, path, ad->json);
	talloc_free(ctx);
	return st == ST_NONE ? ST_NEVER : st;
}

static void
summary(const struct total *t)
{
	const char *key;
	json_t *n;

	(void)printf("%u rc files: %u errors, %u things to look at, %u mapped, "
	    "%u notes; %u users without one\n", t->users - t->without,
	    t->count[LINT_ERROR], t->count[LINT_MANUAL], t->count[LINT_MAPPED],
	    t->count[LINT_NOTE], t->without);
	if (json_object_size(t->programs) == 0)
		return;
	(void)printf("programs:");
	json_object_foreach(t->programs, key, n)
		(void)printf(" %s(%lld)", key, (long
		    long)json_integer_value(n));
	(void)printf("\n");
}

static void
summary_json(struct total *t)
{
	json_t *all = must(json_object()), *s = must(json_object());
	int g;

	(void)json_object_set_new(s, "files", json_integer(t->users -
	    t->without));
	(void)json_object_set_new(s, "without", json_integer(t->without));
	for (g = LINT_ERROR; g <= LINT_NOTE; g++)
		(void)json_object_set_new(s, lint_grade_name(g),
		    json_integer(t->count[g]));
	(void)json_object_set(s, "programs", t->programs);
	(void)json_object_set(all, "files", t->files);
	(void)json_object_set_new(all, "summary", s);
	(void)json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	(void)printf("\n");
	json_decref(all);
}

static int
lint_one(struct admin *ad, const char *word, void *arg, struct err *err)
{
	return admin_status(one(ad, word, arg, err));
}

static int
run(struct admin *ad, struct err *err)
{
	struct total t = { .files = must(json_array()),
	    .programs = must(json_object()) };
	int rc = users_each(ad, ad->line.argc, lint_one, &t, err);

	if (rc == EXIT_USAGE)
		goto out;
	if (ad->json)
		summary_json(&t);
	else
		summary(&t);
	if (rc == EXIT_DONE && t.count[LINT_ERROR] + t.count[LINT_MANUAL] > 0)
		rc = admin_status(err_set(err, ST_NEVER, "%u errors, %u things "
		    "to look at", t.count[LINT_ERROR], t.count[LINT_MANUAL]));
out:
	json_decref(t.files);
	json_decref(t.programs);
	return rc;
}

const struct verb verb_lint = {
	.name = "lint", .run = run, .operands = "USER|FILE...",
	.max = OPERANDS_ANY, .users = true,
	.does = "Read rc files without running them, and say what cannot "
	    "follow a move.",
};
