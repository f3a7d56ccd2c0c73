/* SPDX-License-Identifier: ISC */
/*
 * record_test.c - the text form of a record, its locations, and route()
 */
#include "tests/unit/test.h"

#include "maps/route.h"

#define HEAD "mailferry 1\nuser alice\n"
#define G "0123456789abcdef0123456789abcdef"

static enum status
parse(const char *text, struct record **rec, struct err *err)
{
	return record_parse(NULL, "alice", text, strlen(text), rec, err);
}

static const char full[] = HEAD
    "uid 1001\nstate cutover\nentered overlap\nwindow 100 200\nversion 7\n"
    "led 3\nold /f1/alice/Maildir\nold_control /c/alice\n"
    "new /f2/alice/Maildir\n"
    "address alice@example.test\naddress a@example.test\n"
    "floor " G " 1700000000 124\nby root\nat 99\n"
    "why two\\nlines \\\\ and \xc3\xa9\nlater 1 2 3\n";

static void
reads_back_what_it_writes(void **state)
{
	struct record *rec, *copy;
	struct err err;
	char *text;

	(void)state;
	if (parse(full, &rec, &err) != ST_OK)
		fail_msg("%s", err.text);
	assert_int_equal(rec->uid, 1001);
	assert_int_equal(rec->state, STATE_CUTOVER);
	assert_int_equal(rec->led, 3);
	assert_string_equal(rec->address[1], "a@example.test");
	assert_string_equal(rec->why, "two\nlines \\ and \xc3\xa9");
	assert_string_equal(rec->unknown, "later 1 2 3\n");
	assert_int_equal(record_floor(rec, G, 1700000000), 124);
	assert_int_equal(record_floor(rec, G, 1), 0);
	text = record_format(rec, rec);
	assert_string_equal(text, full);
	copy = record_copy(NULL, rec);
	talloc_free(rec);
	text = record_format(copy, copy);
	assert_string_equal(text, full);
	talloc_free(copy);
}

static void
refuses(void **state)
{
	static const char *const bad[] = {
		"", "mailferry 2\nuser alice\nstate old\n",
		    "user alice\nstate old\n",
		"mailferry 1\nuser bob\nstate old\n", HEAD, HEAD "state gone\n",
		HEAD "state old", HEAD "state old\nstate old\n",
		HEAD "state old\nold relative\n",
		    HEAD "state old\nold /a/../b\n",
		HEAD "state old\nuid -1\n", HEAD "state old\nuid 01\n",
		HEAD "state old\nuid 4294967295\n",
		HEAD "state old\nversion 99999999999999999999\n",
		HEAD "state old\nwindow 100 200\n",
		HEAD "state overlap\nwindow 200 200\n",
		HEAD "state overlap\nwindow 200 100\n",
		HEAD "state cutover\nentered overlap\n",
		HEAD "state cutover\nwindow 1 2\n",
		HEAD "state cutover\nentered old\nwindow 1 2\n",
		HEAD "state overlap\nentered overlap\n",
		HEAD "state old\nversion 1\nled 2\n",
		HEAD "state old\nfloor xyz 1 2\n",
		    HEAD "state old\nfloor " G " 1\n",
		HEAD "state old\nwhy a\rb\n", HEAD "state old\nwhy \xff\n",
		HEAD "state old\nwhy \xc0\xaf\n", HEAD "state old\n\n",
		HEAD "state old\naddress a b\n", HEAD "state old\nby\n",
		HEAD "state old\ndefault no\n",
	};
	struct record *rec;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &rec, &err) != ST_NEVER)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(record_parse(NULL, "alice", HEAD "state old\n\0", 34,
	    &rec, &err), ST_NEVER);
}

/* Cut anywhere it is refused, or the cut fell on a line's end: never a crash,
 * never half a line taken for a whole one. */
static void
cut_anywhere(void **state)
{
	struct record *rec;
	struct err err;
	size_t len;

	(void)state;
	for (len = 0; len < strlen(full); len++) {
		char *part = malloc(len + 1);	/* exact, for the sanitizers */

		memcpy(part, full, len);
		if (record_parse(NULL, "alice", part, len, &rec,
		    &err) == ST_OK) {
			assert_int_equal(part[len - 1], '\n');
			talloc_free(rec);
		}
		free(part);
	}
}

static void
names(void **state)
{
	char longest[300];

	(void)state;
	assert_true(record_user_valid("alice"));
	assert_true(record_user_valid("a.b+c@example.test"));
	assert_true(record_user_valid("\xc3\xa9ric"));
	assert_false(record_user_valid(""));
	assert_false(record_user_valid("*"));
	assert_false(record_user_valid("-d"));
	assert_false(record_user_valid(".."));
	assert_false(record_user_valid("a/b"));
	assert_false(record_user_valid(" user3"));
	assert_false(record_user_valid("user3 "));
	assert_false(record_user_valid("a\nb"));
	assert_false(record_user_valid("\xff"));
	memset(longest, 'a', 256);
	longest[256] = '\0';
	assert_false(record_user_valid(longest));
}

