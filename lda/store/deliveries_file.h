/* SPDX-License-Identifier: ISC */
/*
 * deliveries_file.h - the file of a delivery log: opened, made, synced; its
 * header
 */
#ifndef LDA_STORE_DELIVERIES_FILE_H
#define LDA_STORE_DELIVERIES_FILE_H

#include <sys/types.h>

#include "lda/store/deliveries_types.h"
#include "maps/base/err.h"

/*
 * Open and read the first page.
 * ST_NONE   there is none; d->fd is -1.
 * ST_NEVER  it is damaged, or of a later mailferry: err says what to do.
 */
enum status	deliveries_open(struct deliveries *d, int ctlfd,
		    struct err *err) MUST_CHECK;

/* Make an empty one, complete or not at all, and open it.  gid -1: leave it. */
enum status	deliveries_make(struct deliveries *d, int ctlfd, mode_t mode,
		    gid_t gid, struct err *err) MUST_CHECK;

void		deliveries_close(struct deliveries *d);

enum status	deliveries_sync(struct deliveries *d, struct err *err)
		    MUST_CHECK;

/*
 * The first half of deliveries_sync(), for a caller that syncs another file of
 * the same directory next.
 *
 * in_place  of the mailbox (maildir.h).
 * done      true: only the cache of the device is left to be flushed, which the
 *           fdatasync() of the other file does for both.  False:
 *           deliveries_sync() must follow.
 */
enum status	deliveries_write_out(struct deliveries *d, bool in_place,
		    bool *done, struct err *err) MUST_CHECK;

/* Remember the record version of a leader change, where it is later; synced. */
enum status	deliveries_lead(struct deliveries *d, uint64_t version,
		    struct err *err) MUST_CHECK;

/*
 * This side stops leading: the hand-over calls it on the present leader's log,
 * under the locks, once it has compared both sides.  A mailbox that is made on
 * a follower which was served before has led up to UID 1.  Synced.
 *
 * version   of the record that makes the other side lead.  The log remembers it
 *           as deliveries_lead() does; nothing is written where the log has a
 *           later led_next.  An LDA that does not know led_next refuses the log
 *           from now on, and defers.
 * led_next  the next UID of this side's uidlist, where nothing was missing; 0:
 *           something was, and a led_next of the same version is taken back.
 */
enum status	deliveries_stop_leading(struct deliveries *d, uint64_t version,
		    uint32_t led_next, struct err *err) MUST_CHECK;

/*
 * The next UID that this side had when it stopped leading: a message with that
 * UID or a higher one came here later.
 *
 * led  of the record.  Another leader change than that one proves nothing: a
 *      hand-over that was given up left it, or this filer missed the last one.
 * 0    it is not known.
 */
uint32_t	deliveries_led_next(const struct deliveries *d, uint64_t led);

#endif
