/* SPDX-License-Identifier: ISC */
/*
 * agree_test.c - a mailbox that the leader lacks, and a leader that was wiped
 */
#include "tests/unit/recovery.h"

#include "lda/store/agree.h"
#include "lda/store/validity.h"

/* V and G of a side's folder, as words. */
static char *
head_of(const char *box)
{
	struct uidlist ul;
	struct err err;
	char path[200], *text;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, box);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(uidlist_read(&ul, fd, &err), ST_OK);
	text = talloc_asprintf(conf, "%lu %s", (unsigned long)ul.validity,
	    ul.guid);
	uidlist_close(&ul);
	(void)close(fd);
	return text;
}

static unsigned long
validity_of(const char *box)
{
	return strtoul(head_of(box), NULL, 10);
}

/* In both states with two sides: what a client deletes comes again as another
 * one. */
static void
deleted_folder(void **state)
{
	const char *lead[] = { "old/u/.Sub", "new/u/.Sub" }, *follow;
	unsigned long was;
	char *head;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		follow = lead[1 - i];
		begin(STATE_OVERLAP);
		(void)send_to("", 1);
		(void)send_to(".Sub", 2);
		if (i == 1)
			hand_over(STATE_SETTLE);
		(void)send_to(".Sub", 3);
		head = head_of(lead[i]);
		was = validity_of(lead[i]);
		shell("rm -r %s", lead[i]);
		assert_false(send_to(".Sub", 4));
		assert_true(has(lead[i], "1=4 ") && has(follow, "1=4 "));
		assert_true(validity_of(lead[i]) > was);
		assert_string_not_equal(strchr(head, ' '),
		    strchr(head_of(lead[i]), ' '));
		assert_string_equal(head_of(lead[i]), head_of(follow));
		shell("[ $(ls %s/../tmp/mailferry-aside/*.Sub/new | wc -l) = 2 "
		    "]", follow);
		(void)send_to(".Sub", 5);
		assert_true(has(lead[i], "1=4 2=5 ") &&
		    has(follow, "1=4 2=5 "));
	}
}

/* The client created it again itself: the leader's is what it is. */
static void
recreated_folder(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)send_to(".Sub", 2);
	hand_over(STATE_SETTLE);
	shell("cd new/u/.Sub && rm new/* mailferry-deliveries && "
	    "echo '3 V1900000000 N1 Gffffffffffffffffffffffffffffffff' "
	    ">dovecot-uidlist");
	(void)send_to(".Sub", 3);
	assert_string_equal(head_of("old/u/.Sub"), head_of("new/u/.Sub"));
	assert_int_equal(validity_of("old/u/.Sub"), 1900000000);
	assert_true(has("new/u/.Sub", "1=3 ") && has("old/u/.Sub", "1=3 "));
}

/* Ahead of the clock: by a counter on either side, or by the follower. */
static void
above_all(void **state)
{
	const unsigned long ahead = 4000000000;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("rm new/u/dovecot-uidvalidity*; printf ee6b2801 "
	    ">new/u/dovecot-uidvalidity");
	(void)send_to(".A", 2);
	assert_int_equal(validity_of("old/u/.A"), ahead + 2);
	shell("[ $(cat old/u/dovecot-uidvalidity) = ee6b2802 ] && "
	    "[ -e old/u/dovecot-uidvalidity.ee6b2802 ] && "
	    "[ -e new/u/dovecot-uidvalidity.ee6b2802 ]");
	(void)send_to(".B", 3);
	assert_int_equal(validity_of("old/u/.B"), ahead + 3);
	shell("sed -i '1s/ V[0-9]*/ V4100000000/' new/u/.B/dovecot-uidlist; "
	    "rm -r old/u/.B");
	(void)send_to(".B", 4);
	assert_int_equal(validity_of("old/u/.B"), 4100000001);
	shell("[ $(ls old/u | grep -c 'dovecot-uidvalidity\\.') = 1 ]");
	/* One side alone: a folder that is made twice within a second. */
	step(STATE_OLD);
	(void)send_to(".C", 5);
	shell("rm -r old/u/.C");
	(void)send_to(".C", 6);
	assert_int_equal(validity_of("old/u/.C"), 4100000003);
}

