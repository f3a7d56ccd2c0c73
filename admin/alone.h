/* SPDX-License-Identifier: ISC */
/*
 * alone.h - a change of leader while the former leader is dead
 */
#ifndef ADMIN_ALONE_H
#define ADMIN_ALONE_H

#include "maps/record.h"

/*
 * Make the next leader's mailboxes ready without a look at the other side:
 * under the lock of each, its next UID is raised above all that the former
 * leader may have given, and its delivery log remembers the change of leader.
 * No log says how far the former leader led: what that one alone has is not
 * known.
 *
 * rec     as the map has it, with the location of the next leader alone.
 * ask     mapd has the map: ask it under every lock whether it still has rec.
 * margin  UIDs, beyond the mailbox's next one and the record's floor.
 *
 * ST_AGAIN  as visit_mailboxes().
 */
enum status	alone_raise(const struct record *rec, const struct conf *conf,
		    bool ask, uint32_t margin, struct err *err) MUST_CHECK;

#endif
