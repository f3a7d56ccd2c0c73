/* SPDX-License-Identifier: ISC */
/*
 * transaction.c - one message into one mailbox of every side, with one UID
 *
 * The order of its steps is the protocol (mailferry-lda(8), DELIVERY; its model
 * is tests/model/ferry.pml): change the model first.
 */
#include "lda/transaction.h"

#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lda/commit.h"
#include "lda/store/agree.h"
#include "maps/base/clock.h"
#include "maps/location.h"

#define LOCK_MARGIN	20000	/* ms before the deadline to give up waiting,
				   or a quarter of it where it is short */
#define PLAIN_WAIT	10000	/* ms for a lock that is not needed */
#define CATCHUP_MARGIN	15000	/* ms of PAIR_LOCKED left after it */

static const char *
mailbox_name(const char *folder)
{
	return folder[0] == '\0' ? "INBOX" : folder[0] == '.' ? folder + 1 :
	    folder;
}

/* Step 2, first half: the mailbox on every side, each made where it is
 * missing. */
static enum status
open_sides(struct commit *c, const struct delivery *dv,
    const struct record *rec, const struct plan *plan, struct err *err)
{
	const struct pair_place place = { rec, dv->conf, plan, dv->folder,
	    PAIR_MAKE_ALL };
	const struct mailbox *box;
	enum status st;
	struct err none;
	int i;

	st = pair_open(&c->pair, c, &place, err);
	commit_targets(c);
	for (i = 0; i < c->pair.n && dv->folder[0] == '.'; i++) {
		box = &c->pair.box[i];
		if (box->md->made)
			(void)!maildir_subscribe(box->md,
			    &rec->side[box->side], &none);
	}
	return st;
}

/* Step 6: does a log know this message as delivered? */
static enum status
look_up(struct commit *c, struct err *err)
{
	enum outcome outcome = OUTCOME_UNKNOWN;
	enum status st = ST_OK;
	int i;

	for (i = 0; i < c->pair.n && st == ST_OK && !c->known; i++) {
		st = deliveries_lookup(&c->pair.box[i].log, c->intent.key, NULL,
		    &outcome, err);
		c->known = outcome == OUTCOME_DONE;
	}
	return st;
}

/* Only what has a queue id can be told from another message with the same text;
 * anything else is new each time it comes. */
static void
choose_key(struct commit *c, const struct delivery *dv,
    const struct message *msg)
{
	if (msg->queued)
		message_key(msg, dv->recipient, mailbox_name(dv->folder),
		    dv->ordinal, c->intent.key);
	else
		(void)!getentropy(c->intent.key, sizeof(c->intent.key));
}

static long long
margin(const struct delivery *dv)
{
	long long quarter = dv->conf->deadline * 250LL;

	return quarter < LOCK_MARGIN ? quarter : LOCK_MARGIN;
}

/* Die at the deadline, or in `most` seconds where that is sooner. */
static void
set_alarm(const struct delivery *dv, unsigned most)
{
	long long left = (dv->until - clock_ms()) / 1000 + 1;

	(void)alarm(left < 1 ? 1 : left < (long long)most ? (unsigned)left :
	    most);
}

struct asking {				/* the pair's question, of a delivery */
	struct delivery		*dv;
	struct pair_question	 q;
};

/* Step 4: the answer under the lock counts.  In procmail's place there is
 * nobody to ask. */
static enum status
ask_again(void *arg, const struct record **rec, struct err *err)
{
	struct asking *a = arg;
	enum status st;

	set_alarm(a->dv, PAIR_LOCKED);
	if (!a->dv->uids) {
		*rec = a->q.rec;
		return ST_OK;
	}
	st = pair_ask_map(&a->q, rec, err);
	if (st == ST_OK) {
		a->dv->plan = a->q.again;
		a->dv->state = (*rec)->state;
	}
	return st;
}

/* Steps 3 to 6, first half. */
static enum status
take(struct commit *c, struct asking *a, struct err *err)
{
	const struct delivery *dv = a->dv;
	struct pair_terms terms = { .queue = dv->uids, .plain = !dv->uids,
	    .logs = true, .ask = ask_again, .arg = a, .key = c->intent.key,
	    .now = c->intent.at, .keep = c->keep };

	terms.wait = (long)(dv->until - margin(dv) - clock_ms());
	if (terms.plain && terms.wait > PLAIN_WAIT)
		terms.wait = PLAIN_WAIT;
	return pair_take(&c->pair, &terms, err);
}

