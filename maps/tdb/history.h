/* SPDX-License-Identifier: ISC */
/*
 * history.h - a change of a record and its entry in the history are one
 */
#ifndef MAPS_TDB_HISTORY_H
#define MAPS_TDB_HISTORY_H

#include <sys/types.h>
#include <tdb.h>

#include "maps/map.h"

/*
 * Make one change and its entry in the history, inside a transaction.
 *
 * was_version  of the stored record; 0: there is none.
 * is           NULL: delete.
 * decided      part of an import that was committed: an address that another
 *              user has is taken, since that user gives it up in the same
 *              import.
 * ch           filled in, for those who listen; its parts are children of ctx.
 *
 * ST_AGAIN  the stored record is of another version.
 * ST_NEVER  another user has one of the addresses; the record is too long.
 */
enum status	tdbm_history_apply(struct tdb_context *tdb, TALLOC_CTX *ctx,
		    const char *user, uint64_t was_version,
		    const struct record *is, const struct change_by *by,
		    bool decided, struct change *ch, struct err *err)
		    MUST_CHECK;

/* Remove up to `most` changes older than the configuration's history_days. */
enum status	tdbm_history_prune(struct map *map, int most, struct err *err)
		    MUST_CHECK;

/* As map_history(). */
enum status	tdbm_history(struct map *map, const char *user, int limit,
		    map_change_fn *fn, void *arg, struct err *err) MUST_CHECK;

#endif
