/* SPDX-License-Identifier: ISC */
/*
 * undo.c - the last change of a record is taken back by a legal step
 */
#include <stdio.h>

#include "admin/leader.h"
#include "admin/replace.h"
#include "admin/step.h"
#include "admin/users.h"
#include "admin/verbs.h"

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
	struct step s;

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
		st = leader_default(ad, &leads, err);
		if (st == ST_OK)
			st = leader_hides_mail(leads, l->was, err);
		if (st == ST_OK)
			st = admin_replace(ad, NULL, l->was, err);
		return admin_status(st);
	}
	if (l->was == NULL)
		return admin_status(admin_replace(ad, is, NULL, err));
	if (record_leader(is) != record_leader(l->was)) {
		(void)err_set(err, ST_NEVER, "%s: the last change made %s lead: use "
		    "`mailferry move` or `mailferry rollback`", user,
		    side_name(record_leader(is)));
		return EXIT_REFUSED;
	}
	if (is->state == l->was->state)
		return admin_status(admin_replace(ad, is, as_before(l->ctx, is,
		    l->was), err));
	st = admin_get(ad, user, &is, err);	/* located */
	if (st == ST_OK && is->version != l->is->version)
		st = err_set(err, ST_AGAIN, "the record of %s changed this moment",
		    user);
	s = (struct step){ .to = l->was->state, .begin = l->was->begin,
	    .end = l->was->end, .dry_run = ad->dry_run };
	if (st == ST_OK)
		st = step_user(ad, is, &s, err);
	if (st == ST_OK && ad->dry_run)
		(void)printf("%s would step from %s to %s\n", user,
		    state_name(is->state), state_name(s.to));
	return admin_status(st);
}

static int
undo_one(struct admin *ad, const char *user, void *arg, struct err *err)
{
	struct last l = { .ctx = ad->conf };
	enum status st;

	(void)arg;
	st = map_history(ad->map, user, 1, take_last, &l, err);
	if (st == ST_OK && !l.any)
		st = err_set(err, ST_NEVER, "%s has no history to go back in",
		    user);
	return st == ST_OK ? undo(ad, user, &l, err) : admin_status(st);
}

static int
run(struct admin *ad, struct err *err)
{
	return users_each(ad, ad->line.argc, undo_one, NULL, err);
}

const struct verb verb_undo = {
	.name = "undo", .run = run, .operands = "USER...", .max = OPERANDS_ANY,
	.users = true,
	.does = "Take the last change of a record back, by a legal step.",
};
