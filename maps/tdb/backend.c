/* SPDX-License-Identifier: ISC */
/*
 * backend.c - the embedded map: one file, one owner
 */
#include "maps/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/tdb/file.h"
#include "maps/tdb/history.h"
#include "maps/tdb/import.h"
#include "maps/tdb/stage.h"
#include "maps/tdb/values.h"

#define HASH_SIZE	10007		/* short chains for 100,000 users */

static void
tdb_close_map(struct map *map)
{
	struct tdbmap *tm = map->handle;

	if (tm == NULL)
		return;
	tdbm_stage_close(tm);
	if (tm->tdb != NULL)
		(void)tdb_close(tm->tdb);
	if (tm->lock != -1)
		(void)close(tm->lock);
	talloc_free(tm);
	map->handle = NULL;
}

/*
 * With O_CREAT tdb_open() writes an empty database over any file whose header
 * it cannot read: over a damaged map, or after one failed read(2).  So O_CREAT
 * is passed only where there is no file.
 */
static int
create_flag(const char *path, int flags)
{
	struct stat sb;

	return (flags & MAP_CREATE) != 0 && stat(path, &sb) == -1 &&
	    errno == ENOENT ? O_CREAT : 0;
}

static enum status
tdb_open_map(struct map *map, const char *arg, int flags, struct err *err)
{
	struct tdbmap *tm = must(talloc_zero(map, struct tdbmap));
	enum status st;

	map->handle = tm;
	tm->memo = memo_new(tm);
	tm->lock = -1;
	tm->path = must(talloc_strdup(tm, arg));
	st = tdbm_file_own(tm, err);
	if (st != ST_OK)
		goto out;
	tm->tdb = tdbm_file_open(arg, HASH_SIZE, TDB_DISALLOW_NESTING, O_RDWR |
	    create_flag(arg, flags));
	if (tm->tdb == NULL) {
		st = errno == EIO || errno == EINVAL ? err_set(err, ST_NEVER,
		    "%s: not a tdb file, or a damaged one: restore it", arg) :
		    err_sys(err, "open %s", arg);
		goto out;
	}
	tm->fd = tdb_fd(tm->tdb);
	tm->whole = tdbm_is_whole(tm->tdb);
	if (tm->whole)
		st = tdbm_import_resume(map, err);
out:
	if (st != ST_OK)
		tdb_close_map(map);
	return st;
}

static void
tdb_rest(struct map *map)
{
	struct tdbmap *tm = map->handle;

	tm->seen = false;
}

static enum status
tdb_get(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct card card;
	enum status st;

	st = tdbm_import_finish_user(map, user, err);
	if (st == ST_OK)
		st = tdbm_look(tm, map->rests, err);
	if (st == ST_OK)
		st = tdbm_fetch_record(tm->tdb, tm->memo, ctx, user, rec, err);
	if (st != ST_NONE)
		return st;
	/*
	 * Damage can look like absence.  Only a file that was checked may
	 * answer "none", and only if the user's card agrees, which lies
	 * elsewhere in it.
	 */
	st = tdbm_fetch_card(tm->tdb, user, &card, err);
	if (st != ST_OK)
		return st;
	if (card.live || !tm->whole)
		return err_set(err, ST_AGAIN, "%s is damaged (%s): restore it",
		    tm->path, user);
	return ST_NONE;
}

static enum status
tdb_buried(struct map *map, const char *user, uint64_t *version,
    struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct card card;
	enum status st;

	st = tdbm_fetch_card(tm->tdb, user, &card, err);
	*version = card.version;
	return st;
}

static enum status
tdb_replace(struct map *map, const struct record *was, const struct record *is,
    const struct change_by *by, uint64_t *version, struct err *err)
{
	struct tdbmap *tm = map->handle;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct change ch;
	enum status st;

	if (!tm->whole)
		st = err_set(err, ST_AGAIN, "%s is damaged: restore it",
		    tm->path);
	else
		st = tdbm_import_before_change(map, is != NULL ? is->user :
		    was->user, is, err);
	if (st == ST_OK)
		st = tdbm_begin(tm, err);
	if (st == ST_OK) {
		st = tdbm_history_apply(tm->tdb, ctx, is != NULL ? is->user :
		    was->user, was == NULL ? 0 : was->version, is, by, false,
		    &ch, err);
		if (st == ST_OK)
			st = tdbm_history_prune(map, 2, err);
		st = tdbm_end(tm, st, err);
	}
	if (st == ST_OK && version != NULL)
		*version = ch.is == NULL ? 0 : ch.is->version;
	if (st == ST_OK && map->changed != NULL)
		(void)map->changed(&ch, map->changed_arg, err);
	talloc_free(ctx);
	return st;
}

