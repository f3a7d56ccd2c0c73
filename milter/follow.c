/* SPDX-License-Identifier: ISC */
/*
 * follow.c - keep the table of windows up to date by following the map
 */
#include "milter/follow.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "maps/base/log.h"
#include "maps/map.h"

#define RETRY	1	/* seconds until mapd is asked again */

struct following {
	struct windows		*windows;
	const struct conf	*conf;
};

static enum status
put_record(const struct record *rec, void *arg, struct err *err)
{
	(void)err;
	windows_put(arg, rec, time(NULL));
	return ST_OK;
}

/* Read all records on a second connection; changes that happen meanwhile wait
 * on the first. */
static enum status
read_all(const struct following *f, struct err *err)
{
	struct map *map = NULL;
	enum status st;

	st = map_open(NULL, f->conf, 0, &map, err);
	if (st == ST_OK)
		st = map_each(map, put_record, f->windows, err);
	talloc_free(map);
	if (st == ST_OK)
		windows_complete(f->windows, true);
	return st;
}

static enum status
on_change(const struct change *ch, void *arg, struct err *err)
{
	const struct following *f = arg;

	if (ch == NULL)
		return read_all(f, err);
	if (ch->is == NULL)
		windows_drop(f->windows, ch->user);
	else
		windows_put(f->windows, ch->is, time(NULL));
	return ST_OK;
}

/* That mapd is away is reported by the thread that asks for a recipient; here
 * it is a debug line. */
static void *
follow(void *arg)
{
	struct following *f = arg;
	struct map *map;
	struct err err;

	for (;;) {
		map = NULL;
		err.text[0] = '\0';
		if (map_open(NULL, f->conf, 0, &map, &err) == ST_OK)
			(void)!map_watch(map, on_change, f, &err);
		windows_complete(f->windows, false);
		talloc_free(map);
		log_why(LOG_DEBUG, "unfollowed", err.text);
		(void)sleep(RETRY);
	}
	return NULL;
}

enum status
follow_start(struct windows *w, const struct conf *conf, struct err *err)
{
	struct following *f;
	pthread_t thread;

	if (strncmp(conf->map, "tdb:", 4) != 0)
		return ST_OK;
	f = must(talloc(NULL, struct following));
	*f = (struct following){ w, conf };
	errno = pthread_create(&thread, NULL, follow, f);
	return errno == 0 ? ST_OK : err_sys(err, "start a thread");
}
