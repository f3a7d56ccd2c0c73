/* SPDX-License-Identifier: ISC */
/*
 * import.h - many changes at once, without making anybody wait
 *
 * An import is staged in a file of its own (maps/tdb/stage.h), committed by one
 * small transaction in the map, and then applied: in batches, and record by
 * record to those that are asked for.
 */
#ifndef MAPS_TDB_IMPORT_H
#define MAPS_TDB_IMPORT_H

#include "maps/map.h"
#include "maps/tdb/file.h"

/* As the four calls of map.h. */
enum status	tdbm_import_begin(struct map *map, TALLOC_CTX *ctx, char **id,
		    struct err *err) MUST_CHECK;
enum status	tdbm_import_put(struct map *map, const char *id,
		    uint64_t was_version, const struct record *is,
		    const struct change_by *by, struct err *err) MUST_CHECK;
enum status	tdbm_import_commit(struct map *map, const char *id,
		    uint64_t *left, struct err *err) MUST_CHECK;
enum status	tdbm_import_abort(struct map *map, const char *id,
		    struct err *err) MUST_CHECK;

/*
 * When the map is opened: go on with an import that was committed, and remove
 * the file of one that was not.
 * ST_NEVER  the file of a committed import is missing or damaged.
 */
enum status	tdbm_import_resume(struct map *map, struct err *err) MUST_CHECK;

/* True if an import is committed and not yet wholly applied. */
bool		tdbm_import_pending(const struct tdbmap *tm);

/* Apply a pending import to one user, before that user's record is read. */
enum status	tdbm_import_finish_user(struct map *map, const char *user,
		    struct err *err) MUST_CHECK;

/* Apply a batch of a pending import.  ST_NONE: nothing is left of it. */
enum status	tdbm_import_batch(struct map *map, struct err *err) MUST_CHECK;

/*
 * Before a change of a record that is no part of an import.  A pending import
 * is first applied to that user and to those who have one of the new addresses;
 * one that is not committed can no longer be, if it has that user or one of the
 * addresses.
 */
enum status	tdbm_import_before_change(struct map *map, const char *user,
		    const struct record *is, struct err *err) MUST_CHECK;

/*
 * The user who gets an address from a pending import; talloc child of ctx.
 * ST_NONE: nobody does.
 */
enum status	tdbm_import_owner(struct tdbmap *tm, TALLOC_CTX *ctx,
		    const char *addr, char **user, struct err *err) MUST_CHECK;

#endif
