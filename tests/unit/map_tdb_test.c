/* SPDX-License-Identifier: ISC */
/*
 * map_tdb_test.c - the embedded map on a real file: one owner, retention, kill
 * -9, damage; what it has in common with others is in map_backend_test.c
 */
#include "tests/unit/map_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/map.h"
#include "maps/transition.h"

static const struct change_by me = { "tester", 1000, "because" };
static const char *no_address[] = { NULL };

static struct record
record(const char *user, enum state state)
{
	return (struct record){ .user = user, .uid = 1001, .state = state,
	    .version = 1, .address = no_address, .by = "", .why = "",
	    .unknown = "" };
}

static void
add(struct map *map, const char *user, enum state state)
{
	struct record rec = record(user, state);
	struct err err;

	if (map_replace(map, NULL, &rec, &me, NULL, &err) != ST_OK)
		fail_msg("%s", err.text);
}

static struct record *
get(struct map *map, const char *user, time_t now)
{
	struct record *rec = NULL;
	struct err err;

	if (map_get(map, NULL, user, NULL, now, &rec, &err) != ST_OK)
		fail_msg("%s", err.text);
	return rec;
}

struct seen { uint64_t version[10]; int n; };

static enum status
note_change(const struct change *ch, void *arg, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	assert_string_equal(ch->user, "alice");
	assert_string_equal(ch->by.why, "because");
	s->version[s->n++] = ch->is == NULL ? 0 : ch->is->version;
	return ST_OK;
}

static void
retention(void **state)
{
	struct map *map = fresh();
	struct seen seen = { .n = 0 };
	struct record *was, *is;
	struct err err;

	(void)state;
	add(map, "alice", STATE_OLD);
	add(map, "bob", STATE_OLD);
	was = get(map, "alice", 0);
	assert_int_equal(transition_step(was, was, STATE_OVERLAP, 0, 0, 0, &is,
	    &err), ST_OK);
	assert_int_equal(map_replace(map, was, is, &(struct change_by){ "x",
	    time(NULL), "because" }, NULL, &err), ST_OK);
	assert_int_equal(map_history(map, "alice", 10, note_change, &seen,
	    &err), ST_OK);
	/* The first two are from 1970: retention has taken them. */
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.version[0], 2);
	talloc_free(was);
	talloc_free(map);
}

static void
one_owner(void **state)
{
	struct map *map = fresh(), *second;
	struct err err;
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	if (pid == 0)
		_exit(map_open(NULL, conf, MAP_OWNER, &second,
		    &err) != ST_AGAIN);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(dir, 0755), 0);
	talloc_free(map);
	assert_int_equal(map_open(NULL, conf, MAP_OWNER, &map, &err), ST_NEVER);
	assert_non_null(strstr(err.text, "chmod 700"));
	assert_int_equal(chmod(dir, 0700), 0);
}

/* In the child: change, and tell which version is acknowledged. */
static void
change_for_ever(int out)
{
	struct map *map = reopen(NULL);
	struct record *was, *is;
	uint64_t version;
	struct err err;

	for (;;) {
		was = get(map, "alice", 0);
		if (transition_step(was, was, was->state == STATE_OLD ?
		    STATE_OVERLAP : STATE_OLD, 0, 0, 0, &is, &err) != ST_OK ||
		    map_replace(map, was, is, &me, &version, &err) != ST_OK)
			_exit(1);
		if (write(out, &version, sizeof(version)) != sizeof(version))
			_exit(1);
		talloc_free(was);
	}
}

