/* SPDX-License-Identifier: ISC */
/*
 * map.c - the migration map: what is the same for every backend
 */
#include "maps/backend.h"

#include <string.h>

#include "maps/address.h"
#include "maps/route.h"
#include "maps/transition.h"

#define DUE_TRIES 5			/* two for begin and end of a window,
					   the others for races */

/* What every program can open; map_owners has what mapd can, too. */
static const struct map_ops *const clients[] = { &map_none, &map_socket, NULL };

static const struct map_ops *
find_backend(const struct map_ops *const *list, const char *scheme)
{
	size_t len = strcspn(scheme, ":");

	for (; *list != NULL; list++)
		if (strlen((*list)->scheme) == len &&
		    strncmp((*list)->scheme, scheme, len) == 0)
			return *list;
	return NULL;
}

static int
map_destroy(struct map *map)
{
	if (map->handle != NULL || map->settled)
		map->ops->close(map);
	return 0;
}

/* A program that does not own the map asks mapd, whatever mapd keeps it in. */
static const char *
scheme_of(const struct conf *conf, int flags, const char **arg)
{
	const char *colon = strchr(conf->map, ':');

	if (colon == NULL) {
		*arg = "";
		return conf->map;
	}
	if (!(flags & MAP_OWNER)) {
		*arg = conf->map_socket;
		return "socket";
	}
	*arg = colon + 1;
	return conf->map;
}

enum status
map_open(TALLOC_CTX *ctx, const struct conf *conf, int flags,
    struct map **map, struct err *err)
{
	const char *arg, *scheme = scheme_of(conf, flags, &arg);
	const struct map_ops *ops;
	struct map *m;
	enum status st;

	ops = find_backend(clients, scheme);
	if (ops == NULL)
		ops = find_backend(map_owners, scheme);
	if (ops == NULL)
		return err_set(err, ST_NEVER,
		    "map = %s: this program cannot own such a map", conf->map);
	m = must(talloc_zero(ctx, struct map));
	m->ops = ops;
	m->conf = conf;
	talloc_set_destructor(m, map_destroy);
	st = m->ops->open(m, arg, flags, err);
	if (st != ST_OK)
		talloc_free(m);
	else
		*map = m;
	return st;
}

void
map_patience(struct map *map, int ms)
{
	map->patience = ms;
}

/*
 * What a user without a record has.  version: that of the record that the user
 * once had, 0 where there was none.
 */
static struct record *
from_default(TALLOC_CTX *ctx, const char *user, const struct record *dflt,
    uint64_t version)
{
	static const char *no_address[] = { NULL };
	struct record *rec = must(talloc(ctx, struct record));

	*rec = (struct record){ .user = must(talloc_strdup(rec, user)),
	    .is_default = true, .uid = -1,
	    .state = dflt == NULL ? STATE_OLD : dflt->state,
	    .version = version, .address = no_address, .by = "", .why = "",
	    .unknown = "" };
	return rec;
}

enum status
map_get_default(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	struct record *dflt = NULL;
	uint64_t version = 0;
	enum status st;

	st = map->ops->get(map, ctx, RECORD_DEFAULT, &dflt, err);
	if (st == ST_OK || st == ST_NONE)
		st = map->ops->buried == NULL ? ST_OK :
		    map->ops->buried(map, user, &version, err);
	if (st != ST_OK)
		return st;
	*rec = from_default(ctx, user, dflt, version);
	talloc_free(dflt);
	return ST_OK;
}

/* The record after every write that is due at `now`. */
static enum status
get_current(struct map *map, TALLOC_CTX *ctx, const char *user, time_t now,
    struct record **rec, struct err *err)
{
	struct record *is;
	struct plan plan;
	enum status st;
	int i;

	for (i = 0; i < DUE_TRIES; i++) {
		st = map->ops->get(map, ctx, user, rec, err);
		if (st != ST_OK)
			return st;
		if (map->settled || strcmp(user, RECORD_DEFAULT) == 0 ||
		    route(*rec, now, &plan) == ST_OK || plan.due == STATE_NONE)
			return ST_OK;
		is = transition_due(*rec, *rec, plan.due, now);
		st = map->ops->replace(map, *rec, is,
		    &(struct change_by){ is->by, is->at, is->why }, NULL, err);
		talloc_free(*rec);
		*rec = NULL;
		if (st == ST_NEVER)
			return st;
	}
	return err_set(err, ST_AGAIN, "the record of %s keeps changing", user);
}

enum status
map_get_open(struct map *map, TALLOC_CTX *ctx, const char *user, time_t now,
    struct record **rec, struct err *err)
{
	enum status st;

	if (!record_user_valid(user) && strcmp(user, RECORD_DEFAULT) != 0)
		return err_set(err, ST_NEVER, "%s: not a user's name", user);
	st = get_current(map, ctx, user, now, rec, err);
	if (st != ST_NONE)
		return st;
	return map->settled ? err_set(err, ST_AGAIN,	/* mapd has one */
	    "mailferry-mapd has no answer for %s", user) :
	    map_get_default(map, ctx, user, rec, err);
}

