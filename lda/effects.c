/* SPDX-License-Identifier: ISC */
/*
 * effects.c - what a message has done already, beside being delivered
 */
#include "lda/effects.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lda/store/mailbox.h"

#define LOCK_WAIT	30000		/* ms */

enum status
effect_known(const struct delivery *dv, const struct record *rec,
    const struct plan *plan, const unsigned char *key, struct err *err)
{
	enum outcome outcome = OUTCOME_UNKNOWN;
	struct maildir *md;
	struct deliveries log;
	enum status st = ST_NONE;
	enum side side;
	int i;

	for (i = 0; i < plan->ntarget && outcome != OUTCOME_DONE; i++) {
		side = plan->target[i];
		st = filer_check(dv->conf->filer[side], err);
		if (st != ST_OK)
			return st;
		st = maildir_open(dv->ctx, &rec->side[side], "",
		    dv->conf->filer[side], false, &md, err);
		if (st == ST_NONE)
			continue;
		if (st != ST_OK)
			return st;
		st = deliveries_open(&log, md->ctl, err);
		if (st == ST_OK)
			st = deliveries_lookup(&log, key, NULL, &outcome, err);
		deliveries_close(&log);
		talloc_free(md);
		if (st != ST_OK && st != ST_NONE)
			return st;
	}
	return outcome == OUTCOME_DONE ? ST_OK : ST_NONE;
}

static enum status
open_sides(TALLOC_CTX *ctx, struct mailboxes *set, struct mailbox *box,
    const struct delivery *dv, const struct record *rec,
    const struct plan *plan, struct err *err)
{
	enum status st = ST_OK;
	enum side side;

	for (set->n = 0; set->n < plan->ntarget && st == ST_OK; set->n++) {
		side = plan->target[set->n];
		box[set->n] = (struct mailbox){ .side = side };
		box[set->n].uids.fd = box[set->n].log.fd = -1;
		set->box[set->n] = &box[set->n];
		st = maildir_open(ctx, &rec->side[side], "",
		    dv->conf->filer[side], true, &box[set->n].md, err);
	}
	return st;
}

static enum status
write_outcome(struct mailboxes *set, const struct delivery *dv,
    const struct record *rec, const unsigned char *key, struct err *err)
{
	int64_t now = time(NULL), keep = (int64_t)dv->conf->log_days * 86400;
	struct intent in = { .uid = 0, .at = now };
	struct mailbox *box;
	enum status st = ST_OK;
	char *name;
	int i;

	name = maildir_unique(dv->ctx);
	memcpy(in.key, key, sizeof(in.key));
	(void)snprintf(in.name, sizeof(in.name), "%s", name);
	talloc_free(name);
	for (i = 0; i < set->n && st == ST_OK; i++) {
		box = set->box[i];
		st = mailbox_read(box, rec->led != 0 || box->side == OLD ||
		    i == 0, err);
		if (st == ST_OK && box->log.fd == -1)
			st = deliveries_make(&box->log, box->md->ctl,
			    box->md->fmode, box->md->gid, err);
	}
	if (st == ST_OK)
		st = mailboxes_decide(set, key, now, keep, err);
	for (i = set->n - 1; i >= 0 && st == ST_OK; i--) {
		st = mailboxes_check(set, err);
		if (st == ST_OK)
			st = deliveries_decide(&set->box[i]->log,
			    set->box[i]->md->ctl, &in, OUTCOME_DONE, now, keep,
			    err);
		if (st == ST_OK)
			st = deliveries_sync(&set->box[i]->log, err);
	}
	return st;
}

enum status
effect_log(const struct delivery *dv, const struct record *rec,
    const struct plan *plan, const unsigned char *key, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(dv->ctx));
	struct mailboxes set = { .n = 0 };
	struct mailbox box[2];
	enum status st;

	st = open_sides(ctx, &set, box, dv, rec, plan, err);
	if (st == ST_OK)
		st = mailboxes_lock(&set, LOCK_WAIT, err);
	if (st == ST_OK)
		st = write_outcome(&set, dv, rec, key, err);
	mailboxes_unlock(&set);
	talloc_free(ctx);
	return st;
}
