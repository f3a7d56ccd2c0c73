/* SPDX-License-Identifier: ISC */
/*
 * deliveries.h - the delivery log: what was begun, what came of it
 *
 * A file `mailferry-deliveries` beside dovecot-uidlist, on each side, written
 * under the mailbox lock only.  It answers two questions in a few reads, however
 * much it remembers: what was begun here and is not decided yet?  And what came
 * of this very message, should the mail system bring it again?
 *
 * Layout (mailferry-map(5), DELIVERY LOG): a page with the header and DELIVERIES_SLOTS
 * intents, each in a disk sector of its own, then pages of outcomes, found by
 * the key's hash.  Intents take the slots in turn.  So the sync that makes an
 * intent durable makes durable, too, the outcome of the one before, and an
 * intent is overwritten only when its outcome is on the disk.
 *
 * Everything is little-endian with a CRC: what a crash cut in two reads as
 * never written.
 */
#ifndef LDA_STORE_DELIVERIES_H
#define LDA_STORE_DELIVERIES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "lda/store/maildir.h"
#include "maps/base/err.h"

#define DELIVERIES_NAME	 "mailferry-deliveries"
#define DELIVERIES_KEY	 16		/* bytes of a digest */
#define DELIVERIES_SLOTS 7
#define DELIVERIES_SWEPT (30 * 3600)	/* seconds; see recover_decide() */

enum outcome {
	OUTCOME_UNKNOWN,		/* no trace of it */
	OUTCOME_INTENT,			/* begun, not decided */
	OUTCOME_DONE,			/* it was delivered */
	OUTCOME_VOID,			/* it was not, and never will be */
	OUTCOME_LANDED,			/* of an intent: renamed, perhaps not yet for
					   good: as good as undecided */
};

struct intent {
	unsigned char	 key[DELIVERIES_KEY];
	uint32_t	 uid;		/* 0: none was given */
	int64_t		 at;		/* seconds UTC */
	enum outcome	 outcome;
	char		 name[MAILDIR_NAME_MAX + 1];	/* base name, with ,S= */
};

struct deliveries {
	int		 fd;		/* -1: there is none */
	uint32_t	 buckets;	/* pages of outcomes; a power of two */
	uint64_t	 led;		/* record version of the last leader change */
	uint32_t	 led_next;	/* deliveries_led_next() says what it means */
	uint64_t	 led_until;	/* record version that led_next belongs to */
	bool		 whole;		/* no holes: its blocks are all there */
	uint64_t	 seq;		/* of the latest intent */
	struct intent	 slot[DELIVERIES_SLOTS];
	uint64_t	 slot_seq[DELIVERIES_SLOTS];	/* 0: never used */
};

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

/*
 * What came of a key: DONE where any attempt was, else VOID where one with this
 * base name was (name NULL: any), else UNKNOWN.  Reads one page.  Intents
 * are not looked at: decide them first.
 */
enum status	deliveries_lookup(const struct deliveries *d,
		    const unsigned char *key, const char *name,
		    enum outcome *outcome, struct err *err) MUST_CHECK;

/*
 * Write an intent into the next slot; not synced: deliveries_sync() before the
 * message can be seen.  in->outcome is set.
 * ST_AGAIN  also: no slot is free of an undecided intent.
 */
enum status	deliveries_intend(struct deliveries *d, struct intent *in,
		    struct err *err) MUST_CHECK;

/* The message of an intent was renamed on every side; not synced. */
enum status	deliveries_landed(struct deliveries *d, const struct intent *in,
		    struct err *err) MUST_CHECK;

/* Slots that an intent may take. */
int		deliveries_room(const struct deliveries *d);

enum status	deliveries_sync(struct deliveries *d, struct err *err) MUST_CHECK;

/*
 * The first part of it, for who syncs another file of the same directory next.
 * in_place: the file system writes where the file is (maildir.h).  *done: what is left to do is to flush the cache of the device, which the other's
 * fdatasync() does for both; else deliveries_sync() must follow.
 */
enum status	deliveries_write_out(struct deliveries *d, bool in_place,
		    bool *done, struct err *err) MUST_CHECK;

/*
 * Record the outcome (DONE, VOID) of an intent, in its page and in its slot where
 * one has it; not synced.
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

/* Remember the record version of a leader change, where it is later; synced. */
enum status	deliveries_lead(struct deliveries *d, uint64_t version,
		    struct err *err) MUST_CHECK;

/*
 * This side stops leading: the hand-over calls it on the present leader's log,
 * under the locks, once it has compared both sides and found nothing missing.
 * Without that comparison deliveries_lead() is called instead.  A mailbox that
 * is made on a follower which was served before has led up to UID 1.  Synced.
 *
 * version   of the record that makes the other side lead.  The log remembers it
 *           as deliveries_lead() does; nothing is written where the log has a
 *           later led_next.  An LDA that does not know led_next refuses the log
 *           from now on, and defers.
 * led_next  the next UID of this side's uidlist; not 0.
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

/* Add to `to` every outcome that `from` has; synced.  Reads all of `from`. */
enum status	deliveries_merge(struct deliveries *to, int to_ctlfd,
		    const struct deliveries *from, int64_t now, int64_t keep,
		    struct err *err) MUST_CHECK;

#endif
