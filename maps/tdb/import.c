/* SPDX-License-Identifier: ISC */
/*
 * import.c - many changes at once, without making anybody wait
 *
 * One transaction over 100,000 users would block for seconds.  So an import is
 * staged in a file of its own beside the map, PATH.import.  One small
 * transaction in the map then commits it: that is the moment of all or nothing.
 * After that a question about a staged user first applies that user's change,
 * and the others are applied in batches.
 */
#include "maps/tdb/import.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/backend.h"
#include "maps/base/clock.h"
#include "maps/tdb/file.h"
#include "maps/tdb/history.h"
#include "maps/tdb/stage.h"
#include "maps/tdb/values.h"

#define BATCH		64		/* records in a transaction: some ms */

static void
discard(struct tdbmap *tm)
{
	(void)unlink(tm->import->path);
	tdbm_stage_close(tm);
}

bool
tdbm_import_pending(const struct tdbmap *tm)
{
	return tm->import != NULL && tm->import->decided;
}

enum status
tdbm_import_begin(struct map *map, TALLOC_CTX *ctx, char **id, struct err *err)
{
	struct tdbmap *tm = map->handle;
	char name[64];

	if (!tm->whole)
		return err_set(err, ST_AGAIN, "%s is damaged: restore it",
		    tm->path);
	if (tdbm_import_pending(tm))
		return err_set(err, ST_AGAIN,
		    "an import is being written: once more in a few seconds");
	if (tm->import != NULL && clock_ms() - tm->import->touched <
	    IMPORT_IDLE * 1000LL)
		return err_set(err, ST_AGAIN, "another import is under way");
	if (tm->import != NULL)
		discard(tm);
	(void)snprintf(name, sizeof(name), "%lld.%lld.%ld",
	    (long long)time(NULL), clock_ms(), (long)getpid());
	tm->import = tdbm_stage_open(tm, name, O_CREAT | O_EXCL);
	if (tm->import->tdb == NULL) {
		(void)err_sys(err, "create %s", tm->import->path);
		tdbm_stage_close(tm);
		return ST_AGAIN;
	}
	*id = must(talloc_strdup(ctx, name));
	return tdbm_store(tm->import->tdb, "m:id", name, strlen(name), err);
}

/* ST_AGAIN unless this import is open for more. */
static enum status
check_open(struct tdbmap *tm, const char *id, struct err *err)
{
	if (tm->import == NULL || tm->import->decided ||
	    strcmp(tm->import->id, id) != 0)
		return err_set(err, ST_AGAIN, "the import was given up (it "
		    "paused for %d seconds, or mailferry-mapd was restarted): "
		    "nothing of it was done", IMPORT_IDLE);
	tm->import->touched = clock_ms();
	return ST_OK;
}

enum status
tdbm_import_put(struct map *map, const char *id, uint64_t was_version,
    const struct record *is, const struct change_by *by, struct err *err)
{
	struct tdbmap *tm = map->handle;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	struct staged s = { was_version, 0, *by, record_copy(ctx, is) };
	enum status st;

	st = check_open(tm, id, err);
	if (st == ST_OK)
		st = tdbm_stage_put(tm, ctx, &s, err);
	talloc_free(ctx);
	return st;
}

enum status
tdbm_import_abort(struct map *map, const char *id, struct err *err)
{
	struct tdbmap *tm = map->handle;
	enum status st = check_open(tm, id, err);

	if (st == ST_OK)
		discard(tm);
	return st;
}

/* Each address that another user has must be given up in this import. */
static enum status
check_taken(struct tdbmap *tm, TALLOC_CTX *ctx, struct err *err)
{
	char *key, *owner = NULL;
	struct staged s;
	enum status st;
	unsigned i;
	size_t len;

	for (i = 0; i < tm->import->ntaken; i++) {
		key = must(talloc_asprintf(ctx, "a:%s", tm->import->taken[i]));
		st = tdbm_fetch(tm->tdb, ctx, key, &owner, &len, err);
		if (st == ST_NONE)
			continue;
		if (st == ST_OK)
			st = tdbm_stage_fetch(tm->import, ctx, owner, &s, err);
		if (st != ST_OK && st != ST_NONE)
			return st;
		if (st == ST_NONE || record_has_address(s.is, key + 2))
			return err_set(err, ST_NEVER, "the address %s is %s's",
			    key + 2, owner);
	}
	return ST_OK;
}

static enum status
mark(struct tdbmap *tm, const char *id, const char *what, uint64_t total,
    struct err *err)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "%s %s %llu", id, what,
	    (unsigned long long)total);
	enum status st;

	st = tdbm_begin(tm, err);
	if (st != ST_OK)
		return st;
	st = tdbm_store(tm->tdb, "m:import", text, (size_t)len, err);
	return tdbm_end(tm, st, err);
}

