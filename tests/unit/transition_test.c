/* SPDX-License-Identifier: ISC */
/*
 * transition_test.c - every step of the table, and every pair that is not in it
 */
#include "tests/unit/test.h"

#include "maps/transition.h"

#define NOW 150				/* inside [100, 200) */

static const char *no_address[] = { NULL };

static struct record
at(enum state state, enum state entered)
{
	struct record rec = { .user = "u", .uid = -1, .state = state,
	    .entered = entered, .version = 5, .address = no_address, .by = "",
	    .why = "", .unknown = "",
	    .side = { { .mail = "/old" }, { .mail = "/new" } } };

	if (state == STATE_CUTOVER) {
		rec.begin = 100;
		rec.end = 200;
	}
	if (state == STATE_SETTLE || state == STATE_NEW ||
	    entered == STATE_SETTLE)
		rec.led = 2;
	return rec;
}

static const struct { enum state from, entered, to; bool leader; } legal[] = {
	{ STATE_OLD, STATE_NONE, STATE_OVERLAP, false },
	{ STATE_OVERLAP, STATE_NONE, STATE_CUTOVER, false },
	{ STATE_OVERLAP, STATE_NONE, STATE_OLD, false },
	{ STATE_CUTOVER, STATE_OVERLAP, STATE_SETTLE, true },
	{ STATE_CUTOVER, STATE_OVERLAP, STATE_OVERLAP, false },
	{ STATE_CUTOVER, STATE_SETTLE, STATE_OVERLAP, true },
	{ STATE_CUTOVER, STATE_SETTLE, STATE_SETTLE, false },
	{ STATE_SETTLE, STATE_NONE, STATE_CUTOVER, false },
	{ STATE_SETTLE, STATE_NONE, STATE_NEW, false },
	{ STATE_NEW, STATE_NONE, STATE_SETTLE, false },
};

static int
find(enum state from, enum state entered, enum state to)
{
	int i;

	for (i = 0; i < (int)(sizeof(legal) / sizeof(legal[0])); i++)
		if (legal[i].from == from && legal[i].entered == entered &&
		    legal[i].to == to)
			return i;
	return -1;
}

static void
try_pair(enum state from, enum state entered, enum state to)
{
	struct record was = at(from, entered), *is;
	int i = find(from, entered, to);
	struct err err;
	enum status st;

	print_message("# %s (%s) to %s\n", state_name(from),
	    state_name(entered), state_name(to));
	st = transition_step(NULL, &was, to, to == STATE_CUTOVER ? 100 : 0,
	    to == STATE_CUTOVER ? 200 : 0, NOW, &is, &err);
	assert_int_equal(st, i == -1 ? ST_NEVER : ST_OK);
	if (st != ST_OK) {
		assert_non_null(strstr(err.text, "possible now"));
		return;
	}
	assert_int_equal(is->state, to);
	assert_int_equal(is->version, 6);
	assert_int_equal(is->led, legal[i].leader ? 6 : was.led);
	assert_int_equal(is->entered, to == STATE_CUTOVER ? from : STATE_NONE);
	assert_int_equal(transition_check(&was, is, &was, NOW, &err), ST_OK);
	talloc_free(is);
}

static void
the_whole_table(void **state)
{
	enum state from, to;

	(void)state;
	for (from = STATE_OLD; from <= STATE_NEW; from++)
		for (to = STATE_OLD; to <= STATE_NEW; to++) {
			if (from != STATE_CUTOVER)
				try_pair(from, STATE_NONE, to);
			else {
				try_pair(from, STATE_OVERLAP, to);
				try_pair(from, STATE_SETTLE, to);
			}
		}
}

/* A change that was not made by transition_step() is judged all the same. */
static void
judges_any_change(void **state)
{
	enum state from, to;
	struct err err;

	(void)state;
	for (from = STATE_OLD; from <= STATE_NEW; from++)
		for (to = STATE_OLD; to <= STATE_NEW; to++) {
			struct record was = at(from, from == STATE_CUTOVER ?
			    STATE_OVERLAP : STATE_NONE);
			struct record is = at(to, to == STATE_CUTOVER ?
			    STATE_OVERLAP : STATE_NONE);
			int i = find(was.state, was.entered, to);

			is.version = 6;
			is.led = i != -1 && legal[i].leader ? 6 : was.led;
			if (from == to)
				continue;
			if (to == STATE_CUTOVER)
				is.entered = from;
			assert_int_equal(transition_check(&was, &is, &was, NOW,
			    &err), i == -1 ? ST_NEVER : ST_OK);
		}
}