static void
killed_anywhere(void **state)
{
	struct map *map = fresh();
	struct record *rec;
	uint64_t version, last = 1;
	int round, fd[2], status;
	pid_t pid;

	(void)state;
	add(map, "alice", STATE_OLD);
	talloc_free(map);
	for (round = 0; round < 60; round++) {
		assert_int_equal(pipe(fd), 0);
		pid = fork();
		if (pid == 0)
			change_for_ever(fd[1]);
		(void)close(fd[1]);
		assert_int_equal(read(fd[0], &version, sizeof(version)),
		    sizeof(version));
		(void)usleep((useconds_t)(round * 397 % 5000));
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		do
			last = version > last ? version : last;
		while (read(fd[0], &version, sizeof(version)) ==
		    sizeof(version));
		(void)close(fd[0]);
		map = reopen(NULL);
		rec = get(map, "alice", 0);
		assert_true(rec->version == last || rec->version == last + 1);
		last = rec->version;
		talloc_free(rec);
		talloc_free(map);
	}
}

static void
write_file(const unsigned char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	(void)close(fd);
}

/* 1 answered, and rightly; 0 refused. */
static int
ask_damaged(int u)
{
	struct record *rec;
	struct map *map;
	struct err err;
	char user[16];
	int answered = 0;

	if (map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &map, &err) != ST_OK)
		return 0;
	(void)snprintf(user, sizeof(user), "u%d", u);
	if (map_get(map, NULL, user, NULL, 0, &rec, &err) == ST_OK) {
		assert_int_equal(rec->state, u % 2 ? STATE_OVERLAP : STATE_NEW);
		assert_false(rec->is_default);
		talloc_free(rec);
		answered = 1;
	}
	talloc_free(map);
	return answered;
}

/* Flipped bytes: the truth, or a refusal; never another answer. */
static void
damage_is_never_an_answer(void **state)
{
	struct map *map = fresh();
	unsigned char *data;
	size_t size, off, i, used = 0;
	char user[16];
	int n, fd, answered = 0;

	(void)state;
	for (n = 0; n < 20; n++) {
		(void)snprintf(user, sizeof(user), "u%d", n);
		add(map, user, n % 2 ? STATE_OVERLAP : STATE_NEW);
	}
	talloc_free(map);
	fd = open(path, O_RDONLY);
	size = (size_t)lseek(fd, 0, SEEK_END);
	data = malloc(size);
	assert_int_equal(pread(fd, data, size, 0), (ssize_t)size);
	(void)close(fd);
	for (i = 0; i < size; i++)
		if (data[i] != 0)
			used++;
	srand(7);
	for (n = 0; n < 200; n++) {
		/* Where something stands: most of the file is empty. */
		for (i = (size_t)rand() % used, off = 0; i > 0 ||
		    data[off] == 0; off++)
			i -= data[off] != 0;
		data[off] ^= (unsigned char)(1 << n % 8);
		write_file(data, size);
		answered += ask_damaged(rand() % 20);
		data[off] ^= (unsigned char)(1 << n % 8);
	}
	assert_true(answered > 0 && answered < 200);
	print_message("# %d of 200 answered\n", answered);
	/* And cut short, anywhere. */
	for (n = 0; n < 50; n++) {
		write_file(data, size * (size_t)n / 50);
		(void)ask_damaged(n % 20);
	}
	(void)unlink(path);
	free(data);
}

static void
cut_file_is_refused(void **state)
{
	struct map *map = fresh();
	struct record *rec;
	struct err err;

	(void)state;
	add(map, "alice", STATE_NEW);
	rec = get(map, "alice", 0);
	talloc_free(rec);
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(map_get(map, NULL, "alice", NULL, 0, &rec, &err),
	    ST_AGAIN);
	talloc_free(map);
	if (map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &map, &err) == ST_OK) {
		assert_int_not_equal(map_get(map, NULL, "alice", NULL, 0, &rec,
		    &err), ST_OK);
		talloc_free(map);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retention), cmocka_unit_test(one_owner),
		cmocka_unit_test(killed_anywhere),
		cmocka_unit_test(damage_is_never_an_answer),
		cmocka_unit_test(cut_file_is_refused),
	};
	int rc;

	if (map_file_begin() == -1)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return map_file_end() == -1 ? 1 : rc;
}
