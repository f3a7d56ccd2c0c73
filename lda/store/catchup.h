/* SPDX-License-Identifier: ISC */
/*
 * catchup.h - bring the follower up to the leader before a UID is given
 *
 * Clients APPEND and COPY on the leader.  What they put there while nobody
 * delivered must be on the follower before its next UID moves past it: what
 * lies below a mailbox's next UID and is absent counts as expunged, for every
 * tool that compares two mailboxes.
 */
#ifndef LDA_STORE_CATCHUP_H
#define LDA_STORE_CATCHUP_H

#include "lda/store/pair.h"

/*
 * Copy to the follower every message of the leader whose UID is not below the
 * follower's next, in order, with its UID and the keys of its line.
 *
 * pair   taken, and both sides are the same mailbox.
 * rec    as the map has it under the locks.
 * until  CLOCK_MONOTONIC milliseconds; what is copied by then stays copied.
 *
 * The file comes first, then the line; but on a side that was ever served a
 * session may have survived, which would number a file without a line: there
 * the line comes first, with the mark (mark.h).  A crash between the two leaves
 * it without a file, which the mirror fills in.
 *
 * A base name that the follower has already, under a lower UID (a client moved
 * the message away and back), is the same message: the file that is there gets
 * the new line, and the lower line goes.
 *
 * ST_AGAIN  time is up.
 */
enum status	catch_up(struct pair *pair, const struct record *rec,
		    long long until, struct err *err) MUST_CHECK;

#endif
