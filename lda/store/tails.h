/* SPDX-License-Identifier: ISC */
/*
 * tails.h - the last lines of two uidlists, held against each other
 *
 * What a follower has there and the leader does not tells who has been at work:
 * a session that survived the hand-over, or somebody who restored the leader
 * from a snapshot.  A part of a pair (pair.h).
 */
#ifndef LDA_STORE_TAILS_H
#define LDA_STORE_TAILS_H

#include "lda/store/mailbox.h"

struct tails {
	uint32_t	 restored;	/* a UID of the follower's whose line is
					   ours and has a file: the leader has
					   another message there, or never got
					   that far.  0: there is none */
	uint32_t	 stray;		/* the last such UID whose line is not
					   ours; 0: there is none */
	char		 name[256];	/* base name of the stray */
};

/*
 * Compare the last lines; the cost does not depend on the size of the
 * mailboxes.
 *
 * lead, follow  locked and read.
 * rec           as the map has it under the locks.
 *
 * A line without a file is what the loss of power left, and says nothing.  Ours
 * is what has the mark, or is below the UID at which that side stopped leading;
 * on a side that was never served, every line.
 */
enum status	tails_compare(const struct mailbox *lead,
		    const struct mailbox *follow, const struct record *rec,
		    struct tails *tails, struct err *err) MUST_CHECK;

#endif
