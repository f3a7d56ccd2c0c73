/* SPDX-License-Identifier: ISC */
/*
 * pair_test.c - a mailbox is held in one order, and by the answer under its
 * locks
 */
#include "tests/unit/recovery.h"

#include "lda/store/pair.h"

/* What the question is answered, and what it finds when it is asked. */
struct answer {
	struct pair	*pair;
	enum status	 st;
	struct record	*rec;
	int		 asked;
};

static enum status
ask(void *arg, const struct record **rec, struct err *err)
{
	struct answer *a = arg;
	int i;

	a->asked++;
	for (i = 0; i < a->pair->n; i++) {
		assert_true(a->pair->box[i].lock.held);
		assert_int_equal(a->pair->box[i].uids.fd, -1);
		assert_int_equal(a->pair->box[i].log.fd, -1);
	}
	*rec = a->rec;
	return a->st == ST_AGAIN ? err_set(err, ST_AGAIN, "no answer") : a->st;
}

/* A delivery that was killed before its first rename: both logs have it
 * undecided. */
static void
one_undecided(void)
{
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	leave("old/u", 2, 2, "tmp", LINE | INTENT, 10);
	leave("new/u", 2, 2, "tmp", LINE | INTENT, 10);
}

static bool
is_undecided(void)
{
	return holds("ls old/u/tmp | grep -q Q2R0badcafe.host$ && "
	    "ls new/u/tmp | grep -q Q2R0badcafe.host$");
}

static enum status
open_pair(struct pair *pair, TALLOC_CTX *ctx, const struct record *rec,
    enum pair_make make, const char *folder)
{
	struct plan plan;
	struct pair_place place = { rec, conf, &plan, folder, make };
	struct err err;

	pair_all_sides(rec, &plan);
	return pair_open(pair, ctx, &place, &err);
}

static enum status
take(struct pair *pair, struct answer *a, struct err *err)
{
	struct pair_terms terms = { .ask = ask, .arg = a, .now = time(NULL),
	    .keep = 86400 };

	a->pair = pair;
	return pair_take(pair, &terms, err);
}

/* Nothing is decided but by the record that the answer is. */
static void
answer_decides(void **state)
{
	static const struct {
		enum status	 st;
		bool		 leads;		/* old, in the answer */
		bool		 undecided;	/* after it */
	} cases[] = {
		{ ST_NONE, true, true },
		{ ST_AGAIN, true, true },
		{ ST_OK, false, true },
		{ ST_OK, true, false },
	};
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct pair pair;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = { NULL, cases[i].st, NULL, 0 };

		one_undecided();
		a.rec = record();
		assert_int_equal(open_pair(&pair, ctx, a.rec, PAIR_MAKE_NONE,
		    ""), ST_OK);
		if (!cases[i].leads)
			a.rec->state = STATE_SETTLE;
		assert_int_equal(take(&pair, &a, &err), cases[i].st);
		assert_int_equal(a.asked, 1);
		assert_int_equal(is_undecided(), cases[i].undecided);
		pair_release(&pair);
		shell("! ls old/u/*.lock new/u/*.lock 2>/dev/null");
	}
	talloc_free(ctx);
}

/* The record is older than a change of leader: read, but not decided. */
static void
overtaken(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct answer a = { NULL, ST_OK, NULL, 0 };
	struct pair pair;
	struct err err;

	(void)state;
	one_undecided();
	a.rec = record();
	assert_int_equal(open_pair(&pair, ctx, a.rec, PAIR_MAKE_NONE, ""),
	    ST_OK);
	assert_int_equal(take(&pair, &a, &err), ST_OK);
	assert_int_equal(deliveries_lead(&pair.box[1].log, a.rec->version + 1,
	    &err), ST_OK);
	pair_release(&pair);
	leave("new/u", 3, 3, "tmp", INTENT, 10);
	assert_int_equal(open_pair(&pair, ctx, a.rec, PAIR_MAKE_NONE, ""),
	    ST_OK);
	assert_int_equal(take(&pair, &a, &err), ST_AGAIN);
	assert_true(pair.overtaken && pair.locked);
	assert_non_null(strstr(err.text, "was an old map restored?"));
	assert_true(pair.box[0].uids.fd != -1 && pair.box[1].log.fd != -1);
	shell("ls new/u/tmp | grep -q Q3R0badcafe.host$");
	pair_release(&pair);
	talloc_free(ctx);
}

