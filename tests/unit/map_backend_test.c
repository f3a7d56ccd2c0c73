/* SPDX-License-Identifier: ISC */
/*
 * map_backend_test.c - what every kind of map must do: one suite against all
 */
#include "tests/unit/backend.h"

#include <stdio.h>
#include <unistd.h>

#include "maps/transition.h"

#define USERS 150

static const char *no_address[] = { NULL };

static struct change_by
me(void)
{
	return (struct change_by){ "tester", time(NULL), "because" };
}

/* Behind the socket: the peer's uid; what the client says is a remark. */
static const char *
author(const struct map *map)
{
	if (strcmp(map->ops->scheme, "socket") != 0)
		return "tester";
	return getuid() == 0 ? "root (says tester)" : must(talloc_asprintf(map,
	    "uid %lu (says tester)", (unsigned long)getuid()));
}

static struct record
record(const char *user, enum state state)
{
	return (struct record){ .user = user, .uid = 1001, .state = state,
	    .version = 1, .address = no_address, .by = "", .why = "",
	    .unknown = "", .side = { { .mail = "/f1/x" },
	    { .mail = "/f2/x" } } };
}

static void
add(struct map *map, const char *user, enum state state)
{
	struct record rec = record(user, state);
	struct change_by by = me();
	struct err err;

	if (map_replace(map, NULL, &rec, &by, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
}

static struct record *
get(struct map *map, const char *user)
{
	struct record *rec = NULL;
	struct err err;

	if (map_get(map, map, user, NULL, time(NULL), &rec, &err) != ST_OK)
		fail_msg("%s", err.text);
	return rec;
}

static struct record *
stepped(const struct record *was, enum state to, time_t begin, time_t end)
{
	struct record *is = NULL;
	struct err err;

	if (transition_step((TALLOC_CTX *)(uintptr_t)was, was, to, begin, end,
	    time(NULL), &is, &err) != ST_OK)
		fail_msg("%s", err.text);
	return is;
}

static enum status
replace(struct map *map, const struct record *was, const struct record *is)
{
	struct change_by by = me();
	struct err err;

	return map_replace(map, was, is, &by, NULL, &err);
}

static enum status
has(struct map *map, const char *user)
{
	struct record *rec = NULL;
	struct err err;
	enum status st = map_get_stored(map, NULL, user, &rec, &err);

	talloc_free(rec);
	return st;
}

static void
default_of_an_empty_map(void **state)
{
	struct map *map = backend_fresh();
	struct record *rec = get(map, "alice");

	(void)state;
	assert_true(rec->is_default);
	assert_int_equal(rec->state, STATE_OLD);
	assert_int_equal(rec->version, 0);
	assert_string_equal(rec->side[OLD].mail, "/f1/alice");
	assert_int_equal(has(map, "alice"), ST_NONE);
	talloc_free(map);
}

static void
default_is_an_entry_of_the_map(void **state)
{
	struct map *map = backend_fresh();
	struct record dflt = record(RECORD_DEFAULT, STATE_NEW), *rec;

	(void)state;
	dflt.uid = -1;
	assert_int_equal(replace(map, NULL, &dflt), ST_OK);
	rec = get(map, "alice");
	assert_true(rec->is_default);
	assert_int_equal(rec->state, STATE_NEW);
	assert_int_equal(has(map, RECORD_DEFAULT), ST_OK);
	talloc_free(map);
}

static void
compare_and_swap(void **state)
{
	struct map *map = backend_fresh(), *other = NULL;
	struct record *was, *is;

	(void)state;
	add(map, "alice", STATE_OLD);
	was = get(map, "alice");
	assert_int_equal(was->version, 1);
	assert_string_equal(was->by, author(map));
	is = stepped(was, STATE_OVERLAP, 0, 0);
	assert_int_equal(replace(map, was, is), ST_OK);
	assert_int_equal(replace(map, was, is), ST_AGAIN);
	assert_int_equal(replace(map, NULL, is), ST_AGAIN);
	is = get(map, "alice");
	assert_int_equal(is->state, STATE_OVERLAP);
	assert_int_equal(is->version, 2);
	assert_string_equal(is->why, "because");
	talloc_free(map);
	other = backend_open();
	is = get(other, "alice");
	assert_int_equal(is->version, 2);
	talloc_free(other);
}

static void
deleted_and_added_again(void **state)
{
	struct map *map = backend_fresh();
	struct record *rec;

	(void)state;
	add(map, "alice", STATE_OLD);
	assert_int_equal(replace(map, get(map, "alice"), NULL), ST_OK);
	rec = get(map, "alice");
	assert_true(rec->is_default);
	assert_int_equal(rec->version, 2);
	add(map, "alice", STATE_OLD);
	assert_int_equal(get(map, "alice")->version, 3);
	talloc_free(map);
}

static void
an_address_is_one_users(void **state)
{
	struct map *map = backend_fresh();
	const char *addrs[] = { "a@x.test", "we(i)rd*\\,+=\"@x.test", NULL };
	struct record a = record("alice", STATE_OLD), b = record("bob",
	    STATE_OLD);
	struct change_by by = me();
	char *user = NULL;
	struct err err;

	(void)state;
	a.address = b.address = addrs;
	assert_int_equal(map_replace(map, NULL, &a, &by, NULL, &err), ST_OK);
	assert_int_equal(map_by_address(map, map, "A@x.test", &user, &err),
	    ST_OK);
	assert_string_equal(user, "alice");
	assert_int_equal(map_by_address(map, map, addrs[1], &user, &err),
	    ST_OK);
	assert_string_equal(user, "alice");
	assert_int_equal(map_by_address(map, map, "*", &user, &err), ST_NONE);
	assert_int_equal(map_replace(map, NULL, &b, &by, NULL, &err), ST_NEVER);
	assert_non_null(strstr(err.text, "alice"));
	assert_int_equal(has(map, "bob"), ST_NONE);
	assert_int_equal(replace(map, get(map, "alice"), NULL), ST_OK);
	assert_int_equal(map_by_address(map, map, "a@x.test", &user, &err),
	    ST_NONE);
	assert_int_equal(map_replace(map, NULL, &b, &by, NULL, &err), ST_OK);
	assert_int_equal(map_by_address(map, map, "a@x.test", &user, &err),
	    ST_OK);
	assert_string_equal(user, "bob");
	talloc_free(map);
}

/* As attackers send them: none of these is user3. */
static void
other_names_are_other_users(void **state)
{
	static const char *const names[] = { "USER3", "User3", " user3",
	    "user3 ", "user3\t", "*", "use*", "user*", "a*)(uid=*",
	    "user3)(|(uid=*", "user3\\", "user3\\00", "user\\33", "user3,dc=t",
	    "mailferryUser=user3", "\xffuser3", "user3\xc0\x80",
	    "\xc3\xa9user3", "user3\xe2\x80\x8b", "uſer3", "user3#", "-user3",
	    "", NULL };
	struct map *map = backend_fresh();
	struct record *rec, *x = NULL;
	struct err err;
	char *user = NULL;
	enum status st;
	int i;

	(void)state;
	add(map, "user3", STATE_OVERLAP);
	assert_int_equal(get(map, "user3")->state, STATE_OVERLAP);
	for (i = 0; names[i] != NULL; i++) {
		rec = NULL;
		st = map_get(map, map, names[i], NULL, time(NULL), &rec, &err);
		if (st == ST_OK && (!rec->is_default ||
		    rec->state != STATE_OLD))
			fail_msg("\"%s\" is user3", names[i]);
		st = map_recipient(map, map, names[i], strlen(names[i]), true,
		    time(NULL), &x, &err);
		/* An address is folded, as local(8) does. */
		if (st == ST_OK && strcasecmp(names[i], "user3") != 0)
			fail_msg("the address \"%s\" is user3's", names[i]);
		if (map_by_address(map, map, names[i], &user, &err) == ST_OK)
			fail_msg("\"%s\" has an address", names[i]);
	}
	assert_int_equal(map_recipient(map, map, "user3\0x", 7, true,
	    time(NULL), &x, &err), ST_NONE);
	talloc_free(map);
}

static void
names_of_all_kinds(void **state)
{
	static const char *const names[] = { "a+b", "x,y=z", "q\"uote", "a\\b",
	    "(paren)", "a*b", "#hash", "semi;colon", "<angle>",
	    "\xc3\xa9t\xc3\xa9", "USER", "user", "u@d.test", "0", NULL };
	struct map *map = backend_fresh();
	struct record *rec;
	int i;

	(void)state;
	for (i = 0; names[i] != NULL; i++)
		add(map, names[i], i % 2 ? STATE_OVERLAP : STATE_OLD);
	for (i = 0; names[i] != NULL; i++) {
		rec = get(map, names[i]);
		assert_string_equal(rec->user, names[i]);
		assert_false(rec->is_default);
		assert_int_equal(rec->state, i % 2 ? STATE_OVERLAP : STATE_OLD);
	}
	talloc_free(map);
}

/* All that a record has goes in and comes out. */
static void
a_whole_record(void **state)
{
	static struct floor floor = { "0123456789abcdef0123456789abcdef",
	    1700000000, 4711 };
	struct map *map = backend_fresh();
	struct record rec = record("alice", STATE_SETTLE), *got;
	struct change_by by = me();
	char *a, *b;
	struct err err;

	(void)state;
	rec.version = 17;
	rec.led = 15;
	rec.floor = &floor;
	rec.nfloor = 1;
	rec.unknown = "later_key a value  with blanks\n";
	rec.side[NEW].control = "/ctl/alice";
	by.why = "one line\nand another \\ \xc3\xa9";
	assert_int_equal(map_replace(map, NULL, &rec, &by, NULL, &err), ST_OK);
	assert_int_equal(map_get_stored(map, map, "alice", &got, &err), ST_OK);
	assert_string_equal(got->why, by.why);
	assert_in_range(got->at, by.at, time(NULL));
	rec.by = author(map);
	rec.at = got->at;
	rec.why = by.why;
	a = record_format(map, &rec);
	b = record_format(map, got);
	assert_string_equal(a, b);
	assert_int_equal(record_floor(got, floor.guid, 1700000000), 4711);
	talloc_free(map);
}

/* Whoever asks writes what is due first: into the window, and out of it. */
static void
window_by_asking(void **state)
{
	struct map *map = backend_fresh();
	struct record *was, *is;
	time_t now;

	(void)state;
	add(map, "alice", STATE_OVERLAP);
	was = get(map, "alice");
	now = time(NULL);
	is = stepped(was, STATE_CUTOVER, now + 1, now + 2);
	assert_int_equal(replace(map, was, is), ST_OK);
	while (time(NULL) < now + 1)
		(void)usleep(20000);
	is = get(map, "alice");
	if (time(NULL) < now + 2) {
		assert_int_equal(is->state, STATE_CUTOVER);
		assert_string_equal(is->by, "mapd");
	}
	while (time(NULL) < now + 2)
		(void)usleep(20000);
	is = get(map, "alice");
	assert_int_equal(is->state, STATE_OVERLAP);
	assert_int_equal(is->version, 4);
	talloc_free(map);
}

struct seen {
	uint64_t version[20], seq[20];
	char	 user[20][16];
	int	 n;
};

static enum status
note_change(const struct change *ch, void *arg, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	assert_true(s->n < 20);
	assert_true(ch->was == NULL || ch->is == NULL ||
	    ch->was->version < ch->is->version);
	(void)snprintf(s->user[s->n], sizeof(s->user[0]), "%s", ch->user);
	s->seq[s->n] = ch->seq;
	s->version[s->n++] = ch->is == NULL ? 0 : ch->is->version;
	return ST_OK;
}

static void
history(void **state)
{
	struct map *map = backend_fresh();
	struct seen all = { .n = 0 }, one = { .n = 0 }, two = { .n = 0 };
	struct record *was;
	struct err err;
	int i;

	(void)state;
	add(map, "alice", STATE_OLD);
	add(map, "bob", STATE_OLD);
	was = get(map, "alice");
	assert_int_equal(replace(map, was, stepped(was, STATE_OVERLAP, 0, 0)),
	    ST_OK);
	assert_int_equal(replace(map, was, stepped(was, STATE_OVERLAP, 0, 0)),
	    ST_AGAIN);
	assert_int_equal(replace(map, get(map, "bob"), NULL), ST_OK);
	assert_int_equal(map_history(map, "alice", 10, note_change, &one, &err),
	    ST_OK);
	assert_int_equal(one.n, 2);
	assert_int_equal(one.version[0], 2);
	assert_int_equal(one.version[1], 1);
	assert_int_equal(map_history(map, NULL, 10, note_change, &all, &err),
	    ST_OK);
	assert_int_equal(all.n, 4);
	assert_string_equal(all.user[0], "bob");
	assert_int_equal(all.version[0], 0);
	for (i = 1; i < all.n; i++)
		assert_true(all.seq[i] < all.seq[i - 1]);
	assert_int_equal(map_history(map, NULL, 2, note_change, &two, &err),
	    ST_OK);
	assert_int_equal(two.n, 2);
	assert_int_equal(map_history(map, "nobody", 9, note_change, &two, &err),
	    ST_OK);
	assert_int_equal(two.n, 2);
	talloc_free(map);
}

static enum status
count_one(const struct record *rec, void *arg, struct err *err)
{
	(void)err;
	((int *)arg)[atoi(rec->user + 1)]++;
	return ST_OK;
}

static int
count(struct map *map)
{
	int seen[USERS + 10] = { 0 }, n = 0, i;
	struct err err;
	enum status st;

	for (i = 0; (st = map_each(map, count_one, seen, &err)) == ST_AGAIN &&
	    i < 100; i++) {
		memset(seen, 0, sizeof(seen));	/* an import is being written */
		(void)usleep(20000);
	}
	if (st != ST_OK)
		fail_msg("%s", err.text);
	for (i = 0; i < USERS + 10; i++) {
		assert_true(seen[i] <= 1);
		n += seen[i];
	}
	return n;
}

static void
each_once(void **state)
{
	struct map *map = backend_fresh();
	char user[16];
	int i;

	(void)state;
	assert_int_equal(count(map), 0);
	for (i = 0; i < USERS; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i);
		add(map, user, STATE_OLD);
	}
	assert_int_equal(count(map), USERS);
	assert_int_equal(replace(map, get(map, "u7"), NULL), ST_OK);
	assert_int_equal(count(map), USERS - 1);
	talloc_free(map);
}

static char *
begin(struct map *map)
{
	struct err err;
	char *id = NULL;

	if (map_import_begin(map, map, &id, &err) != ST_OK)
		fail_msg("%s", err.text);
	return id;
}

static enum status
put(struct map *map, const char *id, uint64_t was, const char *user,
    const char *address, struct err *err)
{
	struct record rec = record(user, STATE_OLD);
	const char *addrs[] = { address, NULL };
	struct change_by by = me();

	rec.version = was + 1;
	rec.address = addrs;
	return map_import_put(map, id, was, &rec, &by, err);
}

static void
put_all(struct map *map, const char *id)
{
	char user[16];
	struct err err;
	int i;

	for (i = 0; i < USERS; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i);
		if (put(map, id, 0, user, NULL, &err) != ST_OK)
			fail_msg("%s", err.text);
	}
}

