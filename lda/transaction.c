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
#include "lda/store/catchup.h"
#include "maps/base/clock.h"
#include "maps/location.h"

#define LOCK_MARGIN	20000	/* ms before the deadline to give up waiting,
				   or a quarter of it where it is short */
#define PLAIN_WAIT	10000	/* ms for a lock that is not needed */
#define CATCHUP_MARGIN	15000	/* ms of MAILBOX_LOCKED left after catching up */

static const char *
mailbox_name(const char *folder)
{
	return folder[0] == '\0' ? "INBOX" : folder[0] == '.' ? folder + 1 :
	    folder;
}

/* Step 2, first half: the mailbox on every side, each made where it is missing. */
static enum status
open_sides(struct commit *c, const struct delivery *dv,
    const struct record *rec, const struct plan *plan, struct err *err)
{
	struct target *t;
	enum status st = ST_OK;
	struct err none;
	enum side side;

	c->set.in_line = dv->uids;
	for (c->set.n = 0; c->set.n < plan->ntarget && st == ST_OK; c->set.n++) {
		t = &c->target[c->set.n];
		side = plan->target[c->set.n];
		*t = (struct target){ .fd = -1 };
		t->box.side = side;
		t->box.uids.fd = t->box.log.fd = -1;
		c->set.box[c->set.n] = &t->box;
		st = filer_check(dv->conf->filer[side], err);
		if (st == ST_OK)
			st = maildir_open(c, &rec->side[side], dv->folder,
			    dv->conf->filer[side], true, &t->box.md, err);
		if (st == ST_NONE)
			st = err_set(err, ST_AGAIN, "%s: no such mailbox",
			    rec->side[side].mail);
		if (st == ST_OK && t->box.md->made && dv->folder[0] == '.')
			(void)!maildir_subscribe(t->box.md, &rec->side[side],
			    &none);
	}
	return st;
}

/* Step 4: the answer under the lock counts.  ST_NONE: the plan is another one; the
 * record outlives this attempt. */
static enum status
ask_again(struct delivery *dv, const struct plan *plan,
    const struct record *rec, struct record **now, struct err *err)
{
	struct plan again;
	enum status st;
	int i;

	if (!dv->uids) {		/* procmail's place: nobody to ask */
		*now = record_copy(dv->ctx, rec);
		return ST_OK;
	}
	st = map_get(dv->map, dv->ctx, dv->user, dv->home, time(NULL), now, err);
	if (st != ST_OK)
		return st;
	if (route(*now, time(NULL), &again) != ST_OK ||
	    !plan_same(plan, &again))
		return ST_NONE;
	for (i = 0; i < plan->ntarget; i++)
		if (!location_same(&rec->side[plan->target[i]],
		    &(*now)->side[plan->target[i]]))
			return ST_NONE;
	dv->plan = again;
	dv->state = (*now)->state;
	return ST_OK;
}

/*
 * Step 5: read both sides.  A log that has seen a later change of leader than
 * this record knows of says: the map is older than the mailbox.
 */
