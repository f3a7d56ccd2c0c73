/* SPDX-License-Identifier: ISC */
/*
 * backend.c - the embedded map: one file, one owner
 */
#include "maps/tdb/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/tdb/seal.h"

#define HASH_SIZE	10007		/* short chains for 100,000 users */

enum status
tdbm_still_there(struct tdbmap *tm, struct err *err)
{
	struct stat sb;

	if (fstat(tm->fd, &sb) == -1)
		return err_sys(err, "%s", tm->path);
	if (sb.st_size < tm->size)
		return err_set(err, ST_AGAIN, "%s was cut: stop mailferry-mapd and "
		    "restore it", tm->path);
	tm->size = sb.st_size;
	return ST_OK;
}

static int
check_value(TDB_DATA key, TDB_DATA val, void *arg)
{
	char name[RECORD_USER_MAX + 400];
	const char *text;
	struct err err;
	size_t len;

	(void)arg;
	if (key.dsize >= sizeof(name))
		return -1;
	memcpy(name, key.dptr, key.dsize);
	name[key.dsize] = '\0';
	return unseal(name, (char *)val.dptr, val.dsize, &text, &len, &err) ==
	    ST_OK ? 0 : -1;
}

/*
 * A check finds what a look-up would not: a chain that was cut is a silent
 * "no such user".  After a kill it complains, rarely, about free space in good
 * data: packing the file anew mends that.
 */
static bool
is_whole(struct tdb_context *tdb)
{
	if (tdb_check(tdb, check_value, NULL) == 0)
		return true;
	return tdb_traverse_read(tdb, NULL, NULL) >= 0 &&
	    tdb_repack(tdb) == 0 && tdb_check(tdb, check_value, NULL) == 0;
}

static void
tdb_close_map(struct map *map)
{
	struct tdbmap *tm = map->handle;

	if (tm == NULL)
		return;
	tdbm_import_close(tm);
	if (tm->tdb != NULL)
		(void)tdb_close(tm->tdb);
	if (tm->lock != -1)
		(void)close(tm->lock);
	talloc_free(tm);
	map->handle = NULL;
}

/*
 * tdb_open() with O_CREAT writes an empty database over whatever it cannot read
 * the header of: a damaged map, or one read(2) that failed.  So it is told to
 * create only where there is nothing.
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
	tm->lock = -1;
	tm->path = must(talloc_strdup(tm, arg));
	st = tdbm_own(tm, err);
	if (st != ST_OK)
		goto out;
	tm->tdb = tdbm_open(arg, HASH_SIZE, TDB_DISALLOW_NESTING, O_RDWR |
	    create_flag(arg, flags));
	if (tm->tdb == NULL) {
		st = errno == EIO || errno == EINVAL ? err_set(err, ST_NEVER,
		    "%s: not a tdb file, or a damaged one: restore it", arg) :
		    err_sys(err, "open %s", arg);
		goto out;
	}
	tm->fd = tdb_fd(tm->tdb);
	tm->whole = is_whole(tm->tdb);
	if (tm->whole)
		st = tdbm_import_resume(map, err);
out:
	if (st != ST_OK)
		tdb_close_map(map);
	return st;
}

enum status
tdbm_error(struct tdb_context *tdb, struct err *err, const char *what)
{
	/* A full disk is reported as "Record does not exist". */
	return err_set(err, ST_AGAIN, "tdb: %s: %s%s", what, tdb_errorstr(tdb),
	    tdb_error(tdb) == TDB_ERR_NOEXIST ? " (or the disk is full)" : "");
}

struct fetching {
	TALLOC_CTX	*ctx;
	const char	*key;
	char		**text;
	size_t		*len;
	struct err	*err;
	enum status	 st;
};

static int
fetch_value(TDB_DATA key, TDB_DATA val, void *arg)
{
	struct fetching *f = arg;
	const char *text;

	(void)key;
	f->st = unseal(f->key, (char *)val.dptr, val.dsize, &text, f->len,
	    f->err);
	if (f->st == ST_OK) {
		*f->text = must(talloc_size(f->ctx, *f->len + 1));
		memcpy(*f->text, text, *f->len);
		(*f->text)[*f->len] = '\0';
	}
	return 0;
}

