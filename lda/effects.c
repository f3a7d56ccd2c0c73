/* SPDX-License-Identifier: ISC */
/*
 * effects.c - what a message has done already, beside being delivered
 */
#include "lda/effects.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/pair.h"
#include "maps/base/clock.h"

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

/* The answer under the locks: by then the program that ended has run for
 * long. */
static enum status
ask_again(void *arg, const struct record **rec, struct err *err)
{
	(void)alarm(PAIR_LOCKED);
	return pair_ask_map(arg, rec, err);
}

/* Follower first, as every outcome. */
static enum status
write_outcome(struct pair *pair, const struct intent *in, int64_t keep,
    struct err *err)
{
	enum status st = ST_OK;
	struct mailbox *box;
	int i;

	for (i = pair->n - 1; i >= 0 && st == ST_OK; i--) {
		box = &pair->box[i];
		st = pair_check(pair, err);
		if (st == ST_OK)
			st = deliveries_decide(&box->log, box->md->ctl, in,
			    OUTCOME_DONE, in->at, keep, err);
		if (st == ST_OK)
			st = deliveries_sync(&box->log, err);
	}
	return st;
}

/* The mailbox of the record's plan; in a cutover of every side that has it. */
static enum status
open_inbox(struct pair *pair, TALLOC_CTX *ctx, const struct delivery *dv,
    const struct record *rec, struct plan *plan, struct err *err)
{
	struct pair_place place = { rec, dv->conf, plan, "", PAIR_MAKE_ALL };

	if (route(rec, time(NULL), plan) != ST_OK) {
		pair_all_sides(rec, plan);
		place.make = PAIR_MAKE_NONE;
	}
	return pair_open(pair, ctx, &place, err);
}

/*
 * Once.  ST_NONE: the plan changed, q->now has the record.
 *
 * In a cutover nobody delivers, but what was done is done, and the message
 * comes again after it.  Where the hand-over has been here already, the logs
 * are ahead of the record: nothing is left to be decided, and each may be
 * written.
 */
static enum status
log_once(const struct delivery *dv, const struct intent *in,
    struct pair_question *q, struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(dv->ctx));
	struct pair_terms terms = { .wait = LOCK_WAIT, .logs = true,
	    .ask = ask_again, .arg = q, .key = in->key, .now = in->at,
	    .keep = (int64_t)dv->conf->log_days * 86400 };
	struct pair pair;
	struct plan plan;
	enum status st;

	q->plan = &plan;
	st = open_inbox(&pair, ctx, dv, q->rec, &plan, err);
	if (st == ST_OK && pair.n == 0)
		st = err_set(err, ST_AGAIN, "%s has no inbox yet",
		    q->rec->user);
	if (st == ST_OK)
		st = pair_take(&pair, &terms, err);
	if (st == ST_OK || pair.overtaken || pair.tails.restored != 0)
		st = write_outcome(&pair, in, terms.keep, err);
	pair_release(&pair);
	talloc_free(ctx);
	return st;
}

enum status
effect_log(const struct delivery *dv, const unsigned char *key,
    struct err *err)
{
	struct pair_question q = { .map = dv->map, .ctx = dv->ctx,
	    .home = dv->home, .frozen = true };
	struct intent in = { .uid = 0, .at = time(NULL) };
	long long until = clock_ms() + LOCK_WAIT;
	enum status st;
	char *name;

	name = maildir_unique(dv->ctx);
	memcpy(in.key, key, sizeof(in.key));
	(void)snprintf(in.name, sizeof(in.name), "%s", name);
	talloc_free(name);
	/* Nothing is made by a record that is as old as the run. */
	st = map_get(dv->map, dv->ctx, dv->user, dv->home, time(NULL), &q.now,
	    err);
	if (st != ST_OK)
		return st;
	for (;;) {
		q.rec = q.now;
		st = log_once(dv, &in, &q, err);
		if (st != ST_NONE)
			return st;
		if (clock_ms() > until)
			return err_set(err, ST_AGAIN,
			    "the map's record of %s keeps changing", dv->user);
	}
}
