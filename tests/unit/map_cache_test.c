/* SPDX-License-Identifier: ISC */
/*
 * map_cache_test.c - the copy of all records: what it says, and what it does
 * not
 */
#include "tests/unit/test.h"

#include <stdio.h>

#include "maps/mapd/cache.h"

static struct conf *conf;

static void
take(struct map *map, const char *user, uint64_t version, const char *more,
    bool staged)
{
	char text[500];
	struct followed rec = { .user = user, .version = version,
	    .text = more == NULL ? NULL : text, .staged = staged };

	(void)snprintf(text, sizeof(text),
	    RECORD_HEAD "user %s\nversion %d\n%s", user, (int)version, more);
	mapcache_take(map, FOLLOW_RECORD, &rec);
}

static struct map *
filled(void)
{
	struct map *map = mapcache_new(NULL, conf);

	assert_int_equal(mapcache_age(map), -1);
	mapcache_take(map, FOLLOW_BEGIN, NULL);
	take(map, "alice", 3, "state old\naddress a@x\naddress b@x\n", false);
	take(map, "bob", 1, "state new\nled 1\n", false);
	take(map, "gone", 7, NULL, false);
	assert_int_equal(mapcache_age(map), -1);
	mapcache_take(map, FOLLOW_COMPLETE, NULL);
	assert_true(mapcache_age(map) >= 0 && mapcache_age(map) < 1000);
	return map;
}

static enum status
ask(struct map *map, const char *address, time_t now, const char **user)
{
	struct record *rec = NULL;
	struct err err;
	enum status st;

	st = map_recipient(map, map, address, strlen(address), true, now, &rec,
	    &err);
	*user = st == ST_OK ? rec->user : "";
	return st;
}

static void
records_and_addresses(void **state)
{
	struct map *map = filled();
	struct record *rec;
	const char *user;
	struct err err;

	(void)state;
	assert_int_equal(ask(map, "a@x", 0, &user), ST_OK);
	assert_string_equal(user, "alice");
	assert_int_equal(ask(map, "bob", 0, &user), ST_OK);
	assert_int_equal(ask(map, "gone", 0, &user), ST_NONE);
	assert_int_equal(ask(map, "nobody", 0, &user), ST_NONE);
	assert_int_equal(map_get(map, map, "gone", NULL, 0, &rec, &err), ST_OK);
	assert_true(rec->is_default);
	assert_int_equal(rec->version, 7);
	take(map, "alice", 4, "state old\naddress b@x\n", false);
	take(map, "bob", 2, "state new\nled 1\naddress a@x\n", false);
	assert_int_equal(ask(map, "a@x", 0, &user), ST_OK);
	assert_string_equal(user, "bob");
	assert_int_equal(ask(map, "b@x", 0, &user), ST_OK);
	assert_string_equal(user, "alice");
	assert_false(mapcache_missed(map));
	talloc_free(map);
}

static void
what_does_not_come_again_is_gone(void **state)
{
	struct map *map = filled();
	const char *user;

	(void)state;
	mapcache_take(map, FOLLOW_BEGIN, NULL);
	take(map, "bob", 1, "state new\nled 1\n", false);
	/* Until the new copy is whole, the former one stays. */
	assert_int_equal(ask(map, "a@x", 0, &user), ST_OK);
	mapcache_take(map, FOLLOW_COMPLETE, NULL);
	assert_int_equal(ask(map, "a@x", 0, &user), ST_NONE);
	assert_int_equal(ask(map, "alice", 0, &user), ST_NONE);
	assert_int_equal(ask(map, "bob", 0, &user), ST_OK);
	talloc_free(map);
}

/* What it must not decide. */
static void
misses(void **state)
{
	struct map *map = filled();
	const char *user;

	(void)state;
	take(map, "alice", 4, "state old\n", true);
	assert_int_equal(ask(map, "alice", 0, &user), ST_AGAIN);
	assert_true(mapcache_missed(map));
	assert_false(mapcache_missed(map));
	take(map, "carol", 2, "state overlap\nwindow 100 200\n", false);
	assert_int_equal(ask(map, "carol", 99, &user), ST_OK);
	assert_false(mapcache_missed(map));
	assert_int_equal(ask(map, "carol", 100, &user), ST_AGAIN);
	assert_true(mapcache_missed(map));
	talloc_free(map);
}

static void
assert_users(struct map *map, unsigned old, unsigned overlap, unsigned new)
{
	const uint64_t *n = mapcache_users(map);

	assert_int_equal(n[STATE_OLD], old);
	assert_int_equal(n[STATE_OVERLAP], overlap);
	assert_int_equal(n[STATE_CUTOVER], 0);
	assert_int_equal(n[STATE_SETTLE], 0);
	assert_int_equal(n[STATE_NEW], new);
}

/* An entry may come without a record: deleted, or staged for an import. */
static void
counts_by_state(void **state)
{
	struct map *map = filled();

	(void)state;
	assert_users(map, 1, 0, 1);
	take(map, "gone", 7, NULL, false);
	take(map, "staged", 0, NULL, true);
	take(map, "alice", 4, "state overlap\n", false);
	assert_users(map, 0, 1, 1);
	take(map, "alice", 5, "state nonsense\n", false);
	take(map, RECORD_DEFAULT, 1, "state new\n", false);
	assert_users(map, 0, 0, 1);
	take(map, "staged", 1, "state old\n", false);
	take(map, "bob", 2, NULL, false);
	assert_users(map, 1, 0, 0);
	mapcache_take(map, FOLLOW_BEGIN, NULL);
	take(map, "bob", 3, "state new\nled 1\n", false);
	assert_users(map, 1, 0, 1);
	mapcache_take(map, FOLLOW_COMPLETE, NULL);
	assert_users(map, 0, 0, 1);
	talloc_free(map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_and_addresses),
		cmocka_unit_test(what_does_not_come_again_is_gone),
		cmocka_unit_test(misses),
		cmocka_unit_test(counts_by_state),
	};
	static const char text[] = "old_mail = /f1/%u\nnew_mail = /f2/%u\n";
	struct err err;
	int rc;

	if (conf_parse(NULL, "conf", text, sizeof(text) - 1, &conf, &err) !=
	    ST_OK)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	talloc_free(conf);
	return rc;
}
