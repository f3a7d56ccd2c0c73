/* SPDX-License-Identifier: ISC */
/*
 * mailbox.h - one mailbox on one side: its lock, its uidlist, its delivery log
 *
 * The parts of a pair (pair.h), which puts them into the right order.
 */
#ifndef LDA_STORE_MAILBOX_H
#define LDA_STORE_MAILBOX_H

#include "lda/store/deliveries.h"
#include "lda/store/dotlock.h"
#include "lda/store/maildir.h"
#include "lda/store/uidlist.h"

#define MAILBOX_QUEUE	"mailferry-lock"

struct mailbox {
	enum side	 side;
	struct maildir	*md;
	struct dotlock	 lock;
	struct uidlist	 uids;		/* read under the lock; fd -1: none */
	struct deliveries log;		/* the same */
};

/*
 * Take the lock.
 *
 * queue  wait at MAILBOX_QUEUE: only for deliveries, which leave files of
 *        ours in the mailbox.
 * wait   milliseconds.  ST_AGAIN: it is still taken after that, or no lock can
 *        be made.
 */
enum status	mailbox_lock(struct mailbox *box, bool queue, long wait,
		    struct err *err) MUST_CHECK;

/*
 * Read uidlist (a torn last line is cut off) and delivery log of a locked
 * mailbox. What is not there leaves its fd -1.
 *
 * any_version  a uidlist of another version counts as none; else it is an
 *              error.
 */
enum status	mailbox_read(struct mailbox *box, bool any_version,
		    struct err *err) MUST_CHECK;

/* Close uidlist and log, give the lock back. */
void		mailbox_release(struct mailbox *box);

#endif
