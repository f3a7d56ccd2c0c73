/*
 * recovery_test.c - what a delivery finds when another one ended half-way
 *
 * The states that a crash, a lost log or a change of state leaves behind are made
 * by hand here: what is in tmp/, the uidlists and the logs of each side.
 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lda/store/barrier.h"
#include "lda/store/line.h"
#include "lda/store/mailbox.h"
#include "lda/transaction.h"
#include "maps/base/clock.h"
#include "maps/transition.h"

static char dir[] = "/tmp/mfrecover.XXXXXX";
static struct conf *conf;

/* Runs in the test's directory; true: it ended with status 0. */
static bool PRINTF(1, 2)
holds(const char *fmt, ...)
{
	char cmd[900];
	va_list ap;
	pid_t pid;
	int status;

	va_start(ap, fmt);
	(void)vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	pid = fork();
	if (pid == 0) {
		if (chdir(dir) == 0)
			(void)execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

#define shell(...) assert_true(holds(__VA_ARGS__))

static struct map *
open_map(void)
{
	struct map *map = NULL;
	struct err err;

	if (map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &map, &err) != ST_OK)
		fail_msg("%s", err.text);
	return map;
}

static const struct change_by by = { "t", 0, "" };

static void
begin(enum state state)
{
	static const char *no_address[] = { NULL };
	struct record rec = { .user = "u", .uid = -1, .state = state,
	    .version = 1, .address = no_address, .by = "", .why = "",
	    .unknown = "" };
	struct map *map;
	struct err err;

	shell("rm -rf old new map; mkdir -m 700 old new map");
	map = open_map();
	if (map_replace(map, NULL, &rec, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(map);
}

static struct record *
record_of(struct map *map)
{
	struct record *rec = NULL;
	struct err err;

	if (map_get(map, conf, "u", NULL, time(NULL), &rec, &err) != ST_OK)
		fail_msg("%s", err.text);
	return rec;
}

static struct record *
record(void)
{
	struct map *map = open_map();
	struct record *rec = record_of(map);

	talloc_free(map);
	return rec;
}

/* A step, and its barrier, as the command does it. */
static void
step(enum state to)
{
	struct record *was = record(), *is = NULL;
	struct map *map;
	struct floor *floors;
	struct err err;
	size_t n;

	if (transition_step(conf, was, to, 0, 0, 0, &is, &err) != ST_OK)
		fail_msg("%s", err.text);
	map = open_map();
	if (map_replace(map, was, is, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
	talloc_free(map);
	if (barrier(conf, record(), conf, SIDE_NONE, NULL, &floors, &n,
	    &err) != ST_OK)
		fail_msg("%s", err.text);
}

static char *
mail(int n)
{
	return talloc_asprintf(conf, "Received: by mx.x.test (Postfix)\n"
	    "\tid 4XYZ%06d; Mon\nSubject: %d\n\nbody %d\n", n, n, n);
}

static struct message *
message(TALLOC_CTX *ctx, int n)
{
	struct envelope env = { .sender = "s@x.test" };
	struct message *msg = NULL;
	FILE *in = tmpfile();
	struct err err;

	assert_non_null(in);
	(void)fputs(mail(n), in);
	(void)fflush(in);
	(void)lseek(fileno(in), 0, SEEK_SET);
	if (message_begin(ctx, &env, fileno(in), &msg, &err) != ST_OK)
		fail_msg("%s", err.text);
	(void)fclose(in);		/* it is whole */
	return msg;
}

/* Deliver message n; true: it was known. */
static bool
send_to(const char *folder, int n)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct record *rec = record();
	struct delivery dv = { .ctx = ctx, .map = open_map(), .conf = conf,
	    .user = "u", .recipient = "u@x.test", .folder = folder,
	    .uids = true, .until = clock_ms() + 100000 };
	struct err err;
	bool known;

	if (deliver(&dv, rec, message(ctx, n), &err) != ST_OK)
		fail_msg("%s", err.text);
	(void)alarm(0);
	known = dv.known;
	talloc_free(dv.map);
	talloc_free(ctx);
	return known;
}

enum left { LINE = 1, INTENT = 2, LANDED = 4 };

/*
 * What is left of a delivery of message n to BOX ("old/u"): its line, its intent,
 * `seconds` old, its file in `where` ("tmp", "new" or NULL: nowhere).
 */
static void
leave(const char *box, int n, uint32_t uid, const char *where, int left,
    long seconds)
{
	size_t size = strlen(mail(n));
	struct intent in = { .uid = uid, .at = time(NULL) - seconds };
	const char *folder = strstr(box, "/.");
	struct deliveries log;
	struct err err;
	char path[200], tmp[64];
	int fd;

	(void)snprintf(tmp, sizeof(tmp), "1700000000.M1P1Q%dR0badcafe.host", n);
	(void)snprintf(in.name, sizeof(in.name), "%s,S=%zu,W=%zu", tmp, size,
	    size + 5);
	message_key(message(conf, n), "u@x.test", folder == NULL ? "INBOX" :
	    folder + 2, 0, in.key);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, box);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(fd, -1);
	if (left & INTENT) {
		assert_int_equal(deliveries_open(&log, fd, &err), ST_OK);
		assert_int_equal(deliveries_intend(&log, &in, &err), ST_OK);
		if (left & LANDED)
			assert_int_equal(deliveries_landed(&log, &in, &err), ST_OK);
		deliveries_close(&log);
	}
	(void)close(fd);
	if (left & LINE)
		shell("echo '%u :%s' >>%s/dovecot-uidlist", uid, in.name, box);
	if (where != NULL)
		shell("printf '%%s' '%s' >'%s/%s/%s'", mail(n), box, where,
		    strcmp(where, "tmp") == 0 ? tmp : in.name);
}

/* The Subjects of a mailbox, by UID: "1=1 2=7 ", `-` where there is no line. */
static bool
has(const char *box, const char *want)
{
	return holds("top=$PWD; cd %s && for f in new/* cur/*; do [ -f \"$f\" ] || continue; "
	    "b=${f#*/}; b=${b%%%%:*}; u=$(grep -F \" :$b\" dovecot-uidlist | "
	    "cut -d' ' -f1 | tail -n 1); echo \"${u:--}=$(sed -n 's/Subject: //p; "
	    "s/^appended/a/p' \"$f\" | head -n 1)\"; done | sort -n | tr '\\n' ' ' "
	    ">$top/got; [ \"$(cat $top/got)\" = '%s' ] || "
	    "{ echo \"# %s: $(cat $top/got)\" >&2; exit 1; }", box, want, box);
}

static void
both(const char *want)
{
	bool old = has("old/u", want), new = has("new/u", want);

	assert_true(old && new);
}

/* What was delivered while one side alone was written is caught up in order, also
 * where the last of it was never said to be done. */
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
	    "echo '%u :1700000001.M%u.client,S=9,W=10' >>%s/dovecot-uidlist", box,
	    uid, uid, uid, box);
}

/* The power went when the line was on the follower's disk alone: what a client was
 * given that UID for comes to the follower nevertheless. */
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

/* A leader's uidlist from a backup: the follower keeps what it has. */
static void
leader_is_older(void **state)
{
	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	shell("cp old/u/dovecot-uidlist kept");
	(void)send_to("", 2);
	shell("cp kept old/u/dovecot-uidlist");
	(void)send_to("", 3);
	assert_true(has("new/u", "1=1 2=2 3=3 "));
	assert_true(has("old/u", "-=2 1=1 3=3 "));
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

/* Killed before it could say that it is done, it is known when it comes again; and the
 * next delivery says it for all. */
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
	landed(6, 6, "new", "new");	/* the client was faster than any of us */
	shell("rm old/u/new/*Q6R*");
	assert_true(send_to("", 6));
	assert_true(has("old/u", "1=1 2=2 3=3 4=4 5=5 "));
	step(STATE_OLD);
	assert_int_equal(room("old"), DELIVERIES_SLOTS);
}

/* The power went before new/ was synced, on one filer or both: the message comes again,
 * or another one does, or the leader changes. */
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
	assert_true(holds("! ls old/u/new new/u/new | grep Q11R"));
	both("1=1 3=2 5=5 6=4 7=7 8=8 10=10 12=12 ");
}

