/* SPDX-License-Identifier: ISC */
/*
 * lint_verb.c - mailferry lint: users' rc files, before anybody is moved
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lint.h"
#include "admin/users.h"
#include "admin/verbs.h"
#include "lda/store/asuser.h"
#include "maps/base/path.h"

#define PATIENCE	60	/* seconds for one user's files */

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

/* One rc file, and as whom it is read. */
struct reading {
	struct lint	*l;
	const char	*path;
	struct record	 as;
};

/* A line to the parent.  Bytes that are not UTF-8 are marks in it. */
static enum status
say_json(int out, char kind, json_t *o, struct err *err)
{
	char *text = json_dumps(o, JSON_COMPACT), *plain;
	enum status st;

	if (text == NULL) {
		plain = record_escape(NULL, json_string_value(
		    json_object_get(o, "text")));
		(void)json_object_set_new(o, "text", json_string(plain));
		talloc_free(plain);
		text = must(json_dumps(o, JSON_COMPACT));
	}
	st = as_user_say(out, err, "%c%.*s", kind, AS_USER_LINE - 10, text);
	free(text);
	return st;
}

/* In the child. */
static enum status
read_as_user(void *arg, int out, struct err *err)
{
	struct reading *r = arg;
	enum status st;
	const char *key;
	json_t *o;
	size_t i;

	lint_begin(r->l);
	st = lint_file(r->l, r->path, err);
	if (st == ST_NONE)
		return st;
	if (st != ST_OK)
		lint_unread(r->l, r->path, err->text);
	st = ST_OK;
	json_array_foreach(r->l->found, i, o)
		if (st == ST_OK)
			st = say_json(out, 'f', o, err);
	json_object_foreach(r->l->programs, key, o) {
		json_t *one = json_pack("{sO}", key, o);

		if (st == ST_OK && one != NULL)
			st = say_json(out, 'p', one, err);
		json_decref(one);
	}
	return st;
}

static void
on_line(const char *line, void *arg)
{
	struct lint *l = arg;
	json_t *o = json_loads(line + 1, 0, NULL);
	const char *grade;
	int g;

	if (*line == 'p' && o != NULL)
		(void)json_object_update(l->programs, o);
	grade = json_string_value(json_object_get(o, "grade"));
	for (g = LINT_ERROR; *line == 'f' && grade != NULL &&
	    g <= LINT_NOTE; g++)
		if (strcmp(grade, lint_grade_name((enum lint_grade)g)) == 0) {
			l->count[g]++;
			(void)json_array_append(l->found, o);
		}
	json_decref(o);
}

/*
 * As whom is a file read that root names?  As the first other user who owns a
 * part of its path, who might exchange all that is behind it.
 */
static uid_t
owner_of(const char *word)
{
	char *path = must(*word == '/' ? talloc_strdup(NULL, word) :
	    talloc_asprintf(NULL, "./%s", word)), *p = path + 1;
	struct stat sb = { .st_uid = geteuid() };
	char was;

	do {
		p += strcspn(p, "/");
		was = *p;
		*p = '\0';
		if (lstat(path, &sb) == -1)
			sb.st_uid = geteuid();
		*p = was;
	} while (sb.st_uid == 0 && *p++ != '\0');
	talloc_free(path);
	return sb.st_uid;
}

/* Root's own files are read by root, any other by its user. */
static enum status
read_file(struct admin *ad, struct reading *r, const struct passwd *pw,
    struct err *err)
{
	if (geteuid() != 0 || (pw != NULL && pw->pw_uid == 0))
		return lint_file(r->l, r->path, err);
	r->as = (struct record){ .user = pw == NULL ? "nobody" : r->l->user,
	    .uid = -1, .state = STATE_OLD };
	return as_user(&r->as, ad->conf, PATIENCE, read_as_user, r, on_line,
	    r->l, err);
}

/* A file by its name, or a user's own. */
static enum status
one(struct admin *ad, const char *word, struct total *t, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct lint l = { .ctx = ctx };
	struct reading r = { .l = &l };
	struct passwd *pw, owner;	/* NSS has one struct */
	enum status st;

	if (strchr(word, '/') != NULL) {
		r.path = must(talloc_strdup(ctx, word));
		pw = getpwuid(owner_of(word));
	} else {
		pw = getpwnam(word);
		if (pw == NULL) {
			talloc_free(ctx);
			return err_set(err, ST_NEVER, "no such user: %s (a "
			    "file is named with a / in it)", word);
		}
		r.path = must(talloc_asprintf(ctx, "%s/.procmailrc",
		    pw->pw_dir));
	}
	l.user = pw == NULL ? NULL : must(talloc_strdup(ctx, pw->pw_name));
	l.home = pw == NULL ? "/nonexistent" : must(talloc_strdup(ctx,
	    pw->pw_dir));
	if (pw != NULL)
		owner = *pw;
	find_roots(ad, &l);
	lint_begin(&l);
	t->users++;
	st = read_file(ad, &r, pw == NULL ? NULL : &owner, err);
	if (st == ST_NONE && strchr(word, '/') == NULL) {
		t->without++;		/* a user without an rc file is fine */
		st = ST_OK;
	} else if (st == ST_NONE)
		(void)err_set(err, st, "%s: there is no such file", r.path);
	add_up(t, &l, r.path, ad->json);
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
