/* SPDX-License-Identifier: ISC */
/*
 * step.c - one step of a user, and the wait until everybody follows it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/record_json.h"
#include "lda/store/barrier.h"
#include "maps/transition.h"

struct stepping {
	enum state	 to;
	time_t		 begin, end;	/* of a cutover */
};

/* 90, 90s, 5m, 2h, 1d. */
static bool
parse_seconds(const char *text, time_t *n)
{
	static const char units[] = "smhd";
	static const long seconds[] = { 1, 60, 3600, 86400 };
	const char *u;
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || v <= 0 || v > 366L * 86400)
		return false;
	if (*end != '\0') {
		u = strchr(units, *end);
		if (u == NULL || end[1] != '\0')
			return false;
		v *= seconds[u - units];
	}
	*n = v;
	return true;
}

static bool
parse_words(const struct admin *ad, time_t now, struct stepping *s)
{
	char **w = ad->argv + 2;

	if (ad->argc < 2)
		return false;
	s->to = state_parse(ad->argv[1]);
	if (s->to == STATE_NONE)
		return false;
	if (ad->argc == 2)
		return s->to != STATE_CUTOVER;
	if (s->to != STATE_CUTOVER)
		return false;
	if (ad->argc == 4 && strcmp(w[0], "--for") == 0) {
		s->begin = now;
		if (!parse_seconds(w[1], &s->end))
			return false;
		s->end += now;
		return true;
	}
	return ad->argc == 5 && strcmp(w[0], "--window") == 0 &&
	    form_time(w[1], now, &s->begin) && form_time(w[2], now, &s->end);
}

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

enum status
admin_wait(const struct admin *ad, struct record *rec, struct err *err)
{
	struct floor *floors;
	enum status st;
	const char *home;
	size_t n;
	long uid;

	home = admin_home(rec, rec->user, &uid);
	st = record_locate(rec, ad->conf, home, err);
	if (st == ST_OK)
		st = barrier(rec, rec, ad->conf, SIDE_NONE, NULL, &floors, &n,
		    err);
	return st == ST_OK ? st : err_wrap(err, ST_AGAIN, "%s is in %s, but a "
	    "delivery by its former state may be under way; run the same step "
	    "again", rec->user, state_name(rec->state));
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

enum status
admin_step(struct admin *ad, struct record *was, enum state to, time_t begin,
    time_t end, struct err *err)
{
	struct change_by by = admin_by(was, ad);
	struct record *is = NULL;
	enum status st;

	st = transition_step(was, was, to, begin, end, by.at, &is, err);
	if (st != ST_OK)
		return st;
	if (ad->dry_run) {
		(void)printf("%s would step from %s to %s\n", was->user,
		    state_name(was->state), state_name(to));
		return ST_OK;
	}
	if (record_leader(is) != record_leader(was))
		st = hand_over(ad, was, is, err);
	if (st == ST_OK)
		st = map_replace(ad->map, was, is, &by, NULL, err);
	/* A window that is only planned changes nothing yet. */
	if (st == ST_OK && is->state != was->state)
		st = admin_wait(ad, is, err);
	return st;
}

int
verb_step(struct admin *ad, struct err *err)
{
	struct stepping s = { .begin = 0, .end = 0 };
	struct record *was = NULL;
	enum status st;

	if (!parse_words(ad, time(NULL), &s))
		return EXIT_USAGE;
	st = admin_get(ad, ad->argv[0], &was, err);
	if (st == ST_OK && was->is_default)
		st = err_set(err, ST_NEVER, "%s has no record: add one first "
		    "(mailferry add %s)", ad->argv[0], ad->argv[0]);
	if (st != ST_OK)
		return admin_status(st);
	/* There already, perhaps since a barrier that failed: once more that. */
	if (was->state == s.to && s.to != STATE_CUTOVER)
		return admin_status(ad->dry_run ? ST_OK :
		    admin_wait(ad, was, err));
	return admin_status(admin_step(ad, was, s.to, s.begin, s.end, err));
}