/* The staged file and its name must survive a crash after the commit. */
static enum status
sync_staged(const struct staging *im, struct err *err)
{
	char *copy = must(talloc_strdup(NULL, im->path));
	enum status st = ST_OK;
	int fd;

	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || fsync(tdb_fd(im->tdb)) == -1 || fsync(fd) == -1)
		st = err_sys(err, "sync %s", im->path);
	if (fd != -1)
		(void)close(fd);
	talloc_free(copy);
	return st;
}

static enum status
decide(struct tdbmap *tm, struct err *err)
{
	struct staging *im = tm->import;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	enum status st;

	st = im->broken == NULL ? check_taken(tm, ctx, err) : err_set(err,
	    ST_AGAIN, "%s meanwhile: nothing was imported, try again",
	    im->broken);
	if (st == ST_OK)
		st = sync_staged(im, err);
	if (st == ST_OK)
		st = mark(tm, im->id, "pending", im->total, err);
	talloc_free(ctx);
	if (st == ST_OK)
		im->decided = true;
	else
		discard(tm);
	return st;
}

/* The last import that was committed.  pending: not yet wholly applied. */
static enum status
last_import(struct tdbmap *tm, char id[64], bool *pending, uint64_t *total,
    struct err *err)
{
	unsigned long long n = 0;
	char *text = NULL, word[16] = "";
	enum status st;
	size_t len;

	st = tdbm_fetch(tm->tdb, NULL, "m:import", &text, &len, err);
	if (st != ST_OK)
		return st;
	if (sscanf(text, "%63s %15s %llu", id, word, &n) != 3)
		st = err_set(err, ST_NEVER, "%s: m:import is damaged",
		    tm->path);
	*pending = strcmp(word, "pending") == 0;
	*total = n;
	talloc_free(text);
	return st;
}

/*
 * Repeated after the import was committed this only reports how far it is: the
 * client may not have got the first answer.
 */
enum status
tdbm_import_commit(struct map *map, const char *id, uint64_t *left,
    struct err *err)
{
	struct tdbmap *tm = map->handle;
	uint64_t total;
	bool pending;
	char last[64];
	enum status st;

	if (tdbm_import_pending(tm) && strcmp(tm->import->id, id) == 0) {
		*left = tm->import->left;
		return ST_OK;
	}
	st = last_import(tm, last, &pending, &total, err);
	if (st == ST_OK && strcmp(last, id) == 0) {
		*left = 0;
		return ST_OK;
	}
	if (st == ST_OK || st == ST_NONE)
		st = check_open(tm, id, err);
	if (st == ST_OK)
		st = decide(tm, err);
	if (st == ST_OK)
		*left = tm->import->left;
	return st;
}

enum status
tdbm_import_resume(struct map *map, struct err *err)
{
	struct tdbmap *tm = map->handle;
	char *path = tdbm_stage_path(NULL, tm), id[64], *is = NULL;
	uint64_t total;
	bool pending;
	enum status st;
	size_t len;

	st = last_import(tm, id, &pending, &total, err);
	if (st == ST_NONE || (st == ST_OK && !pending)) {
		(void)unlink(path);	/* never committed */
		talloc_free(path);
		return ST_OK;
	}
	talloc_free(path);
	if (st != ST_OK)
		return st;
	tm->import = tdbm_stage_open(tm, id, 0);
	if (tm->import->tdb == NULL || tdbm_fetch(tm->import->tdb, tm->import,
	    "m:id", &is, &len, err) != ST_OK || strcmp(is, id) != 0 ||
	    tdb_check(tm->import->tdb, NULL, NULL) != 0) {
		st = err_set(err, ST_NEVER, "%s is missing or damaged, and not "
		    "yet wholly in the map: restore it, or both from a backup",
		    tm->import->path);
		tdbm_stage_close(tm);
		return st;
	}
	tm->import->decided = true;
	tm->import->total = tm->import->left = total;
	return ST_OK;
}

/* Apply a staged change, inside a transaction.  ST_NONE: it was applied. */
static enum status
apply(struct map *map, TALLOC_CTX *ctx, const char *user, struct change *ch,
    struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct staged s;
	struct card card;
	enum status st;

	st = tdbm_stage_fetch(tm->import, ctx, user, &s, err);
	if (st == ST_OK)
		st = tdbm_fetch_card(tm->tdb, user, &card, err);
	if (st == ST_OK && card.version > s.base)
		st = ST_NONE;
	return st == ST_OK ? tdbm_history_apply(tm->tdb, ctx, user,
	    s.was_version, s.is, &s.by, true, ch, err) : st;
}

static void
report(struct map *map, const struct change *ch)
{
	struct err err;

	if (map->changed != NULL)
		(void)!map->changed(ch, map->changed_arg, &err);
}

