/* SPDX-License-Identifier: ISC */
/*
 * replace.h - a verb writes one record, or with --dry-run says what it would
 * write
 */
#ifndef ADMIN_REPLACE_H
#define ADMIN_REPLACE_H

#include "admin/context.h"

/*
 * As map_replace(), by the person who runs the command; with --dry-run a line
 * on the standard output instead.
 *
 * was   NULL: the record is added.  is  NULL: it is deleted.
 * ST_NEVER  also for the map's default: its change may hide mail.
 */
enum status	admin_replace(struct admin *ad, const struct record *was,
		    const struct record *is, struct err *err) MUST_CHECK;

#endif