/* ... and who was about to call it void died behind his fence; or the leader's log is
 * lost, and only the follower's says it. */
static void
landed_and_fenced(void **state)
{
	int i;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	landed(2, 2, "tmp", "new");
	shell("cd old/u/tmp && for f in *Q2R*; do mv $f $f.void; done");
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

/* While somebody waits for its lock a delivery gives it back early: as often as the log
 * has room. */
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
			i = line_open(fd, LINE_NAME, 0600, (gid_t)-1);
			(void)line_wait(i, 3600000000);
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

/* A folder that the client deleted on the leader: a message that had got as far as
 * the follower is not known, but delivered. */
static void
folder_gone_on_the_leader(void **state)
{
	struct floor *floors;
	struct err err;
	size_t n;

	(void)state;
	begin(STATE_OVERLAP);
	(void)send_to(".Sub", 1);
	leave("new/u/.Sub", 2, 2, "new", LINE | INTENT, 10);
	shell("rm -r old/u/.Sub");
	assert_int_equal(barrier(conf, record(), conf, SIDE_NONE, NULL, &floors,
	    &n, &err), ST_OK);
	assert_false(send_to(".Sub", 2));
	assert_true(has("old/u/.Sub", "3=2 "));
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

/* Another admin was quicker: new leads by now, and an LDA died when the line was on
 * new only.  By the former leader's word that line, which a client may have seen,
 * would go with its UID. */
static void
barrier_is_late(void **state)
{
	struct record *rec;
	struct floor *floors;
	struct map *map;
	struct err err;
	char path[200];
	size_t n;

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
	assert_int_equal(barrier(conf, rec, conf, SIDE_NONE, NULL, &floors, &n,
	    &err), ST_OK);
	assert_int_equal(barrier(conf, rec, conf, NEW, NULL, &floors, &n, &err),
	    ST_AGAIN);
	shell("grep -q '^2 :' new/u/dovecot-uidlist && [ -n \"$(ls new/u/tmp)\" ]");

	/* That the change is only being made no log says yet, but the map does. */
	begin(STATE_OVERLAP);
	(void)send_to("", 1);
	rec = record();
	step(STATE_OLD);
	step(STATE_OVERLAP);
	map = open_map();
	assert_int_equal(barrier(conf, rec, conf, NEW, map, &floors, &n, &err),
	    ST_AGAIN);
	talloc_free(map);
	assert_non_null(strstr(err.text, "somebody else changed"));
	map = open_map();
	assert_int_equal(barrier(conf, record_of(map), conf, NEW, map, &floors, &n,
	    &err), ST_OK);
	talloc_free(map);
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
		cmocka_unit_test(landed_and_killed),
		cmocka_unit_test(landed_for_nothing),
		cmocka_unit_test(landed_and_fenced),
		cmocka_unit_test(landed_and_awaited),
		cmocka_unit_test(landed_by_many),
		cmocka_unit_test(line_on_one_disk),
		cmocka_unit_test(leader_is_older),
		cmocka_unit_test(folder_gone_on_the_leader),
		cmocka_unit_test(subscriptions_of_zeros),
		cmocka_unit_test(first_lock_is_lost),
		cmocka_unit_test(barrier_is_late),
		cmocka_unit_test(keys_are_caught_up),
	};
	char text[400];
	struct err err;
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(text, sizeof(text), "map = tdb:%s/map/map.tdb\n"
	    "old_mail = %s/old/%%u\nnew_mail = %s/new/%%u\nlog = none\n", dir, dir,
	    dir);
	if (conf_parse(NULL, "test", text, strlen(text), &conf, &err) != ST_OK)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	if (!holds("rm -rf %s", dir))
		rc = 1;
	talloc_free(conf);
	return rc;
}
