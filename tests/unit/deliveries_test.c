/* SPDX-License-Identifier: ISC */
/*
 * deliveries_test.c - the delivery log on a real file
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lda/store/deliveries.h"

#define KEEP	(5 * 86400)
#define NOW	1700000000

static char dir[] = "/tmp/mfdlog.XXXXXX";
static int dirfd_;

static struct intent
intent(unsigned n, int64_t at)
{
	struct intent in = { .uid = n, .at = at };

	/* Keys are hashes: spread over the first bytes, too. */
	unsigned h = n * 2654435761u;

	memcpy(in.key, &h, sizeof(h));
	memcpy(in.key + 8, &n, sizeof(n));
	(void)snprintf(in.name, sizeof(in.name), "%u.M1P1.host,S=1,W=1", n);
	return in;
}

static void
fresh(struct deliveries *d)
{
	struct err err;

	(void)unlinkat(dirfd_, DELIVERIES_NAME, 0);
	assert_int_equal(deliveries_make(d, dirfd_, 0600, (gid_t)-1, &err),
	    ST_OK);
}

static void
reopen(struct deliveries *d)
{
	struct err err;

	deliveries_close(d);
	assert_int_equal(deliveries_open(d, dirfd_, &err), ST_OK);
}

static enum outcome
look(const struct deliveries *d, const struct intent *in, const char *name)
{
	enum outcome outcome;
	struct err err;

	assert_int_equal(deliveries_lookup(d, in->key, name, &outcome, &err),
	    ST_OK);
	return outcome;
}

static void
decide(struct deliveries *d, const struct intent *in, enum outcome outcome,
    int64_t now)
{
	struct err err;

	assert_int_equal(deliveries_decide(d, dirfd_, in, outcome, now, KEEP,
	    &err), ST_OK);
}

static void
absent_is_none(void **state)
{
	struct deliveries d;
	struct err err;

	(void)state;
	(void)unlinkat(dirfd_, DELIVERIES_NAME, 0);
	assert_int_equal(deliveries_open(&d, dirfd_, &err), ST_NONE);
	assert_int_equal(d.fd, -1);
}

static void
intent_survives_until_decided(void **state)
{
	struct intent in = intent(1, NOW);
	struct deliveries d;
	struct err err;

	(void)state;
	fresh(&d);
	assert_int_equal(deliveries_intend(&d, &in, &err), ST_OK);
	assert_int_equal(deliveries_sync(&d, &err), ST_OK);
	reopen(&d);
	assert_int_equal(d.slot[0].outcome, OUTCOME_INTENT);
	assert_string_equal(d.slot[0].name, in.name);
	assert_int_equal(d.slot[0].uid, 1);
	assert_int_equal(look(&d, &in, NULL), OUTCOME_UNKNOWN);
	decide(&d, &in, OUTCOME_DONE, NOW);
	reopen(&d);
	assert_int_equal(d.slot[0].outcome, OUTCOME_DONE);
	assert_int_equal(look(&d, &in, NULL), OUTCOME_DONE);
	deliveries_close(&d);
}

static void
undecided_is_never_overwritten(void **state)
{
	struct deliveries d;
	struct intent in;
	struct err err;
	unsigned i;

	(void)state;
	fresh(&d);
	for (i = 0; i < DELIVERIES_SLOTS; i++) {
		in = intent(i, NOW);
		assert_int_equal(deliveries_intend(&d, &in, &err), ST_OK);
	}
	in = intent(99, NOW);
	assert_int_equal(deliveries_intend(&d, &in, &err), ST_AGAIN);
	in = intent(2, NOW);
	decide(&d, &in, OUTCOME_VOID, NOW);
	in = intent(99, NOW);
	assert_int_equal(deliveries_intend(&d, &in, &err), ST_OK);
	reopen(&d);
	assert_int_equal(d.slot[2].uid, 99);
	for (i = 0; i < DELIVERIES_SLOTS; i++)
		assert_int_equal(d.slot[i].outcome, OUTCOME_INTENT);
	deliveries_close(&d);
}

/* The outcome that a slot's reuse relies on must have been synced: not the slot
 * of the delivery right before. */
static void
slots_are_taken_in_turn(void **state)
{
	struct deliveries d;
	struct intent in;
	struct err err;
	unsigned i, j;

	(void)state;
	fresh(&d);
	for (i = 1; i <= 20; i++) {
		in = intent(i, NOW);
		assert_int_equal(deliveries_intend(&d, &in, &err), ST_OK);
		decide(&d, &in, OUTCOME_DONE, NOW);
		reopen(&d);
		for (j = i > 3 ? i - 3 : 1; j <= i; j++)
			assert_int_equal(d.slot[(j - 1) % DELIVERIES_SLOTS].uid,
			    j);
	}
	deliveries_close(&d);
}

