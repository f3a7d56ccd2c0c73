/* SPDX-License-Identifier: ISC */
/*
 * backend.h - what the files of the tdb backend share
 *
 * Keys: `u:USER` the record; `c:USER` what is to be known of a user beside it
 * (is there a record, the last version, the last change); `a:ADDRESS` whose it is;
 * `h:SEQ` the history; `m:seq` its latest and first numbers; `m:import` the last
 * import that was decided.  Every value is sealed (maps/tdb/seal.h).
 */
#ifndef MAPS_TDB_BACKEND_H
#define MAPS_TDB_BACKEND_H

#include <sys/types.h>
#include <tdb.h>

#include "maps/backend.h"

struct tdbmap {
	struct tdb_context	*tdb;
	char			*path;
	int			 lock;		/* PATH.lock, held by flock() */
	int			 fd;		/* the tdb's own, borrowed */
	off_t			 size;		/* it never shrinks */
	bool			 whole;		/* tdb_check() was content */
	bool			 looking;	/* all of it is locked for reading */
	bool			 seen;		/* its size, since the last rest */
	struct staging		*import;	/* NULL: there is none */
};

struct card {				/* `c:USER` */
	bool		 live;		/* there is a record */
	uint64_t	 version;	/* the last one, also of a deleted record */
	uint64_t	 seq;		/* of the last change */
};

/* Values: ST_NONE absent.  text is a talloc child of ctx, with a NUL after it. */
enum status	tdbm_fetch(struct tdb_context *tdb, TALLOC_CTX *ctx,
		    const char *key, char **text, size_t *len, struct err *err)
		    MUST_CHECK;
enum status	tdbm_store(struct tdb_context *tdb, const char *key,
		    const char *text, size_t len, struct err *err) MUST_CHECK;
enum status	tdbm_delete(struct tdb_context *tdb, const char *key,
		    struct err *err) MUST_CHECK;
enum status	tdbm_error(struct tdb_context *tdb, struct err *err,
		    const char *what);

enum status	tdbm_card(struct tdb_context *tdb, const char *user,
		    struct card *card, struct err *err) MUST_CHECK;
enum status	tdbm_record(struct tdb_context *tdb, TALLOC_CTX *ctx,
		    const char *user, struct record **rec, struct err *err)
		    MUST_CHECK;

/* The numbers of the latest and of the first change that is kept. */
enum status	tdbm_seq(struct tdb_context *tdb, uint64_t *last,
		    uint64_t *first, struct err *err) MUST_CHECK;

/*
 * One change with its history, inside a transaction.  `ch` is filled in for
 * whoever listens; children of ctx.
 *
 * decided  part of an import that stands: an address of another user's is taken,
 *          he gives it up in the same import.
 */
enum status	tdbm_apply(struct tdb_context *tdb, TALLOC_CTX *ctx,
		    const char *user, uint64_t was_version,
		    const struct record *is, const struct change_by *by,
		    bool decided, struct change *ch, struct err *err)
		    MUST_CHECK;

/* A transaction; its end commits with ST_OK and cancels with anything else. */
enum status	tdbm_begin(struct tdbmap *tm, struct err *err) MUST_CHECK;
enum status	tdbm_end(struct tdbmap *tm, enum status st, struct err *err)
		    MUST_CHECK;

/*
 * Take PATH.lock: a map has one owner at a time, and nobody else may enter its
 * directory.
 *
 * ST_NEVER  others may, or it is not ours.
 * ST_AGAIN  another has it, for longer than two seconds.
 */
enum status	tdbm_own(struct tdbmap *tm, struct err *err) MUST_CHECK;

/*
 * Open PATH with the flags that every open here has, and these.  Root does it as the
 * owner of the directory, to whom the files belong.  NULL: errno says why.
 */
struct tdb_context *tdbm_open(const char *path, int hash_size, int tdb_flags,
		    int open_flags);

/* Before each look: a file that somebody cut would be a fatal signal. */
enum status	tdbm_still_there(struct tdbmap *tm, struct err *err) MUST_CHECK;

/* Remove up to `most` changes older than the configuration keeps. */
enum status	tdbm_prune(struct map *map, int most, struct err *err) MUST_CHECK;

enum status	tdbm_history(struct map *map, const char *user, int limit,
		    map_change_fn *fn, void *arg, struct err *err);

/*
 * An import (map_tdb_import.c): staged in a file of its own, PATH.import, decided
 * by one small transaction in the map, and brought to its places in batches.
 */
enum status	tdbm_import_begin(struct map *map, TALLOC_CTX *ctx, char **id,
		    struct err *err);
enum status	tdbm_import_put(struct map *map, const char *id,
		    uint64_t was_version, const struct record *is,
		    const struct change_by *by, struct err *err);
enum status	tdbm_import_commit(struct map *map, const char *id,
		    uint64_t *left, struct err *err);
enum status	tdbm_import_abort(struct map *map, const char *id,
		    struct err *err);

/* At the opening: go on with an import that was decided, drop one that was not. */
enum status	tdbm_import_resume(struct map *map, struct err *err) MUST_CHECK;
void		tdbm_import_close(struct tdbmap *tm);

/* Is one decided, and not yet in its places? */
bool		tdbm_import_pending(const struct tdbmap *tm);
/* Bring one user's record to its place before anybody looks at it. */
enum status	tdbm_import_settle(struct map *map, const char *user,
		    struct err *err) MUST_CHECK;
/* A batch; ST_NONE: nothing is left. */
enum status	tdbm_import_roll(struct map *map, struct err *err) MUST_CHECK;
/* Somebody changes a record: an import of the same user, or of one of its
 * addresses, that is not decided can not be any more; one that is comes first. */
enum status	tdbm_import_meet(struct map *map, const char *user,
		    const struct record *is, struct err *err) MUST_CHECK;
/* The staged owner of an address.  ST_NONE: none. */
enum status	tdbm_import_address(struct tdbmap *tm, TALLOC_CTX *ctx,
		    const char *addr, char **user, struct err *err) MUST_CHECK;

#endif
