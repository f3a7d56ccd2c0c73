/* SPDX-License-Identifier: ISC */
/*
 * recovery_test.c - what a delivery finds when another one ended half-way
 */
#include "tests/unit/recovery.h"

/* What was delivered while one side alone was written is caught up in order,
 * also where the last of it was never said to be done. */
static void
completing_skips_nothing(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	step(STATE_OLD);
	(void)send_to("", 2);
	leave("old/u", 3, 3, "new", LINE | INTENT, 10);
	step(STATE_OVERLAP);
	assert_true(send_to("", 3));
	(void)send_to("", 4);
	both("1=1 2=2 3=3 4=4 ");
}

/* The follower's log alone knows of a delivery: new/ of the leader says that it
 * landed, where the message is there. */
static void
leaders_log_is_lost(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	leave("old/u", 2, 2, "new", LINE, 10);
	leave("new/u", 2, 2, "new", LINE | INTENT, 10);
	shell("rm old/u/mailferry-deliveries");
	assert_true(send_to("", 2));
	both("1=1 2=2 ");
}

/* A client of the leader gets the UID `uid` for what he APPENDs. */
static void
client_appends(const char *box, uint32_t uid)
{
	shell("echo appended >'%s/cur/1700000001.M%u.client,S=9,W=10:2,S' && "
	      "echo '%u :1700000001.M%u.client,S=9,W=10' >>%s/dovecot-uidlist",
	    box, uid, uid, uid, box);
}

/*
 * The power went when the line was on the follower's disk alone: what a client
 * was given that UID for comes to the follower nevertheless.
 */
static void
line_on_one_disk(void **state)
{
	int left;

	(void)state;
	for (left = LINE; left <= (LINE | INTENT); left += INTENT) {
		begin(STATE_OVERLAP);
		(void)send_to("", 1);
		leave("new/u", 2, 2, "tmp", left, 10);
		client_appends("old/u", 2);
		(void)send_to("", 3);
		both("1=1 2=a 3=3 ");
		/* ... and where no client came in between. */
		leave("new/u", 4, 4, "tmp", left, 10);
		(void)send_to("", 5);
		both("1=1 2=a 3=3 4=5 ");
		leave("new/u", 6, 5, "tmp", left, 10);
		client_appends("old/u", 5);
		client_appends("old/u", 6);
		(void)send_to("", 7);
		both("1=1 2=a 3=3 4=5 5=a 6=a 7=7 ");
	}
}

/* A leader's uidlist from a backup: it would give UIDs again. */
static void
leader_is_older(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("cp old/u/dovecot-uidlist kept");
	(void)send_to("", 2);
	shell("cp kept old/u/dovecot-uidlist");
	assert_non_null(strstr(deferred("", 3), "was an old state of it"));
	assert_true(has("new/u", "1=1 2=2 "));
	assert_true(has("old/u", "-=2 1=1 "));
}

/* So old that tmp/ may have been swept: delivered again only where the message
 * is not to be seen. */
static void
old_intent(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	leave("old/u", 2, 2, "new", LINE | INTENT, 31 * 3600);
	leave("new/u", 2, 2, "new", LINE | INTENT, 31 * 3600);
	(void)send_to("", 3);
	both("1=1 2=2 3=3 ");
	leave("old/u", 4, 4, NULL, LINE | INTENT, 31 * 3600);
	leave("new/u", 4, 4, "new", LINE | INTENT, 31 * 3600);
	assert_false(send_to("", 4));
	both("1=1 2=2 3=3 5=4 ");
}

/* A folder that the client deleted on the leader: a message that had got as
 * far as the follower is not known, but delivered, into a new folder. */
static void
folder_gone_on_the_leader(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to(".Sub", 1);
	leave("new/u/.Sub", 2, 2, "new", LINE | INTENT, 10);
	shell("rm -r old/u/.Sub");
	assert_int_equal(visit_barrier(record(), conf, &err), ST_OK);
	assert_false(send_to(".Sub", 2));
	assert_true(has("old/u/.Sub", "1=2 "));
	assert_true(has("new/u/.Sub", "1=2 "));
	shell("ls new/u/tmp/mailferry-aside/*.Sub/new | grep -q .");
}

