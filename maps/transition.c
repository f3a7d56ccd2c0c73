/* SPDX-License-Identifier: ISC */
/*
 * transition.c - which change of a record is legal
 */
#include "maps/transition.h"

#include <string.h>

#include "maps/location.h"

static bool
always(const struct record *rec, time_t now)
{
	(void)rec;
	(void)now;
	return true;
}

static bool
has_old(const struct record *rec, time_t now)
{
	(void)now;
	return rec->side[OLD].mail != NULL;
}

static bool
has_new(const struct record *rec, time_t now)
{
	(void)now;
	return rec->side[NEW].mail != NULL;
}

static bool
end_ahead(const struct record *rec, time_t now)
{
	return rec->end > now;
}

static bool
in_lease(const struct record *rec, time_t now)
{
	return now < rec->end;
}

/* What the admin reads while a step is not ready. */
static const char a_new[] = "a new location", an_old[] = "an old location",
    a_window[] = "a window whose end is ahead",
    its_window[] = "to be inside its window";

static const struct step {
	enum state	  from, to;
	enum state	  entered;	/* of a cutover: where it came from */
	bool		(*ready)(const struct record *, time_t now);
	const char	 *needs;	/* reported while not ready */
} steps[] = {
	{ STATE_OLD,	 STATE_OVERLAP, STATE_NONE,    has_new,   a_new },
	{ STATE_OVERLAP, STATE_CUTOVER, STATE_NONE,    end_ahead, a_window },
	{ STATE_CUTOVER, STATE_SETTLE,	STATE_OVERLAP, in_lease,  its_window },
	{ STATE_SETTLE,	 STATE_NEW,	STATE_NONE,    always,	  NULL },
	/* The way back. */
	{ STATE_NEW,	 STATE_SETTLE,	STATE_NONE,    has_old,   an_old },
	{ STATE_SETTLE,	 STATE_CUTOVER, STATE_NONE,    end_ahead, a_window },
	{ STATE_CUTOVER, STATE_OVERLAP, STATE_SETTLE,  in_lease,  its_window },
	{ STATE_OVERLAP, STATE_OLD,	STATE_NONE,    always,	  NULL },
	/* A cutover given up: the leader stays the same. */
	{ STATE_CUTOVER, STATE_OVERLAP, STATE_OVERLAP, always,	  NULL },
	{ STATE_CUTOVER, STATE_SETTLE,	STATE_SETTLE,  always,	  NULL },
};

static const struct step *
find_step(const struct record *was, enum state to)
{
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].from == was->state && steps[i].to == to &&
		    (steps[i].entered == STATE_NONE ||
		    steps[i].entered == was->entered))
			return &steps[i];
	return NULL;
}

char *
transition_legal(TALLOC_CTX *ctx, const struct record *was, time_t now)
{
	char *out = must(talloc_strdup(ctx, ""));
	struct record rec = *was;
	enum state to;

	rec.end = was->state == STATE_CUTOVER ? was->end : now + 1;
	for (to = STATE_OLD; to <= STATE_NEW; to++) {
		const struct step *s = find_step(was, to);

		if (s != NULL && s->ready(&rec, now))
			out = must(talloc_asprintf_append_buffer(out, "%s%s",
			    *out == '\0' ? "" : " ", state_name(to)));
	}
	return out;
}

static enum status
refuse(const struct record *was, enum state to, const char *needs, time_t now,
    struct err *err)
{
	char *legal = transition_legal(NULL, was, now);

	if (needs != NULL)
		(void)err_set(err, ST_NEVER, "%s cannot step from %s to %s: "
		    "that needs %s (possible now: %s)", was->user,
		    state_name(was->state), state_name(to), needs, legal);
	else
		(void)err_set(err, ST_NEVER, "%s cannot step from %s to %s "
		    "(possible now: %s)", was->user, state_name(was->state),
		    state_name(to), legal);
	talloc_free(legal);
	return ST_NEVER;
}

static struct record *
next_version(TALLOC_CTX *ctx, const struct record *was)
{
	struct record *is = record_copy(ctx, was);

	is->version = was->version + 1;
	return is;
}

static void
enter(struct record *is, const struct record *was, enum state to)
{
	is->entered = to == STATE_CUTOVER ? was->state : STATE_NONE;
	is->state = to;
	if (to != STATE_CUTOVER)
		is->begin = is->end = 0;
	if (record_leader(is) != record_leader(was))
		is->led = is->version;
}