static void
void_is_of_one_attempt_done_of_all(void **state)
{
	struct intent a = intent(7, NOW), b = intent(7, NOW);
	struct deliveries d;

	(void)state;
	b.name[0] = 'b';
	fresh(&d);
	decide(&d, &a, OUTCOME_VOID, NOW);
	assert_int_equal(look(&d, &a, a.name), OUTCOME_VOID);
	assert_int_equal(look(&d, &a, b.name), OUTCOME_UNKNOWN);
	decide(&d, &b, OUTCOME_DONE, NOW);
	assert_int_equal(look(&d, &a, NULL), OUTCOME_DONE);
	decide(&d, &b, OUTCOME_VOID, NOW);	/* too late */
	assert_int_equal(look(&d, &a, NULL), OUTCOME_DONE);
	deliveries_close(&d);
}

static void
grows_and_forgets_by_age_only(void **state)
{
	enum { MANY = 20000 };
	struct deliveries d;
	struct intent in;
	struct stat before, after;
	unsigned i;

	(void)state;
	fresh(&d);
	for (i = 0; i < MANY; i++) {
		in = intent(i, NOW);
		decide(&d, &in, OUTCOME_DONE, NOW);
	}
	reopen(&d);
	for (i = 0; i < MANY; i++) {
		in = intent(i, NOW);
		assert_int_equal(look(&d, &in, in.name), OUTCOME_DONE);
	}
	assert_int_equal(fstat(d.fd, &before), 0);
	/* Six days later the same number fits into the same pages. */
	for (i = MANY; i < 2 * MANY; i++) {
		in = intent(i, NOW + 6 * 86400);
		decide(&d, &in, OUTCOME_DONE, NOW + 6 * 86400);
	}
	assert_int_equal(fstat(d.fd, &after), 0);
	assert_true(after.st_size <= 2 * before.st_size);
	for (i = MANY; i < 2 * MANY; i++) {
		in = intent(i, NOW);
		assert_int_equal(look(&d, &in, NULL), OUTCOME_DONE);
	}
	deliveries_close(&d);
}

/* One message that fails for days: its attempts share a page, which must neither
 * overflow nor lose what the page knows of others. */
static void
many_attempts_of_one(void **state)
{
	struct intent in = intent(5, NOW), other = intent(5, NOW);
	struct deliveries d;
	struct stat sb;
	unsigned i;

	(void)state;
	other.key[15] ^= 1;			/* the same page */
	fresh(&d);
	decide(&d, &other, OUTCOME_DONE, NOW);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(in.name, sizeof(in.name), "%u.try,S=1,W=1", i);
		decide(&d, &in, OUTCOME_VOID, NOW);
		assert_int_equal(look(&d, &in, in.name), OUTCOME_VOID);
	}
	decide(&d, &in, OUTCOME_DONE, NOW);
	assert_int_equal(look(&d, &in, NULL), OUTCOME_DONE);
	assert_int_equal(look(&d, &other, NULL), OUTCOME_DONE);
	assert_int_equal(fstat(d.fd, &sb), 0);
	assert_true(sb.st_size <= 64 * 1024);
	deliveries_close(&d);
}

