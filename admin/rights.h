/* SPDX-License-Identifier: ISC */
/*
 * rights.h - may we work on a user's mailboxes?
 */
#ifndef ADMIN_RIGHTS_H
#define ADMIN_RIGHTS_H

#include "maps/record.h"

/*
 * Ask it before a step is written: a step whose wait fails leaves the user
 * between two states.  Called as root, a child asks as the user.
 *
 * rec  located; a side without a Maildir is not asked about.
 *
 * ST_NEVER  we may not.  A filer that does not answer says nothing of that:
 *           ST_OK.
 */
enum status	rights_check(const struct record *rec,
		    const struct conf *conf, struct err *err) MUST_CHECK;

#endif
