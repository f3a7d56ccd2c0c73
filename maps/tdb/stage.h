/* SPDX-License-Identifier: ISC */
/*
 * stage.h - what an import has staged, in the file PATH.import
 *
 * Keys: `u:USER` the change, with the card's version it was staged on;
 * `a:ADDRESS` who will have it; `m:id` which import this is.  A change is in its
 * place when the map's card of its user has gone beyond that version.
 */
#ifndef MAPS_TDB_STAGE_H
#define MAPS_TDB_STAGE_H

#include "maps/tdb/backend.h"

struct staging {
	struct tdb_context *tdb;
	char		*path;
	char		*id;
	bool		 decided;	/* it stands */
	char		*broken;	/* why it can not stand any more; or NULL */
	const char     **taken;		/* addresses that others must give up */
	unsigned	 ntaken;
	uint64_t	 total, left;
	char		*cursor;	/* of the batches: the last key; "" */
	long long	 touched;	/* clock_ms() */
};

struct staged {				/* the value of `u:USER` */
	uint64_t	 was_version;
	uint64_t	 base;		/* the card's version */
	struct change_by by;
	struct record	*is;
};

/* The file's path; talloc child of ctx. */
char	       *tdbm_stage_path(TALLOC_CTX *ctx, const struct tdbmap *tm);

/* Opened with these flags beside O_RDWR; its tdb NULL: errno says why. */
struct staging *tdbm_stage_open(struct tdbmap *tm, const char *id,
		    int open_flags);

/*
 * Stage one change of the import that is open, with its addresses; `base` is
 * filled in.
 *
 * ST_NEVER  the user is there twice, or two get one address.
 */
enum status	tdbm_stage(struct tdbmap *tm, TALLOC_CTX *ctx, struct staged *s,
		    struct err *err) MUST_CHECK;

/* Children of ctx.  ST_NONE: nothing is staged for this user. */
enum status	tdbm_staged_fetch(const struct staging *im, TALLOC_CTX *ctx,
		    const char *user, struct staged *s, struct err *err) MUST_CHECK;

#endif
