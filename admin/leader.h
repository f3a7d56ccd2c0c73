/* SPDX-License-Identifier: ISC */
/*
 * leader.h - which side may lead for a user who has no record yet
 */
#ifndef ADMIN_LEADER_H
#define ADMIN_LEADER_H

#include "admin/context.h"

/* Is there a Maildir?  Where we may not look there is one. */
bool		leader_has_mail(const struct location *loc);

/* The side that leads by the map's default. */
enum status	leader_default(struct admin *ad, enum side *side,
		    struct err *err) MUST_CHECK;

/*
 * May a new record have this leader?  A leader changes by a hand-over only,
 * which hides no mail: where it is not the default's, the side that leads by
 * the default must have no mail.  A child that is the user looks, for 10
 * seconds at most.  --force overrides that.
 *
 * leads   leader_default()
 * rec     located.
 * forced  one more if --force alone made the answer ST_OK: the caller says so.
 * ST_AGAIN  that side's filer is not mounted, or does not answer.
 * ST_NEVER  it may not: err names both sides.
 */
enum status	leader_check(struct admin *ad, enum side leads,
		    const struct record *rec, unsigned long *forced,
		    struct err *err) MUST_CHECK;

#endif
