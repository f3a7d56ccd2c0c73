/* SPDX-License-Identifier: ISC */
/*
 * alone.c - a change of leader while the former leader is dead
 */
#include "admin/alone.h"

#include <time.h>

#include "lda/store/asuser.h"
#include "lda/store/folders.h"
#include "lda/store/mailbox.h"

struct raising {			/* in the child */
	const struct record	*rec;
	const struct conf	*conf;
	enum side		 next;
	uint32_t		 margin;
};

static enum status
raise_uids(const struct raising *r, struct mailbox *box, struct err *err)
{
	uint32_t n = box->uids.next, floor;

	floor = record_floor(r->rec, box->uids.guid, box->uids.validity);
	if (n < floor)
		n = floor;
	if (n > UINT32_MAX - r->margin)
		return err_set(err, ST_NEVER, "%s: its next UID, %lu, cannot "
		    "be raised by %lu", box->md->path, (unsigned long)n,
		    (unsigned long)r->margin);
	return uidlist_raise(&box->uids, box->md->ctl, n + r->margin, err);
}

/* Under the lock.  A mailbox without a uidlist has never given a UID. */
static enum status
make_ready(const struct raising *r, struct mailbox *box, struct err *err)
{
	enum status st;

	st = mailbox_read(box, false, err);
	if (st == ST_OK && box->uids.fd != -1)
		st = raise_uids(r, box, err);
	if (st == ST_OK && box->log.fd == -1)
		st = deliveries_make(&box->log, box->md->ctl, box->md->fmode,
		    box->md->gid, err);
	if (st == ST_OK)
		st = deliveries_lead(&box->log, r->rec->version + 1, err);
	return st;
}

static enum status
visit(const struct raising *r, TALLOC_CTX *ctx, const char *folder,
    struct err *err)
{
	struct mailbox box = { .side = r->next };
	struct mailboxes set = { .box = { &box }, .n = 1 };
	enum status st;

	box.uids.fd = box.log.fd = -1;
	st = maildir_open(ctx, &r->rec->side[r->next], folder,
	    r->conf->filer[r->next], false, &box.md, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	st = mailboxes_lock(&set, r->conf->deadline * 1000L, err);
	if (st != ST_OK)
		return st;
	st = make_ready(r, &box, err);
	mailboxes_unlock(&set);
	return st;
}

static enum status
visit_all(void *arg, int out, struct err *err)
{
	const struct raising *r = arg;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct folders list = { NULL, 0 };
	enum status st;
	size_t i;

	(void)out;
	st = filer_check(r->conf->filer[r->next], err);
	if (st == ST_OK)
		st = maildir_folders(ctx, &r->rec->side[r->next], &list, err);
	for (i = 0; st == ST_OK && i < list.n; i++)
		st = visit(r, ctx, list.at[i].name, err);
	talloc_free(ctx);
	return st == ST_NONE ? ST_OK : st;
}

static void
no_line(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

enum status
alone_raise(const struct record *rec, const struct conf *conf, enum side next,
    uint32_t margin, struct err *err)
{
	struct raising r = { rec, conf, next, margin };

	return as_user(rec, conf->deadline, visit_all, &r, no_line, NULL, err);
}
