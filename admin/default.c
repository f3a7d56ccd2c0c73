/* SPDX-License-Identifier: ISC */
/*
 * default.c - what a user without a record has
 *
 * The users without a record are not known by name, so there is no barrier for
 * them: a change waits until each delivery that was decided by the former
 * default has ended.  Their leader changes with the default, so none of them
 * may have mail on the former side.
 */
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/leader.h"
#include "admin/record_json.h"
#include "admin/show.h"
#include "admin/verbs.h"
#include "lda/store/maildir.h"
#include "maps/location.h"

#define NAMED	5			/* users that are named */

struct search {
	struct admin	*ad;
	enum side	 side;
	unsigned long	 found;
	char		*names;
};

/* The same user may be found by a path and in the password file. */
static void
count(struct search *s, const char *user)
{
	char *word = must(talloc_asprintf(s->ad->conf, " %s ", user));

	if (strstr(s->names, word) == NULL && s->found++ < NAMED)
		s->names = must(talloc_asprintf_append(s->names, "%s", word));
	talloc_free(word);
}

/* Has this user mail on that side, and no record? */
static enum status
look_at(struct search *s, const char *user, const char *home, struct err *err)
{
	const char *template = s->ad->conf->mail[s->side];
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct location loc = { NULL, NULL, NULL };
	struct record *rec;
	struct err none;
	enum status st = ST_OK;

	if (record_user_valid(user) && location_expand(ctx, template, user,
	    home, &loc.mail, &none) == ST_OK && leader_has_mail(&loc)) {
		st = map_get_stored(s->ad->map, ctx, user, &rec, err);
		if (st == ST_NONE) {
			st = ST_OK;
			count(s, user);
		}
	}
	talloc_free(ctx);
	return st;
}

/* `%1u`: from the percent sign to behind the letter. */
static const char *
behind_variable(const char *p, char *letter)
{
	p++;
	p += strspn(p, "0123456789");
	*letter = *p;
	return *p == '\0' ? p : p + 1;
}

static char *
glob_pattern(TALLOC_CTX *ctx, const char *template)
{
	char *out = must(talloc_strdup(ctx, "")), letter;
	const char *p = template;

	while (*p != '\0') {
		if (*p != '%') {
			out = must(talloc_asprintf_append_buffer(out, "%s%c",
			    strchr("*?[\\", *p) != NULL ? "\\" : "", *p));
			p++;
			continue;
		}
		p = behind_variable(p, &letter);
		out = must(talloc_strdup_append_buffer(out, letter == '%' ?
		    "%" : "*"));
	}
	return out;
}

/* The user that a path may belong to.  A guess: it is right if the template
 * makes that path of the user. */
static char *
guess_user(TALLOC_CTX *ctx, const char *template, const char *path)
{
	char *n = NULL, *d = NULL, *u = NULL, **to, stop[3] = "/", letter;
	const char *p = template;
	size_t len;

	while (*p != '\0' && *path != '\0') {
		if (*p != '%') {
			if (*p++ != *path++)
				return NULL;
			continue;
		}
		p = behind_variable(p, &letter);
		stop[1] = *p == '%' ? '\0' : *p;
		len = letter == '%' ? 1 : strcspn(path, stop);
		to = letter == 'u' ? &u : letter == 'n' ? &n : letter == 'd' ?
		    &d : NULL;
		/* A longer one says more than `%1u`. */
		if (to != NULL && (*to == NULL || strlen(*to) < len))
			*to = must(talloc_strndup(ctx, path, len));
		path += len;
	}
	if (u != NULL || n == NULL || d == NULL)
		return u != NULL ? u : n;
	return must(talloc_asprintf(ctx, "%s@%s", n, d));
}

static enum status
look_at_paths(struct search *s, struct err *err)
{
	const char *template = s->ad->conf->mail[s->side];
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st = ST_OK;
	const char *user;
	glob_t g;
	size_t i;
	int rc;

	rc = glob(glob_pattern(ctx, template), GLOB_NOSORT | GLOB_ERR, NULL,
	    &g);
	if (rc == GLOB_ABORTED || rc == GLOB_NOSPACE)
		st = err_set(err, ST_AGAIN, "cannot list the users who have "
		    "mail at %s", template);
	for (i = 0; rc == 0 && i < g.gl_pathc && st == ST_OK; i++) {
		user = guess_user(ctx, template, g.gl_pathv[i]);
		if (user != NULL)
			st = look_at(s, user, NULL, err);
	}
	if (rc == 0)
		globfree(&g);
	talloc_free(ctx);
	return st;
}

