/* SPDX-License-Identifier: ISC */
/*
 * map_file.h - an embedded map (tdb) in a directory of the test's own
 *
 * For tests of one program each: everything is static.
 */
#ifndef TESTS_UNIT_MAP_FILE_H
#define TESTS_UNIT_MAP_FILE_H

#include "tests/unit/test.h"

#include <stdio.h>
#include <unistd.h>

#include "maps/map.h"

static char dir[] = "/tmp/mfmap.XXXXXX";
static char *path;		/* of the map's file */
static struct conf *conf;

/* Close the map, NULL: none, and open it again; it is made if it is missing. */
static struct map *
reopen(struct map *map)
{
	struct map *m = NULL;
	struct err err;

	talloc_free(map);
	if (map_open(NULL, conf, MAP_OWNER | MAP_CREATE, &m, &err) != ST_OK)
		fail_msg("%s", err.text);
	return m;
}

/* An empty map. */
static struct map *
fresh(void)
{
	(void)unlink(path);
	return reopen(NULL);
}

/* Make the directory and the configuration; -1: that failed. */
static int
map_file_begin(void)
{
	char text[300];
	struct err err;

	if (mkdtemp(dir) == NULL)
		return -1;
	path = talloc_asprintf(NULL, "%s/map.tdb", dir);
	(void)snprintf(text, sizeof(text), "map = tdb:%s\nold_mail = /f1/%%u\n"
	    "new_mail = /f2/%%u\n", path);
	return conf_parse(NULL, "test", text, strlen(text), &conf, &err) ==
	    ST_OK ? 0 : -1;
}

/* Remove both; -1: a test left another file. */
static int
map_file_end(void)
{
	(void)unlink(path);
	(void)unlink(talloc_asprintf(path, "%s.lock", path));
	talloc_free(path);
	talloc_free(conf);
	return rmdir(dir);
}

#endif
