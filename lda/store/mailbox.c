/* SPDX-License-Identifier: ISC */
/*
 * mailbox.c - one mailbox on one side or both, locked
 */
#include "lda/store/mailbox.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/waiters.h"
#include "maps/base/clock.h"

#define SECOND_WAIT	1000L		/* ms for the second lock */

/* A moment that differs between processes, lest two go in step for ever. */
static void
rest(void)
{
	struct timespec ts = { 0, 0 };

	ts.tv_nsec = (20 + (clock_ms() ^ getpid()) % 60) * 1000000L;
	(void)nanosleep(&ts, NULL);
}

static struct mailbox *
by_side(const struct mailboxes *set, enum side side)
{
	int i;

	for (i = 0; i < set->n; i++)
		if (set->box[i]->side == side)
			return set->box[i];
	return NULL;
}

static enum status
lock_one(struct mailbox *box, bool in_line, long wait, struct err *err)
{
	const struct maildir *md = box->md;
	enum status st;

	st = dotlock_take(&box->lock, md->ctl, UIDLIST_LOCK, UIDLIST_NAME,
	    in_line && md->is_local ? line_open(md->ctl, LINE_NAME, md->fmode,
	    md->gid) : -1, wait, err);
	return st == ST_OK ? st : err_wrap(err, st, "%s", box->md->path);
}

enum status
mailboxes_lock(struct mailboxes *set, long wait, struct err *err)
{
	struct mailbox *first = by_side(set, OLD), *second = by_side(set, NEW);
	long long end = clock_ms() + wait;
	enum status st;
	long left;

	if (first == NULL) {
		first = second;
		second = NULL;
	}
	for (;;) {
		left = (long)(end - clock_ms());
		st = lock_one(first, set->in_line, left > 0 ? left : 0, err);
		if (st != ST_OK || second == NULL)
			return st;
		left = (long)(end - clock_ms());
		if (left > SECOND_WAIT)
			left = SECOND_WAIT;
		st = lock_one(second, set->in_line, left > 0 ? left : 0, err);
		if (st == ST_OK)
			return st;
		dotlock_drop(&first->lock);
		if (st != ST_AGAIN || clock_ms() >= end)
			return st;
		rest();
	}
}

bool
mailboxes_awaited(const struct mailboxes *set)
{
	bool yes = false;
	int i;

	for (i = 0; i < set->n; i++) {
		if (set->box[i]->log.fd == -1 ||
		    deliveries_room(&set->box[i]->log) < 2)
			return false;
		yes = yes || dotlock_awaited(&set->box[i]->lock);
	}
	return yes;
}

enum status
mailboxes_check(const struct mailboxes *set, struct err *err)
{
	enum status st = ST_OK;
	int i;

	for (i = 0; i < set->n && st == ST_OK; i++)
		st = dotlock_check(&set->box[i]->lock, err);
	return st;
}

enum status
mailboxes_keep(struct mailboxes *set, struct err *err)
{
	enum status st = ST_OK;
	int i;

	for (i = 0; i < set->n && st == ST_OK; i++)
		st = dotlock_keep(&set->box[i]->lock, err);
	return st;
}

static void
release(struct mailbox *box)
{
	if (box == NULL)
		return;
	uidlist_close(&box->uids);
	deliveries_close(&box->log);
	dotlock_drop(&box->lock);
}

void
mailboxes_unlock(struct mailboxes *set)
{
	release(by_side(set, NEW));
	release(by_side(set, OLD));
}

/*
 * The lock was taken from somebody who never gave it back.  If he is on a host that
 * was cut off from its NFS server he is dead by now, but his writes are not: their
 * pages go out when it is back, to the offsets he meant, over the lines of others.
 * So they are left the old files, which nobody will read.
 */
static enum status
renew(struct mailbox *box, struct err *err)
{
	enum status st = ST_OK;

	if (box->uids.fd != -1)
		st = uidlist_renew(&box->uids, box->md->ctl, err);
	if (st == ST_OK)
		st = deliveries_renew(&box->log, box->md->ctl, err);
	box->lock.outlived = st != ST_OK;
	return st;
}

enum status
mailbox_read(struct mailbox *box, bool v3_only, struct err *err)
{
	enum status st;

	st = uidlist_read(&box->uids, box->md->ctl, err);
	if (st == ST_OK && box->uids.torn > 0)
		st = uidlist_mend(&box->uids, err);
	/* Another version only: what could not be read may well be one of ours. */
	if (st == ST_NONE || (st == ST_NEVER && err->code == 0 && !v3_only))
		box->uids.fd = -1;
	else if (st != ST_OK)
		return err_wrap(err, st, "%s", box->md->path);
	st = deliveries_open(&box->log, box->md->ctl, err);
	if ((st == ST_NONE || st == ST_OK) && box->lock.outlived)
		st = renew(box, err);
	if (st == ST_NONE || st == ST_OK)
		return ST_OK;
	return err_wrap(err, st, "%s", box->md->path);
}
