/* SPDX-License-Identifier: ISC */
/*
 * step.c - one step of a user: compare, hand over, swap, wait
 */
#include "admin/step.h"

#include <stdio.h>
#include <unistd.h>

#include "admin/alone.h"
#include "admin/rights.h"
#include "lda/store/visit.h"
#include "maps/transition.h"

static void
progress(const struct step *s, const char *text)
{
	if (s->progress != NULL)
		s->progress(text, s->arg);
}

/* The record without the side that is not to be touched; a talloc child of
 * it. */
static struct record *
reachable(struct record *rec, const struct step *s)
{
	struct record *copy = record_copy(rec, rec);

	if (s->without != SIDE_NONE)
		copy->side[s->without] = (struct location){ NULL, NULL, NULL };
	return copy;
}

/* Wait until no delivery by a former state is under way. */
static enum status
pass_barrier(struct admin *ad, struct record *rec, const struct step *s,
    struct err *err)
{
	enum status st;
	const char *home;
	long uid;

	progress(s, "deliveries by the former state");
	home = admin_home(rec, rec->user, &uid);
	st = record_locate(rec, ad->conf, home, err);
	if (st == ST_OK)
		st = visit_barrier(reachable(rec, s), ad->conf, err);
	progress(s, NULL);
	/* A hand-over holds each lock; there is no step to where a cutover
	 * is. */
	return st == ST_OK ? st : err_wrap(err, ST_AGAIN, "%s is in %s, but a "
	    "delivery by its former state may be under way; %s", rec->user,
	    state_name(rec->state), rec->state == STATE_CUTOVER ? "the step "
	    "out of the cutover waits for it" : "run the same step again");
}

/* A delivery that hangs on a dead side ends at its deadline: until that has
 * passed since then. */
static void
wait_out(const struct admin *ad, time_t since, const struct step *s)
{
	int seconds = ad->conf->deadline + ad->conf->skew;
	time_t end = since + seconds, now = time(NULL);
	char text[120];

	if (now < since)		/* another host's clock */
		end = now + seconds;
	(void)snprintf(text, sizeof(text), "%lld seconds, until deliveries "
	    "that hang on the %s side have ended (deadline + skew)", (long
	    long)(end - now), side_name(s->without));
	progress(s, text);
	while (time(NULL) < end)
		(void)sleep(1);
	progress(s, NULL);
}

enum status
step_wait(struct admin *ad, struct record *rec, const struct step *s,
    struct err *err)
{
	time_t now = time(NULL);
	enum status st;

	st = pass_barrier(ad, rec, s, err);
	if (st == ST_OK && s->without != SIDE_NONE)
		wait_out(ad, now, s);
	return st;
}

/* Can the hand-over be made inside the window?  It waits first. */
static enum status
has_time(const struct admin *ad, const struct record *was, struct err *err)
{
	int seconds = ad->conf->deadline + ad->conf->skew;

	if (was->at + seconds < was->end)
		return ST_OK;
	return err_set(err, ST_NEVER, "%s: the window ends before deliveries "
	    "that hang on the dead side have ended: give it up, and make one "
	    "of more than %d seconds (deadline + skew)", was->user, seconds);
}

/* The leader changes: the next one is made ready while no mail is delivered,
 * and only then the map says so. */
static enum status
hand_over(const struct admin *ad, const struct record *was,
    const struct record *is, const struct step *s, struct err *err)
{
	struct handover ho = { .rec = was, .conf = ad->conf,
	    .next = record_leader(is), .force = s->force, .ask = !ad->owner,
	    .lacks = s->lacks, .arg = s->arg };
	enum status st;

	progress(s, s->dry_run ? "a comparison of the mailboxes" :
	    "the mailboxes of the next leader to be made ready");
	st = s->dry_run ? handover_compare(&ho, err) : handover(&ho, err);
	progress(s, NULL);
	if (st != ST_NEVER || ho.messages == 0)
		return st;
	return err_set(err, ST_NEVER, "%s: %s lacks %lu message%s in %lu "
	    "mailbox%s, which would be hidden: `mailferry move %s` copies "
	    "mail, --force steps all the same", was->user, side_name(ho.next),
	    ho.messages, ho.messages == 1 ? "" : "s", ho.mailboxes,
	    ho.mailboxes == 1 ? "" : "es", was->user);
}

/* The former leader is dead: there is nothing to compare with. */
static enum status
hand_over_alone(const struct admin *ad, struct record *was,
    const struct step *s, struct err *err)
{
	enum status st;

	wait_out(ad, was->at, s);
	progress(s, "the mailboxes of the next leader to be made ready");
	st = alone_raise(reachable(was, s), ad->conf, !ad->owner, s->margin,
	    err);
	progress(s, NULL);
	return st;
}

/* The user is in that state already, perhaps since a step whose wait failed. */
static enum status
stay(struct admin *ad, struct record *was, const struct step *s,
    const struct change_by *by, struct err *err)
{
	struct record *is = record_copy(was, was);
	enum status st;

	st = rights_check(reachable(was, s), ad->conf, err);
	if (st != ST_OK || s->dry_run)
		return st;
	if (was->end != 0) {		/* a window that is planned */
		is->version++;
		is->begin = is->end = 0;
		st = map_replace(ad->map, was, is, by, NULL, err);
	}
	return st == ST_OK ? step_wait(ad, is, s, err) : st;
}

/* Nothing is written yet. */
static enum status
judge(const struct admin *ad, struct record *was, const struct record *is,
    const struct step *s, struct err *err)
{
	bool changes = record_leader(is) != record_leader(was);

	if (changes && record_leader(is) == s->without)
		return err_set(err, ST_NEVER, "%s would lead in %s, and cannot "
		    "be left out", side_name(s->without),
		    state_name(is->state));
	if (changes && s->without != SIDE_NONE && has_time(ad, was,
	    err) != ST_OK)
		return ST_NEVER;
	return rights_check(reachable(was, s), ad->conf, err);
}

static enum status
prepare(const struct admin *ad, struct record *was,
    const struct record *is, const struct step *s, struct err *err)
{
	if (record_leader(is) == record_leader(was))
		return ST_OK;
	if (s->without == SIDE_NONE)
		return hand_over(ad, was, is, s, err);
	return s->dry_run ? ST_OK : hand_over_alone(ad, was, s, err);
}

enum status
step_user(struct admin *ad, struct record *was, const struct step *s,
    struct err *err)
{
	struct change_by by = admin_by(was, ad);
	struct record *is = NULL;
	enum status st;

	if (was->state == s->to && s->to != STATE_CUTOVER)
		return stay(ad, was, s, &by, err);
	st = transition_step(was, was, s->to, s->begin, s->end, by.at, &is,
	    err);
	if (st == ST_OK)
		st = judge(ad, was, is, s, err);
	if (st == ST_OK)
		st = prepare(ad, was, is, s, err);
	if (st != ST_OK || s->dry_run)
		return st;
	st = map_replace(ad->map, was, is, &by, NULL, err);
	/* A window that is only planned changes nothing yet, and a hand-over
	 * has held every lock since no mail is delivered. */
	if (st != ST_OK || is->state == was->state ||
	    record_leader(is) != record_leader(was))
		return st;
	/* No mail is delivered in a cutover: there is nothing to wait out. */
	return was->state == STATE_CUTOVER ? pass_barrier(ad, is, s, err) :
	    step_wait(ad, is, s, err);
}
