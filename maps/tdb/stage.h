/* SPDX-License-Identifier: ISC */
/*
 * stage.h - what an import has staged, in the file PATH.import
 *
 * Keys: `u:USER` the change, with the version of the user's card when it was
 * staged; `a:ADDRESS` the user who will have it; `m:id` the import's name.  A
 * change has been applied when the map's card of its user is above that
 * version.
 */
#ifndef MAPS_TDB_STAGE_H
#define MAPS_TDB_STAGE_H

#include "maps/map.h"
#include "maps/tdb/file.h"

struct staging {
	struct tdb_context *tdb;
	char		*path;
	char		*id;
	bool		 decided;	/* it is committed */
	char		*broken;	/* why it cannot be committed; or
					   NULL */
	const char     **taken;		/* addresses that others must give up */
	unsigned	 ntaken;
	uint64_t	 total, left;	/* records */
	char		*cursor;	/* of the batches: the last key; "" */
	long long	 touched;	/* clock_ms() of the last sign of
					   life */
};

struct staged {				/* the value of `u:USER` */
	uint64_t	 was_version;
	uint64_t	 base;		/* the card's version */
	struct change_by by;
	struct record	*is;
};

/* The file's path; talloc child of ctx. */
char	       *tdbm_stage_path(TALLOC_CTX *ctx, const struct tdbmap *tm);

/*
 * Open the file with these flags beside O_RDWR; talloc child of tm.
 * Its tdb is NULL where it could not be opened: errno says why.
 */
struct staging *tdbm_stage_open(struct tdbmap *tm, const char *id,
		    int open_flags);

/* Close tm->import, if there is one. */
void		tdbm_stage_close(struct tdbmap *tm);

/*
 * Stage one change of tm->import, with its addresses; s->base is filled in.
 *
 * ST_NEVER  the user is in it already, or two users get one address.
 */
enum status	tdbm_stage_put(struct tdbmap *tm, TALLOC_CTX *ctx,
		    struct staged *s, struct err *err) MUST_CHECK;

/* One user's change; its parts are talloc children of ctx.  ST_NONE: none. */
enum status	tdbm_stage_fetch(const struct staging *im, TALLOC_CTX *ctx,
		    const char *user, struct staged *s, struct err *err)
		    MUST_CHECK;

#endif
