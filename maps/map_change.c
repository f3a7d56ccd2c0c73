/* SPDX-License-Identifier: ISC */
/*
 * map_change.c - changes of the map: judged, made, imported, listed
 *
 * Apart from map.c, whose look-ups are all that the LDA and the milter need.
 */
#include "maps/backend.h"

#include <string.h>

#include "maps/transition.h"

/* Located as far as the configuration says: a template with %h stays open. */
static const struct record *
located(const struct map *map, TALLOC_CTX *ctx, const struct record *rec)
{
	struct record *copy;
	struct err err;

	if (rec == NULL || strcmp(rec->user, RECORD_DEFAULT) == 0)
		return rec;
	copy = record_copy(ctx, rec);
	(void)!record_locate(copy, map->conf, NULL, &err);
	return copy;
}

enum status
map_judge(struct map *map, const struct record *was, const struct record *is,
    struct err *err)
{
	TALLOC_CTX *ctx = must(talloc_new(NULL));
	const char *user = is != NULL ? is->user : was->user;
	struct record *dflt = NULL;
	enum status st;

	if (is != NULL && !record_user_valid(user) &&
	    strcmp(user, RECORD_DEFAULT) != 0)
		st = err_set(err, ST_NEVER, "%s: not a user's name", user);
	else
		st = map_get_default(map, ctx, user, &dflt, err);
	if (st == ST_OK)
		st = transition_check(located(map, ctx, was),
		    located(map, ctx, is), dflt, time(NULL), err);
	talloc_free(ctx);
	return st;
}

enum status
map_replace(struct map *map, const struct record *was, const struct record *is,
    const struct change_by *by, uint64_t *version, struct err *err)
{
	enum status st = ST_OK;

	if (map->ops->replace == NULL)
		return map_unsupported(map, err);
	if (!map->settled)		/* else mapd judges */
		st = map_judge(map, was, is, err);
	return st == ST_OK ? map->ops->replace(map, was, is, by, version, err) :
	    st;
}

enum status
map_history(struct map *map, const char *user, int limit, map_change_fn *fn,
    void *arg, struct err *err)
{
	return map->ops->history == NULL ? map_unsupported(map, err) :
	    map->ops->history(map, user, limit, fn, arg, err);
}

enum status
map_import_begin(struct map *map, TALLOC_CTX *ctx, char **id, struct err *err)
{
	return map->ops->import_begin == NULL ? map_unsupported(map, err) :
	    map->ops->import_begin(map, ctx, id, err);
}

enum status
map_import_put(struct map *map, const char *id, uint64_t was_version,
    const struct record *is, const struct change_by *by, struct err *err)
{
	struct record *was = NULL;
	enum status st = ST_OK;

	if (!map->settled) {		/* else mapd judges */
		st = map_get_stored(map, NULL, is->user, &was, err);
		if (st == ST_OK || st == ST_NONE)
			st = (was == NULL ? 0 : was->version) != was_version ?
			    err_set(err, ST_AGAIN, "somebody else changed the "
			    "record of %s", is->user) :
			    map_judge(map, was, is, err);
		talloc_free(was);
	}
	return st == ST_OK ? map->ops->import_put(map, id, was_version, is, by,
	    err) : st;
}

/* Where no loop calls tick() (nothing listens for changes), this call does. */
enum status
map_import_commit(struct map *map, const char *id, uint64_t *left,
    struct err *err)
{
	enum status st;

	st = map->ops->import_commit(map, id, left, err);
	if (st == ST_OK && *left > 0 && map->changed == NULL &&
	    map->ops->tick != NULL) {
		st = map->ops->tick(map, err);
		if (st == ST_NONE)
			st = ST_OK;
	}
	return st;
}

void
map_import_abort(struct map *map, const char *id)
{
	struct err err;

	if (map->ops->import_abort != NULL)
		(void)!map->ops->import_abort(map, id, &err);
}