static void
the_lease(void **state)
{
	struct record was = at(STATE_CUTOVER, STATE_OVERLAP), *is;
	struct err err;

	(void)state;
	assert_int_equal(transition_step(NULL, &was, STATE_SETTLE, 0, 0, 199,
	    &is, &err), ST_OK);
	talloc_free(is);
	assert_int_equal(transition_step(NULL, &was, STATE_SETTLE, 0, 0, 200,
	    &is, &err), ST_NEVER);
	assert_non_null(strstr(err.text, "inside its window"));
	/* Giving up is always legal. */
	assert_int_equal(transition_step(NULL, &was, STATE_OVERLAP, 0, 0, 900,
	    &is, &err), ST_OK);
	assert_int_equal(is->end, 0);
	assert_int_equal(is->led, was.led);
	talloc_free(is);
	/* The window's end, written by mapd. */
	is = transition_due(NULL, &was, STATE_OVERLAP, 200);
	assert_int_equal(is->state, STATE_OVERLAP);
	assert_string_equal(is->by, "mapd");
	assert_int_equal(transition_check(&was, is, &was, 200, &err), ST_OK);
	talloc_free(is);
}

static void
a_window_is_planned(void **state)
{
	struct record was = at(STATE_OVERLAP, STATE_NONE), *is, *due;
	struct err err;

	(void)state;
	assert_int_equal(transition_step(NULL, &was, STATE_CUTOVER, 300, 400,
	    NOW, &is, &err), ST_OK);
	assert_int_equal(is->state, STATE_OVERLAP);
	assert_int_equal(is->begin, 300);
	assert_int_equal(transition_check(&was, is, &was, NOW, &err), ST_OK);
	due = transition_due(NULL, is, STATE_CUTOVER, 300);
	assert_int_equal(due->state, STATE_CUTOVER);
	assert_int_equal(due->entered, STATE_OVERLAP);
	assert_int_equal(due->end, 400);
	assert_int_equal(transition_check(is, due, is, 300, &err), ST_OK);
	talloc_free(due);
	talloc_free(is);
	assert_int_equal(transition_step(NULL, &was, STATE_CUTOVER, 50, 100,
	    NOW, &is, &err), ST_NEVER);
	assert_int_equal(transition_step(NULL, &was, STATE_CUTOVER, 0, 0, NOW,
	    &is, &err), ST_NEVER);
}

static void
needs(void **state)
{
	struct record was = at(STATE_OLD, STATE_NONE), *is;
	struct err err;

	(void)state;
	was.side[NEW].mail = NULL;
	assert_int_equal(transition_step(NULL, &was, STATE_OVERLAP, 0, 0, NOW,
	    &is, &err), ST_NEVER);
	assert_non_null(strstr(err.text, "needs a new location"));
}

static void
written_locations_stay(void **state)
{
	struct record was = at(STATE_OVERLAP, STATE_NONE);
	struct record is = at(STATE_OVERLAP, STATE_NONE);
	struct err err;

	(void)state;
	is.version = 6;
	is.side[NEW].mail = "/elsewhere";
	assert_int_equal(transition_check(&was, &is, &was, NOW, &err),
	    ST_NEVER);
	was.state = is.state = STATE_OLD;	/* new is not written there */
	assert_int_equal(transition_check(&was, &is, &was, NOW, &err), ST_OK);
	is.side[OLD].mail = "/elsewhere";
	assert_int_equal(transition_check(&was, &is, &was, NOW, &err),
	    ST_NEVER);
}

static void
versions_and_deletes(void **state)
{
	struct record was = at(STATE_OLD, STATE_NONE), is = was;
	struct record dflt = at(STATE_OLD, STATE_NONE);
	struct err err;

	(void)state;
	assert_int_equal(transition_check(&was, &is, &dflt, NOW, &err),
	    ST_NEVER);
	is.version = 7;
	assert_int_equal(transition_check(&was, &is, &dflt, NOW, &err),
	    ST_NEVER);
	assert_int_equal(transition_check(&was, NULL, &dflt, NOW, &err), ST_OK);
	dflt.state = STATE_NEW;
	assert_int_equal(transition_check(&was, NULL, &dflt, NOW, &err),
	    ST_NEVER);
	assert_non_null(strstr(err.text, "mailferry move"));
	was.state = STATE_OVERLAP;
	assert_int_equal(transition_check(&was, NULL, &dflt, NOW, &err),
	    ST_NEVER);
	is = at(STATE_CUTOVER, STATE_OVERLAP);
	assert_int_equal(transition_check(NULL, &is, &dflt, NOW, &err),
	    ST_NEVER);
	is = at(STATE_SETTLE, STATE_NONE);
	assert_int_equal(transition_check(NULL, &is, &dflt, NOW, &err), ST_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_table),
		cmocka_unit_test(judges_any_change),
		    cmocka_unit_test(the_lease),
		cmocka_unit_test(a_window_is_planned), cmocka_unit_test(needs),
		cmocka_unit_test(written_locations_stay),
		cmocka_unit_test(versions_and_deletes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
