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
 *
 * rec     the next leader's location alone; the version is the present one.
 * floors  of the record: raised above these too.
 * margin  UIDs, beyond the next one and the floor.
 *
 * ST_AGAIN  as visit_mailboxes().
 */
enum status	alone_raise(const struct record *rec, const struct conf *conf,
		    uint32_t margin, struct err *err) MUST_CHECK;

#endif