/* What is not there is left out, made on the follower, or made. */
static void
sides_that_are_not_there(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct record *rec;
	struct pair pair;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	rec = record();
	assert_int_equal(open_pair(&pair, ctx, rec, PAIR_MAKE_NONE, ".X"),
	    ST_OK);
	assert_int_equal(pair.n, 0);
	assert_int_equal(open_pair(&pair, ctx, rec, PAIR_MAKE_FOLLOWER, ".X"),
	    ST_OK);
	assert_int_equal(pair.n, 0);
	shell("mkdir -p new/u/.X/cur");
	assert_int_equal(open_pair(&pair, ctx, rec, PAIR_MAKE_FOLLOWER, ".X"),
	    ST_OK);
	assert_int_equal(pair.n, 1);
	assert_int_equal(pair.box[0].side, NEW);
	shell("mkdir -p old/u/.X/cur && rm -r new/u/.X");
	assert_int_equal(open_pair(&pair, ctx, rec, PAIR_MAKE_FOLLOWER, ".X"),
	    ST_OK);
	assert_int_equal(pair.n, 2);
	assert_int_equal(pair.box[0].side, OLD);
	assert_int_equal(open_pair(&pair, ctx, rec, PAIR_MAKE_ALL, ".Y"),
	    ST_OK);
	assert_int_equal(pair.n, 2);
	shell("[ -d old/u/.Y/cur ] && [ -d new/u/.Y/cur ]");
	talloc_free(ctx);
}

/* The second lock is taken by another host: the first is free again. */
static void
second_lock_is_taken(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct answer a = { NULL, ST_OK, NULL, 0 };
	struct pair pair;
	struct err err;

	(void)state;
	one_undecided();
	shell("echo 1:other.host >new/u/dovecot-uidlist.lock");
	a.rec = record();
	assert_int_equal(open_pair(&pair, ctx, a.rec, PAIR_MAKE_NONE, ""),
	    ST_OK);
	assert_int_equal(take(&pair, &a, &err), ST_AGAIN);
	assert_int_equal(a.asked, 0);
	assert_false(pair.locked);
	shell("[ ! -e old/u/dovecot-uidlist.lock ]");
	assert_true(is_undecided());
	pair_release(&pair);
	shell("[ -e new/u/dovecot-uidlist.lock ]");
	talloc_free(ctx);
}

/* While we slept between the locks and the answer others broke one of them. */
static enum status
break_lock(void *arg, const struct record **rec, struct err *err)
{
	shell("echo 1:other.host >x && mv x old/u/dovecot-uidlist.lock");
	return ask(arg, rec, err);
}

static void
lock_is_lost(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct answer a = { NULL, ST_OK, NULL, 0 };
	struct pair_terms terms = { .ask = break_lock, .arg = &a,
	    .now = time(NULL), .keep = 86400, .logs = true };
	struct pair pair;
	struct err err;

	(void)state;
	one_undecided();
	a.rec = record();
	assert_int_equal(open_pair(&pair, ctx, a.rec, PAIR_MAKE_NONE, ""),
	    ST_OK);
	a.pair = &pair;
	assert_int_equal(pair_take(&pair, &terms, &err), ST_AGAIN);
	assert_int_equal(pair.box[0].uids.fd, -1);
	assert_true(is_undecided());
	pair_release(&pair);
	shell("grep -q other old/u/dovecot-uidlist.lock");
	talloc_free(ctx);
}

static enum status
ask_unlocked(void *arg, const struct record **rec, struct err *err)
{
	struct answer *a = arg;

	(void)err;
	assert_false(a->pair->box[0].lock.held);
	*rec = a->rec;
	return ST_OK;
}

/* In procmail's place: no lock where there is no uidlist, no log in any
 * case. */
static void
plain(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct answer a = { NULL, ST_OK, NULL, 0 };
	struct pair_terms terms = { .plain = true, .logs = true,
	    .ask = ask, .arg = &a };
	struct pair pair;
	struct err err;

	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	a.rec = record();
	a.rec->side[NEW].mail = NULL;
	a.pair = &pair;
	assert_int_equal(open_pair(&pair, ctx, a.rec, PAIR_MAKE_ALL, ""),
	    ST_OK);
	assert_int_equal(pair.n, 1);
	assert_int_equal(pair_take(&pair, &terms, &err), ST_OK);
	assert_true(pair.locked && pair.box[0].uids.fd != -1);
	assert_int_equal(pair.box[0].log.fd, -1);
	pair_release(&pair);
	shell("echo 1:other.host >old/u/dovecot-uidlist.lock");
	terms.ask = ask_unlocked;
	assert_int_equal(pair_take(&pair, &terms, &err), ST_OK);
	assert_true(!pair.locked && pair.box[0].uids.fd == -1);
	pair_release(&pair);
	shell("rm old/u/dovecot-uidlist.lock old/u/dovecot-uidlist");
	assert_int_equal(pair_take(&pair, &terms, &err), ST_OK);
	assert_false(pair.locked);
	pair_release(&pair);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_decides),
		cmocka_unit_test(overtaken),
		cmocka_unit_test(sides_that_are_not_there),
		cmocka_unit_test(second_lock_is_taken),
		cmocka_unit_test(lock_is_lost),
		cmocka_unit_test(plain),
	};

	return run_sides("pair", tests, sizeof(tests) / sizeof(tests[0]));
}