static void
finish(struct map *map, const char *id)
{
	uint64_t left = 1;
	struct err err;

	while (left > 0)
		if (map_import_commit(map, id, &left, &err) != ST_OK)
			fail_msg("%s", err.text);
}

static void
import_nothing_before_all_after(void **state)
{
	struct map *map = backend_fresh();
	char *id = begin(map), *second = NULL;
	uint64_t left = 0;
	struct err err;

	(void)state;
	put_all(map, id);
	assert_int_equal(has(map, "u7"), ST_NONE);
	assert_int_equal(count(map), 0);
	assert_int_equal(map_import_begin(map, map, &second, &err), ST_AGAIN);
	assert_int_equal(map_import_commit(map, id, &left, &err), ST_OK);
	assert_int_equal(has(map, "u8"), ST_OK);	/* from now on */
	finish(map, id);
	assert_int_equal(count(map), USERS);
	finish(map, id);		/* said again */
	id = begin(map);
	assert_int_equal(put(map, id, 1, "u7", NULL, &err), ST_OK);
	map_import_abort(map, id);
	assert_int_equal(map_import_commit(map, id, &left, &err), ST_AGAIN);
	assert_int_equal(get(map, "u7")->version, 1);
	talloc_free(map);
}

/* Somebody else is faster: nothing of the import stands. */
static void
import_another_was_first(void **state)
{
	struct map *map = backend_fresh();
	struct record rec = record("u5", STATE_OLD);
	uint64_t left;
	struct err err;
	char *id = begin(map);

	(void)state;
	put_all(map, id);
	assert_int_equal(replace(map, NULL, &rec), ST_OK);
	assert_int_equal(map_import_commit(map, id, &left, &err), ST_AGAIN);
	assert_int_equal(count(map), 1);
	id = begin(map);
	assert_int_equal(put(map, id, 0, "u5", NULL, &err), ST_AGAIN);
	assert_int_equal(put(map, id, 1, "u5", NULL, &err), ST_OK);
	assert_int_equal(put(map, id, 1, "u5", NULL, &err), ST_NEVER);
	assert_int_equal(put(map, id, 0, "u6", NULL, &err), ST_OK);
	finish(map, id);
	assert_int_equal(get(map, "u5")->version, 2);
	assert_int_equal(get(map, "u6")->version, 1);
	talloc_free(map);
}