static TDB_DATA
key_of(const char *key)
{
	return (TDB_DATA){ (unsigned char *)(uintptr_t)key, strlen(key) };
}

/* `c:alice`; printf would take longer than the look-up. */
static char *
put_key(char *key, char kind, const char *name, size_t len)
{
	key[0] = kind;
	key[1] = ':';
	memcpy(key + 2, name, len);
	key[2 + len] = '\0';
	return key;
}

/* A user's name has no more than RECORD_USER_MAX bytes. */
static char *
user_key(char key[RECORD_USER_MAX + 3], char kind, const char *user)
{
	return put_key(key, kind, user, strnlen(user, RECORD_USER_MAX));
}

enum status
tdbm_fetch(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *key,
    char **text, size_t *len, struct err *err)
{
	struct fetching f = { ctx, key, text, len, err, ST_AGAIN };

	if (tdb_parse_record(tdb, key_of(key), fetch_value, &f) == -1)
		return tdb_error(tdb) == TDB_ERR_NOEXIST ? ST_NONE :
		    tdbm_error(tdb, err, key);
	return f.st;
}

enum status
tdbm_store(struct tdb_context *tdb, const char *key, const char *text,
    size_t len, struct err *err)
{
	size_t slen;
	char *value = seal(NULL, key, text, len, &slen);
	int rc;

	rc = tdb_store(tdb, key_of(key), (TDB_DATA){ (unsigned char *)value,
	    slen }, TDB_REPLACE);
	talloc_free(value);
	return rc == -1 ? tdbm_error(tdb, err, key) : ST_OK;
}

enum status
tdbm_delete(struct tdb_context *tdb, const char *key, struct err *err)
{
	if (tdb_delete(tdb, key_of(key)) == -1 &&
	    (tdb_error(tdb) != TDB_ERR_NOEXIST || tdb_exists(tdb, key_of(key))))
		return tdbm_error(tdb, err, key);
	return ST_OK;
}

enum status
tdbm_card(struct tdb_context *tdb, const char *user, struct card *card,
    struct err *err)
{
	char key[RECORD_USER_MAX + 3], *text = NULL;
	unsigned long long version, seq;
	enum status st;
	int live;
	size_t len;

	*card = (struct card){ false, 0, 0 };
	(void)user_key(key, 'c', user);
	st = tdbm_fetch(tdb, NULL, key, &text, &len, err);
	if (st != ST_OK)
		return st == ST_NONE ? ST_OK : st;
	if (sscanf(text, "%d %llu %llu", &live, &version, &seq) != 3)
		st = err_set(err, ST_NEVER, "tdb: %s is damaged", key);
	else
		*card = (struct card){ live != 0, version, seq };
	talloc_free(text);
	return st;
}

struct parsing {
	TALLOC_CTX	*ctx;
	const char	*key, *user;
	struct record	**rec;
	struct err	*err;
	enum status	 st;
};

static int
parse_value(TDB_DATA key, TDB_DATA val, void *arg)
{
	struct parsing *p = arg;
	const char *text;
	size_t len;

	(void)key;
	p->st = unseal(p->key, (char *)val.dptr, val.dsize, &text, &len, p->err);
	if (p->st == ST_OK)
		p->st = record_parse(p->ctx, p->user, text, len, p->rec, p->err);
	return 0;
}

enum status
tdbm_record(struct tdb_context *tdb, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	char key[RECORD_USER_MAX + 3];
	struct parsing p = { ctx, key, user, rec, err, ST_AGAIN };

	(void)user_key(key, 'u', user);
	if (tdb_parse_record(tdb, key_of(key), parse_value, &p) == -1)
		return tdb_error(tdb) == TDB_ERR_NOEXIST ? ST_NONE :
		    tdbm_error(tdb, err, key);
	return p.st;
}