/* Steps 6 to 10, under the locks. */
static enum status
under_lock(struct commit *c, struct delivery *dv, const struct record *rec,
    const struct message *msg, struct err *err)
{
	long long until = clock_ms() + PAIR_LOCKED * 1000 - CATCHUP_MARGIN;
	enum status st = ST_OK;

	if (dv->uids && msg->queued)
		st = look_up(c, err);
	if (st != ST_OK || c->known)
		return st;
	if (dv->uids)
		st = pair_agree(&c->pair, rec,
		    until < dv->until ? until : dv->until, err);
	if (st != ST_OK)
		return st;
	if (message_orphaned())
		return err_set(err, ST_AGAIN,
		    "the mail system that sent the message is gone");
	return commit(c, rec, err);
}

/* For the log line, which outlives the pair. */
static void
note_stray(struct delivery *dv, const struct pair *pair)
{
	if (pair->tails.stray == 0)
		return;
	dv->stray = pair->tails.stray;
	dv->stray_in = must(talloc_strdup(dv->ctx, pair->box[1].md->path));
	dv->stray_name = must(talloc_strdup(dv->ctx, pair->tails.name));
}

/* What no process but this one would clear away, should it have no memory
 * left. */
static struct commit *under_way;

static void
leave(void)
{
	if (under_way == NULL)
		return;
	commit_clean(under_way);
	pair_release(&under_way->pair);
}

/*
 * Once around.  SIGALRM's default action is the fence of a process that was
 * stopped, or of a filer that hangs, while it holds locks: it dies before it
 * writes another byte, and long before others may break them.
 */
static enum status
attempt(struct delivery *dv, const struct plan *plan, const struct record *rec,
    struct message *msg, struct source *src, struct record **now,
    struct err *err)
{
	struct commit *c = must(talloc_zero(NULL, struct commit));
	struct asking a = { dv, { .map = dv->map, .ctx = dv->ctx,
	    .home = dv->home, .rec = rec, .plan = plan } };
	enum status st;

	under_way = c;
	must_clean(leave);
	commit_init(c, dv);
	st = open_sides(c, dv, rec, plan, err);
	if (st == ST_OK)
		st = commit_prepare(c, msg, src, err);
	if (st == ST_OK)
		choose_key(c, dv, msg);
	if (st == ST_OK)
		st = take(c, &a, err);
	if (st == ST_OK)
		st = under_lock(c, dv, dv->uids ? a.q.now : rec, msg, err);
	if (st != ST_OK || c->known)
		commit_clean(c);
	pair_release(&c->pair);
	if (st == ST_NONE || c->early)	/* without locks: all that is left */
		set_alarm(dv, UINT_MAX);
	if (st == ST_OK)
		st = commit_finish(c, err);
	dv->uid = c->intent.uid;
	dv->known = c->known;
	if (c->pair.n > 0)
		dv->path = must(talloc_strdup(dv->ctx,
		    c->pair.box[0].md->path));
	if (st == ST_OK && !c->known)
		dv->name = must(talloc_strdup(dv->ctx, c->intent.name));
	note_stray(dv, &c->pair);
	*now = a.q.now;
	source_keep(src, c);
	under_way = NULL;
	talloc_free(c);
	return st;
}

enum status
deliver(struct delivery *dv, const struct record *rec, struct message *msg,
    struct err *err)
{
	struct source src = { .fd = -1 };
	struct record *now = NULL;
	enum status st;

	for (;;) {
		st = route(rec, time(NULL), &dv->plan);
		dv->state = rec->state;
		if (st != ST_OK) {
			st = err_set(err, ST_AGAIN, "mailbox of %s is being "
			    "moved, try again in %lld s", dv->user,
			    (long long)dv->plan.retry_after);
			break;
		}
		st = attempt(dv, &dv->plan, rec, msg, &src, &now, err);
		if (st != ST_NONE)
			break;
		if (clock_ms() + margin(dv) > dv->until) {
			st = err_set(err, ST_AGAIN,
			    "the map's record of %s keeps changing", dv->user);
			break;
		}
		rec = now;
	}
	source_close(&src);
	return st;
}