static void
counter_is_elsewhere(void **state)
{
	(void)state;
	conf->control[OLD] = talloc_asprintf(conf, "%s/old/ctl", dir);
	begin(STATE_OVERLAP);
	shell("mkdir old/ctl && printf f0000000 >old/ctl/dovecot-uidvalidity");
	(void)send_to(".A", 1);
	shell("[ -e old/ctl/dovecot-uidvalidity.f0000001 ] && "
	    "[ -e new/u/dovecot-uidvalidity.f0000001 ] && "
	    "! ls old/u/dovecot-uidvalidity*");
	conf->control[OLD] = NULL;
}

/* A client's CREATE before anybody opened the inbox: a log without a record.
 * One with records has shown UIDs. */
static void
log_of_a_header(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	shell("mkdir -p old/u/cur old/u/new old/u/tmp && "
	    "head -c 41 /dev/zero >old/u/dovecot.index.log");
	assert_non_null(strstr(deferred("", 1), "has mail but no"));
	shell("truncate -s 40 old/u/dovecot.index.log");
	(void)send_to("", 1);
	both("1=1 ");
	shell("rm old/u/new/* old/u/dovecot-uidlist; >old/u/dovecot.index");
	assert_non_null(strstr(deferred("", 2), "has mail but no"));
}

/* No client deletes an inbox. */
static void
wiped_inbox(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("rm -r old/u");
	assert_non_null(strstr(deferred("", 2), "was the filer wiped"));
	assert_true(has("new/u", "1=1 "));
	shell("[ ! -e new/u/tmp/mailferry-aside ] && "
	    "[ ! -e old/u/dovecot-uidlist ] && [ -z \"$(ls old/u/new)\" ]");
	/* A login came first, and Dovecot made another one. */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	hand_over(STATE_SETTLE);
	shell("cd new/u && rm new/* mailferry-deliveries && echo "
	    "'3 V1900000000 N1 Gffffffffffffffffffffffffffffffff' "
	    ">dovecot-uidlist");
	assert_non_null(strstr(deferred("", 2), "was the filer wiped"));
	assert_true(has("old/u", "1=1 "));
	/* Without mail on the follower nothing is lost. */
	shell("rm old/u/new/*");
	(void)send_to("", 2);
	both("1=2 ");
	/* A follower that was never served may be anything. */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("sed -i '1s/ V[0-9]*/ V5/' new/u/dovecot-uidlist");
	(void)send_to("", 2);
	assert_true(has("old/u", "1=1 2=2 ") && has("new/u", "2=2 "));
}

/* A folder that is gone is a client's doing, but not together with others on a
 * filer that was made anew; and not in a Maildir that was handed over as it
 * is. */
static void
wiped_folders(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)send_to(".A", 2);
	(void)send_to(".B", 3);
	hand_over(STATE_SETTLE);
	shell("rm -r new/u");
	assert_non_null(strstr(deferred(".A", 4),
	    "younger than the last step"));
	assert_true(has("old/u/.A", "1=2 "));
	shell("rm -r old/u/.B; mkdir new/u/cur");
	assert_false(send_to(".A", 4));		/* one alone */
	assert_true(has("new/u/.A", "1=4 "));

	/* An inbox without mail was handed over, too. */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)send_to(".A", 2);
	(void)send_to(".B", 2);
	hand_over(STATE_SETTLE);
	shell("rm */u/new/*; mv new/u away");
	assert_non_null(strstr(deferred("", 3), "this inbox is new, and"));
	assert_non_null(strstr(deferred(".A", 4), "was the filer wiped"));
	assert_true(has("old/u/.A", "1=2 "));
	shell("rm -r new/u; mv away new/u; rm -r new/u/.A");
	assert_false(send_to("", 3));		/* the folder alone */
	assert_false(send_to(".A", 4));

	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)send_to(".A", 2);
	(void)send_to(".B", 3);
	hand_over(STATE_SETTLE);
	shell("rm -r new/u/.A new/u/.B");
	assert_false(send_to(".A", 4));
	assert_false(send_to(".B", 5));
	assert_true(has("new/u/.A", "1=4 ") && has("new/u/.B", "1=5 "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deleted_folder),
		cmocka_unit_test(recreated_folder),
		cmocka_unit_test(above_all),
		cmocka_unit_test(counter_is_elsewhere),
		cmocka_unit_test(log_of_a_header),
		cmocka_unit_test(wiped_inbox),
		cmocka_unit_test(wiped_folders),
	};

	return run_sides("agree", tests, sizeof(tests) / sizeof(tests[0]));
}
