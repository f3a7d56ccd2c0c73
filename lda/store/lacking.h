/* SPDX-License-Identifier: ISC */
/*
 * lacking.h - which messages of one mailbox another one lacks
 */
#ifndef LDA_STORE_LACKING_H
#define LDA_STORE_LACKING_H

#include "lda/store/mailbox.h"

/*
 * Count the messages of `from` that `to` lacks; handover.h says which those
 * are.
 *
 * from      open, its uids read (fd -1: there is none).
 * to        the same; NULL: it is not there.
 * catch_up  a catch-up is still to come: a UID that is not below to's next is
 *           not lacking.
 *
 * Exact where nobody renames files meanwhile: a readdir(3) under the lock.  The
 * cost is O(n log n), memory that of both uidlists.
 */
enum status	mailbox_lacking(const struct mailbox *from,
		    const struct mailbox *to, bool catch_up, unsigned long *n,
		    struct err *err) MUST_CHECK;

#endif