enum status
tdbm_import_finish_user(struct map *map, const char *user, struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct change ch;
	TALLOC_CTX *ctx;
	enum status st;

	if (!tdbm_import_pending(tm) || strcmp(user, RECORD_DEFAULT) == 0)
		return ST_OK;
	st = tdbm_begin(tm, err);
	if (st != ST_OK)
		return st;
	ctx = must(talloc_new(NULL));
	st = tdbm_end(tm, apply(map, ctx, user, &ch, err), err);
	if (st == ST_OK)
		report(map, &ch);
	talloc_free(ctx);
	return st == ST_NONE ? ST_OK : st;
}

/* Nothing changes the staged file any more, so its order is fixed. */
static char *
next_user(struct staging *im, char **cursor)
{
	TDB_DATA key, from = { (unsigned char *)*cursor, strlen(*cursor) };

	do {
		key = from.dsize == 0 ? tdb_firstkey(im->tdb) :
		    tdb_nextkey(im->tdb, from);
		talloc_free(*cursor);
		*cursor = must(talloc_strndup(im, key.dptr == NULL ? "" :
		    (char *)key.dptr, key.dsize));
		free(key.dptr);
		from = (TDB_DATA){ (unsigned char *)*cursor, strlen(*cursor) };
	} while (from.dsize != 0 && strncmp(*cursor, "u:", 2) != 0);
	return from.dsize == 0 ? NULL : *cursor + 2;
}

static enum status
finish(struct tdbmap *tm, struct err *err)
{
	enum status st = mark(tm, tm->import->id, "done", tm->import->total,
	    err);

	if (st == ST_OK)
		discard(tm);
	return st == ST_OK ? ST_NONE : st;
}

enum status
tdbm_import_batch(struct map *map, struct err *err)
{
	struct tdbmap *tm = map->handle;
	struct staging *im = tm->import;
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	char *cursor = must(talloc_strdup(im, im->cursor)), *user = cursor;
	struct change ch[BATCH];
	enum status st;
	int n = 0, seen = 0, i;

	st = tdbm_begin(tm, err);
	if (st != ST_OK)
		goto out;
	while (st == ST_OK && seen < BATCH && (user = next_user(im, &cursor)) !=
	    NULL) {
		st = apply(map, ctx, user, &ch[n], err);
		n += st == ST_OK;
		seen++;
		if (st == ST_NONE)
			st = ST_OK;
	}
	if (st == ST_OK)
		st = tdbm_history_prune(map, BATCH, err);
	st = tdbm_end(tm, st, err);
	if (st == ST_OK) {		/* else the same batch again */
		talloc_free(im->cursor);
		im->cursor = cursor;
		im->left -= im->left < (uint64_t)seen ? im->left :
		    (uint64_t)seen;
		for (i = 0; i < n; i++)
			report(map, &ch[i]);
	}
out:
	talloc_free(ctx);
	return st == ST_OK && user == NULL ? finish(tm, err) : st;
}

enum status
tdbm_import_owner(struct tdbmap *tm, TALLOC_CTX *ctx, const char *addr,
    char **user, struct err *err)
{
	char *key;
	size_t len;

	if (!tdbm_import_pending(tm))
		return ST_NONE;
	key = tdbm_address_key(ctx, addr);
	return tdbm_fetch(tm->import->tdb, ctx, key, user, &len, err);
}

/* Before the record of `user`, who is staged, changes: see import.h. */
static enum status
finish_or_break(struct map *map, const char *user, const char *what,
    struct err *err)
{
	struct tdbmap *tm = map->handle;

	if (tm->import->decided)
		return tdbm_import_finish_user(map, user, err);
	if (tm->import->broken == NULL)
		tm->import->broken = must(talloc_asprintf(tm->import,
		    "the record of %s changed (%s)", user, what));
	return ST_OK;
}

enum status
tdbm_import_before_change(struct map *map, const char *user,
    const struct record *is, struct err *err)
{
	struct tdbmap *tm = map->handle;
	TALLOC_CTX *ctx;
	struct staged s;
	enum status st;
	const char **a;
	char *key, *owner = NULL;
	size_t len;

	if (tm->import == NULL)
		return ST_OK;
	ctx = must(talloc_new(NULL));
	st = tdbm_stage_fetch(tm->import, ctx, user, &s, err);
	if (st == ST_OK)
		st = finish_or_break(map, user, "by somebody else", err);
	else if (st == ST_NONE)
		st = ST_OK;
	for (a = is == NULL ? NULL : is->address; a != NULL && *a != NULL &&
	    st == ST_OK; a++) {
		key = tdbm_address_key(ctx, *a);
		st = tdbm_fetch(tm->import->tdb, ctx, key, &owner, &len, err);
		if (st == ST_OK && strcmp(owner, user) != 0)
			st = finish_or_break(map, owner, *a, err);
		else if (st == ST_NONE)
			st = ST_OK;
	}
	talloc_free(ctx);
	return st;
}