static enum status
tdb_by_address(struct map *map, TALLOC_CTX *ctx, const char *addr, char **user,
    struct err *err)
{
	struct tdbmap *tm = map->handle;
	char *key = tdbm_address_key(ctx, addr);
	enum status st;
	size_t len;

	st = tdbm_import_owner(tm, ctx, addr, user, err);
	if (st == ST_OK)
		st = tdbm_import_finish_user(map, *user, err);
	else if (st == ST_NONE)
		st = ST_OK;
	if (st == ST_OK)
		st = tdbm_look(tm, map->rests, err);
	if (st == ST_OK)
		st = tdbm_fetch(tm->tdb, ctx, key, user, &len, err);
	return st;
}

/* tdb_nextkey() goes on only from a key that is still there. */
static enum status
next_key(struct tdbmap *tm, const char *after, TDB_DATA *key, struct err *err)
{
	TDB_DATA from = tdbm_key(after);

	*key = *after == '\0' ? tdb_firstkey(tm->tdb) :
	    tdb_nextkey(tm->tdb, from);
	if (key->dptr == NULL && *after != '\0' && !tdb_exists(tm->tdb, from))
		return err_set(err, ST_AGAIN,
		    "the map changed while it was read: once more, please");
	return ST_OK;
}

static enum status
tdb_each(struct map *map, TALLOC_CTX *ctx, char **cursor, map_each_fn *fn,
    void *arg, struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct record *rec;
	enum status st;
	char *name;
	TDB_DATA key;

	if (tdbm_import_pending(tm))
		return err_set(err, ST_AGAIN,
		    "an import is being written: once more in a few seconds");
	st = tdbm_check_size(tm, err);
	while (st == ST_OK) {
		st = next_key(tm, *cursor, &key, err);
		if (st != ST_OK)
			return st;
		talloc_free(*cursor);
		*cursor = must(talloc_strndup(ctx, key.dptr == NULL ? "" :
		    (char *)key.dptr, key.dsize));
		free(key.dptr);
		if (key.dptr == NULL)
			return ST_OK;
		name = *cursor + 2;
		if (strncmp(*cursor, "u:", 2) != 0 ||
		    strcmp(name, RECORD_DEFAULT) == 0)
			continue;
		st = tdbm_fetch_record(tm->tdb, NULL, *cursor, name, &rec,
		    err);
		if (st == ST_NONE) {	/* just deleted */
			st = ST_OK;
			continue;
		}
		if (st == ST_OK)
			st = fn(rec, arg, err);
	}
	return st == ST_NONE ? ST_OK : st;
}

static enum status
tdb_history(struct map *map, const char *user, int limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	enum status st = user == NULL ? ST_OK :
	    tdbm_import_finish_user(map, user, err);

	return st == ST_OK ? tdbm_history(map, user, limit, fn, arg, err) : st;
}

/* Only an import leaves work that waits. */
static enum status
tdb_tick(struct map *map, struct err *err)
{
	struct tdbmap *tm = map->handle;

	return tdbm_import_pending(tm) ? tdbm_import_batch(map, err) : ST_NONE;
}

static enum status
tdb_watch(struct map *map, map_change_fn *fn, void *arg, struct err *err)
{
	(void)map;
	(void)fn;
	(void)arg;
	return err_set(err, ST_NEVER,
	    "mailferry-mapd does not run: nobody but us could change the map");
}

const struct map_ops map_tdb = {
	.scheme = "tdb", .open = tdb_open_map, .close = tdb_close_map,
	.get = tdb_get, .buried = tdb_buried, .replace = tdb_replace,
	.each = tdb_each, .history = tdb_history, .watch = tdb_watch,
	.by_address = tdb_by_address, .tick = tdb_tick, .rest = tdb_rest,
	.import_begin = tdbm_import_begin, .import_put = tdbm_import_put,
	.import_commit = tdbm_import_commit, .import_abort = tdbm_import_abort,
};
