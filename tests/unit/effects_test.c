/* SPDX-License-Identifier: ISC */
/*
 * effects_test.c - a program of an rc file ends when the user has been stepped
 * on
 *
 * The run began in overlap.  What its program did is logged by the record that
 * the map has under the locks, not by that of the beginning.
 */
#include "tests/unit/recovery.h"

#include "lda/effects.h"

static const unsigned char key[MESSAGE_DIGEST] = { 1 };

static void
replace(const struct record *was, enum state to)
{
	struct map *map = open_map();
	struct record *is = NULL;
	time_t now = time(NULL);
	struct err err;

	if (transition_step(conf, was, to, to == STATE_CUTOVER ? now : 0,
	    to == STATE_CUTOVER ? now + 600 : 0, now, &is, &err) != ST_OK ||
	    map_replace(map, was, is, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(map);
}

static void
pass(enum side next)
{
	struct err err;

	if ((next == SIDE_NONE ? visit_barrier(record(), conf, &err) :
	    hand_to(record(), next, false, &err)) != ST_OK)
		fail_msg("%s", err.text);
}

static void
change_leader(void)
{
	replace(record(), STATE_CUTOVER);
	pass(SIDE_NONE);
	pass(NEW);
	replace(record(), STATE_SETTLE);
}

/* A delivery in settle died behind both renames, before it could say done; then
 * the client of new expunged the message.  Dovecot's uidlist still has the
 * line. */
static void
killed_then_expunged(void)
{
	leave("old/u", 2, 2, "new", LINE | INTENT, 10);
	leave("new/u", 2, 2, NULL, LINE | INTENT, 10);
}

static enum status
log_effect(struct err *err)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct delivery dv = { .ctx = ctx, .map = open_map(), .conf = conf,
	    .user = "u", .recipient = "u@x.test", .folder = "", .uids = true };
	enum status st;

	*err = (struct err){ 0, "" };
	st = effect_log(&dv, key, err);
	(void)alarm(0);
	talloc_free(dv.map);
	talloc_free(ctx);
	return st;
}

/* By the plan of the record as it is now. */
static bool
known(void)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct delivery dv = { .ctx = ctx, .conf = conf };
	struct record *rec = record();
	struct plan plan;
	enum status st;
	struct err err;

	assert_int_equal(route(rec, time(NULL), &plan), ST_OK);
	st = effect_known(&dv, rec, &plan, key, &err);
	talloc_free(ctx);
	return st == ST_OK;
}

/* Old leads no more: its empty tmp/ says nothing, and new has the last word. */
static void
leader_has_changed(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	change_leader();
	killed_then_expunged();
	if (log_effect(&err) != ST_OK)
		fail_msg("%s", err.text);
	assert_true(has("new/u", "1=1 "));
	assert_true(known());
	(void)send_to("", 3);
	assert_true(has("new/u", "1=1 3=3 "));
}

/* The program ends inside the window, before the hand-over comes to the mailbox
 * or after it.  The message was deferred: the next try is not to run the
 * program again. */
static void
in_a_cutover(void **state)
{
	struct err err;
	int handed_over, on;

	(void)state;
	for (handed_over = 0; handed_over < 2; handed_over++)
		for (on = 0; on < 2; on++) {
			begin(STATE_OVERLAP);
			(void)send_to("", 1);
					replace(record(), STATE_CUTOVER);
			pass(SIDE_NONE);
			if (handed_over)
				pass(NEW);
			if (log_effect(&err) != ST_OK)
				fail_msg("%s", err.text);
			if (on && !handed_over)
				pass(NEW);
			replace(record(), on ? STATE_SETTLE : STATE_OVERLAP);
			assert_true(known());
			both("1=1 ");
		}
}

/* Nothing may be made by a cutover: there is no inbox to log it in. */
static void
in_a_cutover_without_inbox(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	replace(record(), STATE_CUTOVER);
	assert_int_equal(log_effect(&err), ST_AGAIN);
	shell("[ ! -e old/u ] && [ ! -e new/u ]");
}

/* One side more, one side less: the plan that is logged by is the map's. */
static void
sides_have_changed(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	step(STATE_OVERLAP);
	assert_int_equal(log_effect(&err), ST_OK);
	shell("rm old/u/mailferry-deliveries");
	assert_true(known());
	step(STATE_OLD);
	shell("rm -r new/u");
	assert_int_equal(log_effect(&err), ST_OK);
	assert_true(known());
	shell("[ ! -e new/u ]");
}

/* Nobody logs into a directory under a filer that is not mounted. */
static void
not_mounted(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	conf->filer[NEW] = talloc_asprintf(conf, "%s/new", dir);
	assert_int_equal(log_effect(&err), ST_AGAIN);
	shell("[ ! -e new/u ]");
	shell("touch new/.mailferry-filer");
	assert_int_equal(log_effect(&err), ST_OK);
	conf->filer[NEW] = NULL;
	assert_true(known());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leader_has_changed),
		cmocka_unit_test(in_a_cutover),
		cmocka_unit_test(in_a_cutover_without_inbox),
		cmocka_unit_test(sides_have_changed),
		cmocka_unit_test(not_mounted),
	};

	return run_sides("effects", tests, sizeof(tests) / sizeof(tests[0]));
}
