/* SPDX-License-Identifier: ISC */
/*
 * transition.h - which change of a record is legal
 *
 * One table of steps.  A step that is not in it cannot happen, be it asked for
 * by the command, an import, an undo, or mapd when a window begins or ends.
 */
#ifndef MAPS_TRANSITION_H
#define MAPS_TRANSITION_H

#include "maps/record.h"

/*
 * Make the record of the next version: `was` stepped to `to`.
 *
 * was    as stored, located (record_locate()).
 * begin, end  the window when `to` is a cutover.  begin <= now: the record is
 *        in `cutover` at once.  begin > now: it stays in its state with the
 *        window planned.  Else 0, 0: any planned window is dropped.
 * now    seconds UTC.
 * is     talloc child of ctx: was, with state, entered, window, led and version
 *        changed; by, at, why are the caller's to set.
 *
 * ST_NEVER  not a legal step, or it lacks something: `err` says what, and names
 *           the steps that are legal now.
 */
enum status	transition_step(TALLOC_CTX *ctx, const struct record *was,
		    enum state to, time_t begin, time_t end, time_t now,
		    struct record **is, struct err *err) MUST_CHECK;

/*
 * The swap that route() said is due (plan.due).  As transition_step(), but the
 * window may be over; the result is by "mapd".
 */
struct record  *transition_due(TALLOC_CTX *ctx, const struct record *was,
		    enum state due, time_t now);

/*
 * Judge a whole change, as every backend's caller must before it replaces.
 *
 * was    NULL: the user has no record; dflt then stands for it.
 * is     NULL: the record is deleted; dflt then stands for it.
 * dflt   what a user without a record has (the map's default, located).
 *
 * Refused (ST_NEVER) is: a state the table does not lead to in one step, unless
 * the record is new and its leader is the default's; a
 * change of leader other than out of a cutover by its own version; a changed
 * location of a side that was written and is written still; a version that is
 * not was's + 1 (whatever it is when was is NULL: the backend sets it above a
 * deleted one's).  A change of leader is refused with the words "use `mailferry
 * move` or `mailferry rollback`".
 */
enum status	transition_check(const struct record *was,
		    const struct record *is, const struct record *dflt,
		    time_t now, struct err *err) MUST_CHECK;

/* Legal next states, space separated, for messages; talloc child of ctx. */
char	       *transition_legal(TALLOC_CTX *ctx, const struct record *was,
		    time_t now);

#endif