static void
locations(void **state)
{
	static const struct { const char *template, *home, *want; } c[] = {
		{ "/f1/%1u/%u/Maildir", NULL, "/f1/b/bob@x.test/Maildir" },
		{ "/f1/%d/%n", NULL, "/f1/x.test/bob" },
		{ "%h/Maildir", "/home/bob", "/home/bob/Maildir" },
		{ "/a%%b", NULL, "/a%b" }, { "/f/%2n/%99n", NULL, "/f/bo/bob" },
		{ "%h/Maildir", NULL, NULL }, { "%h/x", "/a/..", NULL },
		{ "/a//b", NULL, NULL }, { "/a/", NULL, NULL },
		{ "a", NULL, NULL },
	};
	struct conf conf = { .mail = { NULL, NULL } };
	struct record rec, *r;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		rec = (struct record){ .user = "bob@x.test" };
		r = talloc_memdup(NULL, &rec, sizeof(rec));
		conf.mail[OLD] = c[i].template;
		if (c[i].want == NULL)
			assert_int_equal(record_locate(r, &conf, c[i].home,
			    &err), ST_NEVER);
		else {
			assert_int_equal(record_locate(r, &conf, c[i].home,
			    &err), ST_OK);
			assert_string_equal(r->side[OLD].mail, c[i].want);
			assert_null(r->side[NEW].mail);
		}
		talloc_free(r);
	}
}

/* What the record says itself is never mixed with templates. */
static void
own_location_stands_alone(void **state)
{
	struct conf conf = { .mail = { "/t/%u", NULL },
	    .control = { "/c/%u", NULL } };
	struct record rec = { .user = "bob", .side = { { .mail = "/own" } } };
	struct record *r = talloc_memdup(NULL, &rec, sizeof(rec));
	struct err err;

	(void)state;
	assert_int_equal(record_locate(r, &conf, NULL, &err), ST_OK);
	assert_string_equal(r->side[OLD].mail, "/own");
	assert_null(r->side[OLD].control);
	talloc_free(r);
}

static const struct {			/* window [100, 200) */
	const char *name;
	enum state state, from;
	time_t now;
	bool window;
	enum status want;
	enum side target[2];
	enum state due;
	time_t retry_after;
	enum side leader;
} routes[] = {
	{ "old", STATE_OLD, STATE_NONE, 150, false, ST_OK, { OLD, SIDE_NONE },
	    STATE_NONE, 0, OLD },
	{ "overlap", STATE_OVERLAP, STATE_NONE, 150, false, ST_OK, { OLD, NEW },
	    STATE_NONE, 0, OLD },
	{ "window ahead", STATE_OVERLAP, STATE_NONE, 99, true, ST_OK,
	    { OLD, NEW }, STATE_NONE, 0, OLD },
	{ "window open", STATE_OVERLAP, STATE_NONE, 100, true, ST_AGAIN,
	    { SIDE_NONE, SIDE_NONE }, STATE_CUTOVER, RETRY_MIN, OLD },
	{ "window missed", STATE_OVERLAP, STATE_NONE, 200, true, ST_OK,
	    { OLD, NEW }, STATE_NONE, 0, OLD },
	{ "cutover", STATE_CUTOVER, STATE_OVERLAP, 150, true, ST_AGAIN,
	    { SIDE_NONE, SIDE_NONE }, STATE_NONE, 50, OLD },
	{ "last second", STATE_CUTOVER, STATE_OVERLAP, 199, true, ST_AGAIN,
	    { SIDE_NONE, SIDE_NONE }, STATE_NONE, 1, OLD },
	{ "lease over", STATE_CUTOVER, STATE_OVERLAP, 200, true, ST_AGAIN,
	    { SIDE_NONE, SIDE_NONE }, STATE_OVERLAP, RETRY_MIN, OLD },
	{ "way back", STATE_CUTOVER, STATE_SETTLE, 200, true, ST_AGAIN,
	    { SIDE_NONE, SIDE_NONE }, STATE_SETTLE, RETRY_MIN, NEW },
	{ "settle", STATE_SETTLE, STATE_NONE, 250, false, ST_OK, { NEW, OLD },
	    STATE_NONE, 0, NEW },
	{ "settle, open", STATE_SETTLE, STATE_NONE, 199, true, ST_AGAIN,
	    { SIDE_NONE, SIDE_NONE }, STATE_CUTOVER, RETRY_MIN, NEW },
	{ "new", STATE_NEW, STATE_NONE, 250, false, ST_OK, { NEW, SIDE_NONE },
	    STATE_NONE, 0, NEW },
};

static void
decides(void **state)
{
	struct plan plan;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct record rec = { .user = "u", .state = routes[i].state,
		    .entered = routes[i].from, .version = 9 };

		if (routes[i].window) {
			rec.begin = 100;
			rec.end = 200;
		}
		print_message("# %s\n", routes[i].name);
		assert_int_equal(route(&rec, routes[i].now, &plan),
		    routes[i].want);
		assert_int_equal(plan.target[0], routes[i].target[0]);
		assert_int_equal(plan.target[1], routes[i].target[1]);
		assert_int_equal(plan.due, routes[i].due);
		assert_int_equal(plan.retry_after, routes[i].retry_after);
		assert_int_equal(plan.leader, routes[i].leader);
		assert_int_equal(plan.version, 9);
		if (plan.ntarget > 0)
			assert_int_equal(plan.target[0], plan.leader);
	}
}

/* Eight bytes at a time: each byte at each place, in texts of each length. */
static void
each_byte_at_each_place(void **state)
{
	char text[21];
	size_t len, at;
	int c;

	(void)state;
	for (len = 1; len < sizeof(text); len++)
		for (at = 0; at < len; at++)
			for (c = 1; c < 256; c++) {
				memset(text, 'x', len);
				text[len] = '\0';
				text[at] = (char)c;
				assert_int_equal(record_text_valid(text, false),
				    c > ' ' && c < 0x7f);
				assert_int_equal(record_text_valid(text, true),
				    c >= ' ' && c < 0x7f);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_writes),
		cmocka_unit_test(refuses), cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(names), cmocka_unit_test(locations),
		cmocka_unit_test(own_location_stands_alone),
		cmocka_unit_test(decides),
		cmocka_unit_test(each_byte_at_each_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
