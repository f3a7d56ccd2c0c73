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
 * Would a new record hide mail?  Mail lies on the side that leads by the default,
 * and none on the record's leader.
 *
 * leads   leader_default()
 * ST_NEVER  it would.
 */
enum status	leader_hides_mail(enum side leads, const struct record *rec,
		    struct err *err) MUST_CHECK;

#endif
