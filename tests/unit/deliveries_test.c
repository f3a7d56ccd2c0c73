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

/* One message that fails for days: its attempts share a page, which must
 * neither overflow nor lose what the page knows of others. */
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

/* A log in a directory of its own. */
static int
make_other(struct deliveries *other)
{
	struct err err;
	int sub;

	assert_int_equal(mkdirat(dirfd_, "other", 0700), 0);
	sub = openat(dirfd_, "other", O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(sub, -1);
	assert_int_equal(deliveries_make(other, sub, 0600, (gid_t)-1, &err),
	    ST_OK);
	return sub;
}

static void
remove_other(struct deliveries *other, int sub)
{
	deliveries_close(other);
	(void)unlinkat(sub, DELIVERIES_NAME, 0);
	(void)close(sub);
	(void)unlinkat(dirfd_, "other", AT_REMOVEDIR);
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
	sub = make_other(&other);
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
	remove_other(&other, sub);
	deliveries_close(&d);
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
	assert_int_equal(deliveries_stop_leading(&d, 5, 124, &err), ST_OK);
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
			assert_int_equal(d.led, 5);
			assert_true(d.led_next == 124 || d.led_next == 0);
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

/* The headers as mailferry-map(5) has them, made by another program. */
static const unsigned char head1[28] = "mfdlog1\n\4\0\0\0\0\0\0\0"
    "\7\0\0\0\0\0\0\0" "\x5e\x70\x14\xe3";
static const unsigned char head2[44] = "mfdlog2\n\4\0\0\0\0\0\0\0"
    "\11\0\0\0\0\0\0\0" "\x0e\xbf\x18\x1c"
    "\11\0\0\0\0\0\0\0\174\0\0\0" "\xda\xe3\x95\xc7";

static void
put_head(const void *head, size_t len)
{
	int fd = openat(dirfd_, DELIVERIES_NAME, O_WRONLY);

	assert_int_equal(pwrite(fd, head, len, 0), (ssize_t)len);
	(void)close(fd);
}

static void
is_head(const void *want, size_t len)
{
	unsigned char head[64], rest[64] = { 0 };
	int fd = openat(dirfd_, DELIVERIES_NAME, O_RDONLY);

	assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
	(void)close(fd);
	assert_memory_equal(head, want, len);
	assert_memory_equal(head + len, rest, sizeof(head) - len);
}

/* A log without led_next is what older programs read and write. */
static void
led_next_has_another_magic(void **state)
{
	struct deliveries d;
	struct err err;

	(void)state;
	fresh(&d);
	put_head(head1, sizeof(head1));
	reopen(&d);
	assert_int_equal(d.led, 7);
	assert_int_equal(deliveries_led_next(&d, 7), 0);
	assert_int_equal(deliveries_led_next(&d, 0), 0);
	assert_int_equal(deliveries_lead(&d, 7, &err), ST_OK);
	is_head(head1, sizeof(head1));
	assert_int_equal(deliveries_stop_leading(&d, 9, 124, &err), ST_OK);
	is_head(head2, sizeof(head2));
	reopen(&d);
	assert_int_equal(d.led, 9);
	assert_int_equal(deliveries_led_next(&d, 9), 124);
	deliveries_close(&d);
}

/* An older program says that it is damaged; this one knows better. */
static void
later_log_is_refused(void **state)
{
	struct deliveries d;
	struct err err;

	(void)state;
	fresh(&d);
	deliveries_close(&d);
	put_head("mfdlog3\n", 8);
	assert_int_equal(deliveries_open(&d, dirfd_, &err), ST_NEVER);
	assert_non_null(strstr(err.text, "upgrade"));
	assert_int_equal(d.fd, -1);
}

/* It is of one change of leader, and of no other. */
static void
led_next_is_of_one_hand_over(void **state)
{
	static const struct {
		uint64_t stop, lead;	/* versions; 0: not called */
		uint32_t next;		/* with stop */
		uint64_t led;		/* the log's afterwards */
		uint64_t at;		/* a record's led */
		uint32_t want;
	} step[] = {
		{ 5, 0, 100, 5, 5, 100 },
		{ 5, 0, 101, 5, 5, 101 },	/* the same hand-over, again */
		{ 4, 0, 90, 5, 4, 0 },		/* an earlier one, late */
		{ 0, 9, 0, 9, 5, 101 },		/* one begun and given up */
		{ 0, 0, 0, 9, 9, 0 },
		{ 5, 0, 1, 9, 5, 1 },		/* its mailbox made anew */
		{ 13, 0, 300, 13, 13, 300 },
		{ 0, 21, 0, 21, 21, 0 },	/* without this side */
	};
	struct deliveries d;
	struct err err;
	size_t i;

	(void)state;
	fresh(&d);
	for (i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		if (step[i].stop != 0)
			assert_int_equal(deliveries_stop_leading(&d,
			    step[i].stop, step[i].next, &err), ST_OK);
		if (step[i].lead != 0)
			assert_int_equal(deliveries_lead(&d, step[i].lead,
			    &err), ST_OK);
		reopen(&d);
		assert_int_equal(d.led, step[i].led);
		assert_int_equal(deliveries_led_next(&d, step[i].at),
		    step[i].want);
	}
	deliveries_close(&d);
}

/* Nor do deliveries change it, however many; and it is of this side alone. */
static void
led_next_stays(void **state)
{
	struct deliveries d, other;
	struct intent in;
	struct err err;
	struct stat sb;
	unsigned i;
	int sub;

	(void)state;
	fresh(&d);
	assert_int_equal(deliveries_stop_leading(&d, 5, 124, &err), ST_OK);
	for (i = 0; i < 2000; i++) {
		in = intent(i, NOW);
		assert_int_equal(deliveries_intend(&d, &in, &err), ST_OK);
		decide(&d, &in, OUTCOME_DONE, NOW);
	}
	reopen(&d);
	assert_int_equal(fstat(d.fd, &sb), 0);
	assert_true(sb.st_size > 5 * 4096);
	assert_int_equal(deliveries_led_next(&d, 5), 124);
	assert_int_equal(deliveries_renew(&d, dirfd_, &err), ST_OK);
	reopen(&d);
	assert_int_equal(deliveries_led_next(&d, 5), 124);
	sub = make_other(&other);
	assert_int_equal(deliveries_merge(&other, sub, &d, NOW, KEEP, &err),
	    ST_OK);
	assert_int_equal(deliveries_led_next(&other, 5), 0);
	assert_int_equal(deliveries_stop_leading(&other, 5, 77, &err), ST_OK);
	assert_int_equal(deliveries_merge(&d, dirfd_, &other, NOW, KEEP, &err),
	    ST_OK);
	assert_int_equal(deliveries_led_next(&d, 5), 124);
	remove_other(&other, sub);
	deliveries_close(&d);
}

/* Power lost while the sector was written, after any number of bytes: the log
 * is as before, as after, without led_next, or refused; it never says another
 * UID. */
static void
led_next_written_in_part(void **state)
{
	struct deliveries d;
	struct err err;
	enum status st;
	unsigned char before[sizeof(head2)] = { 0 };
	uint32_t next;
	size_t cut;

	(void)state;
	fresh(&d);
	deliveries_close(&d);
	memcpy(before, head1, sizeof(head1));
	for (cut = 0; cut <= sizeof(head2); cut++) {
		put_head(before, sizeof(before));
		put_head(head2, cut);
		st = deliveries_open(&d, dirfd_, &err);
		if (st != ST_OK) {
			assert_int_equal(st, ST_NEVER);
			assert_true(cut > 6 && cut < sizeof(head1));
			continue;
		}
		next = deliveries_led_next(&d, 9);
		assert_int_equal(next, cut == sizeof(head2) ? 124 : 0);
		deliveries_close(&d);
	}
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
		cmocka_unit_test(led_next_has_another_magic),
		cmocka_unit_test(later_log_is_refused),
		cmocka_unit_test(led_next_is_of_one_hand_over),
		cmocka_unit_test(led_next_stays),
		cmocka_unit_test(led_next_written_in_part),
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