static enum status
find_mail(struct admin *ad, enum side side, struct search *s, struct err *err)
{
	enum status st = ST_OK;
	struct passwd *pw;

	*s = (struct search){ ad, side, 0, must(talloc_strdup(ad->conf, "")) };
	if (ad->conf->mail[side] == NULL)
		return ST_OK;
	/* Nobody has mail on a filer that is not mounted. */
	st = filer_check(ad->conf->filer[side], err);
	if (st == ST_OK && strstr(ad->conf->mail[side], "%h") == NULL)
		st = look_at_paths(s, err);
	setpwent();
	while (st == ST_OK && (pw = getpwent()) != NULL)
		st = look_at(s, pw->pw_name, pw->pw_dir, err);
	endpwent();
	return st;
}

static enum status
refuse_found(const struct search *s, const char *when, struct err *err)
{
	return s->found == 0 ? ST_OK : err_set(err, ST_NEVER, "%lu user%s "
	    "without a record %s mail on the %s side%s:%s%s (add them first, "
	    "in the state they are in)", s->found, s->found == 1 ? "" : "s",
	    s->found == 1 ? "has" : "have", side_name(s->side), when, s->names,
	    s->found > NAMED ? " ..." : "");
}

static enum status
change(struct admin *ad, const struct record *was, enum state to,
    struct err *err)
{
	struct record *is = admin_record(ad->conf, RECORD_DEFAULT, NULL);
	struct change_by by = admin_by(ad->conf, ad);
	int wait = ad->conf->deadline + ad->conf->skew;
	enum side former = to == STATE_NEW ? OLD : NEW;
	struct search s;
	enum status st;

	is->state = to;
	is->uid = -1;
	is->version = was == NULL ? 1 : was->version + 1;
	st = find_mail(ad, former, &s, err);
	if (st == ST_OK)
		st = refuse_found(&s, "", err);
	if (st == ST_OK && to == STATE_NEW && ad->conf->mail[NEW] == NULL)
		st = err_set(err, ST_NEVER, "%s: new_mail is not set",
		    ad->conf->path);
	if (st != ST_OK || ad->dry_run)
		return st;
	st = map_replace(ad->map, was, is, &by, NULL, err);
	if (st != ST_OK)
		return st;
	(void)fprintf(stderr, "mailferry: waiting %d seconds (deadline + skew) "
	    "for deliveries by the former default\n", wait);
	(void)sleep((unsigned)wait);
	st = find_mail(ad, former, &s, err);
	return st == ST_OK ? refuse_found(&s, ", delivered while the default "
	    "changed", err) : st;
}

static void
show(const struct admin *ad, struct record *rec)
{
	if (rec == NULL) {
		rec = admin_record(ad->conf, RECORD_DEFAULT, NULL);
		rec->uid = -1;
		rec->version = 0;
	}
	if (ad->json)
		json_print(stdout, record_json_shown(rec, time(NULL)));
	else
		show_record(rec, time(NULL));
}

static int
run(struct admin *ad, struct err *err)
{
	struct record *was = NULL;
	enum state to = STATE_NONE;
	enum status st;

	if (ad->line.argc == 1) {
		to = state_parse(ad->line.argv[0]);
		if (to != STATE_OLD && to != STATE_NEW)
			return admin_usage(err, "the default cannot be %s "
			    "(old, new)", ad->line.argv[0]);
	}
	st = map_get_stored(ad->map, ad->conf, RECORD_DEFAULT, &was, err);
	if (st != ST_OK && st != ST_NONE)
		return admin_status(st);
	if (to == STATE_NONE) {
		show(ad, was);
		return EXIT_DONE;
	}
	if (to == (was == NULL ? STATE_OLD : was->state))
		return EXIT_DONE;
	return admin_status(change(ad, was, to, err));
}

const struct verb verb_default = {
	.name = "default", .run = run, .operands = "[old | new]", .max = 1,
	.does = "Show or change what users without a record have.",
};
