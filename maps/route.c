/* SPDX-License-Identifier: ISC */
/*
 * route.c - where a message goes, given the user's record and the time
 *
 * The one decision this project exists for.  Pure: no I/O, no clock, no
 * memory.  LDA, milter and daemon all ask here, so they cannot disagree.
 */
#include "maps/route.h"

static const struct {
	enum side target[2];
	int ntarget;
} targets[] = {
	[STATE_NONE]	= { { SIDE_NONE, SIDE_NONE }, 0 },
	[STATE_OLD]	= { { OLD, SIDE_NONE }, 1 },
	[STATE_OVERLAP]	= { { OLD, NEW }, 2 },
	[STATE_CUTOVER]	= { { SIDE_NONE, SIDE_NONE }, 0 },
	[STATE_SETTLE]	= { { NEW, OLD }, 2 },
	[STATE_NEW]	= { { NEW, SIDE_NONE }, 1 },
};

static enum status
later(struct plan *plan, time_t seconds)
{
	plan->retry_after = seconds < RETRY_MIN ? RETRY_MIN : seconds;
	return ST_AGAIN;
}

enum status
route(const struct record *rec, time_t now, struct plan *plan)
{
	*plan = (struct plan){ { SIDE_NONE, SIDE_NONE }, 0, record_leader(rec),
	    STATE_NONE, 0, rec->version };
	if (rec->state == STATE_CUTOVER) {
		if (now < rec->end)
			return later(plan, rec->end - now);
		plan->due = rec->entered;	/* the lease is over */
		return later(plan, 0);
	}
	/* A planned window that is over changes nothing. */
	if (rec->end != 0 && now >= rec->begin && now < rec->end) {
		plan->due = STATE_CUTOVER;
		return later(plan, 0);
	}
	plan->target[0] = targets[rec->state].target[0];
	plan->target[1] = targets[rec->state].target[1];
	plan->ntarget = targets[rec->state].ntarget;
	return ST_OK;
}

enum state
route_effective(const struct record *rec, time_t now)
{
	struct plan plan;

	if (route(rec, now, &plan) == ST_AGAIN && plan.due != STATE_NONE)
		return plan.due;
	return rec->state;
}

bool
plan_same(const struct plan *a, const struct plan *b)
{
	return a->ntarget == b->ntarget && a->target[0] == b->target[0] &&
	    a->target[1] == b->target[1];
}