static void
import_addresses_change_hands(void **state)
{
	struct map *map = backend_fresh();
	char *user = NULL, *id = begin(map);
	uint64_t left;
	struct err err;

	(void)state;
	assert_int_equal(put(map, id, 0, "a", "a@x", &err), ST_OK);
	assert_int_equal(put(map, id, 0, "b", "b@x", &err), ST_OK);
	assert_int_equal(put(map, id, 0, "c", "b@x", &err), ST_NEVER);
	finish(map, id);
	id = begin(map);		/* they swap */
	assert_int_equal(put(map, id, 1, "a", "b@x", &err), ST_OK);
	assert_int_equal(put(map, id, 1, "b", "a@x", &err), ST_OK);
	finish(map, id);
	assert_int_equal(map_by_address(map, map, "a@x", &user, &err), ST_OK);
	assert_string_equal(user, "b");
	assert_int_equal(map_by_address(map, map, "b@x", &user, &err), ST_OK);
	assert_string_equal(user, "a");
	id = begin(map);		/* taken, and not given up */
	assert_int_equal(put(map, id, 2, "a", "a@x", &err), ST_OK);
	assert_int_equal(map_import_commit(map, id, &left, &err), ST_NEVER);
	assert_non_null(strstr(err.text, "a@x"));
	assert_int_equal(map_by_address(map, map, "a@x", &user, &err), ST_OK);
	assert_string_equal(user, "b");
	talloc_free(map);
}

