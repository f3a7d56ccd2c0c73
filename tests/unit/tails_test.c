/* SPDX-License-Identifier: ISC */
/*
 * tails_test.c - lines that are ours, strays, and a leader from a snapshot
 */
#include "tests/unit/recovery.h"

#include "lda/store/mark.h"

/* A session stores a message: file and line, as Dovecot writes them. */
static void
session_appends(const char *box, uint32_t uid)
{
	shell("echo appended >'%s/cur/1700000001.M%u.session:2,S' && "
	    "echo '%u :1700000001.M%u.session' >>%s/dovecot-uidlist", box, uid,
	    uid, uid, box);
}

static void
keys(void **state)
{
	static const struct {
		const char *keys, *marked;
		bool is;
	} cases[] = {
		{ " ",			" Y1 ",			false },
		{ " G17.M1.h ",		" G17.M1.h Y1 ",	false },
		{ " G17 P1a:b/c S9 ",	" G17 P1a:b/c S9 Y1 ",	false },
		{ " Y1 ",		" Y1 ",			true },
		{ " Y1 S9 ",		" S9 Y1 ",		true },
		{ " S9   Y1",		" S9 Y1 ",		true },
		{ " Y12 ",		" Y12 Y1 ",		false },
		{ " PY1 ",		" PY1 Y1 ",		false },
		{ "",			" Y1 ",			false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(mark_keys(conf, cases[i].keys),
		    cases[i].marked);
		assert_int_equal(mark_is(cases[i].keys), cases[i].is);
	}
}

/* Only what is written to a follower that had clients is marked: by deliveries,
 * and by what they catch up. */
static void
lines_are_marked(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	session_appends("old/u", 2);
	(void)send_to("", 3);
	shell("! grep Y1 old/u/dovecot-uidlist new/u/dovecot-uidlist");
	hand_over(STATE_SETTLE);
	(void)send_to("", 4);
	session_appends("new/u", 5);
	shell("sed -i 's/^5 :/5 G17.M1.h :/' new/u/dovecot-uidlist");
	(void)send_to("", 6);
	both("1=1 2=a 3=3 4=4 5=a 6=6 ");
	shell("! grep Y1 new/u/dovecot-uidlist && "
	    "grep -q '^4 Y1 :' old/u/dovecot-uidlist && "
	    "grep -q '^5 G17.M1.h Y1 :' old/u/dovecot-uidlist && "
	    "grep -q '^6 Y1 :' old/u/dovecot-uidlist && "
	    "[ $(grep -c Y1 old/u/dovecot-uidlist) = 3 ]");
	/* The way back: now new is a follower that had clients. */
	hand_over(STATE_OVERLAP);
	(void)send_to("", 7);
	shell("! grep '^7 Y1' old/u/dovecot-uidlist && "
	    "grep -q '^7 Y1 :' new/u/dovecot-uidlist");
	both("1=1 2=a 3=3 4=4 5=a 6=6 7=7 ");
}

/* What a retry finds of it is known, and what is void loses its line, mark and
 * all. */
static void
marked_lines_are_lines(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	hand_over(STATE_SETTLE);
	(void)send_to("", 2);
	assert_true(send_to("", 2));
	leave("new/u", 3, 3, "tmp", LINE | INTENT, 10);
	leave("old/u", 3, 3, "new", LINE | INTENT, 10);
	shell("sed -i 's/^3 :/3 Y1 :/' old/u/dovecot-uidlist");
	assert_false(send_to("", 4));
	assert_true(has("old/u", "1=1 2=2 4=4 ") && has("new/u",
	    "1=1 2=2 4=4 "));
	shell("! grep '^3 .*:' old/u/dovecot-uidlist");
}

/* The power was lost when the line was on the follower's disk alone. */
static void
orphans(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	hand_over(STATE_SETTLE);
	leave("old/u", 2, 2, "tmp", LINE | INTENT, 10);
	shell("sed -i 's/^2 :/2 Y1 :/' old/u/dovecot-uidlist");
	session_appends("new/u", 2);
	(void)send_to("", 3);
	both("1=1 2=a 3=3 ");
	/* A session's line of which the message is gone: that UID was shown. */
	shell("echo '4 :1700000001.M4.session' >>old/u/dovecot-uidlist");
	(void)send_to("", 5);
	both("1=1 2=a 3=3 5=5 ");
	/* Sessions have been given UIDs above it, and expunged them. */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	hand_over(STATE_SETTLE);
	leave("old/u", 2, 2, "tmp", LINE, 10);
	shell("sed -i 's/^2 :/2 Y1 :/; 1s/ N[0-9]*/ N40/' "
	    "old/u/dovecot-uidlist");
	(void)send_to("", 3);
	both("1=1 40=3 ");
}

/* A session that survived the step: nothing is deferred, and nothing is
 * silent. */
static void
strays(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct delivery dv = { .ctx = ctx, .conf = conf, .user = "u",
	    .recipient = "u@x.test", .folder = "", .uids = true };
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	hand_over(STATE_SETTLE);
	(void)send_to("", 2);
	session_appends("old/u", 3);
	session_appends("new/u", 3);	/* another one */
	session_appends("old/u", 4);
	dv.map = open_map();
	dv.until = clock_ms() + 100000;
	assert_int_equal(deliver(&dv, record_of(dv.map), message(ctx, 5),
	    &err), ST_OK);
	(void)alarm(0);
	assert_int_equal(dv.uid, 5);
	assert_int_equal(dv.stray, 4);
	assert_string_equal(dv.stray_name, "1700000001.M4.session");
	assert_non_null(strstr(dv.stray_in, "old/u"));
	assert_true(has("old/u", "1=1 2=2 3=a 4=a 5=5 "));
	assert_true(has("new/u", "1=1 2=2 3=a 5=5 "));
	/* Once: the next delivery has nothing to add. */
	assert_int_equal(deliver(&dv, record_of(dv.map), message(ctx, 6),
	    &err), ST_OK);
	(void)alarm(0);
	talloc_free(dv.map);
	assert_true(has("new/u", "1=1 2=2 3=a 5=5 6=6 "));
	talloc_free(ctx);
}

static void
is_deferred_untouched(int n)
{
	shell("(cd %s && find old new -type f ! -name mailferry-\\* | sort | "
	    "xargs ls -l; cat old/u/dovecot-uidlist new/u/dovecot-uidlist) "
	    ">before", dir);
	assert_non_null(strstr(deferred("", n), "was an old state of it "
	    "restored?"));
	shell("(cd %s && find old new -type f ! -name mailferry-\\* | sort | "
	    "xargs ls -l; cat old/u/dovecot-uidlist new/u/dovecot-uidlist) "
	    ">after; diff before after", dir);
}

#define SNAPSHOT(side)	"rm -rf snap; cp -a " side "/u snap"
#define RESTORE(side)	"rm -rf " side "/u; cp -a snap " side "/u"

/* In each of the states: with what a client did since, and without. */
static void
restored(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell(SNAPSHOT("old"));
	(void)send_to("", 2);
	(void)send_to("", 3);
	shell(RESTORE("old"));
	is_deferred_untouched(4);
	session_appends("old/u", 2);
	is_deferred_untouched(4);
	session_appends("old/u", 3);
	session_appends("old/u", 4);
	session_appends("old/u", 5);
	is_deferred_untouched(6);

	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	hand_over(STATE_SETTLE);
	(void)send_to("", 2);
	shell(SNAPSHOT("new"));
	(void)send_to("", 3);
	shell(RESTORE("new"));
	is_deferred_untouched(4);
	session_appends("new/u", 3);
	is_deferred_untouched(4);

	/* To before the hand-over: lines from when old led have no mark. */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell(SNAPSHOT("new"));
	(void)send_to("", 2);
	hand_over(STATE_SETTLE);
	shell(RESTORE("new"));
	is_deferred_untouched(3);
}

/* An intent that was undecided in the snapshot, and was delivered since: by the
 * leader's word the follower's copy, the only one, would go. */
static void
restored_with_an_intent(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	leave("old/u", 2, 2, "new", LINE | INTENT, 10);
	leave("new/u", 2, 2, "new", LINE | INTENT, 10);
	shell("rm old/u/new/*Q2R0bad* && sed -i '/^2 /d; 1s/ N[0-9]*/ N2/' "
	    "old/u/dovecot-uidlist && rm old/u/mailferry-deliveries");
	is_deferred_untouched(3);
	assert_true(has("new/u", "1=1 2=2 "));
	/* A step that ends the overlap goes on, and leaves it alone. */
	step(STATE_OLD);
	assert_true(has("new/u", "1=1 2=2 "));
}

/* What the leader's client expunged is no sign of anything. */
static void
expunged(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)send_to("", 2);
	shell("rm old/u/new/*; sed -i '/^[12] /d; 1s/ N[0-9]*/ N3/' "
	    "old/u/dovecot-uidlist");
	(void)send_to("", 3);
	assert_true(has("old/u", "3=3 "));
	assert_true(has("new/u", "1=1 2=2 3=3 "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(lines_are_marked),
		cmocka_unit_test(marked_lines_are_lines),
		cmocka_unit_test(orphans),
		cmocka_unit_test(strays),
		cmocka_unit_test(restored),
		cmocka_unit_test(restored_with_an_intent),
		cmocka_unit_test(expunged),
	};

	return run_sides("tails", tests, sizeof(tests) / sizeof(tests[0]));
}
