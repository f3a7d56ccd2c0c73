/* SPDX-License-Identifier: ISC */
/*
 * agree.h - leader and follower are the same mailbox
 */
#ifndef LDA_STORE_AGREE_H
#define LDA_STORE_AGREE_H

#include "lda/store/pair.h"

/*
 * Make leader and follower of a pair that was taken one mailbox: the same
 * UIDVALIDITY (V) and GUID (G), and on the follower every message of the leader
 * whose UID is not below the follower's next.
 *
 * rec    as the map has it under the locks.
 * until  CLOCK_MONOTONIC milliseconds; what is copied by then stays copied.
 *
 * A leader without uidlist, without mail and without index is a new mailbox,
 * perhaps under the name of one that a client deleted.  It gets a new G, and a
 * V above each that a client may have seen under that name: a V that comes
 * again with other mail hides that mail from clients for ever.  The leader
 * wins: a follower that is another mailbox is set aside (aside.h), and made
 * anew as the leader's.
 *
 * pair->n == 1: only the leader's uidlist is looked after, and mail without one
 * is no error: uids.fd stays -1.
 *
 * ST_AGAIN  time is up; a leader with mail but without uidlist.  Or the
 *           leader's filer has been wiped: its inbox, which no client can
 *           delete, is another mailbox than the follower's, which has mail, or
 *           which was handed over and folders are missing as well; or that
 *           inbox was made anew since the leader last changed, and more than
 *           one folder is missing.
 *
 * Source: RFC 9051 2.3.1.1.
 */
enum status	pair_agree(struct pair *pair, const struct record *rec,
		    long long until, struct err *err) MUST_CHECK;

/*
 * Both sides count UIDVALIDITYs from the higher one's value on: before the
 * leader changes, so that the next one gives none for another mailbox of the
 * same name.
 */
enum status	pair_same_counter(const struct pair *pair,
		    const struct record *rec, struct err *err) MUST_CHECK;

#endif