enum status
map_get(struct map *map, TALLOC_CTX *ctx, const char *user, const char *home,
    time_t now, struct record **rec, struct err *err)
{
	enum status st;

	st = map_get_open(map, ctx, user, now, rec, err);
	if (st != ST_OK || strcmp(user, RECORD_DEFAULT) == 0)
		return st;
	return record_locate(*rec, map->conf, home, err);
}

/* An owner has no get_late(): its get() is as fast as a copy would be. */
enum status
map_get_late(struct map *map, TALLOC_CTX *ctx, const char *user,
    const char *home, time_t now, struct record **rec, struct err *err)
{
	enum status st = ST_NEVER;
	struct plan plan;

	if (map->ops->get_late != NULL && record_user_valid(user))
		st = map->ops->get_late(map, ctx, user, rec, err);
	if (st == ST_AGAIN)
		return st;		/* the next question would fail, too */
	if (st == ST_OK && route(*rec, now, &plan) == ST_OK)
		return record_locate(*rec, map->conf, home, err);
	if (st == ST_OK)
		talloc_free(*rec);
	return map_get(map, ctx, user, home, now, rec, err);
}

void
map_rest(struct map *map)
{
	if (map->ops->rest != NULL)
		map->ops->rest(map);
}

enum status
map_get_stored(struct map *map, TALLOC_CTX *ctx, const char *user,
    struct record **rec, struct err *err)
{
	if (!record_user_valid(user) && strcmp(user, RECORD_DEFAULT) != 0)
		return err_set(err, ST_NEVER, "%s: not a user's name", user);
	if (map->ops->get_stored != NULL)
		return map->ops->get_stored(map, ctx, user, rec, err);
	return map->ops->get(map, ctx, user, rec, err);
}

enum status
map_unsupported(const struct map *map, struct err *err)
{
	return err_set(err, ST_NEVER, "map = %s: there is nothing to show or "
	    "to change; set map = tdb:PATH in %s and start mailferry-mapd",
	    map->conf->map, map->conf->path);
}

enum status
map_each(struct map *map, map_each_fn *fn, void *arg, struct err *err)
{
	char *cursor = must(talloc_strdup(NULL, ""));
	enum status st;

	if (map->ops->each == NULL) {
		talloc_free(cursor);
		return map_unsupported(map, err);
	}
	do
		st = map->ops->each(map, NULL, &cursor, fn, arg, err);
	while (st == ST_OK && *cursor != '\0');
	talloc_free(cursor);
	return st;
}

enum status
map_watch(struct map *map, map_change_fn *fn, void *arg, struct err *err)
{
	return map->ops->watch == NULL ? map_unsupported(map, err) :
	    map->ops->watch(map, fn, arg, err);
}

/* The addresses of records are folded as a whole, the local part, too. */
enum status
map_by_address(struct map *map, TALLOC_CTX *ctx, const char *address,
    char **user, struct err *err)
{
	char *folded = must(talloc_strdup(ctx, address));
	enum status st;

	record_fold_address(folded);
	if (strpbrk(folded, " \n") != NULL || *folded == '\0')
		st = ST_NONE;
	else
		st = map->ops->by_address == NULL ? map_unsupported(map, err) :
		    map->ops->by_address(map, ctx, folded, user, err);
	talloc_free(folded);
	return st;
}

/* The stored record.  ST_NONE: none has this address, or this name. */
static enum status
known_as(struct map *map, TALLOC_CTX *ctx, const char *name, bool by_address,
    struct record **rec, struct err *err)
{
	enum status st = ST_OK;
	char *user = NULL;

	if (name == NULL || (by_address ? map->ops->by_address == NULL :
	    !record_user_valid(name)))
		return ST_NONE;
	if (by_address)
		st = map->ops->by_address(map, ctx, name, &user, err);
	if (st == ST_OK)
		st = map->ops->get(map, ctx, by_address ? user : name, rec,
		    err);
	return st;
}

static enum status
find_recipient(struct map *map, TALLOC_CTX *ctx, const struct address *addr,
    struct record **rec, struct err *err)
{
	const struct { const char *name; bool by_address; } by[] = {
		{ addr->full, true }, { addr->plain, true }, { addr->full,
		    false },
		{ addr->plain, false }, { addr->user, false },
	};
	enum status st = ST_NONE;
	size_t i;

	for (i = 0; i < sizeof(by) / sizeof(by[0]) && st == ST_NONE; i++)
		st = known_as(map, ctx, by[i].name, by[i].by_address, rec, err);
	return st;
}

enum status
map_recipient(struct map *map, TALLOC_CTX *ctx, const char *address, size_t len,
    bool local, time_t now, struct record **rec, struct err *err)
{
	struct address addr;
	struct plan plan;
	enum status st;

	if (!address_parse(ctx, map->conf, address, len, local, &addr))
		return ST_NONE;
	if (map->ops->recipient != NULL)
		return map->ops->recipient(map, ctx, address, len, local, rec,
		    err);
	st = find_recipient(map, ctx, &addr, rec, err);
	/* The record was just read; it is current unless a write is due. */
	return st != ST_OK || route(*rec, now, &plan) == ST_OK ||
	    plan.due == STATE_NONE ? st :
	    map_get_open(map, ctx, (*rec)->user, now, rec, err);
}
