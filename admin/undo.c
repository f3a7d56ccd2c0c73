/* SPDX-License-Identifier: ISC */
/*
 * undo.c - the last change of a record is taken back by a legal step
 */
#include <stdio.h>
#include <string.h>

#include "admin/announce.h"
#include "admin/leader.h"
#include "admin/record_json.h"
#include "admin/replace.h"
#include "admin/step.h"
#include "admin/times.h"
#include "admin/users.h"
#include "admin/verbs.h"

#define UNDO	"undo of change "	/* begins the reason of an undo */

struct last {				/* the user's latest change */
	TALLOC_CTX	*ctx;
	bool		 any;
	uint64_t	 seq;
	struct change_by by;
	struct record	*was, *is;
	json_t		*json;		/* the change, with --json */
};

static enum status
take_last(const struct change *ch, void *arg, struct err *err)
{
	struct last *l = arg;

	(void)err;
	l->any = true;
	l->seq = ch->seq;
	l->by = (struct change_by){ must(talloc_strdup(l->ctx, ch->by.by)),
	    ch->by.at, must(talloc_strdup(l->ctx, ch->by.why)) };
	l->was = ch->was == NULL ? NULL : record_copy(l->ctx, ch->was);
	l->is = ch->is == NULL ? NULL : record_copy(l->ctx, ch->is);
	l->json = change_json(ch);
	return ST_NONE;
}

static bool
is_undo(const struct last *l)
{
	return strncmp(l->by.why, UNDO, strlen(UNDO)) == 0;
}

static const char *
state_of(const struct record *rec)
{
	return rec == NULL ? "none" : state_name(rec->state);
}

/* Which change was reversed; of an undo: that it was one. */
static void
say(const struct admin *ad, const char *user, const struct last *l)
{
	char *at;

	if (ad->json) {
		json_print(stdout, must(json_pack("{sssOsbsb}", "user", user,
		    "undone", l->json, "was_undo", is_undo(l), "dry_run",
		    ad->dry_run)));
		return;
	}
	at = time_text(NULL, l->by.at);
	(void)printf("%s: %s change %llu of %s by %s%s: %s -> %s%s%s\n", user,
	    ad->dry_run ? "this would undo" : "undid",
	    (unsigned long long)l->seq, at, l->by.by,
	    is_undo(l) ? ", itself an undo" : "", state_of(l->was),
	    state_of(l->is), *l->by.why == '\0' ? "" : ": ", l->by.why);
	talloc_free(at);
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

static enum status
changed_meanwhile(const char *user, struct err *err)
{
	return err_set(err, ST_AGAIN, "the record of %s changed this moment",
	    user);
}

/* A record that was deleted comes back. */
static enum status
add_again(struct admin *ad, const struct last *l, struct err *err)
{
	unsigned long forced = 0;
	enum side leads = OLD;
	enum status st;

	st = leader_default(ad, &leads, err);
	if (st == ST_OK)
		st = leader_check(ad, leads, l->was, &forced, err);
	return st == ST_OK ? admin_replace(ad, NULL, l->was, err) : st;
}

static enum status
step_back(struct admin *ad, const char *user, const struct last *l,
    struct err *err)
{
	struct step s = { .to = l->was->state, .begin = l->was->begin,
	    .end = l->was->end, .dry_run = ad->dry_run, .without = SIDE_NONE,
	    .progress = announce };
	struct record *is = NULL;
	enum status st;

	st = admin_get(ad, user, &is, err);	/* located */
	if (st == ST_OK && is->version != l->is->version)
		st = changed_meanwhile(user, err);
	if (st == ST_OK)
		st = step_user(ad, is, &s, err);
	if (st == ST_OK && ad->dry_run && !ad->json)
		(void)printf("%s would step from %s to %s\n", user,
		    state_name(is->state), state_name(s.to));
	return st;
}

static enum status
undo(struct admin *ad, const char *user, const struct last *l, struct err *err)
{
	struct record *is = NULL;
	enum status st;

	st = map_get_stored(ad->map, ad->conf, user, &is, err);
	if (st != ST_OK && st != ST_NONE)
		return st;
	if ((is == NULL) != (l->is == NULL) ||
	    (is != NULL && is->version != l->is->version))
		return changed_meanwhile(user, err);
	if (l->is == NULL)
		return add_again(ad, l, err);
	if (l->was == NULL)
		return admin_replace(ad, is, NULL, err);
	if (record_leader(is) != record_leader(l->was))
		return err_set(err, ST_NEVER, "%s: the last change made %s "
		    "lead: use `mailferry move` or `mailferry rollback`", user,
		    side_name(record_leader(is)));
	if (l->was->end != 0 && l->was->end <= time(NULL))
		return err_set(err, ST_NEVER, "%s: the window of before is "
		    "over", user);
	if (is->state == l->was->state)
		return admin_replace(ad, is, as_before(l->ctx, is, l->was),
		    err);
	return step_back(ad, user, l, err);
}

static int
undo_one(struct admin *ad, const char *user, void *arg, struct err *err)
{
	struct admin mine = *ad;
	struct last l = { .ctx = ad->conf };
	enum status st;

	(void)arg;
	st = map_history(ad->map, user, 1, take_last, &l, err);
	if (st == ST_OK && !l.any)
		st = err_set(err, ST_NEVER, "%s has no history to go back in",
		    user);
	if (st != ST_OK)
		return admin_status(st);
	mine.why = must(talloc_asprintf(ad->conf, UNDO "%llu%s%s",
	    (unsigned long long)l.seq, *ad->why == '\0' ? "" : ": ", ad->why));
	st = undo(&mine, user, &l, err);
	if (st == ST_OK)
		say(ad, user, &l);
	json_decref(l.json);
	return admin_status(st);
}

static int
run(struct admin *ad, struct err *err)
{
	return users_each(ad, ad->line.argc, undo_one, NULL, err);
}

const struct verb verb_undo = {
	.name = "undo", .run = run, .operands = "USER...", .max = OPERANDS_ANY,
	.users = true,
	.does = "Take the last change of each record back by a legal step; "
	    "print which\nchange that was.",
};
