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
 * Make leader and follower of a pair that was taken one mailbox: the same
 * UIDVALIDITY and GUID, and on the follower every message of the leader whose
 * UID is not below the follower's next.
 *
 * rec    under which: a follower that was never served (rec->led is 0) and
 *        disagrees is set aside (aside.h) and made anew.
 * until  CLOCK_MONOTONIC milliseconds; what is copied by then stays copied.
 *
 * A leader without uidlist gets one: the follower's V, G and next where that
 * has one, fresh ones else; but never where the leader has mail (its UIDs
 * would all change).
 *
 * ST_AGAIN  time is up; a leader with mail but without uidlist; V or G disagree
 *           on a side that was served.  pair->n == 1: only the leader's uidlist
 *           is looked after, and mail without one is no error: uids.fd stays
 *           -1.
 */
enum status	pair_agree(struct pair *pair, const struct record *rec,
		    long long until, struct err *err) MUST_CHECK;

#endif
