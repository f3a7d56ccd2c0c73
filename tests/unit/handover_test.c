/* SPDX-License-Identifier: ISC */
/*
 * handover_test.c - a change of leader hides no mail, and gives no UID twice
 */
#include "tests/unit/recovery.h"

/* What the comparison names, e.g. "=2 .Sub=1 ", "" the inbox. */
static void
on_lacks(const char *folder, unsigned long n, void *arg)
{
	char *text = arg;

	(void)snprintf(text + strlen(text), 400 - strlen(text), "%s=%lu ",
	    folder, n);
}

static enum status
try(enum side next, bool force, bool only_compare, const char *want,
    struct err *err)
{
	char text[400] = "";
	struct handover ho = { .rec = record(), .conf = conf, .next = next,
	    .force = force, .lacks = on_lacks, .arg = text };
	enum status st = only_compare ? handover_compare(&ho, err) :
	    handover(&ho, err);

	if (strcmp(text, want) != 0)
		fail_msg("lacking: %s, not %s", text, want);
	assert_true((ho.messages == 0) == (*want == '\0'));
	assert_true((ho.mailboxes == 0) == (*want == '\0'));
	return st;
}

/* Compared, and handed over or refused; with the same result. */
static void
lacks(enum side next, const char *want)
{
	struct err err;

	assert_int_equal(try(next, true, true, want, &err), ST_OK);
	assert_int_equal(try(next, false, true, want, &err),
	    *want == '\0' ? ST_OK : ST_NEVER);
	assert_int_equal(try(next, false, false, want, &err),
	    *want == '\0' ? ST_OK : ST_NEVER);
}

/* led and led_next of a mailbox's log. */
static void
log_says(const char *box, uint64_t led, uint32_t led_next)
{
	struct deliveries log;
	struct err err;
	char path[200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, box);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(deliveries_open(&log, fd, &err), ST_OK);
	assert_int_equal(log.led, led);
	assert_int_equal(deliveries_led_next(&log, led), led_next);
	deliveries_close(&log);
	(void)close(fd);
}

static void
seed(void)
{
	shell("rm -rf new/u; cp -a old/u new/u; rm -f new/u/mailferry*");
}

/* Three messages by one side alone, then the follower begins with the
 * fourth. */
static void
unseeded(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	(void)send_to("", 2);
	(void)send_to("", 3);
	step(STATE_OVERLAP);
	lacks(NEW, "=3 ");
	(void)send_to("", 4);
	lacks(NEW, "=3 ");
	assert_int_equal(try(NEW, false, false, "=3 ", &err), ST_NEVER);
	assert_non_null(strstr(err.text, "lacks 3 messages in 1 mailbox that"));
	/* Refused: the logs do not speak of a change of leader. */
	log_says("old/u", 0, 0);
	assert_int_equal(try(NEW, true, false, "=3 ", &err), ST_OK);
	/* Forced: what the leader lacks later proves nothing. */
	log_says("old/u", record()->version + 1, 0);
	log_says("new/u", record()->version + 1, 0);
}

static void
whole(void **state)
{
	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	(void)send_to(".Sub", 2);
	(void)send_to(".Sub", 3);
	seed();
	step(STATE_OVERLAP);
	/* Flags do not count, nor whether it is seen. */
	shell("cd old/u; f=$(ls new); mv new/$f cur/$f:2,FS");
	lacks(NEW, "");
	log_says("old/u", record()->version + 1, 2);
	log_says("old/u/.Sub", record()->version + 1, 3);
	log_says("new/u", record()->version + 1, 0);
}

/* What a client has put there since is caught up; what has gone is not
 * missed. */
static void
caught_up(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	(void)send_to("", 2);
	leave("old/u", 3, 3, "new", LINE, 10);
	shell("set -- old/u/new/*; [ $# = 3 ] && rm \"$2\"");
	lacks(NEW, "");
	shell("ls new/u/new | grep -q Q3R");
	log_says("old/u", record()->version + 1, 4);
}

/* offlineimap, mbsync and mutt leave unread mail under a name with flags in
 * new/. */
static void
flags_in_new(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	leave("old/u", 2, 2, "new", LINE, 10);
	leave("old/u", 3, 3, "new", LINE, 10);
	shell("cd old/u/new; for n in 2 3; do f=$(ls | grep Q${n}R); "
	    "mv $f $f:2,; done; mv $f:2, $f:2,FSa");
	lacks(NEW, "");
	both("1=1 2=2 3=3 ");
	shell("ls new/u/new | grep -q 'Q2R.*:2,$' && "
	    "ls new/u/new | grep -q 'Q3R.*:2,FS$'");
}

