/* SPDX-License-Identifier: ISC */
/*
 * verbs.c - add, delete, undo: a record begins and ends, and goes back
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/admin.h"

struct adding {
	struct record	*rec;
	size_t		 naddress;
};

static bool
set_option(struct adding *a, const char *name, char *value)
{
	struct record *rec = a->rec;

	if (strcmp(name, "--old") == 0)
		rec->side[OLD].mail = value;
	else if (strcmp(name, "--old-control") == 0)
		rec->side[OLD].control = value;
	else if (strcmp(name, "--old-index") == 0)
		rec->side[OLD].index = value;
	else if (strcmp(name, "--new") == 0)
		rec->side[NEW].mail = value;
	else if (strcmp(name, "--new-control") == 0)
		rec->side[NEW].control = value;
	else if (strcmp(name, "--new-index") == 0)
		rec->side[NEW].index = value;
	else if (strcmp(name, "--state") == 0) {
		rec->state = state_parse(value);
		return rec->state != STATE_NONE;
	} else if (strcmp(name, "--address") == 0) {
		rec->address = must(talloc_realloc(rec, rec->address,
		    const char *, (unsigned)a->naddress + 2));
		record_fold_address(value);
		rec->address[a->naddress++] = value;
		rec->address[a->naddress] = NULL;
	} else
		return false;
	return true;
}

enum status
admin_check(const struct record *rec, struct err *err)
{
	char *text = record_format(NULL, rec);
	struct record *back;
	enum status st;

	st = record_parse(text, rec->user, text, strlen(text), &back, err);
	talloc_free(text);
	return st;
}

struct record *
admin_record(TALLOC_CTX *ctx, const char *user, const char **home)
{
	struct record *rec = must(talloc_zero(ctx, struct record));
	const char *dir;

	*rec = (struct record){ .user = must(talloc_strdup(rec, user)),
	    .state = STATE_OLD, .version = 1, .by = "", .why = "",
	    .unknown = "" };
	rec->address = must(talloc_zero_array(rec, const char *, 1));
	dir = admin_home(rec, user, &rec->uid);
	if (home != NULL)
		*home = dir;
	return rec;
}

bool
admin_has_mail(const struct location *loc)
{
	char *cur;
	struct stat sb;
	bool is;

	if (loc->mail == NULL)
		return false;
	cur = must(talloc_asprintf(NULL, "%s/cur", loc->mail));
	is = stat(cur, &sb) == 0 || (errno != ENOENT && errno != ENOTDIR);
	talloc_free(cur);
	return is;
}

enum status
admin_default_leader(struct admin *ad, enum side *side, struct err *err)
{
	struct record *dflt = NULL;
	enum status st;

	st = map_get_stored(ad->map, ad->conf, RECORD_DEFAULT, &dflt, err);
	*side = st == ST_OK ? record_leader(dflt) : OLD;
	return st == ST_NONE ? ST_OK : st;
}

enum status
admin_hides_mail(enum side leads, const struct record *rec, struct err *err)
{
	enum side side = record_leader(rec), other = side == OLD ? NEW : OLD;

	if (leads == side || !admin_has_mail(&rec->side[other]) ||
	    admin_has_mail(&rec->side[side]))
		return ST_OK;
	return err_set(err, ST_NEVER, "%s has mail in %s and none in %s, which "
	    "would lead: use `mailferry move` or `mailferry rollback`", rec->user,
	    rec->side[other].mail, rec->side[side].mail);
}

static int
replace(struct admin *ad, const struct record *was, const struct record *is,
    struct err *err)
{
	struct change_by by = admin_by(ad->conf, ad);

	if (ad->dry_run) {
		(void)printf("%s would be %s\n", is != NULL ? is->user : was->user,
		    is == NULL ? "deleted" : was == NULL ? "added" : "changed");
		return EXIT_DONE;
	}
	return admin_status(map_replace(ad->map, was, is, &by, NULL, err));
}

int
verb_add(struct admin *ad, struct err *err)
{
	struct adding a = { .naddress = 0 };
	enum side leads = OLD;
	const char *home;
	enum status st;
	int i;

	if (ad->argc < 1 || ad->argc % 2 == 0)
		return EXIT_USAGE;
	if (!record_user_valid(ad->argv[0])) {
		(void)err_set(err, ST_NEVER, "%s: not a user's name", ad->argv[0]);
		return EXIT_REFUSED;
	}
	a.rec = admin_record(ad->conf, ad->argv[0], &home);
	for (i = 1; i < ad->argc; i += 2)
		if (!set_option(&a, ad->argv[i], ad->argv[i + 1]))
			return EXIT_USAGE;
	if (a.rec->state == STATE_SETTLE || a.rec->state == STATE_NEW)
		a.rec->led = a.rec->version;	/* new has been served */
	/* Stored, not left to templates: those may change, mail does not. */
	st = record_locate(a.rec, ad->conf, home, err);
	if (st == ST_OK)
		st = admin_check(a.rec, err);
	if (st == ST_OK)
		st = admin_default_leader(ad, &leads, err);
	if (st == ST_OK)
		st = admin_hides_mail(leads, a.rec, err);
	return st == ST_OK ? replace(ad, NULL, a.rec, err) : admin_status(st);
}

