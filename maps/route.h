/* SPDX-License-Identifier: ISC */
/*
 * route.h - where a message goes, given the user's record and the time
 */
#ifndef MAPS_ROUTE_H
#define MAPS_ROUTE_H

#include <time.h>

#include "maps/record.h"

#define RETRY_MIN	1	/* seconds; a write is due, ask again soon */

struct plan {
	enum side	 target[2];	/* the leader first, SIDE_NONE after */
	int		 ntarget;	/* 0 with ST_AGAIN */
	enum side	 leader;	/* what IMAP serves, or served last */
	enum state	 due;		/* the state to swap to first */
	time_t		 retry_after;	/* seconds; 0 with ST_OK */
	uint64_t	 version;	/* of the record that decided */
};

/*
 * Decide where one message for one user goes.
 *
 * now   seconds since the epoch, UTC, brought by the caller.  Held against the
 *       record's window, half-open [begin, end): at `end` the window is over.
 * plan  written whatever the result.
 *
 * ST_OK     deliver to plan->target[0 .. ntarget), to all or to none.
 * ST_AGAIN  a window is open, or a write is due first: plan->due names the
 *           state to swap to (else STATE_NONE); plan->retry_after seconds,
 *           never fewer than RETRY_MIN.
 * No other result: what can be wrong with a record, record_parse() refused.
 *
 * Source: mailferry-map(5), STATES.
 */
enum status	route(const struct record *rec, time_t now, struct plan *plan)
		    MUST_CHECK;

/* The state that route() acts by: a swap that is due counts as done. */
enum state	route_effective(const struct record *rec, time_t now);

/* Two plans that send a message to the same sides in the same order. */
bool		plan_same(const struct plan *a, const struct plan *b);

#endif
