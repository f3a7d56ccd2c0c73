/* SPDX-License-Identifier: ISC */
/*
 * mark.h - lines of a uidlist that are known to be ours
 *
 * On a side that has had clients an IMAP session may survive the hand-over, and
 * number what it APPENDs there.  So each line that we write to a follower which
 * was ever served has the key ` Y1`, which Dovecot keeps.  What has a line
 * without it is a stray.
 */
#ifndef LDA_STORE_MARK_H
#define LDA_STORE_MARK_H

#include <stdbool.h>
#include <talloc.h>

#include "maps/record.h"

#define MARK_KEYS	" Y1 "		/* of a line without other keys */

/* Has the side of this follower ever been served?  Then our lines are
 * marked. */
bool		mark_due(const struct record *rec, enum side follower);

/* Is the key among those of a line (struct uidlist_line)? */
bool		mark_is(const char *keys);

/* The same keys, and the mark, once.  Talloc child of ctx. */
char	       *mark_keys(TALLOC_CTX *ctx, const char *keys);

#endif