static const char *const names[] = { [TDB] = "tdb", [LDAP_] = "ldap",
	[SOCKET] = "socket", [SOCKET_LDAP] = "socket to ldap" };
static const struct CMUnitTest tests[] = {
	cmocka_unit_test(default_of_an_empty_map),
	cmocka_unit_test(default_is_an_entry_of_the_map),
	cmocka_unit_test(compare_and_swap),
	cmocka_unit_test(deleted_and_added_again),
	cmocka_unit_test(an_address_is_one_users),
	cmocka_unit_test(other_names_are_other_users),
	cmocka_unit_test(names_of_all_kinds), cmocka_unit_test(a_whole_record),
	cmocka_unit_test(window_by_asking), cmocka_unit_test(history),
	cmocka_unit_test(each_once),
	cmocka_unit_test(import_nothing_before_all_after),
	cmocka_unit_test(import_another_was_first),
	cmocka_unit_test(import_addresses_change_hands),
};

int
main(int argc, char **argv)
{
	int only = argc > 1 ? atoi(argv[1]) : -1, rc = 0, k;

	for (k = TDB; k <= SOCKET_LDAP; k++) {
#ifndef WITH_LDAP
		if (k == LDAP_ || k == SOCKET_LDAP)
			continue;
#endif
		if (only != -1 && only != k)
			continue;
		print_message("# %s\n", names[k]);
		if (backend_begin(k) == -1) {
			print_message("not ok - cannot begin with %s\n",
			    names[k]);
			rc++;
		} else
			rc += cmocka_run_group_tests_name(names[k], tests, NULL,
			    NULL);
		backend_end();
	}
	return rc;
}
