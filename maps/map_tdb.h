/*
 * map_tdb.h - what the files of the tdb backend share
 *
 * Keys: `u:USER` the record; `c:USER` what is to be known of a user beside it
 * (is there a record, the last version, the last change); `a:ADDRESS` whose it is;
 * `h:SEQ` the history; `m:seq` its latest and first numbers.  Every value is
 * sealed (maps/seal.h).
 */
#ifndef MAPS_MAP_TDB_H
#define MAPS_MAP_TDB_H

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

/* One change with its history, inside a transaction or in a file that nobody
 * else has seen.  `ch` is filled in for whoever listens; children of ctx. */
enum status	tdbm_apply(struct tdb_context *tdb, TALLOC_CTX *ctx,
		    const char *user, uint64_t was_version,
		    const struct record *is, const struct change_by *by,
		    struct change *ch, struct err *err) MUST_CHECK;

/* Open PATH with the flags that every open here has; NULL: errno says why. */
struct tdb_context *tdbm_open(const char *path, int hash_size, int open_flags);

/* Remove up to `most` changes older than the configuration keeps. */
enum status	tdbm_prune(struct map *map, int most, struct err *err) MUST_CHECK;

enum status	tdbm_history(struct map *map, const char *user, int limit,
		    map_change_fn *fn, void *arg, struct err *err);

#endif
