/* SPDX-License-Identifier: ISC */
/*
 * pair.c - one mailbox on one side or both, held by whoever may decide about it
 *
 * The order of the steps is the protocol (mailferry-lda(8), DELIVERY); the
 * process `effect` of tests/model/ferry.pml shows what happens without the
 * question.
 */
#include "lda/store/pair.h"

#include <time.h>
#include <unistd.h>

#include "lda/store/recover.h"
#include "maps/base/clock.h"
#include "maps/location.h"

#define SECOND_WAIT	1000L		/* ms for the second lock */

void
pair_all_sides(const struct record *rec, struct plan *plan)
{
	enum side lead = record_leader(rec), other = lead == OLD ? NEW : OLD;

	plan->target[0] = plan->target[1] = SIDE_NONE;
	plan->ntarget = 0;
	plan->leader = lead;
	if (rec->side[lead].mail != NULL)
		plan->target[plan->ntarget++] = lead;
	if (rec->side[other].mail != NULL)
		plan->target[plan->ntarget++] = other;
}

static enum status
open_side(struct mailbox *box, TALLOC_CTX *ctx, const struct pair_place *place,
    bool make, struct err *err)
{
	const char *filer = place->conf->filer[box->side];
	enum status st;

	st = filer_check(filer, err);
	if (st == ST_OK)
		st = maildir_open(ctx, &place->rec->side[box->side],
		    place->folder, filer, make, &box->md, err);
	return st == ST_NONE && make ? err_set(err, ST_AGAIN,
	    "%s: no such mailbox", place->rec->side[box->side].mail) : st;
}

enum status
pair_open(struct pair *pair, TALLOC_CTX *ctx, const struct pair_place *place,
    struct err *err)
{
	enum status st = ST_OK;
	struct mailbox *box;
	bool make;
	int i;

	pair->n = 0;
	pair->locked = pair->overtaken = false;
	pair->tails.restored = pair->tails.stray = 0;
	for (i = 0; i < place->plan->ntarget; i++) {
		box = &pair->box[pair->n];
		*box = (struct mailbox){ .side = place->plan->target[i] };
		box->uids.fd = box->log.fd = -1;
		make = place->make == PAIR_MAKE_ALL ||
		    (place->make == PAIR_MAKE_FOLLOWER && pair->n == 1);
		st = open_side(box, ctx, place, make, err);
		if (st == ST_OK)
			pair->n++;
		else if (st != ST_NONE)
			return st;
	}
	return ST_OK;
}

struct mailbox *
pair_follower(struct pair *pair)
{
	return pair->n > 1 ? &pair->box[1] : NULL;
}

static struct mailbox *
by_side(struct pair *pair, enum side side)
{
	int i;

	for (i = 0; i < pair->n; i++)
		if (pair->box[i].side == side)
			return &pair->box[i];
	return NULL;
}

/* A moment that differs between processes, lest two go in step for ever. */
static void
rest(void)
{
	struct timespec ts = { 0, 0 };

	ts.tv_nsec = (20 + (clock_ms() ^ getpid()) % 60) * 1000000L;
	(void)nanosleep(&ts, NULL);
}

static long
left_of(long long end, long most)
{
	long left = (long)(end - clock_ms());

	return left < 0 ? 0 : left < most ? left : most;
}

static enum status
lock(struct pair *pair, const struct pair_terms *terms, struct err *err)
{
	struct mailbox *first = by_side(pair, OLD);
	struct mailbox *second = by_side(pair, NEW);
	long long end = clock_ms() + terms->wait;
	enum status st;

	if (first == NULL) {
		first = second;
		second = NULL;
	}
	for (;;) {
		st = mailbox_lock(first, terms->queue,
		    left_of(end, terms->wait), err);
		if (st != ST_OK || second == NULL)
			return st;
		st = mailbox_lock(second, terms->queue,
		    left_of(end, SECOND_WAIT), err);
		if (st == ST_OK)
			return st;
		dotlock_drop(&first->lock);
		if (st != ST_AGAIN || clock_ms() >= end)
			return st;
		rest();
	}
}

/* In procmail's place: its one side. */
static enum status
lock_plain(struct pair *pair, const struct pair_terms *terms, struct err *err)
{
	if (faccessat(pair->box[0].md->ctl, UIDLIST_NAME, F_OK, 0) == 0)
		pair->locked = lock(pair, terms, err) == ST_OK;
	return ST_OK;
}

/* Logs are none of its business. */
static enum status
read_plain(struct pair *pair, struct err *err)
{
	enum status st = mailbox_read(&pair->box[0], true, err);

	deliveries_close(&pair->box[0].log);
	return st;
}

/* A follower that was never served is set aside if need be; any other uidlist
 * must be one that we can read. */
static enum status
read_all(struct pair *pair, const struct pair_terms *terms,
    const struct record *rec, struct err *err)
{
	struct mailbox *box;
	enum status st = ST_OK;
	bool any;
	int i;

	for (i = 0; i < pair->n && st == ST_OK; i++) {
		box = &pair->box[i];
		any = terms->any_version ||
		    (rec->led == 0 && box->side == NEW && i > 0);
		st = mailbox_read(box, any, err);
		if (st == ST_OK && terms->logs && box->log.fd == -1)
			st = deliveries_make(&box->log, box->md->ctl,
			    box->md->fmode, box->md->gid, err);
	}
	return st;
}

/* A log that has seen a later change of leader than this record knows of: the
 * map is older than the mailbox. */
