/* SPDX-License-Identifier: ISC */
/*
 * mailbox.h - one mailbox on one side or both, locked, with nothing undecided
 *
 * What the LDA, the barrier and the mover have in common: open a mailbox where
 * it is, take its locks (old, then new), read its uidlist and its delivery log,
 * and decide whatever others left undecided before doing anything else.
 */
#ifndef LDA_STORE_MAILBOX_H
#define LDA_STORE_MAILBOX_H

#include "lda/store/deliveries.h"
#include "lda/store/dotlock.h"
#include "lda/store/maildir.h"
#include "lda/store/uidlist.h"

#define MAILBOX_LOCKED	60	/* seconds that locks are held at most: half of
				   what it takes until others break them */

struct mailbox {			/* on one side */
	enum side	 side;
	struct maildir	*md;
	struct dotlock	 lock;
	struct uidlist	 uids;		/* read under the lock; fd -1: none */
	struct deliveries log;		/* the same */
};

#define LINE_NAME	"mailferry-lock"

/* The sides a message is for, or those that a barrier visits. */
struct mailboxes {
	struct mailbox	*box[2];	/* the leader first, NULL after the last */
	int		 n;
	bool		 in_line;	/* wait at LINE_NAME: who delivers, and leaves
					   files of ours there */
};

/*
 * Take the lock of every side, old before new.  The second is tried for at most
 * a second; then the first is given back, too, for a moment: nobody waits for one
 * lock while the other grows stale.
 *
 * wait  milliseconds in all.  ST_AGAIN: after that, or no lock can be made;
 *       none is held then.
 */
enum status	mailboxes_lock(struct mailboxes *set, long wait,
		    struct err *err) MUST_CHECK;

/* ST_AGAIN: one of the locks is no longer ours; nothing more may be written. */
enum status	mailboxes_check(const struct mailboxes *set, struct err *err)
		    MUST_CHECK;
enum status	mailboxes_keep(struct mailboxes *set, struct err *err) MUST_CHECK;

/* Close uidlists and logs, give the locks back in reverse. */
void		mailboxes_unlock(struct mailboxes *set);

/*
 * Read uidlist (a torn last line is cut off) and delivery log of a locked side.
 * What is not there leaves its fd -1.
 *
 * v3_only  false: a uidlist of another version counts as none.
 */
enum status	mailbox_read(struct mailbox *box, bool v3_only, struct err *err)
		    MUST_CHECK;

/*
 * Decide every undecided intent in the logs of a set that is locked and read.
 *
 * It has landed exactly when the leader's tmp/ has neither its name nor NAME.void;
 * new/ proves nothing, the client may have moved or expunged it.  Landed: the
 * follower gets what it lacks, and both logs say done.  Not landed: the file in tmp/
 * becomes NAME.void (so a sleeper that wakes up cannot rename it any more; that rename
 * is at once the question whether it landed), both logs say void, and the follower
 * loses file and line.  Void is for ever.  An intent older than DELIVERIES_SWEPT
 * (Dovecot may have swept tmp/), or one that the leader's log has never heard of, has
 * landed where the message is to be seen on the leader.
 *
 * key        NULL, or of the only message that matters: intents that are LANDED stay
 *            as they are where none is of that.
 * now, keep  seconds, as deliveries_decide().
 */
enum status	mailboxes_decide(struct mailboxes *set, const unsigned char *key,
		    int64_t now, int64_t keep, struct err *err) MUST_CHECK;

/* The same of what is LANDED, for who has synced every new/ since he has the locks. */
enum status	mailboxes_settle(struct mailboxes *set, int64_t now, int64_t keep,
		    struct err *err) MUST_CHECK;

/*
 * May the locks be given back before new/ is synced?  Where somebody on this host
 * waits for them, and there is room in the logs: for his intent, and so that one is
 * not always the next to be overwritten, by what goes out with its own outcome.
 */
bool		mailboxes_awaited(const struct mailboxes *set);

/* "TIME.M1P2.host" of "TIME.M1P2.host,S=1,W=1": the name in tmp/.  Cuts buf. */
void		mailbox_tmp_name(char *base);

#endif
