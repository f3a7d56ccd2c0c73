/* SPDX-License-Identifier: ISC */
/*
 * map_import_test.c - an import into the embedded map, and deaths in it; what
 * all maps have in common is in map_backend_test.c
 */
#include "tests/unit/map_file.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/backend.h"

#define USERS 300

static char *staged;
static const struct change_by me = { "tester", 1000, "import" };

static struct record *
record(TALLOC_CTX *ctx, const char *user, const char *address)
{
	struct record *rec = must(talloc_zero(ctx, struct record));

	*rec = (struct record){ .user = user, .uid = 1001, .state = STATE_OLD,
	    .version = 1, .by = "", .why = "", .unknown = "" };
	rec->address = must(talloc_zero_array(rec, const char *, 2));
	rec->address[0] = address;
	return rec;
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
	struct record *rec = record(NULL, user, address);
	enum status st;

	rec->version = was + 1;
	st = map_import_put(map, id, was, rec, &me, err);
	talloc_free(rec);
	return st;
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

static enum status
has(struct map *map, const char *user)
{
	struct record *rec = NULL;
	struct err err;
	enum status st = map_get_stored(map, NULL, user, &rec, &err);

	talloc_free(rec);
	return st;
}

static enum status
count_one(const struct record *rec, void *arg, struct err *err)
{
	(void)rec;
	(void)err;
	++*(int *)arg;
	return ST_OK;
}

static int
count(struct map *map)
{
	struct err err;
	int n = 0;

	assert_int_equal(map_each(map, count_one, &n, &err), ST_OK);
	return n;
}

/* A map that has a listener is mapd's: commit leaves the work to its loop. */
static enum status
hear(const struct change *ch, void *arg, struct err *err)
{
	(void)err;
	assert_true(ch->imported);
	++*(int *)arg;
	return ST_OK;
}

/* Decided, and nothing written yet: whoever asks gets the new record. */
static void
asked_before_it_is_written(void **state)
{
	struct map *map = fresh();
	char *id = begin(map), *user = NULL;
	int heard = 0, n = 0;
	uint64_t left = 0;
	struct record *rec = NULL;
	struct err err;

	(void)state;
	put_all(map, id);
	assert_int_equal(put(map, id, 0, "zoe", "zoe@x.test", &err), ST_OK);
	map->changed = hear;
	map->changed_arg = &heard;
	assert_int_equal(map_import_commit(map, id, &left, &err), ST_OK);
	assert_int_equal(left, USERS + 1);
	assert_int_equal(heard, 0);
	assert_int_equal(map_by_address(map, map, "Zoe@X.test", &user, &err),
	    ST_OK);
	assert_string_equal(user, "zoe");
	assert_int_equal(has(map, "u7"), ST_OK);
	assert_int_equal(heard, 2);
	assert_int_equal(map_each(map, count_one, &n, &err), ST_AGAIN);
	/* A change of one that waits comes after it, and stays. */
	assert_int_equal(map_get_stored(map, map, "u8", &rec, &err), ST_OK);
	map->changed = NULL;
	assert_int_equal(map_replace(map, rec, NULL, &me, NULL, &err), ST_OK);
	while (map->ops->tick(map, &err) == ST_OK)
		continue;
	assert_int_equal(has(map, "u8"), ST_NONE);
	assert_int_equal(count(map), USERS);
	talloc_free(map);
}

/* Killed after the decision: the next owner goes on with it. */
static void
killed_after_the_decision(void **state)
{
	struct map *map = fresh();
	uint64_t left;
	struct err err;
	int heard = 0, status;
	pid_t pid;
	char *id;

	(void)state;
	talloc_free(map);
	pid = fork();
	if (pid == 0) {
		map = reopen(NULL);
		id = begin(map);
		put_all(map, id);
		map->changed = hear;
		map->changed_arg = &heard;
		if (map_import_commit(map, id, &left, &err) != ST_OK ||
		    map->ops->tick(map, &err) != ST_OK)
			_exit(1);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	map = reopen(NULL);
	assert_int_equal(has(map, "u3"), ST_OK);
	while (map->ops->tick(map, &err) == ST_OK)
		continue;
	assert_int_equal(count(map), USERS);
	talloc_free(map);
}

static void
killed_before_the_decision(void **state)
{
	struct map *map = fresh();
	struct err err;
	uint64_t left;
	int status;
	pid_t pid;
	char *id;

	(void)state;
	talloc_free(map);
	pid = fork();
	if (pid == 0) {
		map = reopen(NULL);
		put_all(map, begin(map));
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(access(staged, F_OK), 0);
	map = reopen(NULL);
	assert_int_equal(access(staged, F_OK), -1);
	assert_int_equal(count(map), 0);
	id = begin(map);
	assert_int_equal(map_import_commit(map, "1.2.3", &left, &err),
	    ST_AGAIN);
	map_import_abort(map, id);
	assert_int_equal(access(staged, F_OK), -1);
	talloc_free(map);
}

/* Decided, and its file lost: no user is reported to have no record. */
static void
the_staged_file_is_lost(void **state)
{
	struct map *map = fresh(), *m = NULL;
	uint64_t left;
	struct err err;
	int heard = 0;
	char *id = begin(map);

	(void)state;
	put_all(map, id);
	map->changed = hear;
	map->changed_arg = &heard;
	assert_int_equal(map_import_commit(map, id, &left, &err), ST_OK);
	map->changed = NULL;
	talloc_free(map);
	assert_int_equal(truncate(staged, 8192), 0);
	assert_int_equal(map_open(NULL, conf, MAP_OWNER, &m, &err), ST_NEVER);
	assert_non_null(strstr(err.text, staged));
	(void)unlink(staged);
	assert_int_equal(map_open(NULL, conf, MAP_OWNER, &m, &err), ST_NEVER);
	(void)unlink(path);
}

static int
setup(void **state)
{
	(void)state;
	if (map_file_begin() == -1)
		return -1;
	staged = talloc_asprintf(NULL, "%s.import", path);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(staged);
	talloc_free(staged);
	return map_file_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_before_it_is_written),
		cmocka_unit_test(killed_after_the_decision),
		cmocka_unit_test(killed_before_the_decision),
		cmocka_unit_test(the_staged_file_is_lost),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
