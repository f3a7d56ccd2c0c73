/* SPDX-License-Identifier: ISC */
/*
 * values.h - the values of a map's file, by their keys
 *
 * Keys: `u:USER` the record; `c:USER` what must be known of a user beside the
 * record (struct card); `a:ADDRESS` the user who has it; `h:SEQ` a change of
 * the history; `m:seq` the numbers of the last and of the first change that is
 * kept; `m:import` the last import that was committed.  Every value is sealed
 * (maps/tdb/seal.h).
 *
 * The file of an import (maps/tdb/stage.h) has values of the same form.
 */
#ifndef MAPS_TDB_VALUES_H
#define MAPS_TDB_VALUES_H

#include <sys/types.h>
#include <talloc.h>
#include <tdb.h>

#include "maps/record.h"
#include "maps/tdb/memo.h"

struct card {				/* `c:USER` */
	bool		 live;		/* there is a record */
	uint64_t	 version;	/* the last one, also of a deleted
					   record */
	uint64_t	 seq;		/* of the last change */
};

/* A key as tdb wants it; borrows `key`. */
TDB_DATA	tdbm_key(const char *key);

/* `a:ADDR`; talloc child of ctx. */
char	       *tdbm_address_key(TALLOC_CTX *ctx, const char *addr);

/*
 * The value of a key.
 *
 * text      talloc child of ctx, *len bytes with a NUL after them.
 * ST_NONE   there is none.
 * ST_NEVER  it is damaged.
 */
enum status	tdbm_fetch(struct tdb_context *tdb, TALLOC_CTX *ctx,
		    const char *key, char **text, size_t *len, struct err *err)
		    MUST_CHECK;

/* ST_AGAIN  it could not be written: the disk is full, for one. */
enum status	tdbm_store(struct tdb_context *tdb, const char *key,
		    const char *text, size_t len, struct err *err) MUST_CHECK;

/* ST_OK also where there is no such key. */
enum status	tdbm_delete(struct tdb_context *tdb, const char *key,
		    struct err *err) MUST_CHECK;

/* A user's card, all zero where there is none.  ST_NEVER: it is damaged. */
enum status	tdbm_fetch_card(struct tdb_context *tdb, const char *user,
		    struct card *card, struct err *err) MUST_CHECK;
enum status	tdbm_store_card(struct tdb_context *tdb, const char *user,
		    const struct card *card, struct err *err) MUST_CHECK;

/*
 * A user's record; talloc child of ctx.  It is parsed where it lies in the
 * file, without a copy: this is on the way of every look-up.
 *
 * memo      the records that were parsed before; NULL: parse it in any case.
 * ST_NONE   there is none, or the file is damaged: the user's card knows.
 * ST_NEVER  it is damaged.
 */
enum status	tdbm_fetch_record(struct tdb_context *tdb, struct memo *memo,
		    TALLOC_CTX *ctx, const char *user, struct record **rec,
		    struct err *err) MUST_CHECK;

/* Put tdb's error into err, after `what`; ST_AGAIN. */
enum status	tdbm_error(struct tdb_context *tdb, struct err *err,
		    const char *what);

/*
 * Read the whole file and its seals.  False: damaged, and not to be repaired.
 */
bool		tdbm_is_whole(struct tdb_context *tdb);

#endif
