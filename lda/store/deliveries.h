/* SPDX-License-Identifier: ISC */
/*
 * deliveries.h - the delivery log: what was begun, what came of it
 *
 * A file `mailferry-deliveries` beside dovecot-uidlist, on each side, written
 * under the mailbox lock only.  It answers two questions in a few reads,
 * however much it remembers: what was begun here and is not decided yet?  And
 * what came of this very message, should the mail system bring it again?
 *
 * Layout (mailferry-map(5), DELIVERY LOG): a page with the header and
 * DELIVERIES_SLOTS intents, each in a disk sector of its own, then pages of
 * outcomes, found by the key's hash.  Intents take the slots in turn.  So the
 * sync that makes an intent durable makes durable, too, the outcome of the one
 * before, and an intent is overwritten only when its outcome is on the disk.
 *
 * Everything is little-endian with a CRC: what a crash cut in two reads as
 * never written.
 */
#ifndef LDA_STORE_DELIVERIES_H
#define LDA_STORE_DELIVERIES_H

#include "lda/store/deliveries_file.h"
#include "lda/store/deliveries_slots.h"
#include "lda/store/deliveries_types.h"
#include "maps/base/err.h"

/*
 * What came of a key: DONE where any attempt was, else VOID where one with this
 * base name was (name NULL: any), else UNKNOWN.  Reads one page.  Intents
 * are not looked at: decide them first.
 */
enum status	deliveries_lookup(const struct deliveries *d,
		    const unsigned char *key, const char *name,
		    enum outcome *outcome, struct err *err) MUST_CHECK;

/*
 * Record the outcome (DONE, VOID) of an intent, in its page and in its slot
 * where one has it; not synced.
 *
 * keep   seconds that outcomes are kept; older ones make room.  Where a page is
 *        full of younger ones the file grows to twice its size.
 */
enum status	deliveries_decide(struct deliveries *d, int ctlfd,
		    const struct intent *in, enum outcome outcome, int64_t now,
		    int64_t keep, struct err *err) MUST_CHECK;

/* The same log in a new file, as uidlist_renew(). */
enum status	deliveries_renew(struct deliveries *d, int ctlfd,
		    struct err *err) MUST_CHECK;

/* Add to `to` every outcome that `from` has; synced.  Reads all of `from`. */
enum status	deliveries_merge(struct deliveries *to, int to_ctlfd,
		    const struct deliveries *from, int64_t now, int64_t keep,
		    struct err *err) MUST_CHECK;

#endif
