/* SPDX-License-Identifier: ISC */
/*
 * mailbox.c - one mailbox on one side: its lock, its uidlist, its delivery log
 */
#include "lda/store/mailbox.h"

#include "lda/store/waiters.h"

enum status
mailbox_lock(struct mailbox *box, bool queue, long wait, struct err *err)
{
	const struct maildir *md = box->md;
	enum status st;

	st = dotlock_take(&box->lock, md->ctl, UIDLIST_LOCK, UIDLIST_NAME,
	    queue && md->is_local ? waiters_open(md->ctl, MAILBOX_QUEUE,
	    md->fmode, md->gid) : -1, wait, err);
	return st == ST_OK ? st : err_wrap(err, st, "%s", md->path);
}

void
mailbox_release(struct mailbox *box)
{
	uidlist_close(&box->uids);
	deliveries_close(&box->log);
	dotlock_drop(&box->lock);
}

/*
 * The lock was broken: its holder never gave it back.  A holder on a host that
 * was cut off from its NFS server is dead by now, but what it wrote is not:
 * those pages reach the server when the host is back, at offsets where other
 * lines are by then. So the old files are left to it, and nobody reads them any
 * more.
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
mailbox_read(struct mailbox *box, bool any_version, struct err *err)
{
	enum status st;

	st = uidlist_read(&box->uids, box->md->ctl, err);
	if (st == ST_OK && box->uids.torn > 0)
		st = uidlist_mend(&box->uids, err);
	/* Another version only: what could not be read may well be one of
	 * ours. */
	if (st == ST_NONE || (st == ST_NEVER && err->code == 0 && any_version))
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
