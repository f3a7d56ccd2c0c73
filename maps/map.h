/* SPDX-License-Identifier: ISC */
/*
 * map.h - the migration map: where each user is
 *
 * The same calls on every backend.  A program asks for the map it was
 * configured with and never knows which it got.
 */
#ifndef MAPS_MAP_H
#define MAPS_MAP_H

#include <stdint.h>
#include <talloc.h>
#include <time.h>

#include "maps/record.h"

struct map;

/* The author of a change, its time and its reason; borrowed strings. */
struct change_by {
	const char	*by;
	time_t		 at;		/* seconds UTC */
	const char	*why;
};

/* One entry of the history. */
struct change {
	uint64_t	 seq;		/* 1, 2, ... over the whole map */
	const char	*user;		/* RECORD_DEFAULT for the default */
	struct change_by by;
	const struct record *was;	/* NULL: was added */
	const struct record *is;	/* NULL: was deleted */
	bool		 imported;	/* one of many: not to be logged */
};

/* Return ST_OK to go on; any other result ends the walk and is its result. */
typedef enum status map_each_fn(const struct record *, void *arg,
		    struct err *);
typedef enum status map_change_fn(const struct change *, void *arg,
		    struct err *);

#define MAP_OWNER	0x1	/* open the map's data itself: mapd, and the
				   command where no mapd runs.  Without it tdb:
				   and ldap: mean mapd's socket */
#define MAP_CREATE	0x2	/* with MAP_OWNER: make a map that is missing */

/*
 * Open the map that conf->map names.  map is a talloc child of ctx; freeing it
 * closes.  The socket is connected at the first question, and kept.
 */
enum status	map_open(TALLOC_CTX *ctx, const struct conf *conf, int flags,
		    struct map **map, struct err *err) MUST_CHECK;

/*
 * How long one question to mapd may take, in milliseconds; by default 10,000.
 * After that the result is ST_AGAIN.  For a caller whose own client waits.
 */
void		map_patience(struct map *map, int ms);

/*
 * A user's record as it stands at `now`, authoritatively: a write that is due
 * (a window that begins or ended) is done before the answer.
 *
 * user  a user's name, or RECORD_DEFAULT.
 * home  for %h in location templates; NULL where unknown.
 * rec   talloc child of ctx, located.  For a user without a record it is made
 *       from the map's default: is_default is set, and version is that of the
 *       user's deleted record, or 0.
 *
 * ST_AGAIN  the map could not be asked; never a guess.
 * ST_NEVER  not permitted; a damaged record; a template that cannot be filled.
 */
enum status	map_get(struct map *map, TALLOC_CTX *ctx, const char *user,
		    const char *home, time_t now, struct record **rec,
		    struct err *err) MUST_CHECK;

/*
 * The same for a caller that will repeat the question with map_get() before it
 * acts: where the map is far away the answer may come from mapd's cache, and be
 * one that was right a moment ago.  Only an answer that lets the caller go on
 * may be late; one that makes it defer is current.
 */
enum status	map_get_late(struct map *map, TALLOC_CTX *ctx, const char *user,
		    const char *home, time_t now, struct record **rec,
		    struct err *err) MUST_CHECK;

/* The stored record alone.  ST_NONE: there certainly is none. */
enum status	map_get_stored(struct map *map, TALLOC_CTX *ctx,
		    const char *user, struct record **rec, struct err *err)
		    MUST_CHECK;

/*
 * Compare and swap.  was NULL: add; is NULL: delete.  Judged by
 * transition_check() first, on the map's side.
 *
 * version  (may be NULL) set to the version that the new record got.
 * ST_AGAIN the stored record is no longer `was`: somebody else was first.
 * ST_NEVER refused.
 */
enum status	map_replace(struct map *map, const struct record *was,
		    const struct record *is, const struct change_by *by,
		    uint64_t *version, struct err *err) MUST_CHECK;

/*
 * Every stored record but the default, in no order.  Each is seen at most once
 * and never half; a change that is made meanwhile may or may not be seen.
 */
enum status	map_each(struct map *map, map_each_fn *fn, void *arg,
		    struct err *err) MUST_CHECK;

/* Changes of one user (NULL: of all), the latest first, at most `limit`. */
enum status	map_history(struct map *map, const char *user, int limit,
		    map_change_fn *fn, void *arg, struct err *err) MUST_CHECK;

/*
 * Every change from now on, until fn or the connection ends it.  fn is first
 * called with NULL: records read after that call, and the changes, leave
 * nothing out.
 */
enum status	map_watch(struct map *map, map_change_fn *fn, void *arg,
		    struct err *err) MUST_CHECK;

/*
 * The user who has an address, compared folded to lower case; talloc child of
 * ctx.  ST_NONE: nobody has it.
 */
enum status	map_by_address(struct map *map, TALLOC_CTX *ctx,
		    const char *address, char **user, struct err *err)
		    MUST_CHECK;

/*
 * The record of the user who receives mail for an address.  That is the user
 * who has the address, with its extension or without; else the user of that
 * name, which is the full address, or the local part where the domain is ours.
 *
 * address  `len` bytes as a mail system passes them on: anything.
 * local    the mail system says that the domain is local (see address.h).
 * rec      as map_get(), but not located: the user's home is not known.
 *
 * ST_NONE  no user who has a record.
 */
enum status	map_recipient(struct map *map, TALLOC_CTX *ctx,
		    const char *address, size_t len, bool local, time_t now,
		    struct record **rec, struct err *err) MUST_CHECK;

/*
 * Many changes, all or nothing, while look-ups go on.  One import at a time; an
 * import that got no record for IMPORT_IDLE seconds is given up for the next.
 *
 * id     names the import; talloc child of ctx.
 * was_version  of the stored record that `is` replaces; 0: there is none.
 * left   records that are committed but not yet in their place; look-ups answer
 *        with them already.  As soon as commit returns ST_OK the import is
 *        done, whatever happens; call commit again until nothing is left.
 *
 * ST_AGAIN  of commit: somebody else changed one of the records meanwhile;
 *           nothing was imported.
 */
#define IMPORT_IDLE	60		/* seconds */
enum status	map_import_begin(struct map *map, TALLOC_CTX *ctx, char **id,
		    struct err *err) MUST_CHECK;
enum status	map_import_put(struct map *map, const char *id,
		    uint64_t was_version, const struct record *is,
		    const struct change_by *by, struct err *err) MUST_CHECK;
enum status	map_import_commit(struct map *map, const char *id,
		    uint64_t *left, struct err *err) MUST_CHECK;
void		map_import_abort(struct map *map, const char *id);

#endif