/*
 * Before a look-up.  Who says when he rests (mapd's loop) looks at the file's size once
 * for all that he answers until then, and locks the file once and for all between two
 * transactions: nobody else may write to it.  Four system calls for each answer would
 * be half its cost.
 */
static enum status
begin_look(struct map *map, struct err *err)
{
	struct tdbmap *tm = map->handle;
	enum status st;

	if (tm->seen)
		return ST_OK;
	st = tdbm_still_there(tm, err);
	if (st == ST_OK && map->rests) {
		tm->seen = true;
		if (!tm->looking)
			tm->looking = tdb_lockall_read(tm->tdb) == 0;
	}
	return st;
}

static void
end_look(struct tdbmap *tm)
{
	if (tm->looking)
		(void)tdb_unlockall_read(tm->tdb);
	tm->looking = tm->seen = false;
}

static void
tdb_rest(struct map *map)
{
	struct tdbmap *tm = map->handle;

	tm->seen = false;
}

enum status
tdbm_begin(struct tdbmap *tm, struct err *err)
{
	end_look(tm);			/* a transaction wants no other lock held */
	return tdb_transaction_start(tm->tdb) == -1 ?
	    tdbm_error(tm->tdb, err, "begin a transaction") : ST_OK;
}

enum status
tdbm_end(struct tdbmap *tm, enum status st, struct err *err)
{
	if (st != ST_OK)
		(void)tdb_transaction_cancel(tm->tdb);
	else if (tdb_transaction_commit(tm->tdb) == -1)
		st = tdbm_error(tm->tdb, err, "commit");
	return st;
}

static enum status
tdb_get(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct card card;
	enum status st;

	st = tdbm_import_settle(map, user, err);
	if (st == ST_OK)
		st = begin_look(map, err);
	if (st == ST_OK)
		st = tdbm_record(tm->tdb, ctx, user, rec, err);
	if (st != ST_NONE)
		return st;
	/* Damage can look like absence: a second entry, elsewhere in the file,
	 * must agree, and only a checked file may say "none". */
	st = tdbm_card(tm->tdb, user, &card, err);
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

	st = tdbm_card(tm->tdb, user, &card, err);
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
		st = err_set(err, ST_AGAIN, "%s is damaged: restore it", tm->path);
	else
		st = tdbm_import_meet(map, is != NULL ? is->user : was->user, is,
		    err);
	if (st == ST_OK)
		st = tdbm_begin(tm, err);
	if (st == ST_OK) {
		st = tdbm_apply(tm->tdb, ctx, is != NULL ? is->user : was->user,
		    was == NULL ? 0 : was->version, is, by, false, &ch, err);
		if (st == ST_OK)
			st = tdbm_prune(map, 2, err);
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
	size_t len = strlen(addr);
	char *key = put_key(must(talloc_size(ctx, len + 3)), 'a', addr, len);
	enum status st;

	st = tdbm_import_address(tm, ctx, addr, user, err);
	if (st == ST_OK)
		st = tdbm_import_settle(map, *user, err);
	else if (st == ST_NONE)
		st = ST_OK;
	if (st == ST_OK)
		st = begin_look(map, err);
	if (st == ST_OK)
		st = tdbm_fetch(tm->tdb, ctx, key, user, &len, err);
	return st;
}

/* tdb_nextkey() goes on from a key that is still there. */
static enum status
next_key(struct tdbmap *tm, const char *after, TDB_DATA *key, struct err *err)
{
	TDB_DATA from = key_of(after);

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
	st = tdbm_still_there(tm, err);
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
		st = tdbm_record(tm->tdb, *cursor, name, &rec, err);
		if (st == ST_NONE) {	/* deleted this moment */
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
	    tdbm_import_settle(map, user, err);

	return st == ST_OK ? tdbm_history(map, user, limit, fn, arg, err) : st;
}

/* Waiting work: an import first, then what is too old to be kept. */
static enum status
tdb_tick(struct map *map, struct err *err)
{
	struct tdbmap *tm = map->handle;

	return tdbm_import_pending(tm) ? tdbm_import_roll(map, err) : ST_NONE;
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
