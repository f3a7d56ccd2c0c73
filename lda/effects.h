/* SPDX-License-Identifier: ISC */
/*
 * effects.h - what a message has done already, beside being delivered
 *
 * A forward that was sent, a program that was run, an mbox that was written to:
 * a retry by the mail system must not do them again.  They are outcomes in the
 * delivery log of the inbox, on every side of the plan, for as long as that
 * remembers.
 */
#ifndef LDA_EFFECTS_H
#define LDA_EFFECTS_H

#include "lda/transaction.h"

/*
 * Is it in a log of one of the sides?  Reads without a lock.
 * key   of the effect, MESSAGE_DIGEST bytes.
 * ST_OK it is, ST_NONE it is not.  ST_AGAIN a side cannot be asked.
 */
enum status	effect_known(const struct delivery *dv,
		    const struct record *rec, const struct plan *plan,
		    const unsigned char *key, struct err *err) MUST_CHECK;

/*
 * Log it on every side, under the locks, durably.  Which sides those are, and
 * who leads, says the map as it is then: the user may have been stepped since
 * the run began.  In a cutover it is every side that has an inbox.
 *
 * ST_AGAIN  it is not logged: a retry by the mail system does it again.
 */
enum status	effect_log(const struct delivery *dv, const unsigned char *key,
		    struct err *err) MUST_CHECK;

#endif
