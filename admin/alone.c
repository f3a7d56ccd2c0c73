/* SPDX-License-Identifier: ISC */
/*
 * alone.c - a change of leader while the former leader is dead
 */
#include "admin/alone.h"

#include "lda/store/visit.h"

static enum status
raise_uids(const struct record *rec, struct mailbox *box, uint32_t margin,
    struct err *err)
{
	uint32_t n = box->uids.next, floor;

	floor = record_floor(rec, box->uids.guid, box->uids.validity);
	if (n < floor)
		n = floor;
	if (n > UINT32_MAX - margin)
		return err_set(err, ST_NEVER, "%s: its next UID, %lu, cannot "
		    "be raised by %lu", box->md->path, (unsigned long)n,
		    (unsigned long)margin);
	return uidlist_raise(&box->uids, box->md->ctl, n + margin, err);
}

/* Under the lock.  A mailbox without a uidlist has never given a UID. */
static enum status
make_ready(const struct visit *v, struct pair *pair, const char *folder,
    int out, struct err *err)
{
	struct mailbox *box = &pair->box[0];
	enum status st = ST_OK;

	(void)folder;
	(void)out;
	if (box->uids.fd != -1)
		st = raise_uids(v->rec, box, *(const uint32_t *)v->arg, err);
	if (st == ST_OK && box->log.fd == -1)
		st = deliveries_make(&box->log, box->md->ctl, box->md->fmode,
		    box->md->gid, err);
	if (st == ST_OK)
		st = deliveries_lead(&box->log, v->rec->version + 1, err);
	return st;
}

enum status
alone_raise(const struct record *rec, const struct conf *conf, bool ask,
    uint32_t margin, struct err *err)
{
	struct visit v = { .rec = rec, .conf = conf,
	    .flags = VISIT_HOLD | (ask ? VISIT_ASK : 0), .ahead = 1,
	    .fn = make_ready, .arg = &margin };

	return visit_mailboxes(&v, err);
}