enum status
transition_step(TALLOC_CTX *ctx, const struct record *was, enum state to,
    time_t begin, time_t end, time_t now, struct record **is, struct err *err)
{
	const struct step *s = find_step(was, to);
	struct record *rec;

	if (s == NULL)
		return refuse(was, to, NULL, now, err);
	rec = next_version(ctx, was);
	if (to == STATE_CUTOVER) {
		if (begin >= end || begin < 0) {
			talloc_free(rec);
			return refuse(was, to, s->needs, now, err);
		}
		rec->begin = begin;
		rec->end = end;
	}
	if (!s->ready(rec, now)) {
		talloc_free(rec);
		return refuse(was, to, s->needs, now, err);
	}
	if (to != STATE_CUTOVER || begin <= now)
		enter(rec, was, to);
	*is = rec;
	return ST_OK;
}

struct record *
transition_due(TALLOC_CTX *ctx, const struct record *was, enum state due,
    time_t now)
{
	struct record *is = next_version(ctx, was);

	enter(is, was, due);
	is->by = must(talloc_strdup(is, "mapd"));
	is->at = now;
	is->why = must(talloc_strdup(is, due == STATE_CUTOVER ?
	    "its window begins" :
	    "its window ended before the step out of it"));
	return is;
}

static bool
writes(const struct record *rec, enum side side)
{
	switch (rec->state) {
	case STATE_OLD:
		return side == OLD;
	case STATE_NEW:
		return side == NEW;
	case STATE_OVERLAP:
	case STATE_CUTOVER:		/* both sides stay written */
	case STATE_SETTLE:
		return true;
	case STATE_NONE:
		break;
	}
	return false;
}

static enum status
check_locations(const struct record *was, const struct record *is,
    struct err *err)
{
	int s;

	for (s = OLD; s <= NEW; s++) {
		if (writes(is, s) && is->side[s].mail == NULL)
			return err_set(err, ST_NEVER,
			    "%s: state %s needs %s %s location", is->user,
			    state_name(is->state), s == OLD ? "an" : "a",
			    side_name(s));
		if (was != NULL && writes(was, s) && writes(is, s) &&
		    !location_same(&was->side[s], &is->side[s]))
			return err_set(err, ST_NEVER, "%s: the %s location is "
			    "being written and may not change (%s to %s)",
			    is->user, side_name(s), was->side[s].mail,
			    is->side[s].mail);
	}
	return ST_OK;
}

static enum status
check_leader(const struct record *was, const struct record *is,
    const char *user, struct err *err)
{
	if (record_leader(was) == record_leader(is))
		return ST_OK;
	return err_set(err, ST_NEVER, "%s: that would change who leads, from "
	    "%s to %s: use `mailferry move` or `mailferry rollback`", user,
	    side_name(record_leader(was)), side_name(record_leader(is)));
}

static enum status
check_delete(const struct record *was, const struct record *dflt,
    struct err *err)
{
	if (was->state != STATE_OLD && was->state != STATE_NEW)
		return err_set(err, ST_NEVER,
		    "%s is in %s: only a record in old or new may go",
		    was->user, state_name(was->state));
	return check_leader(was, dflt, was->user, err);
}

/* A swap that is due is a step as well, also after the lease. */
static enum status
check_step(const struct record *was, const struct record *is, time_t now,
    struct err *err)
{
	const struct step *s = find_step(was, is->state);
	bool given_up = was->state == STATE_CUTOVER &&
	    is->state == was->entered;

	if (was->state == is->state) {
		if (is->state == STATE_CUTOVER && is->entered != was->entered)
			return refuse(was, is->state,
			    "to keep where it came from", now, err);
		return is->led == was->led ? ST_OK : refuse(was, is->state,
		    "to keep when its leader changed", now, err);
	}
	if (s == NULL || (!given_up && !s->ready(s->to == STATE_CUTOVER ? is :
	    was, now) && s->needs != NULL && s->ready != has_new &&
	    s->ready != has_old))
		return refuse(was, is->state, s == NULL ? NULL : s->needs, now,
		    err);
	if (is->state == STATE_CUTOVER && is->entered != was->state)
		return refuse(was, is->state, "to say where it came from", now,
		    err);
	if (is->led != (record_leader(was) != record_leader(is) ? is->version :
	    was->led))
		return refuse(was, is->state,
		    "the version of the change of leader", now, err);
	return ST_OK;
}

enum status
transition_check(const struct record *was, const struct record *is,
    const struct record *dflt, time_t now, struct err *err)
{
	enum status st;

	if (is == NULL)
		return check_delete(was, dflt, err);
	if (strcmp(is->user, RECORD_DEFAULT) == 0)
		return ST_OK;		/* the command looks for mail */
	if (was == NULL && is->state == STATE_CUTOVER)
		return err_set(err, ST_NEVER, "%s: a record cannot begin in a "
		    "cutover", is->user);
	if (was != NULL && is->version != was->version + 1)
		return err_set(err, ST_NEVER,
		    "%s: version %llu does not follow %llu", is->user,
		    (unsigned long long)is->version,
		    (unsigned long long)was->version);
	st = was == NULL ? ST_OK : check_step(was, is, now, err);
	return st == ST_OK ? check_locations(was, is, err) : st;
}