int
verb_delete(struct admin *ad, struct err *err)
{
	struct record *was = NULL;
	enum status st;

	if (ad->argc != 1)
		return EXIT_USAGE;
	st = map_get_stored(ad->map, ad->conf, ad->argv[0], &was, err);
	if (st == ST_NONE)
		st = err_set(err, ST_NEVER, "%s has no record", ad->argv[0]);
	return st == ST_OK ? replace(ad, was, NULL, err) : admin_status(st);
}

struct last {				/* the user's latest change */
	TALLOC_CTX	*ctx;
	struct record	*was, *is;
	bool		 any;
};

static enum status
take_last(const struct change *ch, void *arg, struct err *err)
{
	struct last *l = arg;

	(void)err;
	l->any = true;
	l->was = ch->was == NULL ? NULL : record_copy(l->ctx, ch->was);
	l->is = ch->is == NULL ? NULL : record_copy(l->ctx, ch->is);
	return ST_NONE;
}

/* The former record in the next version: what is said of the leader stays. */
static struct record *
as_before(TALLOC_CTX *ctx, const struct record *is, const struct record *was)
{
	struct record *rec = record_copy(ctx, was);

	rec->version = is->version + 1;
	rec->led = is->led;
	return rec;
}

static int
undo(struct admin *ad, const char *user, const struct last *l, struct err *err)
{
	struct record *is = NULL;
	enum side leads = OLD;
	enum status st;

	st = map_get_stored(ad->map, ad->conf, user, &is, err);
	if (st != ST_OK && st != ST_NONE)
		return admin_status(st);
	if ((is == NULL) != (l->is == NULL) ||
	    (is != NULL && is->version != l->is->version)) {
		(void)err_set(err, ST_AGAIN, "the record of %s changed this moment",
		    user);
		return EXIT_LATER;
	}
	if (l->is == NULL) {
		st = admin_default_leader(ad, &leads, err);
		if (st == ST_OK)
			st = admin_hides_mail(leads, l->was, err);
		return st == ST_OK ? replace(ad, NULL, l->was, err) :
		    admin_status(st);
	}
	if (l->was == NULL)
		return replace(ad, is, NULL, err);
	if (record_leader(is) != record_leader(l->was)) {
		(void)err_set(err, ST_NEVER, "%s: the last change made %s lead: use "
		    "`mailferry move` or `mailferry rollback`", user,
		    side_name(record_leader(is)));
		return EXIT_REFUSED;
	}
	if (is->state == l->was->state)
		return replace(ad, is, as_before(l->ctx, is, l->was), err);
	st = admin_get(ad, user, &is, err);	/* located */
	if (st == ST_OK && is->version != l->is->version)
		st = err_set(err, ST_AGAIN, "the record of %s changed this moment",
		    user);
	return admin_status(st == ST_OK ? admin_step(ad, is, l->was->state,
	    l->was->begin, l->was->end, err) : st);
}

int
verb_undo(struct admin *ad, struct err *err)
{
	struct last l = { .ctx = ad->conf };
	enum status st;

	if (ad->argc != 1)
		return EXIT_USAGE;
	st = map_history(ad->map, ad->argv[0], 1, take_last, &l, err);
	if (st == ST_OK && !l.any)
		st = err_set(err, ST_NEVER, "%s has no history to go back in",
		    ad->argv[0]);
	return st == ST_OK ? undo(ad, ad->argv[0], &l, err) : admin_status(st);
}