static enum status
read_sides(struct commit *c, const struct delivery *dv,
    const struct record *rec, struct err *err)
{
	struct mailbox *box;
	enum status st = ST_OK;
	bool served;
	int i;

	for (i = 0; i < c->set.n && st == ST_OK; i++) {
		box = c->set.box[i];
		served = rec->led != 0 || box->side == OLD || i == 0;
		st = mailbox_read(box, dv->uids && served, err);
		if (st != ST_OK)
			return st;
		if (!dv->uids) {	/* procmail's place: no log of ours */
			deliveries_close(&box->log);
			continue;
		}
		if (box->log.fd == -1)
			st = deliveries_make(&box->log, box->md->ctl,
			    box->md->fmode, box->md->gid, err);
		if (st == ST_OK && rec->version < box->log.led)
			return err_set(err, ST_AGAIN, "%s: the map's record of %s "
			    "is version %llu, but the mailbox has seen its leader "
			    "change in version %llu: was an old map restored? "
			    "(mailferry-map(5), RESTORING)", box->md->path,
			    dv->user, (unsigned long long)rec->version,
			    (unsigned long long)box->log.led);
		if (st == ST_OK)
			st = deliveries_lead(&box->log, rec->led, err);
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

	for (i = 0; i < c->set.n && st == ST_OK && !c->known; i++) {
		st = deliveries_lookup(&c->set.box[i]->log, c->intent.key, NULL,
		    &outcome, err);
		c->known = outcome == OUTCOME_DONE;
	}
	return st;
}

/* Steps 4 to 10, under the locks.  ST_NONE: the plan changed, start again. */
static enum status
under_lock(struct commit *c, struct delivery *dv, const struct plan *plan,
    const struct record *rec, const struct message *msg, struct record **now,
    struct err *err)
{
	long long until = clock_ms() + MAILBOX_LOCKED * 1000 - CATCHUP_MARGIN;
	enum status st;

	st = ask_again(dv, plan, rec, now, err);
	/* The alarm is set: asleep from here on we die.  Before it, between two
	 * locks or behind them, we may have slept for so long that they are another's. */
	if (st == ST_OK && c->locked)
		st = mailboxes_check(&c->set, err);
	if (st == ST_OK && c->locked)
		st = read_sides(c, dv, *now, err);
	if (st == ST_OK && dv->uids) {
		st = mailboxes_decide(&c->set, c->intent.key, c->intent.at, c->keep, err);
		if (st == ST_OK && msg->queued)
			st = look_up(c, err);
		if (st == ST_OK && !c->known)
			st = mailboxes_agree(&c->set, *now,
			    until < dv->until ? until : dv->until, err);
	}
	if (st != ST_OK || c->known)
		return st;
	if (message_orphaned())
		return err_set(err, ST_AGAIN,
		    "the mail system that sent the message is gone");
	return commit(c, *now, err);
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

/*
 * Step 3.  In procmail's place (no UIDs of ours) a Maildir without uidlist is not
 * locked, as nobody would look at the lock, and one that stays locked is
 * delivered to without a UID, as dovecot-lda does.
 */
static enum status
lock(struct commit *c, const struct delivery *dv, struct err *err)
{
	long wait = (long)(dv->until - margin(dv) - clock_ms());
	enum status st;

	if (!dv->uids) {
		if (faccessat(c->set.box[0]->md->ctl, UIDLIST_NAME, F_OK, 0) == -1)
			return ST_OK;
		if (wait > PLAIN_WAIT)
			wait = PLAIN_WAIT;
	}
	st = mailboxes_lock(&c->set, wait, err);
	c->locked = st == ST_OK;
	return dv->uids ? st : ST_OK;
}

/* Die at the deadline, or in `most` seconds where that is sooner. */
static void
set_alarm(const struct delivery *dv, unsigned most)
{
	long long left = (dv->until - clock_ms()) / 1000 + 1;

	(void)alarm(left < 1 ? 1 : left < (long long)most ? (unsigned)left :
	    most);
}

/* What no process but this one would clear away, should it have no memory left. */
static struct commit *under_way;

static void
leave(void)
{
	if (under_way == NULL)
		return;
	commit_clean(under_way);
	mailboxes_unlock(&under_way->set);
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
		st = lock(c, dv, err);
	if (st == ST_OK) {
		set_alarm(dv, MAILBOX_LOCKED);
		st = under_lock(c, dv, plan, rec, msg, now, err);
	}
	if (st != ST_OK || c->known)
		commit_clean(c);
	mailboxes_unlock(&c->set);
	if (st == ST_NONE || c->early)	/* without locks: all the time that is left */
		set_alarm(dv, UINT_MAX);
	if (st == ST_OK)
		st = commit_finish(c, err);
	dv->uid = c->intent.uid;
	dv->known = c->known;
	if (c->set.n > 0 && c->set.box[0]->md != NULL)
		dv->path = must(talloc_strdup(dv->ctx, c->set.box[0]->md->path));
	if (st == ST_OK && !c->known)
		dv->name = must(talloc_strdup(dv->ctx, c->intent.name));
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
			st = err_set(err, ST_AGAIN, "mailbox of %s is being moved, "
			    "try again in %lld s", dv->user,
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