static void
lead_since(const char *box, uint64_t version)
{
	struct deliveries log;
	struct err err;
	int fd = open(box, O_RDONLY | O_DIRECTORY);

	assert_int_equal(deliveries_open(&log, fd, &err), ST_OK);
	assert_int_equal(deliveries_lead(&log, version, &err), ST_OK);
	deliveries_close(&log);
	(void)close(fd);
}

/*
 * Another admin was quicker: new leads by now, and an LDA died when the line
 * was on new only.  By the former leader's word that line, which a client may
 * have seen, would go with its UID.
 */
static void
barrier_is_late(void **state)
{
	struct record *rec;
	struct err err;
	char path[200];

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	rec = record();
	leave("new/u", 2, 2, "tmp", LINE | INTENT, 10);
	leave("old/u", 2, 2, "tmp", INTENT, 10);
	(void)snprintf(path, sizeof(path), "%s/old/u", dir);
	lead_since(path, 9);
	(void)snprintf(path, sizeof(path), "%s/new/u", dir);
	lead_since(path, 9);
	assert_int_equal(visit_barrier(rec, conf, &err), ST_OK);
	assert_int_equal(hand_to(rec, NEW, false, &err), ST_AGAIN);
	shell("grep -q '^2 :' new/u/dovecot-uidlist && "
	    "[ -n \"$(ls new/u/tmp)\" ]");

	/*
	 * That the change is only being made no log says yet, but the map does.
	 */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	rec = record();
	step(STATE_OLD);
	step(STATE_OVERLAP);
	assert_int_equal(hand_to(rec, NEW, true, &err), ST_AGAIN);
	assert_non_null(strstr(err.text, "somebody else changed"));
	assert_int_equal(hand_to(record(), NEW, true, &err), ST_OK);
}

/* A client's COPY has its GUID in the leader's line, a POP3 client its UIDL. */
static void
keys_are_caught_up(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	leave("old/u", 2, 2, "new", 0, 0);
	shell("echo \"2 G17.M1.host P1a:b/c S9 :$(ls old/u/new | grep Q2R)\" >>"
	    "old/u/dovecot-uidlist");
	(void)send_to("", 3);
	both("1=1 2=2 3=3 ");
	shell("cmp old/u/dovecot-uidlist new/u/dovecot-uidlist");
}

/* What a crash left of it: blocks of zeros. */
static void
subscriptions_of_zeros(void **state)
{
	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	shell("head -c 4096 /dev/zero >old/u/subscriptions");
	(void)send_to(".Sub", 2);
	shell("printf 'V\\t2\\n\\nSub\\n' | cmp - old/u/subscriptions");
}

/* Asleep for so long, between the first lock and the second, that the first is
 * another's: what he is about to write is not a torn line to be cut off. */
static void
first_lock_is_lost(void **state)
{
	struct err err;
	struct record *rec;
	struct delivery dv = { .ctx = conf, .conf = conf, .user = "u",
	    .recipient = "u@x.test", .folder = "", .uids = true };
	pid_t pid;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("echo 1:other.host >new/u/dovecot-uidlist.lock");
	pid = fork();
	if (pid == 0)
		_exit(!holds("n=0; until [ -e old/u/dovecot-uidlist.lock ] || "
		    "[ $n -gt 500 ]; do sleep 0.01; n=$((n + 1)); done; "
		    "echo 1:other.host >other && mv other "
		    "old/u/dovecot-uidlist.lock && printf '2 :half' >>"
		    "old/u/dovecot-uidlist && rm new/u/dovecot-uidlist.lock"));
	rec = record();
	dv.map = open_map();
	dv.until = clock_ms() + 30000;
	assert_int_equal(deliver(&dv, rec, message(conf, 2), &err), ST_AGAIN);
	(void)alarm(0);
	talloc_free(dv.map);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	shell("tail -c 7 old/u/dovecot-uidlist | grep -qx '2 :half' && "
	    "grep -q other old/u/dovecot-uidlist.lock");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completing_skips_nothing),
		cmocka_unit_test(leaders_log_is_lost),
		cmocka_unit_test(old_intent),
		cmocka_unit_test(line_on_one_disk),
		cmocka_unit_test(leader_is_older),
		cmocka_unit_test(folder_gone_on_the_leader),
		cmocka_unit_test(subscriptions_of_zeros),
		cmocka_unit_test(first_lock_is_lost),
		cmocka_unit_test(barrier_is_late),
		cmocka_unit_test(keys_are_caught_up),
	};

	return run_sides("recovery", tests, sizeof(tests) / sizeof(tests[0]));
}