static enum status
compare_led(struct pair *pair, const struct pair_terms *terms,
    const struct record *rec, struct err *err)
{
	struct mailbox *box;
	enum status st = ST_OK;
	int i;

	for (i = 0; i < pair->n; i++) {
		box = &pair->box[i];
		if (box->log.fd == -1 ||
		    box->log.led <= rec->version + terms->ahead)
			continue;
		pair->overtaken = true;
		return err_set(err, ST_AGAIN, "%s: the map's record of %s "
		    "is version %llu, but the mailbox has seen its leader "
		    "change in version %llu: was an old map restored? "
		    "(mailferry-map(5), RESTORING)", box->md->path, rec->user,
		    (unsigned long long)rec->version,
		    (unsigned long long)box->log.led);
	}
	for (i = 0; i < pair->n && st == ST_OK && terms->logs; i++)
		st = deliveries_lead(&pair->box[i].log, rec->led, err);
	return st;
}

enum status
pair_restored(const struct pair *pair, struct err *err)
{
	return err_set(err, ST_AGAIN, "%s: its UID %lu is another message, or "
	    "was never given, while %s has a message of ours there: was an old "
	    "state of it restored? (mailferry-lda(8), RESTORED MAILBOXES)",
	    pair->box[0].md->path, (unsigned long)pair->tails.restored,
	    pair->box[1].md->path);
}

/*
 * Before anything is decided: on a leader that was restored from a snapshot a
 * message that had landed may look as if it never had.
 */
static enum status
compare_tails(struct pair *pair, const struct record *rec, struct err *err)
{
	const struct mailbox *lead = &pair->box[0], *follow = &pair->box[1];
	enum status st;

	if (pair->n == 1 || lead->side != record_leader(rec))
		return ST_OK;
	st = tails_compare(lead, follow, rec, &pair->tails, err);
	return st == ST_OK && pair->tails.restored != 0 ?
	    pair_restored(pair, err) : st;
}

enum status
pair_take(struct pair *pair, const struct pair_terms *terms, struct err *err)
{
	const struct record *rec = NULL;
	enum status st;

	st = terms->plain ? lock_plain(pair, terms, err) :
	    lock(pair, terms, err);
	if (st != ST_OK)
		return st;
	pair->locked = pair->locked || !terms->plain;
	st = terms->ask(terms->arg, &rec, err);
	/* An alarm is set by now: asleep from here on we die.  Before it,
	 * between two locks or behind them, we may have slept for so long that
	 * others have broken them. */
	if (st == ST_OK && pair->locked)
		st = pair_check(pair, err);
	if (st != ST_OK)
		return st;
	if (terms->plain)
		return pair->locked ? read_plain(pair, err) : ST_OK;
	st = read_all(pair, terms, rec, err);
	if (st == ST_OK)
		st = compare_led(pair, terms, rec, err);
	if (st == ST_OK)
		st = compare_tails(pair, rec, err);
	/* What became of a message the leader alone can say: of a folder that a
	 * client deleted there, the next delivery to it will. */
	if (st == ST_OK && pair->box[0].side == record_leader(rec))
		st = pair_decide(pair, terms->key, terms->now, terms->keep,
		    err);
	return st;
}

void
pair_release(struct pair *pair)
{
	struct mailbox *box;

	box = by_side(pair, NEW);
	if (box != NULL)
		mailbox_release(box);
	box = by_side(pair, OLD);
	if (box != NULL)
		mailbox_release(box);
	pair->locked = false;
}

enum status
pair_check(struct pair *pair, struct err *err)
{
	return recover_check(&pair->box[0], pair_follower(pair), err);
}

enum status
pair_keep(struct pair *pair, struct err *err)
{
	enum status st = ST_OK;
	int i;

	for (i = 0; i < pair->n && st == ST_OK; i++)
		st = dotlock_keep(&pair->box[i].lock, err);
	return st;
}

enum status
pair_decide(struct pair *pair, const unsigned char *key, int64_t now,
    int64_t keep, struct err *err)
{
	return recover_decide(&pair->box[0], pair_follower(pair), key, now,
	    keep, err);
}

enum status
pair_settle(struct pair *pair, int64_t now, int64_t keep, struct err *err)
{
	return recover_settle(&pair->box[0], pair_follower(pair), now, keep,
	    err);
}

bool
pair_awaited(const struct pair *pair)
{
	bool yes = false;
	int i;

	for (i = 0; i < pair->n; i++) {
		if (pair->box[i].log.fd == -1 ||
		    deliveries_room(&pair->box[i].log) < 2)
			return false;
		yes = yes || dotlock_awaited(&pair->box[i].lock);
	}
	return yes;
}

/* The same sides at the same places: or ST_NONE. */
static enum status
compare_plan(struct pair_question *q)
{
	const struct plan *plan = q->plan;
	enum side side;
	int i;

	if (!plan_same(plan, &q->again))
		return ST_NONE;
	for (i = 0; i < plan->ntarget; i++) {
		side = plan->target[i];
		if (!location_same(&q->rec->side[side], &q->now->side[side]))
			return ST_NONE;
	}
	return ST_OK;
}

enum status
pair_ask_map(void *question, const struct record **rec, struct err *err)
{
	struct pair_question *q = question;
	enum status st;

	st = map_get(q->map, q->ctx, q->rec->user, q->home, time(NULL), &q->now,
	    err);
	if (st != ST_OK)
		return st;
	*rec = q->now;
	st = route(q->now, time(NULL), &q->again);
	if (st != ST_OK && !q->frozen)
		return ST_NONE;
	if (st != ST_OK)
		pair_all_sides(q->now, &q->again);
	return compare_plan(q);
}
