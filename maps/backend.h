/* SPDX-License-Identifier: ISC */
/*
 * backend.h - what a kind of map must be able to do
 *
 * A backend is one file that fills one struct map_ops; maps/owners.c names
 * those that own a map's data.  What is the same for all backends is in
 * maps/map.c (the default, the writes that are due) and maps/map_change.c (the
 * judgement of a change).
 */
#ifndef MAPS_BACKEND_H
#define MAPS_BACKEND_H

#include "maps/map.h"

struct map {
	const struct map_ops	*ops;
	const struct conf	*conf;
	void			*handle;	/* the backend's own */
	map_change_fn		*changed;	/* called after each change that
						   was committed; may be NULL */
	void			*changed_arg;
	int			 patience;	/* ms for one question; 0: the
						   backend's own */
	bool			 rests;		/* map_rest() is called */
	bool			 settled;	/* get() fills in the default
						   and writes what is due: mapd
						   did it (socket), or there is
						   nothing to do (none) */
};

/*
 * What a follower of the map reports.  Between BEGIN and COMPLETE each record
 * is reported once, and a record that is not reported is gone.  ALIVE: the map
 * answers, and nothing has changed.
 */
enum follow_event {
	FOLLOW_BEGIN, FOLLOW_RECORD, FOLLOW_COMPLETE, FOLLOW_ALIVE
};

struct followed {
	const char	*user;
	uint64_t	 version;	/* the last one */
	const char	*text;		/* NULL: deleted */
	bool		 staged;	/* for an import */
	uint64_t	 seq;		/* of the last change */
	const char	*change;	/* its text; NULL: not known */
};

/* rec: with FOLLOW_RECORD only.  Any result but ST_OK ends the following. */
typedef enum status follow_fn(enum follow_event, const struct followed *rec,
		    void *arg);

struct map_ops {
	const char	*scheme;		/* "tdb", "socket", "none" */
	/* arg: what follows the colon.  map->handle is set. */
	enum status	(*open)(struct map *, const char *arg, int flags,
			    struct err *);
	void		(*close)(struct map *);
	/*
	 * The stored record.  ST_NONE: no such user, said by a map that is
	 * known to be whole; a search that failed is never ST_NONE.  user may
	 * be RECORD_DEFAULT.
	 */
	enum status	(*get)(struct map *, TALLOC_CTX *, const char *user,
			    struct record **, struct err *);
	/* As get(), but the answer may be one that was right a moment ago, an
	 * ST_NEVER included.  NULL: get() is as fast. */
	enum status	(*get_late)(struct map *, TALLOC_CTX *,
			    const char *user, struct record **, struct err *);
	/* The stored record.  NULL: that is what get() answers with. */
	enum status	(*get_stored)(struct map *, TALLOC_CTX *,
			    const char *user, struct record **, struct err *);
	/* The last version of a deleted record, 0 where there was none; NULL:
	 * get() never says ST_NONE. */
	enum status	(*buried)(struct map *, const char *user,
			    uint64_t *version, struct err *);
	/*
	 * Compare and swap, with its entry in the history, in one transaction.
	 * was NULL: there must be none.  is NULL: delete.
	 * ST_AGAIN where the stored version is not that of was.  The version
	 * stored is is->version, or one above that of a deleted record of the
	 * same name; *version is set to it (version may be NULL).
	 */
	enum status	(*replace)(struct map *, const struct record *was,
			    const struct record *is, const struct change_by *,
			    uint64_t *version, struct err *);
	/*
	 * Records from a cursor on ("" at first), to the end or until fn
	 * returns ST_NONE, "enough for now".  *cursor (talloc child of ctx) is
	 * then where the next call goes on, "" at the end.
	 */
	enum status	(*each)(struct map *, TALLOC_CTX *ctx, char **cursor,
			    map_each_fn *, void *arg, struct err *);
	enum status	(*history)(struct map *, const char *user, int limit,
			    map_change_fn *, void *arg, struct err *);
	enum status	(*watch)(struct map *, map_change_fn *, void *arg,
			    struct err *);
	/* An import, all or nothing, as in map.h.  NULL: not supported. */
	enum status	(*import_begin)(struct map *, TALLOC_CTX *, char **id,
			    struct err *);
	enum status	(*import_put)(struct map *, const char *id,
			    uint64_t was_version, const struct record *is,
			    const struct change_by *, struct err *);
	enum status	(*import_commit)(struct map *, const char *id,
			    uint64_t *left, struct err *);
	enum status	(*import_abort)(struct map *, const char *id,
			    struct err *);
	/* The user who has an address, which is folded already. */
	enum status	(*by_address)(struct map *, TALLOC_CTX *,
			    const char *addr, char **user, struct err *);
	/* As map_recipient().  NULL: map.c does it with by_address and get. */
	enum status	(*recipient)(struct map *, TALLOC_CTX *,
			    const char *address, size_t len, bool local,
			    struct record **, struct err *);
	/*
	 * Owners only, NULL elsewhere.  Do some of the work that waits (an
	 * import's records, retention), a few milliseconds of it.
	 * ST_OK    more work is waiting.
	 * ST_NONE  there is nothing to do.
	 */
	enum status	(*tick)(struct map *, struct err *);
	/*
	 * Of an owner whose calls may block (NULL: they do not): how many
	 * processes make the calls, and after how many seconds without an
	 * answer one of them is killed.  Each of them calls forked() first, and
	 * again after a reload.
	 */
	int		(*workers)(const struct map *);
	int		(*patience)(const struct map *);
	void		(*forked)(struct map *);
	/*
	 * Report every record and then each change, until fn or a failure ends
	 * it; NULL: not supported.  lease: for how many seconds after the last
	 * report the reported records may be used; 0: not at all.
	 */
	enum status	(*follow)(struct map *, follow_fn *fn, void *arg,
			    struct err *err);
	int		(*lease)(const struct map *);
	/* Release what was held for a group of look-ups. */
	void		(*rest)(struct map *);
};

extern const struct map_ops map_tdb, map_ldap, map_none, map_socket;

/*
 * The backends that can own a map's data, NULL-terminated: maps/owners.c, or
 * maps/owners_none.c in the LDA and the milter, which are linked without them
 * and without their libraries.
 */
extern const struct map_ops *const map_owners[];

/*
 * map_get() whose locations are not filled in: for mapd, which does not know
 * the users' homes.
 */
enum status	map_get_open(struct map *map, TALLOC_CTX *ctx, const char *user,
		    time_t now, struct record **rec, struct err *err)
		    MUST_CHECK;

/*
 * For a loop that answers many questions at a turn.  It sets map->rests, and
 * then calls map_rest() whenever it is about to wait.
 */
void		map_rest(struct map *map);

/*
 * What a user without a record has: the map's default.
 *
 * rec  talloc child of ctx, not located; version that of the user's deleted
 *      record, or 0.
 */
enum status	map_get_default(struct map *map, TALLOC_CTX *ctx,
		    const char *user, struct record **rec, struct err *err)
		    MUST_CHECK;

/*
 * transition_check() with the map's default and locations: the judgement of
 * every change that an owner is asked for.
 */
enum status	map_judge(struct map *map, const struct record *was,
		    const struct record *is, struct err *err) MUST_CHECK;

/* Report that this backend has no such operation; ST_NEVER. */
enum status	map_unsupported(const struct map *map, struct err *err);

#endif