static void
merge_adds(void **state)
{
	struct deliveries d, other;
	struct intent in;
	struct err err;
	unsigned i;
	int sub;

	(void)state;
	assert_int_equal(mkdirat(dirfd_, "other", 0700), 0);
	sub = openat(dirfd_, "other", O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(sub, -1);
	assert_int_equal(deliveries_make(&other, sub, 0600, (gid_t)-1, &err),
	    ST_OK);
	fresh(&d);
	for (i = 0; i < 3000; i++) {
		in = intent(i, NOW);
		decide(&d, &in, OUTCOME_DONE, NOW);
	}
	in = intent(5000, NOW);
	assert_int_equal(deliveries_decide(&other, sub, &in, OUTCOME_DONE, NOW,
	    KEEP, &err), ST_OK);
	assert_int_equal(deliveries_merge(&other, sub, &d, NOW, KEEP, &err),
	    ST_OK);
	assert_int_equal(look(&other, &in, NULL), OUTCOME_DONE);
	for (i = 0; i < 3000; i++) {
		in = intent(i, NOW);
		assert_int_equal(look(&other, &in, NULL), OUTCOME_DONE);
	}
	assert_int_equal(deliveries_lead(&other, 12, &err), ST_OK);
	assert_int_equal(deliveries_lead(&other, 9, &err), ST_OK);
	deliveries_close(&other);
	assert_int_equal(deliveries_open(&other, sub, &err), ST_OK);
	assert_int_equal(other.led, 12);
	deliveries_close(&other);
	deliveries_close(&d);
	(void)unlinkat(sub, DELIVERIES_NAME, 0);
	(void)close(sub);
	(void)unlinkat(dirfd_, "other", AT_REMOVEDIR);
}

/* Any cut or changed byte: refused, or as if it had never been written; what is
 * said of another message stays right. */
static void
damage_is_seen(void **state)
{
	struct intent in = intent(1, NOW), got;
	struct deliveries d;
	enum outcome outcome;
	struct err err;
	unsigned char byte, other;
	enum status st;
	off_t off;
	int fd, i;

	(void)state;
	fresh(&d);
	assert_int_equal(deliveries_intend(&d, &in, &err), ST_OK);
	decide(&d, &in, OUTCOME_DONE, NOW);
	deliveries_close(&d);
	fd = openat(dirfd_, DELIVERIES_NAME, O_RDWR);
	for (off = 0; off < 5 * 4096; off++) {
		assert_int_equal(pread(fd, &byte, 1, off), 1);
		other = byte ^ 0x55;
		assert_int_equal(pwrite(fd, &other, 1, off), 1);
		st = deliveries_open(&d, dirfd_, &err);
		assert_true(st == ST_OK || st == ST_NEVER);
		if (st == ST_OK) {
			for (i = 0; i < DELIVERIES_SLOTS; i++) {
				got = d.slot[i];
				assert_true(got.outcome == OUTCOME_UNKNOWN ||
				    strcmp(got.name, in.name) == 0);
			}
			outcome = look(&d, &in, NULL);
			assert_true(outcome == OUTCOME_DONE ||
			    outcome == OUTCOME_UNKNOWN);
			deliveries_close(&d);
		}
		assert_int_equal(pwrite(fd, &byte, 1, off), 1);
	}
	for (off = 0; off < 4096; off += 100) {
		assert_int_equal(ftruncate(fd, off), 0);
		assert_int_not_equal(deliveries_open(&d, dirfd_, &err), ST_OK);
	}
	(void)close(fd);
}

/* The same outcomes and intents in another file, which a late write misses. */
static void
renewed_log(void **state)
{
	struct intent done = intent(1, NOW), open_ = intent(2, NOW),
	    late = intent(3, NOW);
	struct deliveries old, d;
	struct err err;

	(void)state;
	fresh(&d);
	decide(&d, &done, OUTCOME_DONE, NOW);
	assert_int_equal(deliveries_intend(&d, &open_, &err), ST_OK);
	assert_int_equal(deliveries_lead(&d, 7, &err), ST_OK);
	assert_int_equal(deliveries_open(&old, dirfd_, &err), ST_OK);
	assert_int_equal(deliveries_renew(&d, dirfd_, &err), ST_OK);
	assert_int_equal(deliveries_intend(&old, &late, &err), ST_OK);
	deliveries_close(&old);
	reopen(&d);
	assert_int_equal(d.led, 7);
	assert_int_equal(look(&d, &done, NULL), OUTCOME_DONE);
	assert_int_equal(d.slot[0].outcome, OUTCOME_INTENT);
	assert_string_equal(d.slot[0].name, open_.name);
	assert_int_equal(d.slot[1].outcome, OUTCOME_UNKNOWN);
	deliveries_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_is_none),
		cmocka_unit_test(intent_survives_until_decided),
		cmocka_unit_test(undecided_is_never_overwritten),
		cmocka_unit_test(slots_are_taken_in_turn),
		cmocka_unit_test(void_is_of_one_attempt_done_of_all),
		cmocka_unit_test(grows_and_forgets_by_age_only),
		cmocka_unit_test(many_attempts_of_one),
		cmocka_unit_test(merge_adds),
		cmocka_unit_test(damage_is_seen), cmocka_unit_test(renewed_log),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlinkat(dirfd_, DELIVERIES_NAME, 0);
	(void)unlinkat(dirfd_, DELIVERIES_NAME ".tmp", 0);
	(void)rmdir(dir);
	return rc;
}
