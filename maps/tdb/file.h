/* SPDX-License-Identifier: ISC */
/*
 * file.h - the open file of a map: its owner, its look-ups, its transactions
 */
#ifndef MAPS_TDB_FILE_H
#define MAPS_TDB_FILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <tdb.h>

#include "maps/base/err.h"

struct memo;				/* maps/tdb/memo.h */
struct staging;				/* maps/tdb/stage.h */

struct tdbmap {
	struct tdb_context	*tdb;
	char			*path;
	int			 lock;		/* PATH.lock, held by flock() */
	int			 fd;		/* that of tdb, borrowed */
	off_t			 size;		/* bytes; it never shrinks */
	bool			 whole;		/* tdbm_is_whole() */
	bool			 looking;	/* the whole file is locked for
						   reading */
	bool			 seen;		/* size was checked since the
						   program last waited */
	long long		 seen_at;	/* clock_ms() of that check */
	struct staging		*import;	/* NULL: there is none */
	struct memo		*memo;		/* records that get() parsed */
};

/*
 * Take tm->path's lock, PATH.lock, into tm->lock: a map has one owner at a
 * time, and nobody else may enter its directory.
 *
 * ST_NEVER  others may enter the directory, or it belongs to another user.
 * ST_AGAIN  another process holds the lock, for longer than two seconds.
 */
enum status	tdbm_file_own(struct tdbmap *tm, struct err *err) MUST_CHECK;

/*
 * Open PATH with these flags and those that every file of a map is opened with.
 * Root does it as the owner of the directory, to whom the files belong.  NULL:
 * errno says why.
 */
struct tdb_context *tdbm_file_open(const char *path, int hash_size,
		    int tdb_flags, int open_flags);

/*
 * To be called before anything is read: a file that somebody truncated would
 * end the process with a signal.  ST_AGAIN: the file is smaller than it was.
 */
enum status	tdbm_check_size(struct tdbmap *tm, struct err *err) MUST_CHECK;

/*
 * tdbm_check_size() for one look-up of many.
 *
 * rests  the program sets tm->seen to false whenever it is about to wait: until
 *        then the size is checked once, and at most once in a millisecond, and
 *        the file stays locked for reading from one transaction to the next.
 *        (Nobody else may write to it; five system calls for each answer would
 *        be half its cost.)
 */
enum status	tdbm_look(struct tdbmap *tm, bool rests, struct err *err)
		    MUST_CHECK;

/*
 * A transaction.  Its end commits where st is ST_OK, else cancels; the result
 * is st, or ST_AGAIN where the commit failed.
 */
enum status	tdbm_begin(struct tdbmap *tm, struct err *err) MUST_CHECK;
enum status	tdbm_end(struct tdbmap *tm, enum status st, struct err *err)
		    MUST_CHECK;

#endif
