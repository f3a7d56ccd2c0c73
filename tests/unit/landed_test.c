/* SPDX-License-Identifier: ISC */
/*
 * landed_test.c - deliveries that give their locks back before new/ is synced
 */
#include <signal.h>
#include <sys/prctl.h>

#include "tests/unit/recovery.h"

#include "lda/store/waiters.h"

/* Slots of a side's log that are free. */
static int
room(const char *side)
{
	struct deliveries log;
	struct err err;
	char path[200];
	int fd, n;

	(void)snprintf(path, sizeof(path), "%s/%s/u", dir, side);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(deliveries_open(&log, fd, &err), ST_OK);
	n = deliveries_room(&log);
	deliveries_close(&log);
	(void)close(fd);
	return n;
}

/* Both sides of a delivery that gave its locks back before new/ was synced. */
static void
landed(int n, uint32_t uid, const char *lead, const char *follow)
{
	leave("new/u", n, uid, follow, LINE | INTENT | LANDED, 10);
	leave("old/u", n, uid, lead, LINE | INTENT | LANDED, 10);
}

static void
all_is_settled(void)
{
	assert_int_equal(room("old"), DELIVERIES_SLOTS);
	assert_int_equal(room("new"), DELIVERIES_SLOTS);
}

/* Killed before it could say that it is done, it is known when it comes again;
 * and the next delivery says it for all. */
static void
landed_and_killed(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	landed(2, 2, "new", "new");
	assert_true(send_to("", 2));
	both("1=1 2=2 ");
	all_is_settled();
	landed(3, 3, "new", "new");
	landed(4, 4, "new", "new");
	assert_int_equal(room("old"), DELIVERIES_SLOTS - 2);
	(void)send_to("", 5);
	all_is_settled();
	assert_true(send_to("", 3));
	assert_true(send_to("", 4));
	both("1=1 2=2 3=3 4=4 5=5 ");
	landed(6, 6, "new", "new"); /* the client was faster than any of us */
	shell("rm old/u/new/*Q6R0bad*");
	assert_true(send_to("", 6));
	assert_true(has("old/u", "1=1 2=2 3=3 4=4 5=5 "));
	step(STATE_OLD);
	assert_int_equal(room("old"), DELIVERIES_SLOTS);
}

/* The power went before new/ was synced, on one filer or both: the message
 * comes again, or another one does, or the leader changes. */
static void
landed_for_nothing(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	landed(2, 2, "tmp", "new");
	assert_false(send_to("", 2));
	both("1=1 3=2 ");
	landed(4, 4, "tmp", "new");
	(void)send_to("", 5);
	both("1=1 3=2 5=5 ");
	all_is_settled();
	assert_false(send_to("", 4));
	landed(7, 7, "new", "tmp");
	(void)send_to("", 8);
	both("1=1 3=2 5=5 6=4 7=7 8=8 ");
	landed(9, 9, "tmp", "tmp");
	(void)send_to("", 10);
	both("1=1 3=2 5=5 6=4 7=7 8=8 10=10 ");
	all_is_settled();
	landed(11, 11, "tmp", "new");
	landed(12, 12, "new", "tmp");
	step(STATE_OLD);
	all_is_settled();
	assert_true(holds("! ls old/u/new new/u/new | grep Q11R0bad"));
	both("1=1 3=2 5=5 6=4 7=7 8=8 10=10 12=12 ");
}

/* ... and who was about to call it void died behind his fence; or the leader's
 * log is lost, and only the follower's says it. */
static void
landed_and_fenced(void **state)
{
	int i;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	landed(2, 2, "tmp", "new");
	shell("cd old/u/tmp && for f in *Q2R0bad*; do mv $f $f.void; done");
	(void)send_to("", 3);
	assert_false(send_to("", 2));
	both("1=1 3=3 4=2 ");
	for (i = 5; i < 10; i++)
		landed(i, (uint32_t)i, "new", "new");
	shell("rm old/u/mailferry-deliveries");
	(void)send_to("", 10);
	all_is_settled();
	assert_true(send_to("", 7));
	both("1=1 3=3 4=2 5=5 6=6 7=7 8=8 9=9 10=10 ");
}

/* While somebody waits for its lock a delivery gives it back early: as often as
 * the log has room. */
static void
landed_and_awaited(void **state)
{
	int i, fd, early = 0, least = DELIVERIES_SLOTS;
	char want[600] = "1=1 ", path[200];
	pid_t pid;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)snprintf(path, sizeof(path), "%s/old/u", dir);
	pid = fork();
	if (pid == 0)
		for (prctl(PR_SET_PDEATHSIG, SIGKILL);;) {
			fd = open(path, O_RDONLY | O_DIRECTORY);
			i = waiters_open(fd, MAILBOX_QUEUE, 0600, (gid_t)-1);
			(void)waiters_enter(i, 3600000000);
			(void)close(i);
			(void)close(fd);
		}
	for (i = 2; i < 40; i++) {
		assert_false(send_to("", i));
		early += room("old") < DELIVERIES_SLOTS;
		assert_int_equal(room("old"), room("new"));
		least = room("old") < least ? room("old") : least;
		(void)snprintf(want + strlen(want), 30, "%d=%d ", i, i);
		assert_true(i % 5 != 0 || send_to("", i));
	}
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(early > 0 && least > 1);
	(void)send_to("", 99);
	(void)snprintf(want + strlen(want), 30, "%d=%d ", i, 99);
	all_is_settled();
	both(want);
	for (i = 1; i < 40; i++)
		assert_true(send_to("", i));
	both(want);
}

/* A log full of them: the next one has the room that it needs. */
static void
landed_by_many(void **state)
{
	int i;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	for (i = 2; i < 2 + DELIVERIES_SLOTS - 1; i++)
		landed(i, (uint32_t)i, "new", "new");
	assert_int_equal(room("old"), 1);
	(void)send_to("", 9);
	all_is_settled();
	both("1=1 2=2 3=3 4=4 5=5 6=6 7=7 8=9 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(landed_and_killed),
		cmocka_unit_test(landed_for_nothing),
		cmocka_unit_test(landed_and_fenced),
		cmocka_unit_test(landed_and_awaited),
		cmocka_unit_test(landed_by_many),
	};

	return run_sides("landed", tests, sizeof(tests) / sizeof(tests[0]));
}