/* A client moves messages away and back: the same names under higher UIDs.  The
 * follower has the files, the first with flags. */
static void
moved_and_back(void **state)
{
	const char *lead = "old/u", *follow = "new/u";
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(STATE_OVERLAP);
		(void)send_to("", 0);
		if (i == 1) {		/* the line comes first */
			hand_over(STATE_SETTLE);
			lead = "new/u", follow = "old/u";
		}
		leave(lead, 1, 2, "new", LINE, 10);
		leave(lead, 2, 3, "new", LINE, 10);
		(void)send_to("", 3);
		shell("cd %s; f=$(ls new | grep Q1R); "
		    "mv new/$f cur/$f:2,FT", follow);
		shell("cd %s; f=$(ls new | grep Q1R); mv new/$f cur/$f:2,RS; "
		    "grep '^[23] .*:' dovecot-uidlist >back; "
		    "sed -i '/^[23] .*:/d' dovecot-uidlist; "
		    "sed 's/^2/5/; s/^3/6/' back >>dovecot-uidlist", lead);
		(void)send_to("", 4);
		shell("[ $(ls %s/cur %s/new | grep -c Q[12]R) = 2 ] && "
		    "ls %s/cur | grep -q 'Q1R.*:2,RS$' && "
		    "ls %s/new | grep -q 'Q2R[^:]*$' && "
		    "! grep '^[23] .*:' %s/dovecot-uidlist", follow, follow,
		    follow, follow, follow);
		both("1=0 4=3 5=1 6=2 7=4 ");
		lacks(i == 0 ? NEW : OLD, "");
	}
}

/* One message of each kind is lacking, in folders of their own. */
static void
kinds(void **state)
{
	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	(void)send_to(".File", 2);
	(void)send_to(".Uid", 3);
	(void)send_to(".Name", 4);
	(void)send_to(".Same", 5);
	seed();
	step(STATE_OVERLAP);
	shell("rm new/u/.File/new/*");
	shell("sed -i '2s/^1 /7 /' new/u/.Uid/dovecot-uidlist");
	shell("cd new/u/.Name; mv new/* new/another.x; "
	    "sed -i '2s/:.*/:another.x/' dovecot-uidlist");
	/* A file that has no line, as dovecot-lda leaves it. */
	shell("cp old/u/.Same/new/* old/u/.Same/new/1700000009.x");
	/* A mailbox that is not there at all, and an empty one. */
	shell("cp -a old/u/.Same old/u/.Absent; mkdir old/u/.Empty; "
	    "mkdir old/u/.Empty/cur old/u/.Empty/new old/u/.Empty/tmp");
	lacks(NEW, ".Absent=2 .File=1 .Name=1 .Same=1 .Uid=1 ");
	shell("[ -d new/u/.Empty/cur ]");
	shell("cp old/u/.Same/new/1700000009.x new/u/.Same/new/; rm -r "
	    "old/u/.Absent old/u/.Uid new/u/.Absent; "
	    "cp -p old/u/.File/new/* new/u/.File/new/");
	lacks(NEW, ".Name=1 ");
}

/* UIDVALIDITY or GUID differ: none of it is the leader's mail. */
static void
another_mailbox(void **state)
{
	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	(void)send_to("", 2);
	seed();
	step(STATE_OVERLAP);
	shell("sed -i '1s/ G[0-9a-f]*/ G00000000000000000000000000000000/' "
	    "new/u/dovecot-uidlist");
	lacks(NEW, "=2 ");
	shell("[ ! -e new/u/tmp/mailferry-aside ]");	/* nor was it touched */
	shell("rm new/u/dovecot-uidlist");
	lacks(NEW, "=2 ");
}

/* A base name twice in the uidlist, as concurrent COPYs leave it: the later
 * line counts, on both sides. */
static void
name_twice(void **state)
{
	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	shell("cd old/u; echo \"5 :$(ls new)\" >>dovecot-uidlist");
	seed();
	step(STATE_OVERLAP);
	lacks(NEW, "");
	shell("sed -i '$d' new/u/dovecot-uidlist; echo '5 :other' "
	    ">>new/u/dovecot-uidlist");
	lacks(NEW, "=1 ");
}

