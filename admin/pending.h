/* SPDX-License-Identifier: ISC */
/*
 * pending.h - what is pending in a user's mailboxes, seen without a lock
 */
#ifndef ADMIN_PENDING_H
#define ADMIN_PENDING_H

#include <jansson.h>

#include "maps/record.h"

/*
 * Look, as the user, at every mailbox on both sides: is the filer there, which
 * process holds the lock, which intents are undecided, which UID comes next.
 *
 * rec     located.
 * found   a new array of objects: `side`, `mailbox`, `what` ("filer", "lock",
 *         "intent", "uid", "trouble") and `text`, a sentence; `uid` has `next`
 *         as well.
 * ST_AGAIN  a filer hangs, or does not let the user look; found has what was
 *           seen
 *         before.
 */
enum status	pending_look(const struct record *rec, const struct conf *conf,
		    json_t **found, struct err *err) MUST_CHECK;

#endif
