/* SPDX-License-Identifier: ISC */
/*
 * backend.h - what a kind of map must be able to do
 *
 * A backend is one file that fills one struct map_ops; maps/map.c has the list
 * of them and everything that is the same for all: the default, the writes
 * that are due, the judgement of a change.
 */
#ifndef MAPS_BACKEND_H
#define MAPS_BACKEND_H

#include "maps/map.h"

struct map {
	const struct map_ops	*ops;
	const struct conf	*conf;
	void			*handle;	/* the backend's own */
	/* Called after each change that was committed; NULL: nobody listens. */
	map_change_fn		*changed;
	void			*changed_arg;
	int			 patience;	/* ms for one question; 0: the
						   backend's own */
	bool			 rests;		/* its user calls map_rest() */
	bool			 settled;	/* get() answers with the default
						   filled in and dues written: a
						   mapd did it (socket), or there
						   is nothing to do (none) */
};

/*
 * What is told of every record by who follows the map.  Between BEGIN and COMPLETE each
 * comes once, and what does not come is gone; ALIVE: nothing happened.
 */
enum follow_event { FOLLOW_BEGIN, FOLLOW_RECORD, FOLLOW_COMPLETE, FOLLOW_ALIVE };

struct followed {
	const char	*user;
	uint64_t	 version;	/* the last one */
	const char	*text;		/* NULL: deleted */
	bool		 staged;	/* for an import */
	uint64_t	 seq;		/* of the last change, and its text; NULL */
	const char	*change;
};

/* rec: with FOLLOW_RECORD; anything but ST_OK ends it. */
typedef enum status follow_fn(enum follow_event, const struct followed *rec,
		    void *arg);

struct map_ops {
	const char	*scheme;		/* "tdb", "socket", "none" */
	/* arg: what follows the colon.  map->handle is set. */
	enum status	(*open)(struct map *, const char *arg, int flags,
			    struct err *);
	void		(*close)(struct map *);
	/*
	 * The stored record.  ST_NONE: no such user, said by a map that is known
	 * to be whole; a search that failed is never ST_NONE.  user may be
	 * RECORD_DEFAULT.
	 */
	enum status	(*get)(struct map *, TALLOC_CTX *, const char *user,
			    struct record **, struct err *);
	/* get(), but what was right a moment ago is good enough; ST_NEVER may be
	 * wrong by now.  NULL: get() is as good. */
	enum status	(*get_late)(struct map *, TALLOC_CTX *, const char *user,
			    struct record **, struct err *);
	/* The stored record where get() answers with more; NULL: get() does. */
	enum status	(*get_stored)(struct map *, TALLOC_CTX *, const char *user,
			    struct record **, struct err *);
	/* The last version of a deleted record, 0 where there was none; NULL:
	 * get() never says ST_NONE. */
	enum status	(*buried)(struct map *, const char *user,
			    uint64_t *version, struct err *);
	/*
	 * Compare and swap, with its entry in the history, in one transaction.
	 * was NULL: there must be none.  is NULL: delete; by, at, why say who.
	 * ST_AGAIN where the stored version is not was's.  The version stored is
	 * is->version, or one above that of a deleted record of the same name;
	 * *version (may be NULL) is set to it.
	 */
	enum status	(*replace)(struct map *, const struct record *was,
			    const struct record *is, const struct change_by *,
			    uint64_t *version, struct err *);
	/*
	 * Records from a cursor on ("" at first), until fn says ST_NONE: "enough
	 * for now", or the end; *cursor (talloc child of ctx) is then where to go
	 * on, "" at the end.
	 */
	enum status	(*each)(struct map *, TALLOC_CTX *ctx, char **cursor,
			    map_each_fn *, void *arg, struct err *);
	enum status	(*history)(struct map *, const char *user, int limit,
			    map_change_fn *, void *arg, struct err *);
	enum status	(*watch)(struct map *, map_change_fn *, void *arg,
			    struct err *);
	/* An import, all or nothing; see map.h.  NULL: not supported. */
	enum status	(*import_begin)(struct map *, TALLOC_CTX *, char **id,
			    struct err *);
	enum status	(*import_put)(struct map *, const char *id,
			    uint64_t was_version, const struct record *is,
			    const struct change_by *, struct err *);
	enum status	(*import_commit)(struct map *, const char *id,
			    uint64_t *left, struct err *);
	enum status	(*import_abort)(struct map *, const char *id,
			    struct err *);
	/* `user` of an address that is folded already. */
	enum status	(*by_address)(struct map *, TALLOC_CTX *, const char *addr,
			    char **user, struct err *);
	/* map_recipient() asked of somebody who can; NULL: of by_address. */
	enum status	(*recipient)(struct map *, TALLOC_CTX *,
			    const char *address, size_t len, bool local,
			    struct record **, struct err *);
	/*
	 * Owners only, NULL elsewhere.  Work that waits (an import's records,
	 * retention), a few milliseconds of it at a call: ST_OK there is more,
	 * ST_NONE nothing to do.
	 */
	enum status	(*tick)(struct map *, struct err *);
	/*
	 * Of an owner whose calls may block (NULL: they do not): how many
	 * processes are to make them, and after how many seconds one of those is
	 * killed.  forked() is called in each of them first, and after a reload.
	 */
	int		(*workers)(const struct map *);
	int		(*patience)(const struct map *);
	void		(*forked)(struct map *);
	/*
	 * Tell every record and then each change, until fn or a failure ends it;
	 * NULL: cannot.  lease: for how many seconds what it told may be used
	 * while nothing is heard; 0: not at all.
	 */
	enum status	(*follow)(struct map *, follow_fn *fn, void *arg,
			    struct err *err);
	int		(*lease)(const struct map *);
	/* Let go of what was held for look-ups that come together. */
	void		(*rest)(struct map *);
};

extern const struct map_ops map_tdb, map_ldap, map_none, map_socket;

/*
 * The backends that can own a map's data, for the table in map.c: the LDA is
 * linked without them, and without their libraries.
 */
extern const struct map_ops *const map_owners[];

/*
 * map_get() without the templates: for mapd, which knows nobody's home.
 */
enum status	map_get_open(struct map *map, TALLOC_CTX *ctx, const char *user,
		    time_t now, struct record **rec, struct err *err) MUST_CHECK;

/*
 * For a loop that answers many at a turn: once map->rests is set it calls this
 * whenever it is about to wait.
 */
void		map_rest(struct map *map);

/*
 * transition_check() with what the map knows; the judge of every change that
 * an owner is asked for.
 */
enum status	map_judge(struct map *map, const struct record *was,
		    const struct record *is, struct err *err) MUST_CHECK;

#endif