/* Of many mailboxes, which several children visit. */
static void
by_name(void **state)
{
	char want[400] = "";
	int i;

	(void)state;
	begin(STATE_OLD);
	(void)send_to(".F10", 1);
	step(STATE_OVERLAP);
	for (i = 10; i < 40; i++) {
		shell("[ -d old/u/.F%d ] || cp -a old/u/.F10 old/u/.F%d", i, i);
		(void)snprintf(want + strlen(want), sizeof(want) -
		    strlen(want), ".F%d=1 ", i);
	}
	lacks(NEW, want);
}

/* A name of the user's choice is reported as it is. */
static void
odd_names(void **state)
{
	(void)state;
	begin(STATE_OLD);
	(void)send_to("", 1);
	seed();
	step(STATE_OVERLAP);
	shell("mkdir -p \"$(printf 'old/u/.a\\nb\\\\n')/cur\"; "
	    "echo mail >\"$(printf 'old/u/.a\\nb\\\\n')/cur/1.x:2,\"");
	lacks(NEW, ".a\nb\\n=1 ");
}

/* A record from before: its floor is above both. */
static void
old_floors(void **state)
{
	struct record *rec;
	struct handover ho = { .conf = conf, .next = NEW };
	struct uidlist ul;
	struct floor f = { .next = 5000 };
	struct err err;
	int fd;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	rec = record();
	fd = open(talloc_asprintf(rec, "%s/old/u", dir),
	    O_RDONLY | O_DIRECTORY);
	assert_int_equal(uidlist_read(&ul, fd, &err), ST_OK);
	memcpy(f.guid, ul.guid, sizeof(f.guid));
	f.validity = ul.validity;
	uidlist_close(&ul);
	(void)close(fd);
	rec->floor = &f;
	rec->nfloor = 1;
	ho.rec = rec;
	assert_int_equal(handover(&ho, &err), ST_OK);
	shell("head -n 1 new/u/dovecot-uidlist | grep -q ' N5000 '");
	assert_int_equal(rec->nfloor, 1);
}

/* A side that was served gets a mailbox: if the hand-over is given up, what is
 * there was put there by a session that outlived its time. */
static void
made_where_served(void **state)
{
	struct record *rec;
	struct handover ho = { .conf = conf, .next = NEW };
	struct deliveries log;
	struct err err;
	int fd;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("cd old/u; mkdir .Sub .Sub/cur .Sub/new .Sub/tmp");
	ho.rec = rec = record();
	rec->led = rec->version;
	assert_int_equal(handover(&ho, &err), ST_OK);
	fd = open(talloc_asprintf(rec, "%s/new/u/.Sub", dir),
	    O_RDONLY | O_DIRECTORY);
	assert_int_equal(deliveries_open(&log, fd, &err), ST_OK);
	assert_int_equal(deliveries_led_next(&log, rec->led), 1);
	deliveries_close(&log);
	(void)close(fd);
}

/* Forth and back: what each side says of itself is of the last time. */
static void
both_ways(void **state)
{
	struct err err;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	lacks(NEW, "");
	log_says("old/u", record()->version + 1, 2);
	/* The same hand-over again, as the step is repeated: nothing
	 * changes. */
	lacks(NEW, "");
	log_says("old/u", record()->version + 1, 2);
	assert_int_equal(try(NEW, true, false, "", &err), ST_OK);
	log_says("old/u", record()->version + 1, 2);
	/* It failed behind the mailbox, and a message has gone since: what is
	 * forced now proves nothing. */
	shell("rm new/u/new/*");
	assert_int_equal(try(NEW, true, false, "=1 ", &err), ST_OK);
	log_says("old/u", record()->version + 1, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(unseeded), cmocka_unit_test(whole),
		cmocka_unit_test(caught_up), cmocka_unit_test(flags_in_new),
		cmocka_unit_test(moved_and_back),
		cmocka_unit_test(kinds),
		cmocka_unit_test(another_mailbox), cmocka_unit_test(name_twice),
		cmocka_unit_test(by_name), cmocka_unit_test(odd_names),
		cmocka_unit_test(old_floors),
		cmocka_unit_test(made_where_served),
		cmocka_unit_test(both_ways),
	};

	return run_sides("handover", tests, sizeof(tests) / sizeof(tests[0]));
}
