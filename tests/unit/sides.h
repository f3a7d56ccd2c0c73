/* SPDX-License-Identifier: ISC */
/*
 * sides.h - a map and two filers in a directory of the test's own, one user
 *
 * For tests of one program each: everything is static.
 */
#ifndef TESTS_UNIT_SIDES_H
#define TESTS_UNIT_SIDES_H

#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/map.h"

static char dir[] = "/tmp/mfsides.XXXXXX";
static struct conf *conf;
static const struct change_by by = { "t", 0, "" };

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

/* A user in `state`, and nothing on either filer. */
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

/* Runs the tests in a new directory. */
static int
run_sides(const char *name, const struct CMUnitTest *tests, size_t n)
{
	char text[400];
	struct err err;
	int rc;

	if (!as_nobody())
		return 1;
	if (mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(text, sizeof(text), "map = tdb:%s/map/map.tdb\n"
	    "old_mail = %s/old/%%u\nnew_mail = %s/new/%%u\nlog = none\n", dir,
	    dir, dir);
	if (conf_parse(NULL, "test", text, strlen(text), &conf, &err) != ST_OK)
		return 1;
	rc = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
	if (!holds("rm -rf %s", dir))
		rc = 1;
	talloc_free(conf);
	return rc;
}

#endif
