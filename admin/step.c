/* SPDX-License-Identifier: ISC */
/*
 * step.c - one step of a user: hand over, swap, wait
 */
#include "admin/step.h"

#include <string.h>

#include "lda/store/barrier.h"
#include "maps/transition.h"

/* Each floor into the record: a mailbox's own is raised, never lowered. */
static void
merge_floors(struct record *rec, const struct floor *f, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < rec->nfloor; k++)
			if (rec->floor[k].validity == f[i].validity &&
			    strcmp(rec->floor[k].guid, f[i].guid) == 0)
				break;
		if (k == rec->nfloor) {
			rec->floor = must(talloc_realloc(rec, rec->floor,
			    struct floor, (unsigned)k + 1));
			rec->floor[k] = f[i];
			rec->nfloor++;
		} else if (rec->floor[k].next < f[i].next)
			rec->floor[k].next = f[i].next;
	}
}

/* The leader changes: the next one is made ready while nobody delivers, and only
 * then the map says so. */
static enum status
hand_over(const struct admin *ad, struct record *was, struct record *is,
    struct err *err)
{
	struct record *now = NULL;
	struct map *map = NULL;
	struct floor *floors;
	enum status st = ST_OK;
	size_t n;

	/* Connected here: the child is the user, and may not be known to mapd. */
	if (!ad->owner)
		st = map_open(is, ad->conf, 0, &map, err);
	if (st == ST_OK && map != NULL)
		st = map_get_stored(map, is, was->user, &now, err);
	if (st == ST_OK)
		st = barrier(is, was, ad->conf, record_leader(is), map, &floors,
		    &n, err);
	if (st == ST_OK)
		merge_floors(is, floors, n);
	talloc_free(map);
	return st;
}

static void
announce(const struct step *s, const char *text)
{
	if (s->progress != NULL)
		s->progress(text, s->arg);
}

enum status
step_wait(struct admin *ad, struct record *rec, const struct step *s,
    struct err *err)
{
	struct floor *floors;
	enum status st;
	const char *home;
	size_t n;
	long uid;

	announce(s, "deliveries by the former state");
	home = admin_home(rec, rec->user, &uid);
	st = record_locate(rec, ad->conf, home, err);
	if (st == ST_OK)
		st = barrier(rec, rec, ad->conf, SIDE_NONE, NULL, &floors, &n,
		    err);
	return st == ST_OK ? st : err_wrap(err, ST_AGAIN, "%s is in %s, but a "
	    "delivery by its former state may be under way; run the same step "
	    "again", rec->user, state_name(rec->state));
}

enum status
step_user(struct admin *ad, struct record *was, const struct step *s,
    struct err *err)
{
	struct change_by by = admin_by(was, ad);
	struct record *is = NULL;
	enum status st;

	st = transition_step(was, was, s->to, s->begin, s->end, by.at, &is, err);
	if (st != ST_OK || s->dry_run)
		return st;
	if (record_leader(is) != record_leader(was)) {
		announce(s, "the mailboxes of the next leader to be made ready");
		st = hand_over(ad, was, is, err);
	}
	if (st == ST_OK)
		st = map_replace(ad->map, was, is, &by, NULL, err);
	/* A window that is only planned changes nothing yet. */
	if (st == ST_OK && is->state != was->state)
		st = step_wait(ad, is, s, err);
	return st;
}
