/* SPDX-License-Identifier: ISC */
/*
 * recover.h - what became of a delivery whose process is gone, or asleep
 *
 * A part of a pair (pair.h): the mailboxes are locked and read.  `follow` is
 * NULL where there is one side only.
 */
#ifndef LDA_STORE_RECOVER_H
#define LDA_STORE_RECOVER_H

#include "lda/store/mailbox.h"

/* ST_AGAIN: one of the locks is no longer ours; nothing more may be written. */
enum status	recover_check(struct mailbox *lead, struct mailbox *follow,
		    struct err *err) MUST_CHECK;

/*
 * Decide every undecided intent of both logs.
 *
 * It has landed exactly when the leader's tmp/ has neither its name nor
 * NAME.void; new/ proves nothing, the client may have moved or expunged it.
 * Landed: the follower gets what it lacks, and both logs say done.  Not landed:
 * the file in tmp/ becomes NAME.void (so a sleeper that wakes up cannot rename
 * it any more; that rename is at once the question whether it landed), both
 * logs say void, and the follower loses file and line.  Void is for ever.  An
 * intent older than DELIVERIES_SWEPT (Dovecot may have swept tmp/), or one that
 * the leader's log has never heard of, has landed where the message is to be
 * seen on the leader.
 *
 * lead       whom the map, asked under these locks, has as the leader.
 * key        NULL, or of the only message that matters: intents that are LANDED
 *            stay as they are where none is of that.
 * now, keep  seconds, as deliveries_decide().
 */
enum status	recover_decide(struct mailbox *lead, struct mailbox *follow,
		    const unsigned char *key, int64_t now, int64_t keep,
		    struct err *err) MUST_CHECK;

/*
 * The same of what is LANDED.  The caller has synced every new/ since it took
 * the locks.
 */
enum status	recover_settle(struct mailbox *lead, struct mailbox *follow,
		    int64_t now, int64_t keep, struct err *err) MUST_CHECK;

#endif
